//! The fold of a call's facts: what a restart after a panic, a redial, a roll or a returning call begins from.
//!
//! It is never the state that panicked, only what was recorded.

mod asides;
mod entries;
mod keys;
mod replay;
mod stored;
mod words;

use std::sync::Arc;
use std::time::SystemTime;

use codecs::SampleRate;

use super::end::Ended;
use super::fact::{Fact, Turn, Who};
use super::functions::CallContext;
use super::io::EffectId;
use super::tools::COLLECT_DIGITS;
use crate::ids::{ItemId, StreamSid};

use asides::Aside;
use entries::{Entry, Kind};
use keys::Keys;
pub(crate) use replay::Owed;
pub use stored::{StoredCall, StoredStep};

/// Turns of one call: beyond it a conversation is none.
const MAX_TURNS: usize = 5_000;

/// What is known of a call from its facts.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The stream that carries the call, and when it began.
    stream: Option<(StreamSid, SampleRate, SystemTime)>,
    /// When the first one did.
    started: Option<SystemTime>,
    entries: Vec<Entry>,
    dials: u32,
    resumes: u32,
    /// What happened before the first turn.
    before: Vec<Aside>,
    /// Functions called so far.
    effects: u32,
    /// The client was asked who calls; what it said.
    context: Option<(EffectId, Option<Arc<CallContext>>)>,
    /// Fixed sentences played so far.
    clips: u32,
    /// Times that the caller was spoken to since they did something last.
    nudges: u32,
    keys: Keys,
    /// The carrier's side is over, and the end is not yet told.
    left: Option<Ended>,
    /// The caller's stream ended, and nothing was said to them since.
    away: bool,
    /// It is from the record: whoever began the call is not here.
    recorded: bool,
    /// What became of the transfer that the call comes back from, in the carrier's word.
    dial_status: Option<String>,
}

impl History {
    /// Folds one fact.
    pub fn apply(&mut self, fact: &Fact) {
        self.fold(fact);
    }

