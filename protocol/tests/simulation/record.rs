//! What of a call is on record: the facts that were written down in time, as rows.

use protocol::call::fact::Fact;
use protocol::call::history::{StoredCall, StoredStep};

use super::link::{MS, Micros};
use super::world::wall;

/// See the module.
#[derive(Default)]
pub(crate) struct Record {
    written: StoredCall,
    /// When each fact was told that may still wait to be written.
    waiting: Vec<(Micros, Fact)>,
    began: Option<Micros>,
    /// Dialled so far, as the figures have it that are written with the next turn.
    dials: u32,
}

impl Record {
    pub(crate) fn tell(&mut self, now: Micros, fact: &Fact) {
        let kept = matches!(
            fact,
            Fact::MediaStarted { .. }
                | Fact::ModelDialled { .. }
                | Fact::Turn(_)
                | Fact::ToolCalled(_)
                | Fact::ToolReturned { .. }
                | Fact::KeysEntered { .. }
        );
        if kept {
            self.waiting.push((now, fact.clone()));
        }
    }

    /// The gateway is lost, and what it had not written by that time with it.
    pub(crate) fn lost(&mut self, written_until: Micros) -> StoredCall {
        for (at, fact) in std::mem::take(&mut self.waiting) {
            if at <= written_until {
                self.write(at, fact);
            }
        }
        self.dials = self.written.dials;
        self.written.clone()
    }

    fn write(&mut self, at: Micros, fact: Fact) {
        match fact {
            Fact::MediaStarted { .. } => {
                let began = *self.began.get_or_insert(at);
                self.written.started = Some(wall(began));
                self.written.streams += 1;
            }
            Fact::ModelDialled { attempt } => self.dials = self.dials.max(attempt),
            Fact::Turn(turn) => {
                self.written.turns.retain(|row| row.index != turn.index);
                self.written.turns.push(turn);
                self.written.dials = self.dials;
            }
            Fact::ToolCalled(call) => self.written.steps.push(StoredStep::Tool { call, result: None }),
            Fact::ToolReturned { id, output, .. } => {
                for step in &mut self.written.steps {
                    match step {
                        StoredStep::Tool { call, result } if call.id == id => *result = Some(output.clone()),
                        _ => {}
                    }
                }
            }
            Fact::KeysEntered { keys } => {
                let at_ms = (at - self.began.unwrap_or(at)) / MS;
                self.written.steps.push(StoredStep::Keys { keys, at_ms });
            }
            _ => {}
        }
    }
}
