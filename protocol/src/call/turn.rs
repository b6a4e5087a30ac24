//! Who has the floor: one response at a time, barge-in, what the model owes.

mod barge_in;
mod responses;

use std::time::{Duration, Instant};

use super::context::{Context, millis};
use super::fact::Fact;
use super::recent::Recent;
use crate::ids::{ItemId, ResponseId};
use crate::realtime::event_id::EventId;
pub(super) use barge_in::truncate;
use responses::Wanted;
pub(super) use responses::{Began, Over};

/// Responses whose late deltas are dropped; more than a handful are never open at once.
const DISCARDED: usize = 16;
/// Responses that are open at once: one, and one more that a server began by itself.
const OPEN: usize = 8;
/// Responses and turns whose copies are known.
const KNOWN: usize = 64;
/// A server cancels by itself what it began while the caller spoke. What it did not cancel within this it means.
const DOUBT: Duration = Duration::from_millis(400);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A response that the server began while the caller spoke should have been cancelled by now.
    Doubt,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The caller has the floor, by the server's VAD.
    speaking: Option<ItemId>,
    /// Since when.
    since: Option<Instant>,
    /// The turn that a session was lost in the middle of, and when, ms.
    stranded: Option<(ItemId, u64)>,
    /// Turns of the caller's in this session.
    heard: Recent<ItemId, KNOWN>,
    /// One of them ended, and the server has yet to call it an item.
    uncommitted: bool,
    /// Responses that are being generated; the newest last.
    open: Recent<ResponseId, OPEN>,
    /// We asked for a response and it has not begun: by what name.
    requested: Option<EventId>,
    /// What was asked for is not wanted any more when it begins.
    unwanted: bool,
    /// A response to be asked for as soon as none is active.
    wanted: Option<Wanted>,
    /// Cut responses: their late deltas are dropped.
    discarded: Recent<ResponseId, DISCARDED>,
    /// Responses that ended.
    ended: Recent<ResponseId, KNOWN>,
    /// A response that the server began by itself while the caller spoke: either that turn was over, and nobody said so, or the
    /// server is about to cancel it.
    doubtful: Option<ResponseId>,
    /// Turns and responses that a server gave no name.
    unnamed: u32,
}

impl Turn {
    /// Whether nobody speaks, and nothing is generated or to be generated.
    pub(super) fn is_quiet(&self) -> bool {
        self.speaking.is_none() && !self.generates()
    }

    /// Whether anything is generated or to be generated.
    pub(super) fn generates(&self) -> bool {
        !self.open.is_empty() || self.requested.is_some() || self.wanted.is_some()
    }

    pub(super) fn caller_speaks(&self) -> bool {
        self.speaking.is_some()
    }

    pub(super) fn is_discarded(&self, response: &ResponseId) -> bool {
        self.discarded.contains(response)
    }

    /// What the caller is saying.
    pub(super) fn speaking(&self) -> Option<&ItemId> {
        self.speaking.as_ref()
    }

    /// The same, and since when.
    pub(super) fn speaking_since(&self) -> Option<(ItemId, Instant)> {
        self.speaking.clone().zip(self.since)
    }

    /// Whether this response began, as far as we were told.
    pub(super) fn knows(&self, response: &ResponseId) -> bool {
        self.open.contains(response) || self.ended.contains(response)
    }

    /// The item of a turn; one that the server gave no name is the one at hand, or gets a name.
    pub(super) fn name(&mut self, item: ItemId, begins: bool) -> ItemId {
        if !item.as_str().is_empty() {
            return item;
        }
        let earlier = if begins { None } else { self.heard.iter().next_back() };
        self.speaking.as_ref().or(earlier).cloned().unwrap_or_else(|| {
            self.unnamed += 1;
            ItemId::new(format!("unnamed-{}", self.unnamed))
        })
    }

    /// Nothing more of it is heard.
    pub(super) fn discard(&mut self, response: ResponseId) {
        self.discarded.insert(response);
    }

