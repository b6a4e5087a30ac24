//! A caller who waits for a function hears that somebody is there: fixed sentences, where nothing else plays.
//!
//! They are clips: no model says them, so they neither wait for one nor stand in its way, and it does not hear of them.

use std::time::{Duration, Instant};

use super::clips::Clip;
use super::context::Context;

/// The first sentence is said so long after the function began, or after what the agent said with it.
const FIRST: Duration = Duration::from_millis(1_800);
/// The next ones after so much silence.
const NEXT: Duration = Duration::from_millis(7_000);
/// Looked at again after this, where the caller speaks or somebody is about to.
const LATER: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The caller has heard nothing for long enough.
    Filler,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// Sentences said in this wait.
    said: usize,
    /// Since when nothing plays.
    silent: Option<Instant>,
}

impl Holding {
    /// After every event: whether the caller waits for a function, and whether anything is being played to them.
    pub(super) fn watch(&mut self, cx: &mut Context, waits: bool, plays: bool) {
        if !waits {
            if self.silent.take().is_some() || self.said > 0 {
                self.said = 0;
                cx.deadlines.clear(Timer::Filler);
            }
            return;
        }
        if plays {
            self.silent = None;
            cx.deadlines.clear(Timer::Filler);
        } else if self.silent.is_none() {
            self.silent = Some(cx.now);
            cx.deadlines.set(Timer::Filler, cx.now + if self.said == 0 { FIRST } else { NEXT });
        }
    }

    /// It is time for one, of those that the function has, else of the client's; none if somebody else has the floor, or there are no words.
    pub(super) fn expired(&mut self, cx: &mut Context, floor_is_free: bool, words: &[String]) -> Option<Clip> {
        if !floor_is_free {
            cx.deadlines.set(Timer::Filler, cx.now + LATER);
            return None;
        }
        let (own, shared) = (words, &cx.setup.hold_words);
        let all = own.len() + shared.len();
        let at = self.said.checked_rem(all)?;
        let words = own.get(at).or_else(|| shared.get(at - own.len()))?;
        self.said += 1;
        let clip = cx.setup.clips.find(words).cloned();
        if clip.is_none() {
            cx.count("clip_missing", 1);
            cx.deadlines.set(Timer::Filler, cx.now + NEXT);
        }
        clip
    }
}
