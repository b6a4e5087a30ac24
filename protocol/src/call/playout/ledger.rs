//! The heard-truth ledger: per (response, item, content) what was generated, sent and heard.

use codecs::SampleRate;

use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::ContentKey;

/// One content part. `heard <= sent <= generated`, in bytes at the carrier's rate, padding not counted. Sent is what was handed to the
/// carrier's socket.
#[derive(Debug)]
struct Entry {
    serial: u64,
    key: ContentKey,
    generated: usize,
    sent: usize,
    heard: usize,
    /// Nothing more of it will come.
    done: bool,
    /// All of it came.
    whole: bool,
    /// `heard` or `done` moved since it was last told.
    moved: bool,
    /// Its session is gone, or it never was a model's: none can be told about it.
    orphan: bool,
}

/// Contents that were not yet heard whole, in the order they are played.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    next: u64,
}

/// A content part cut by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) key: ContentKey,
    /// The truncation point.
    pub(crate) heard_ms: u64,
    pub(crate) generated_ms: u64,
    pub(crate) whole: bool,
    /// The model has to be told. Not when all was heard (a truncation would only delete its transcript), when there was
    /// no audio, or when its session is gone.
    pub(crate) tell: bool,
}

/// How far a content was heard.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) item: ItemId,
    pub(crate) generated_ms: u64,
    pub(crate) heard_ms: u64,
    pub(crate) whole: bool,
    /// All that came was heard, and no more will come.
    pub(crate) over: bool,
}

impl Ledger {
    /// The entry of a content part, and whether it is new.
    pub(crate) fn open(&mut self, key: &ContentKey) -> (u64, bool) {
        if let Some(entry) = self.entries.iter().rev().find(|e| e.key == *key) {
            return (entry.serial, false);
        }
        let serial = self.next;
        self.next += 1;
        let entry = Entry {
            serial,
            key: key.clone(),
            generated: 0,
            sent: 0,
            heard: 0,
            done: false,
            whole: false,
            moved: true,
            orphan: false,
        };
        self.entries.push(entry);
        (serial, true)
    }

    /// An entry for audio that is there whole, and that no model is told of.
    pub(crate) fn open_unknown(&mut self, key: &ContentKey, bytes: usize) -> u64 {
        let (serial, _) = self.open(key);
        if let Some(entry) = self.find(serial) {
            entry.generated = bytes;
            (entry.done, entry.whole, entry.orphan) = (true, true, true);
        }
        serial
    }

