//! What happens between the turns of a call, on its way to the record.

use std::collections::{BTreeMap, VecDeque};

use protocol::call::fact::{Fact, ToolCall};
use protocol::call::history::StoredStep;
use protocol::wire::without_nul;

/// Steps of one call that wait to be written: those that come while as many wait are counted, and left out of the record.
const MOST_WAITING: usize = 256;
/// Functions of one call whose results are waited for: more than run at once, for some return nothing. The result of the one that waits
/// longest is left out of the record.
const MOST_OPEN: usize = 32;

/// A function by its number, or keys by when they were entered.
type Key = (bool, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Steps {
    open: VecDeque<ToolCall>,
    unwritten: BTreeMap<Key, StoredStep>,
    /// Keys are entered then or later.
    next_keys_ms: u64,
    /// Functions that were called.
    called: u32,
}

impl Steps {
    /// Takes one fact that is a step; `at_ms` after the call's first stream began.
    pub(super) fn apply(&mut self, at_ms: u64, fact: Fact) {
        match fact {
            Fact::ToolCalled(call) => {
                self.called = self.called.saturating_add(1);
                let (name, arguments) = (without_nul(call.name), without_nul(call.arguments));
                let call = ToolCall { call_id: without_nul(call.call_id), name, arguments, ..call };
                if self.open.len() >= MOST_OPEN {
                    self.open.pop_front();
                    dropped();
                }
                self.open.push_back(call.clone());
                self.put((true, call.id.0.into()), StoredStep::Tool { call, result: None });
            }
            Fact::ToolReturned { id, output, .. } => {
                let Some(at) = self.open.iter().position(|call| call.id == id) else { return };
                let Some(call) = self.open.remove(at) else { return };
                self.put((true, id.0.into()), StoredStep::Tool { call, result: Some(without_nul(output)) });
            }
            Fact::KeysEntered { keys } => {
                // One after another, however fast they come.
                let at_ms = self.next_keys_ms.max(at_ms);
                self.next_keys_ms = at_ms + 1;
                self.put((false, at_ms), StoredStep::Keys { keys: without_nul(keys), at_ms });
            }
            _ => {}
        }
    }

    fn put(&mut self, key: Key, step: StoredStep) {
        if self.unwritten.len() >= MOST_WAITING && !self.unwritten.contains_key(&key) {
            return dropped();
        }
        self.unwritten.insert(key, step);
    }

    /// How many functions were called.
    pub(super) const fn called(&self) -> u32 {
        self.called
    }

    /// Whether nothing waits.
    pub(super) fn are_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// What waits to be written.
    pub(super) fn unwritten(&self) -> Vec<StoredStep> {
        self.unwritten.values().cloned().collect()
    }

    /// Everything was written.
    pub(super) fn written(&mut self) {
        self.unwritten.clear();
    }
}

fn dropped() {
    metrics::counter!("callgate_record_dropped_total").increment(1);
}
