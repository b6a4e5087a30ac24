//! What the parts of a call share: the time, the limits, the timers, the way out, and the fold of what happened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::clock::{self, Clock};
use super::deadlines::Deadlines;
use super::fact::Fact;
use super::history::History;
use super::io::{CallerCommand, ConnId, ModelCommand, Output};
use super::policy::{Interruptions, Policy, Setup};
use super::stopwatch::Stopwatch;
use crate::realtime::command::{ClientEvent, Vad};
use crate::realtime::event_id::{EventId, EventKind};

/// Handed to every part; owns no decision.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) now: Instant,
    pub(crate) clock: Clock,
    pub(crate) policy: Arc<Policy>,
    pub(crate) setup: Arc<Setup>,
    pub(super) deadlines: Deadlines,
    pub(super) stopwatch: Stopwatch,
    pub(crate) history: History,
    pub(crate) out: VecDeque<Output>,
    counts: Vec<(&'static str, u64)>,
    events: u32,
}

impl Context {
    pub(crate) fn new(now: Instant, clock: Clock, policy: Arc<Policy>, setup: Arc<Setup>, history: History) -> Self {
        let (deadlines, stopwatch) = (Deadlines::default(), Stopwatch::default());
        let (out, counts) = (VecDeque::new(), Vec::new());
        Self { now, clock, policy, setup, deadlines, stopwatch, history, out, counts, events: 0 }
    }

    /// Tells the world, and folds it into the history that a restart, a redial and a roll begin from.
    pub(crate) fn record(&mut self, fact: Fact) {
        if let Some(dropped) = self.history.fold(&fact) {
            self.count(dropped, 1);
        }
        self.out.push_back(Output::Record(fact));
    }

    /// Tells the record how a turn stands now.
    pub(crate) fn record_turn(&mut self, item: &crate::ids::ItemId) {
        if let Some(turn) = self.history.turn_of(item) {
            self.record(Fact::Turn(turn));
        }
    }

    pub(crate) fn caller(&mut self, command: CallerCommand) {
        self.out.push_back(Output::Caller(command));
    }

    pub(crate) fn model(&mut self, conn: ConnId, command: ModelCommand) {
        self.out.push_back(Output::Model(conn, command));
    }

    /// Says something to a model, and by what name an error would speak of it.
    pub(crate) fn send(&mut self, conn: ConnId, event: ClientEvent) -> Option<EventId> {
        let id = EventKind::of(&event).map(|kind| {
            self.events += 1;
            EventId { kind, number: self.events }
        });
        self.model(conn, ModelCommand::Send(event, id));
        id
    }

    /// How many events of ours had a name so far.
    pub(crate) fn events(&self) -> u32 {
        self.events
    }

    /// Counts what is too frequent to be told one by one.
    pub(crate) fn count(&mut self, what: &'static str, n: u64) {
        if n == 0 {
            return;
        }
        match self.counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += n,
            None => self.counts.push((what, n)),
        }
    }

    /// Tells what was counted since the last time.
    pub(crate) fn flush_counts(&mut self) {
        for (what, count) in std::mem::take(&mut self.counts) {
            self.record(Fact::Counted { what, count });
        }
    }

    /// What the wall clock would show now.
    pub(crate) fn wall(&self) -> SystemTime {
        self.clock.wall(self.now)
    }

    /// Whether a sound of the caller's may pause what is played.
    pub(crate) fn pauses(&self) -> bool {
        matches!(self.setup.listening.interruptions, Interruptions::Confirmed(_))
    }

    /// The server's detector of speech, as this client has it.
    pub(crate) fn vad(&self) -> Vad {
        self.setup.listening.detection.vad(self.policy.vad)
    }

    /// Who writes the caller's words down, if anybody does.
    pub(crate) fn transcription_model(&self) -> Option<&str> {
        self.setup.listening.transcription_model(self.policy.transcription_model.as_deref())
    }

    /// ms since the media stream began; 0 before.
    pub(crate) fn at_ms(&self) -> u64 {
        self.history.started().map_or(0, |began| millis(clock::between(began, self.wall())))
    }
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
