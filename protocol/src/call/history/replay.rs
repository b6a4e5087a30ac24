//! What a session is told that takes over, and what it owes the caller.

use std::time::{Duration, SystemTime};

use super::asides::Aside;
use super::{Entry, History, Kind};
use crate::call::fact::Who;
use crate::call::prompts;
use crate::realtime::command::NewItem;

/// What a model that comes back should do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    Nothing,
    /// The caller spoke, or entered keys, or a function returned, and there was no answer.
    Answer,
    /// The caller was speaking when they were last listened to.
    Ear,
    /// The agent was lost in the middle of one.
    Rest,
}

impl History {
    /// What the model owes the caller when it comes back.
    #[must_use]
    pub(crate) fn owed(&self) -> Owed {
        let tail = self.tail();
        let told = match tail {
            Some(index) => self.entries[index..].iter().any(|e| e.asides[e.before..].iter().any(Aside::wants_answer)),
            None => self.before.iter().any(Aside::wants_answer),
        };
        match tail.map(|index| &self.entries[index]) {
            Some(e) if e.who == Who::Caller && !e.ended => Owed::Ear,
            Some(e) if e.who == Who::Caller => Owed::Answer,
            _ if told => Owed::Answer,
            Some(e) if e.broken => Owed::Rest,
            _ => Owed::Nothing,
        }
    }

    /// When the caller stopped, if they were not answered since.
    pub(crate) fn unanswered_since(&self) -> Option<SystemTime> {
        let last = &self.entries[self.tail()?];
        let waits = last.who == Who::Caller && last.ended;
        let at_ms = Duration::from_millis(last.at_ms.saturating_add(last.heard_ms));
        self.started().filter(|_| waits)?.checked_add(at_ms)
    }

    /// Where the turns begin that are still being played, if any are: how much of them is heard shows later.
    pub(crate) fn playing_from(&self) -> usize {
        let last = self.entries.iter().rposition(Entry::is_turn_of_caller).map_or(0, |index| index + 1);
        let playing = self.entries[last..].iter().position(|e| !e.ended);
        playing.map_or(self.entries.len(), |index| last + index)
    }

    /// The last `turns` turns before `end` as items for a new session: what was said and *heard*, tool calls with their results.
    #[must_use]
    pub(crate) fn replay(&self, turns: usize, end: usize) -> Vec<NewItem> {
        let end = end.min(self.entries.len());
        let before = self.before.iter().flat_map(Aside::items);
        before.chain(self.entries[end.saturating_sub(turns)..end].iter().flat_map(Entry::items)).collect()
    }

    /// The turns from there on, as items.
    #[must_use]
    pub(crate) fn since(&self, from: usize) -> Vec<NewItem> {
        self.entries.iter().skip(from).flat_map(Entry::items).collect()
    }

    /// What was heard of the answer that broke off last, if it is to be gone on with.
    #[must_use]
    pub(crate) fn broken_words(&self) -> Option<&str> {
        let entry = &self.entries[self.tail().filter(|_| self.owed() == Owed::Rest)?];
        (entry.heard_ms > 0).then(|| entry.words())
    }

    /// The last turn in which anything was said aloud.
    fn tail(&self) -> Option<usize> {
        // Words that no audio followed were no answer, nor is a fixed sentence.
        let spoken = |e: &Entry| e.who == Who::Agent && e.generated_ms > 0 && !e.is(Kind::Clip);
        self.entries.iter().rposition(|e| e.is_turn_of_caller() || spoken(e))
    }
}

impl Entry {
    /// The turn as a session is told it.
    fn items(&self) -> Vec<NewItem> {
        let words = self.words();
        let said = match self.who {
            _ if self.is(Kind::Backchannel) => None,
            Who::Caller if words.is_empty() => Some(NewItem::User(prompts::INAUDIBLE.to_owned())),
            Who::Caller => Some(NewItem::User(words.to_owned())),
            Who::Agent if words.is_empty() || self.is(Kind::Clip) => None,
            Who::Agent => Some(NewItem::Assistant(words.to_owned())),
        };
        let (before, after) = self.asides.split_at(self.before);
        let items = |asides: &[Aside]| asides.iter().flat_map(Aside::items).collect::<Vec<_>>();
        items(before).into_iter().chain(said).chain(items(after)).collect()
    }
}
