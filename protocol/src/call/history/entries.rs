//! The turns of a history as they grow.

use super::asides::Aside;
use super::{History, MAX_TURNS};
use crate::call::fact::Who;
use crate::call::latency::Latency;
use crate::ids::ItemId;

/// Bytes of words kept of one turn.
pub(super) const MAX_WORDS: usize = 16 * 1024;

/// What of the conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody had the floor.
    Turn,
    /// A fixed sentence: no model said it, and none is told.
    Clip,
    /// The caller wanted nothing by it: no model is told.
    Backchannel,
}

/// One turn as it grows.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: ItemId,
    pub(super) who: Who,
    pub(super) text: String,
    pub(super) at_ms: u64,
    pub(super) heard_ms: u64,
    pub(super) generated_ms: u64,
    /// Some of it went to the caller: it stands where that was.
    pub(super) played: bool,
    /// All of its audio was generated.
    pub(super) whole: bool,
    pub(super) interrupted: bool,
    /// Not the caller cut it short: what it still had to say is owed.
    pub(super) broken: bool,
    pub(super) waited: Waited,
    /// The caller stopped speaking, or the agent was heard out or cut.
    pub(super) ended: bool,
    /// The record knows it as it stands.
    pub(super) told: bool,
    pub(super) kind: Kind,
    /// What happened before the next turn.
    pub(super) asides: Vec<Aside>,
    /// So many of those, in the first turn, happened before it.
    pub(super) before: usize,
}

/// How long the caller had waited when an answer began with a turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Waited {
    /// Until it was sent, ms.
    pub(super) answer_ms: Option<u64>,
    /// Until it was heard, in its parts.
    pub(super) latency: Option<Box<Latency>>,
}

impl Entry {
    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// Whether the caller took the floor with it.
    pub(super) fn is_turn_of_caller(&self) -> bool {
        self.who == Who::Caller && !self.is(Kind::Backchannel)
    }
}

impl History {
    /// A turn begins. False when there is no room for it.
    pub(super) fn open(&mut self, item: &ItemId, who: Who, at_ms: u64) -> bool {
        if self.knows(item) {
            return true;
        }
        if self.entries.len() >= MAX_TURNS {
            return false;
        }
        self.entries.push(Entry {
            item: item.clone(),
            who,
            text: String::new(),
            at_ms,
            heard_ms: 0,
            generated_ms: 0,
            played: false,
            whole: false,
            interrupted: false,
            broken: false,
            waited: Waited::default(),
            ended: false,
            told: false,
            kind: Kind::Turn,
            before: self.before.len(),
            asides: std::mem::take(&mut self.before),
        });
        true
    }

    /// A fixed sentence is a turn whose words are known from the beginning.
    pub(super) fn clip(&mut self, item: &ItemId, words: &str, at_ms: u64) -> bool {
        let kept = self.open(item, Who::Agent, at_ms) && self.words(item, words, true);
        self.with(item, |e| e.kind = Kind::Clip);
        self.clips += 1;
        kept
    }

    /// Whether it is a fixed sentence.
    pub(crate) fn is_clip(&self, item: &ItemId) -> bool {
        self.entries.iter().rev().find(|e| e.item == *item).is_some_and(|e| e.is(Kind::Clip))
    }

    /// The newest turns are the ones that move: search from the end.
    pub(super) fn with(&mut self, item: &ItemId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|e| e.item == *item) {
            change(entry);
            entry.told = false;
        }
    }

    /// More words of a turn, or other ones. False when there is no room for all of them.
    pub(super) fn words(&mut self, item: &ItemId, words: &str, anew: bool) -> bool {
        let mut whole = true;
        self.with(item, |e| {
            if anew {
                e.text.clear();
            }
            whole = push_within(&mut e.text, words);
        });
        whole
    }

    /// A sound of the caller's that was no turn.
    pub(super) fn backchannel(&mut self, item: &ItemId, at_ms: u64, length_ms: u64) -> bool {
        let kept = self.open(item, Who::Caller, at_ms);
        self.with(item, |e| (e.heard_ms, e.ended, e.kind) = (length_ms, true, Kind::Backchannel));
        kept
    }
}

/// Appends what there is room for: whether that was all.
fn push_within(text: &mut String, more: &str) -> bool {
    let room = MAX_WORDS.saturating_sub(text.len());
    let end = (0..=room.min(more.len())).rev().find(|&end| more.is_char_boundary(end)).unwrap_or(0);
    text.push_str(&more[..end]);
    end == more.len()
}
