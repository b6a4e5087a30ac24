//! A caller who says nothing any more is spoken to, and let go when that is in vain.
//!
//! The clock runs while nobody speaks and nobody owes anybody anything, by the server's word: noise on the line is silence, and so is a
//! goodbye that nobody ended the call behind. How often the caller was spoken to is in the history, and so outlives sessions and faults of ours.

use std::sync::Arc;

use super::clips::Clip;
use super::context::Context;
use super::end::Ended;
use super::fact::Fact;
use super::latency::{Awaited, Part};
use super::patience::Patience;
use super::policy::Then;
use super::{Call, destinations, prompts};
use crate::realtime::command::{ClientEvent, NewItem};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Nobody has spoken for long enough.
    Nudge,
}

/// What follows from a silence.
#[derive(Debug)]
enum Next {
    /// A fixed sentence is played.
    Play(Clip),
    /// The model says something: what it is told.
    Ask(String),
    /// The call ends.
    End(Ended),
}

/// It was silent for long enough.
fn next(cx: &mut Context) -> Option<Next> {
    let policy = Arc::clone(&cx.policy);
    let silence = policy.silence.as_ref()?;
    let before = cx.history.nudges();
    if before >= silence.nudges {
        return Some(Next::End(match &silence.then {
            Then::HangUp => Ended::CallerSilent,
            // Where nobody is there by now, it ends.
            Then::Transfer(to) => {
                let because = "the caller said nothing any more";
                destinations::sent_to(&cx.setup.destinations, to, cx.now, because)
                    .map_or(Ended::CallerSilent, Ended::Transferred)
            }
        }));
    }
    let at_ms = cx.at_ms();
    cx.record(Fact::Nudged { at_ms });
    cx.count("nudged", 1);
    let at = (before as usize).checked_rem(silence.words.len());
    let words = at.and_then(|at| silence.words.get(at));
    let clip = words.and_then(|words| cx.setup.clips.find(words)).cloned();
    if words.is_some() && clip.is_none() {
        cx.count("clip_missing", 1);
    }
    Some(clip.map_or_else(|| Next::Ask(prompts::nudge(silence.after, words.map(String::as_str))), Next::Play))
}

impl Call {
    /// After every event: the clock runs, or it does not.
    pub(super) fn watch_silence(&mut self) {
        if let Some(after) = self.cx.policy.silence.as_ref().map(|silence| silence.after) {
            if self.nobody_speaks() {
                self.cx.deadlines.set_if_unset(Timer::Nudge, self.cx.now + after);
            } else {
                self.cx.deadlines.clear(Timer::Nudge);
            }
        }
    }

    /// Whether the silence is the caller's: nobody speaks, and neither the agent nor a function nor an entry of keys is waited for.
    fn nobody_speaks(&self) -> bool {
        self.playout.is_free()
            && self.is_quiet()
            && self.session.ready().is_some()
            && !Patience::is_noticing(&self.cx)
            && !self.opening.is_due()
            && !self.closing.is_pending()
            && !self.carry.is_waiting()
            && !self.tools.are_pending()
            && !self.tools.are_due()
            && !self.uplink.keypad.is_collecting(&self.cx)
    }

    /// Nobody spoke for long enough.
    pub(super) fn nobody_spoke(&mut self) {
        let Some(conn) = self.session.ready().filter(|_| self.nobody_speaks()) else { return };
        let (next, now) = (next(&mut self.cx), self.cx.now);
        if matches!(next, Some(Next::Play(_) | Next::Ask(_))) {
            self.cx.awaits(Awaited::Nudge, now, Part::Deciding, Part::Deciding);
        }
        match next {
            None => {}
            Some(Next::Play(clip)) => self.playout.play(&mut self.cx, &clip),
            Some(Next::Ask(told)) => {
                self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(told)));
                self.request(conn, None);
            }
            Some(Next::End(why)) => self.end(why),
        }
    }
}