    /// The same. What of it there was no room for, by the word that this is counted under.
    pub(crate) fn fold(&mut self, fact: &Fact) -> Option<&'static str> {
        let (kept, what) = match fact {
            Fact::CallerSpoke { item, at_ms } => {
                self.nudges = 0;
                (self.open(item, Who::Caller, *at_ms), "turn_dropped")
            }
            Fact::AgentBegan { item, at_ms } => (self.open(item, Who::Agent, *at_ms), "turn_dropped"),
            Fact::ClipBegan { item, words, at_ms } => (self.clip(item, words, *at_ms), "turn_dropped"),
            Fact::Backchannel { item, at_ms, length_ms } => {
                (self.backchannel(item, *at_ms, *length_ms), "turn_dropped")
            }
            Fact::CallerText { item, text } => (self.words(item, text, true), "words_cut"),
            Fact::AgentText { item, delta } => (self.words(item, delta, false), "words_cut"),
            Fact::ToolCalled(call) => {
                self.effects = self.effects.max(call.id.0);
                self.keys.secret_entries += u32::from(call.name == COLLECT_DIGITS);
                (self.aside(Aside::Call(call.clone(), None)), "aside_dropped")
            }
            Fact::ToolReturnedLate { words, .. } => (self.aside(Aside::Late(words.clone())), "aside_dropped"),
            Fact::KeysEntered { keys } => {
                self.keys.entered(keys);
                (self.aside(Aside::Keys(keys.clone())), "aside_dropped")
            }
            small => {
                self.note(small);
                return None;
            }
        };
        (!kept).then_some(what)
    }

    /// Folds what takes no more room.
    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::MediaStarted { stream, rate, wall, .. } => {
                self.stream = Some((stream.clone(), *rate, *wall));
                self.started.get_or_insert(*wall);
            }
            Fact::ModelDialled { attempt } => self.dials = *attempt,
            Fact::Resumed => self.resumed(),
            Fact::CallerStopped { item, at_ms } => self.with(item, |e| {
                e.heard_ms = at_ms.saturating_sub(e.at_ms);
                e.ended = true;
            }),
            // Of an item's contents the first one begins it.
            Fact::PlaybackBegan { item, at_ms } => {
                self.away = false;
                self.with(item, |e| {
                    e.at_ms = if e.played { e.at_ms } else { *at_ms };
                    e.played = true;
                });
            }
            Fact::Heard { item, generated_ms, heard_ms, whole } => self.with(item, |e| {
                (e.generated_ms, e.heard_ms, e.whole) = (*generated_ms, *heard_ms, *whole);
            }),
            Fact::Interrupted { item, heard_ms, .. } => self.with(item, |e| {
                e.heard_ms = *heard_ms;
                e.interrupted = true;
                e.ended = true;
            }),
            Fact::Answered { item, after_ms } => {
                self.with(item, |e| e.waited.answer_ms = e.waited.answer_ms.or(Some(*after_ms)));
            }
            Fact::Latency(latency) => self.with(&latency.item, |e| {
                e.waited.latency.get_or_insert_with(|| Box::new(latency.clone()));
            }),
            Fact::BrokenOff { item, .. } => self.with(item, |e| (e.interrupted, e.broken) = (true, true)),
            Fact::Turn(turn) => {
                if let Some(entry) = self.entries.get_mut(turn.index as usize) {
                    (entry.ended, entry.told) = (true, true);
                }
            }
            Fact::ContextAsked { id } => {
                self.effects = self.effects.max(id.0);
                self.context = Some((*id, None));
            }
            Fact::ContextKnown(context) => {
                if let Some((_, known)) = &mut self.context {
                    *known = Some(Arc::clone(context));
                }
            }
            Fact::Left(why) => self.left = Some(why.clone()),
            // Of this stream: there may be another.
            Fact::Ended(_) => {
                (self.left, self.stream, self.away, self.nudges) = (None, None, true, 0);
                (self.recorded, self.dial_status) = (false, None);
            }
            Fact::ToolReturned { id, output, .. } => self.returned(*id, output),
            Fact::Dtmf { digit } => {
                self.nudges = 0;
                self.keys.pressed(*digit);
            }
            Fact::Nudged { .. } => self.nudges += 1,
            Fact::KeysCollected { secret, asked } => {
                self.nudges = 0;
                self.keys.collected(*secret, *asked);
            }
            _ => {}
        }
    }

    /// What was being said had its session with the actor that is gone.
    fn resumed(&mut self) {
        self.resumes += 1;
        let heard_out = |e: &Entry| e.ended || e.whole && e.heard_ms >= e.generated_ms;
        for entry in self.entries.iter_mut().filter(|e| e.who == Who::Agent && !heard_out(e)) {
            (entry.interrupted, entry.broken, entry.told) = (true, true, false);
        }
    }

    /// Whether there was a turn of this item.
    pub(crate) fn knows(&self, item: &ItemId) -> bool {
        self.entries.iter().rev().any(|e| e.item == *item)
    }

    /// Whether this turn broke off.
    pub(crate) fn is_broken(&self, item: &ItemId) -> bool {
        self.entries.iter().rev().find(|e| e.item == *item).is_some_and(|e| e.broken)
    }

    /// Why the carrier's side is over, while the end itself is not yet told.
    #[must_use]
    pub fn left(&self) -> Option<&Ended> {
        self.left.as_ref()
    }

    /// How a turn stands.
    pub(crate) fn turn_of(&self, item: &ItemId) -> Option<Turn> {
        self.entries.iter().rposition(|e| e.item == *item).map(|index| self.turn(index))
    }

    /// Every turn as it stands.
    pub fn turns(&self) -> impl Iterator<Item = Turn> + '_ {
        (0..self.entries.len()).map(|index| self.turn(index))
    }

    /// The items of turns that the record does not know as they stand.
    pub(crate) fn unsettled(&self) -> Vec<ItemId> {
        self.entries.iter().filter(|e| !e.told).map(|e| e.item.clone()).collect()
    }

    fn turn(&self, index: usize) -> Turn {
        let entry = &self.entries[index];
        Turn {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            who: entry.who,
            text: entry.words().to_owned(),
            at_ms: entry.at_ms,
            heard_ms: entry.heard_ms,
            generated_ms: entry.generated_ms,
            interrupted: entry.interrupted,
            answer_ms: entry.waited.answer_ms,
            latency: entry.waited.latency.clone(),
            clip: entry.is(Kind::Clip),
            backchannel: entry.is(Kind::Backchannel),
        }
    }

    /// The stream that carries the call now, its rate, and when it began.
    #[must_use]
    pub fn stream(&self) -> Option<&(StreamSid, SampleRate, SystemTime)> {
        self.stream.as_ref()
    }

    /// When the call's first media stream began.
    #[must_use]
    pub fn started(&self) -> Option<SystemTime> {
        self.started
    }

    /// Leaves of what was said only the last `turns`, which is all that a session is ever told: of the others that they were.
    pub fn forget_words(&mut self, turns: usize) {
        let old = self.entries.len().saturating_sub(turns);
        for entry in self.entries[..old].iter_mut().filter(|entry| entry.told) {
            (entry.text, entry.asides, entry.before) = (String::new(), Vec::new(), 0);
        }
    }

    /// About what it takes of memory, bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let asides = |asides: &[Aside]| asides.iter().map(Aside::weight).sum::<usize>();
        let waited = |entry: &Entry| entry.waited.latency.as_deref().map_or(0, size_of_val);
        let entry = |entry: &Entry| {
            let words = entry.text.len() + entry.item.as_str().len();
            size_of::<Entry>() + words + waited(entry) + asides(&entry.asides)
        };
        size_of::<Self>() + self.entries.iter().map(entry).sum::<usize>() + asides(&self.before)
    }

    /// Model connections dialled so far.
    #[must_use]
    pub fn dials(&self) -> u32 {
        self.dials
    }

    /// Times the call was rebuilt.
    #[must_use]
    pub fn resumes(&self) -> u32 {
        self.resumes
    }

    /// By what the client's word of who calls is known, and whether it is there.
    pub(crate) fn context_asked(&self) -> Option<(EffectId, bool)> {
        self.context.as_ref().map(|(id, known)| (*id, known.is_some()))
    }

    /// What the client says of who calls.
    pub(crate) fn context(&self) -> Option<&CallContext> {
        self.context.as_ref()?.1.as_deref()
    }

    /// Fixed sentences played so far.
    pub(crate) fn clips(&self) -> u32 {
        self.clips
    }

    /// Times that the caller was spoken to since they did something last.
    pub(crate) fn nudges(&self) -> u32 {
        self.nudges
    }

    /// Whether the agent was ever heard.
    #[must_use]
    pub fn agent_heard(&self) -> bool {
        self.entries.iter().any(|e| e.who == Who::Agent && e.heard_ms > 0)
    }

    /// Whether no words of a turn are known yet.
    pub(crate) fn is_wordless(&self, item: &ItemId) -> bool {
        self.entries.iter().rev().find(|e| e.item == *item).is_none_or(|e| e.text.is_empty())
    }

    /// Whether these are the words of that turn already.
    pub(crate) fn says(&self, item: &ItemId, text: &str) -> bool {
        self.entries.iter().rev().find(|e| e.item == *item).is_some_and(|e| e.text == text)
    }
}

#[cfg(test)]
mod tests;
