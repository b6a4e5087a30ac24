//! The caller's last words. Whoever says "thanks, bye" hangs up before that is text: the model's connection is kept a moment longer for
//! the transcripts that are on their way.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::context::Context;
use super::end::Ended;
use super::fact::Fact;
use crate::ids::ItemId;

/// Turns whose words may be on their way.
const AWAITED: usize = 16;
/// Words that did not come within that never will.
const TOO_LATE: Duration = Duration::from_secs(10);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The caller has left; their words should be here by now.
    TooLate,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    /// The turns of this session whose words have not come.
    awaited: VecDeque<(ItemId, Instant)>,
    /// Why the call ends, once the carrier's side is over.
    why: Option<Ended>,
}

impl LastWords {
    /// A turn is over.
    pub(super) fn awaits(&mut self, item: ItemId, now: Instant) {
        if self.awaited.len() == AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back((item, now));
    }

    /// Its words came, or never will.
    pub(super) fn came(&mut self, item: &ItemId) {
        self.awaited.retain(|(awaited, _)| awaited != item);
    }

    pub(super) fn forget_session(&mut self) {
        self.awaited.clear();
    }

    /// Whether any may still come.
    pub(super) fn are_on_their_way(&mut self, now: Instant) -> bool {
        self.awaited.retain(|(_, at)| now.saturating_duration_since(*at) <= TOO_LATE);
        !self.awaited.is_empty()
    }

    /// The caller has left, for that reason; what they said last is still to come.
    pub(super) fn left(&mut self, cx: &mut Context, why: Ended) {
        cx.deadlines.set(Timer::TooLate, cx.now + cx.policy.last_words);
        cx.record(Fact::Left(why.clone()));
        self.why = Some(why);
    }

    /// Whatever is still missing, it is not waited for any longer: why the call ends.
    pub(super) fn give_up(&mut self) -> Option<Ended> {
        self.why.take()
    }
}
