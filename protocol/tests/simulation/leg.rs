//! The way to the carrier's socket, and back: while the carrier does not read, it stands still both ways, and refuses what it has no room for.

use std::collections::VecDeque;

use protocol::call::io::CallerCommand;

use super::link::{Dice, MS, Micros, NEVER};

/// How a carrier reads.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Messages that may wait to be read.
    pub(crate) room: usize,
    /// How long it reads between two stalls, and how long it stalls, in ms.
    pub(crate) reads_ms: (u64, u64),
    pub(crate) stalls_ms: (u64, u64),
    /// From then on it does not read at all.
    pub(crate) stops_at: Micros,
}

impl Reading {
    /// Everything, at once.
    pub(crate) fn all() -> Self {
        Self { room: 64, reads_ms: (NEVER / MS, NEVER / MS), stalls_ms: (0, 0), stops_at: NEVER }
    }

    /// Whether it ever keeps anything waiting.
    pub(crate) fn stalls(&self) -> bool {
        self.stalls_ms.1 > 0 || self.stops_at != NEVER || self.room < 8
    }
}

/// See the module.
pub(crate) struct Leg {
    reading: Reading,
    dice: Dice,
    waiting: VecDeque<CallerCommand>,
    /// The stall that is on, or comes next.
    stall: (Micros, Micros),
}

impl Leg {
    pub(crate) fn new(seed: u64, reading: Reading) -> Self {
        let mut leg = Self { reading, dice: Dice::new(seed ^ 0x1e9), waiting: VecDeque::new(), stall: (0, 0) };
        leg.stall_next();
        leg
    }

    fn stall_next(&mut self) {
        let from = self.stall.1.saturating_add(self.dice.within(self.reading.reads_ms).saturating_mul(MS));
        let until = from.saturating_add(self.dice.within(self.reading.stalls_ms) * MS);
        self.stall = if from >= self.reading.stops_at { (self.reading.stops_at, NEVER) } else { (from, until) };
    }

    /// When the socket moves: now, unless it stands still.
    pub(crate) fn moves_at(&mut self, now: Micros) -> Micros {
        while self.stall.1 <= now {
            self.stall_next();
        }
        if self.stall.0 <= now { self.stall.1 } else { now }
    }

    /// When the next command reaches the socket.
    pub(crate) fn next_at(&mut self, now: Micros) -> Micros {
        if self.waiting.is_empty() { NEVER } else { self.moves_at(now) }
    }

    /// Takes a command, or gives audio back. What undoes a backlog always gets in.
    pub(crate) fn take(&mut self, command: CallerCommand) -> Option<CallerCommand> {
        let audio = matches!(command, CallerCommand::Play { .. });
        if audio && self.waiting.len() >= self.reading.room {
            return Some(command);
        }
        self.waiting.push_back(command);
        None
    }

    /// What is handed to the socket next.
    pub(crate) fn pop(&mut self, now: Micros) -> Option<CallerCommand> {
        if self.next_at(now) > now { None } else { self.waiting.pop_front() }
    }
}