    /// The caller stopped; `last` is when they last spoke. The turn that is over, unless that was known, or is of an old one.
    pub(super) fn caller_ended(&mut self, cx: &mut Context, item: &ItemId, last: Instant) -> Option<ItemId> {
        let known = self.heard.contains(item);
        let ended = self.speaking.clone().filter(|speaking| !known || speaking == item);
        if ended.is_none() {
            cx.count("repeated_event", 1);
            return None;
        }
        self.close_turn(cx, last);
        (self.doubtful, self.uncommitted) = (None, true);
        cx.deadlines.clear(Timer::Doubt);
        ended
    }

    /// What the caller was saying ends there.
    fn close_turn(&mut self, cx: &mut Context, last: Instant) {
        if let Some(item) = self.speaking.take() {
            let at_ms = cx.at_ms().saturating_sub(millis(cx.now.saturating_duration_since(last)));
            cx.record(Fact::CallerStopped { item, at_ms });
        }
    }

    /// A turn that a lost session broke ended when nobody listened any more.
    fn settle_stranded(&mut self, cx: &mut Context) {
        if let Some((item, at_ms)) = self.stranded.take() {
            cx.record(Fact::CallerStopped { item, at_ms });
        }
    }

    /// The server made an item of a turn. True when it had not told of any such turn before.
    pub(super) fn committed(&mut self, item: &ItemId) -> bool {
        !std::mem::take(&mut self.uncommitted) && !self.heard.contains(item)
    }

    /// That was the item of the turn that just ended.
    pub(super) fn committed_now(&mut self) {
        self.uncommitted = false;
    }

    /// A response began that nobody will hear.
    pub(super) fn heard_of_response(&mut self, response: ResponseId) {
        self.open.insert(response);
    }

    /// Whether more of a response may come.
    pub(super) fn is_open(&self, response: &ResponseId) -> bool {
        self.open.contains(response)
    }

    /// Responses that are being generated and are to be heard.
    pub(super) fn open_responses(&self) -> Vec<ResponseId> {
        self.open.iter().filter(|response| !self.is_discarded(response)).cloned().collect()
    }

    /// A turn that only shows by its words.
    pub(super) fn heard_of(&mut self, item: ItemId) {
        self.heard.insert(item);
    }

    /// Whether the server tells of a turn that it called over, or that is going on.
    pub(super) fn is_of_turn(&self, item: &ItemId) -> bool {
        self.heard.contains(item)
    }

    /// The caller's side is over, and with it what they were saying. Returns the responses that nobody will hear.
    pub(super) fn leave(&mut self, cx: &mut Context, last: Instant) -> Vec<ResponseId> {
        self.close_turn(cx, last);
        self.settle_stranded(cx);
        self.open_responses()
    }

    /// A response is in doubt: for a moment, or not at all if the caller makes no sound.
    pub(super) fn doubt(cx: &mut Context, silent: bool) {
        let wait = if silent { Duration::ZERO } else { DOUBT };
        cx.deadlines.set(Timer::Doubt, cx.now + wait);
    }

    /// The turn of the caller's that a response in doubt shows to be over.
    pub(super) fn doubted(&self) -> Option<ItemId> {
        self.doubtful.as_ref().and(self.speaking.clone())
    }

    /// Whether that response is in doubt.
    pub(super) fn doubts(&self, response: &ResponseId) -> bool {
        self.doubtful.as_ref() == Some(response)
    }

    /// The session is gone, and with it all that was in progress there.
    pub(super) fn session_lost(&mut self, cx: &mut Context) {
        if let Some(item) = self.speaking.take() {
            self.stranded = Some((item, cx.at_ms()));
        }
        (self.requested, self.wanted, self.unwanted) = (None, None, false);
        self.forget_session();
        cx.deadlines.clear(Timer::Doubt);
    }

    /// Another session begins: what one calls by a name is nothing to the next.
    pub(super) fn forget_session(&mut self) {
        (self.doubtful, self.uncommitted) = (None, false);
        self.open.clear();
        self.discarded.clear();
        self.ended.clear();
        self.heard.clear();
    }
}
