//! One sound of the caller's, as far as the server tells of it, and what several of them come to.

use std::time::{Duration, Instant};

use crate::call::listening_words;
use crate::call::policy::{Confirmed, Setup};
use crate::ids::ItemId;

/// A longer sound is a turn, whatever is said in it.
pub(super) const LONGEST: Duration = Duration::from_millis(1_200);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    pub(crate) item: ItemId,
    /// The server calls it by that name.
    pub(crate) named: bool,
    /// Where it begins in the audio of the session, ms, if that is known.
    pub(crate) start_ms: Option<u64>,
    /// The same as a moment.
    pub(crate) began: Instant,
    /// It is over.
    pub(crate) stopped: bool,
    /// How long it was, if that is known.
    pub(crate) length: Option<Duration>,
    /// The server made an item of it.
    pub(crate) committed: bool,
    /// What was said in it.
    pub(crate) words: Words,
}

/// What was said in a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// It is not known yet.
    Awaited,
    /// This.
    Said(String),
    /// It will not be known.
    Lost,
}

/// What sounds are, that were heard together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Coughs, or what a listener says.
    Away,
    /// The caller wants the floor.
    Turn,
}

impl Sound {
    /// When it ended, as far as that is known.
    pub(crate) fn ended(&self, now: Instant) -> Instant {
        self.length.map_or(now, |length| (self.began + length).min(now))
    }
}

/// How long they are together, where all of them are over and known.
fn length(sounds: &[Sound]) -> Option<Duration> {
    sounds.iter().map(|sound| sound.length.filter(|_| sound.stopped)).sum()
}

/// What they are, where that is known. `has_floor`: the agent has enough to say for a listener to say something to it.
pub(super) fn verdict(
    sounds: &[Sound],
    confirmed: Confirmed,
    setup: &Setup,
    has_floor: bool,
    transcribed: bool,
) -> Option<Verdict> {
    if !sounds.iter().all(|sound| sound.stopped) {
        return None;
    }
    let length = length(sounds);
    if length.is_some_and(|length| length < confirmed.min) {
        return Some(Verdict::Away);
    }
    if !transcribed || length.is_some_and(|length| length > LONGEST) {
        return Some(Verdict::Turn);
    }
    // With little more to come, "haan" is an answer; a cough is none.
    let is_nothing = |words: &str| match has_floor {
        true => listening_words::are_all(setup, words),
        false => listening_words::normal(words).next().is_none(),
    };
    let mut all = Some(Verdict::Away);
    for sound in sounds {
        match &sound.words {
            Words::Said(words) if is_nothing(words) => {}
            Words::Awaited => all = None,
            Words::Said(_) | Words::Lost => return Some(Verdict::Turn),
        }
    }
    all
}
