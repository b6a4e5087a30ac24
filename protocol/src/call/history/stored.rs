//! A history from the record: of a call that comes back where nobody remembers it.

use std::time::SystemTime;

use super::{History, MAX_TURNS};
use crate::call::fact::{BrokenBy, Fact, ToolCall, Turn, Who};
use crate::call::latency::Latency;
use crate::call::prompts;
use crate::ids::ItemId;

/// What is on record of a call.
#[derive(Clone, Debug, Default)]
pub struct StoredCall {
    /// When its first media stream began.
    pub started: Option<SystemTime>,
    /// Media streams that began.
    pub streams: u32,
    /// Its turns.
    pub turns: Vec<Turn>,
    /// What happened between them.
    pub steps: Vec<StoredStep>,
    /// Model connections dialled.
    pub dials: u32,
}

/// What happened between the turns of a call, as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredStep {
    /// A function was called.
    Tool {
        /// How.
        call: ToolCall,
        /// What it came to, if that is known.
        result: Option<String>,
    },
    /// Keys were entered.
    Keys {
        /// Which.
        keys: String,
        /// When, ms since the call's first media stream began.
        at_ms: u64,
    },
}

impl StoredStep {
    /// When it happened, ms since the call's first media stream began.
    #[must_use]
    pub const fn at_ms(&self) -> u64 {
        match self {
            Self::Tool { call, .. } => call.at_ms,
            Self::Keys { at_ms, .. } => *at_ms,
        }
    }
}

impl History {
    /// The history of a call as it is on record: the fold of the facts that the record was written from, as far as it has them. What was
    /// being said or done when its gateway was lost is not there: who spoke last is the caller, if the answer was never settled.
    #[must_use]
    pub fn stored(stored: StoredCall) -> Self {
        let mut history = Self { started: stored.started, recorded: stored.streams > 0, ..Self::default() };
        if stored.dials > 0 {
            history.apply(&Fact::ModelDialled { attempt: stored.dials });
        }
        let (mut turns, mut steps) = (stored.turns, stored.steps);
        turns.sort_by_key(|turn| turn.index);
        turns.dedup_by_key(|turn| turn.index);
        steps.sort_by_key(StoredStep::at_ms);
        let last = turns.iter().rfind(|turn| !turn.backchannel).map(|turn| turn.index);
        let mut steps = steps.into_iter().peekable();
        for turn in turns.into_iter().filter(|turn| (turn.index as usize) < MAX_TURNS) {
            while let Some(step) = steps.next_if(|step| step.at_ms() < turn.at_ms) {
                history.step(step);
            }
            history.stored_turn(&turn, Some(turn.index) == last);
        }
        steps.for_each(|step| history.step(step));
        history.away = history.recorded;
        history
    }

    /// A turn stands where its number says: of one that could not be written its place is left.
    fn stored_turn(&mut self, turn: &Turn, is_last: bool) {
        let item = |index: usize| ItemId::new(format!("record-{index}"));
        while self.entries.len() < turn.index as usize {
            let index = self.entries.len();
            self.apply(&Fact::AgentBegan { item: item(index), at_ms: turn.at_ms });
            self.entries[index..].iter_mut().for_each(|entry| (entry.ended, entry.told) = (true, true));
        }
        for fact in facts(&item(turn.index as usize), turn, is_last) {
            self.apply(&fact);
        }
    }

    fn step(&mut self, step: StoredStep) {
        match step {
            // No row has such a number: the next one has to be greater.
            StoredStep::Tool { call, .. } if i32::try_from(call.id.0).is_err() => {}
            StoredStep::Tool { call, result } => {
                // Whatever ran for it is gone, and is not run again: it may have been done.
                let lost = || call.wait_ms.map(|_| prompts::RESULT_LOST.to_owned());
                let returned = result.or_else(lost).map(|output| {
                    let (id, call_id) = (call.id, call.call_id.clone());
                    Fact::ToolReturned { id, call_id, output }
                });
                self.apply(&Fact::ToolCalled(call));
                returned.iter().for_each(|fact| self.apply(fact));
            }
            StoredStep::Keys { keys, .. } => self.apply(&Fact::KeysEntered { keys }),
        }
    }

    /// The call comes back from a transfer that came to nothing, with the carrier's word for it.
    pub fn came_back_from_transfer(&mut self, dial_status: &str) {
        self.dial_status = Some(dial_status.to_owned());
    }

    /// How the caller comes to be back.
    pub(crate) fn back(&self) -> prompts::Back<'_> {
        match &self.dial_status {
            Some(status) => prompts::Back::Transfer(status),
            None if self.recorded => prompts::Back::LostGateway,
            None => prompts::Back::BrokenLine,
        }
    }

    /// Whether the caller's stream ended and nothing was said to them since.
    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// Whether the call was begun by a gateway that nobody here remembers.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.recorded
    }
}

/// The facts that a turn of the record stands for. Of the agent the record has what was heard, and no more.
fn facts(item: &ItemId, turn: &Turn, is_last: bool) -> Vec<Fact> {
    let (item, at_ms, heard_ms) = (item.clone(), turn.at_ms, turn.heard_ms);
    let mut facts = match turn.who {
        Who::Caller if turn.backchannel => vec![
            Fact::Backchannel { item: item.clone(), at_ms, length_ms: heard_ms },
            Fact::CallerText { item: item.clone(), text: turn.text.clone() },
        ],
        Who::Caller => vec![
            Fact::CallerSpoke { item: item.clone(), at_ms },
            Fact::CallerStopped { item: item.clone(), at_ms: at_ms.saturating_add(heard_ms) },
            Fact::CallerText { item: item.clone(), text: turn.text.clone() },
        ],
        Who::Agent if turn.clip => vec![
            Fact::ClipBegan { item: item.clone(), words: turn.text.clone(), at_ms },
            Fact::PlaybackBegan { item: item.clone(), at_ms },
            Fact::Heard { item: item.clone(), generated_ms: heard_ms, heard_ms, whole: true },
        ],
        Who::Agent => vec![
            Fact::AgentBegan { item: item.clone(), at_ms },
            Fact::AgentText { item: item.clone(), delta: turn.text.clone() },
            Fact::PlaybackBegan { item: item.clone(), at_ms },
            Fact::Heard { item: item.clone(), generated_ms: heard_ms, heard_ms, whole: true },
        ],
    };
    match turn.who {
        // Whoever cuts the agent short has a turn: where there is none, it was no caller, and the rest is owed.
        Who::Agent if turn.interrupted && is_last && !turn.clip => {
            facts.push(Fact::BrokenOff { item: item.clone(), by: BrokenBy::CallEnded });
        }
        Who::Agent if turn.interrupted => {
            facts.push(Fact::Interrupted { item: item.clone(), heard_ms, unheard_ms: 0, at_ms });
        }
        _ => {}
    }
    facts.extend(turn.answer_ms.map(|after_ms| Fact::Answered { item: item.clone(), after_ms }));
    facts.extend(turn.latency.as_deref().map(|latency| Fact::Latency(Latency { item, ..latency.clone() })));
    facts.push(Fact::Turn(turn.clone()));
    facts
}

#[cfg(test)]
mod tests;