    fn find(&mut self, serial: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|e| e.serial == serial)
    }

    pub(crate) fn generated(&mut self, serial: u64, bytes: usize) {
        if let Some(entry) = self.find(serial) {
            entry.generated += bytes;
            entry.moved = true;
            // After its `done` even: the server's order is not ours to trust.
            (entry.done, entry.whole) = (false, false);
        }
    }

    /// Notes that `bytes` went out; returns the total sent.
    pub(crate) fn sent(&mut self, serial: u64, bytes: usize) -> usize {
        self.find(serial).map_or(0, |entry| {
            entry.sent = (entry.sent + bytes).min(entry.generated);
            entry.sent
        })
    }

    /// So much of what went out was dropped unheard, and goes out again.
    pub(crate) fn unsent_again(&mut self, serial: u64, bytes: usize) {
        if let Some(entry) = self.find(serial) {
            entry.sent = entry.sent.saturating_sub(bytes).max(entry.heard);
        }
    }

    /// Playback got to `total` bytes of a content part.
    pub(crate) fn heard(&mut self, serial: u64, total: usize) {
        if let Some(entry) = self.find(serial) {
            entry.heard = total.min(entry.sent).max(entry.heard);
            entry.moved = true;
        }
    }

    /// Marks the first unfinished content that matches: no more of it will come, and whether it was generated to its end.
    pub(crate) fn finish(&mut self, whole: bool, matches: impl Fn(&ContentKey) -> bool) -> Option<u64> {
        let entry = self.entries.iter_mut().find(|e| !e.done && matches(&e.key))?;
        (entry.done, entry.whole, entry.moved) = (true, whole, true);
        Some(entry.serial)
    }

    /// The model is gone: nothing more of anything will come.
    pub(crate) fn orphan(&mut self) {
        for entry in &mut self.entries {
            (entry.done, entry.orphan, entry.moved) = (true, true, true);
        }
    }

    /// The items that a response is in the middle of; else the last one it had, if that is still to be heard.
    pub(crate) fn cut_off(&self, response: &ResponseId) -> Vec<ItemId> {
        let of_it = || self.entries.iter().filter(|e| e.key.response == *response);
        let unfinished: Vec<ItemId> = of_it().filter(|e| !e.done).map(|e| e.key.item.clone()).collect();
        if unfinished.is_empty() {
            of_it().next_back().map(|e| e.key.item.clone()).into_iter().collect()
        } else {
            unfinished
        }
    }

    /// The items of which more than `bytes` was sent and not heard, or something was not sent, or more was to come.
    pub(crate) fn unheard(&self, bytes: usize) -> Vec<ItemId> {
        let unheard = |e: &&Entry| !e.done || e.generated > e.sent || e.sent > e.heard + bytes;
        self.entries.iter().filter(unheard).map(|e| e.key.item.clone()).collect()
    }

    /// Whose audio it is.
    pub(crate) fn response_of(&self, serial: u64) -> Option<&ResponseId> {
        self.entries.iter().find(|e| e.serial == serial).map(|e| &e.key.response)
    }

    /// Whether more of that content may come.
    pub(crate) fn is_done(&self, serial: u64) -> bool {
        self.entries.iter().find(|e| e.serial == serial).is_none_or(|e| e.done)
    }

    /// Whether a content of that response is being generated.
    pub(crate) fn is_generating(&self, response: &ResponseId) -> bool {
        self.entries.iter().any(|e| !e.done && e.key.response == *response)
    }

    /// Whether a content of any response is being generated.
    pub(crate) fn is_any_generating(&self) -> bool {
        self.entries.iter().any(|e| !e.done)
    }

    /// Which content that is.
    pub(crate) fn key(&self, serial: u64) -> Option<&ContentKey> {
        self.entries.iter().find(|e| e.serial == serial).map(|e| &e.key)
    }

    /// Whose item a content is.
    pub(crate) fn item(&self, serial: u64) -> Option<&ItemId> {
        self.entries.iter().find(|e| e.serial == serial).map(|e| &e.key.item)
    }

    /// The item of a content of which nothing was sent yet.
    pub(crate) fn unsent(&self, serial: u64) -> Option<&ItemId> {
        self.entries.iter().find(|e| e.serial == serial && e.sent == 0).map(|e| &e.key.item)
    }

    /// What moved since the last time; contents heard whole are forgotten.
    pub(crate) fn settle(&mut self, rate: SampleRate) -> Vec<Progress> {
        let mut told = Vec::new();
        self.entries.retain_mut(|entry| {
            let over = entry.done && entry.heard >= entry.generated;
            if std::mem::take(&mut entry.moved) {
                told.push(Progress {
                    item: entry.key.item.clone(),
                    generated_ms: to_ms(entry.generated, rate),
                    heard_ms: to_ms(entry.heard, rate),
                    whole: entry.whole,
                    over,
                });
            }
            !over
        });
        told
    }

    /// Takes everything that was not heard whole.
    pub(crate) fn cut(&mut self, rate: SampleRate) -> Vec<Cut> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|entry| Cut {
                heard_ms: to_ms(entry.heard, rate),
                generated_ms: to_ms(entry.generated, rate),
                whole: entry.whole,
                tell: !entry.orphan && entry.generated > 0 && !(entry.done && entry.heard >= entry.generated),
                key: entry.key,
            })
            .collect()
    }

    pub(crate) fn responses(&self) -> Vec<ResponseId> {
        let mut responses: Vec<ResponseId> = Vec::new();
        for entry in &self.entries {
            if !responses.contains(&entry.key.response) {
                responses.push(entry.key.response.clone());
            }
        }
        responses
    }

    /// The carrier's rate changed before anything was sent.
    pub(crate) fn rescale(&mut self, from: SampleRate, to: SampleRate) {
        for entry in &mut self.entries {
            entry.generated = entry.generated * to.bytes_per_ms() / from.bytes_per_ms();
        }
    }
}

/// Whole ms: never more than there was.
fn to_ms(bytes: usize, rate: SampleRate) -> u64 {
    (bytes / rate.bytes_per_ms()) as u64
}
