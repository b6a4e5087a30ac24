//! What waits for the audit log, in three lanes with a bound each: no call can take the places of a request.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::ids::CallSid;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Outcome;
use crate::store::AuditEntry;
use crate::write_behind::{GATHER, WriteBehind};

/// Requests kept while the database is away; the oldest go first.
const MOST_REQUESTS: usize = 10_000;
/// Steps of calls kept; the oldest go first.
const MOST_STEPS: usize = 10_000;
/// Steps of one call that may wait: what is more is not kept.
const MOST_OF_A_CALL: usize = 200;
/// Ends of calls kept; the oldest go first.
const MOST_ENDS: usize = 20_000;
/// Entries written at a time.
const AT_ONCE: usize = 512;
/// Of these, places that requests have for themselves, however many steps came before them.
const REQUESTS_AT_ONCE: usize = AT_ONCE / 2;

/// Who an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A webhook, a media socket, an operator: somebody outside asked.
    Requests,
    /// A step in a call's life, or of its supervision.
    Steps,
    /// The end of a call.
    Ends,
}

impl Lane {
    const ALL: [Self; 3] = [Self::Requests, Self::Steps, Self::Ends];

    const fn most(self) -> usize {
        match self {
            Self::Requests => MOST_REQUESTS,
            Self::Steps => MOST_STEPS,
            Self::Ends => MOST_ENDS,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "request",
            Self::Steps => "step",
            Self::Ends => "end",
        }
    }

    /// Counts entries of this lane that will never be written.
    pub(super) fn lost(self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        metrics::counter!("callgate_audit_lost_total", "kind" => self.name()).increment(count);
    }
}

/// An entry on its way.
pub(super) struct Waiting {
    /// Which it is of all that were pushed.
    pub(super) number: u64,
    pub(super) lane: Lane,
    pub(super) entry: AuditEntry,
    pub(super) since: Instant,
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// What waits, what is being written, and who waits for it.
#[derive(Default)]
pub(super) struct Entries {
    lanes: [VecDeque<Waiting>; 3],
    /// Steps that wait or are being written, by call.
    of_calls: HashMap<CallSid, usize>,
    writing: Vec<Waiting>,
    writes: WriteBehind,
    /// What the last write came to, for others to see.
    stuck: Arc<AtomicBool>,
}

impl Entries {
    pub(super) fn new(stuck: Arc<AtomicBool>) -> Self {
        Self { stuck, ..Self::default() }
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        let lane = waiting.lane;
        if lane == Lane::Steps && !self.count_in(&waiting.entry) {
            return lane.lost(1);
        }
        // Somebody who waits is served at once: what comes during the write goes into the next.
        let soon = if waiting.done.is_some() { waiting.since } else { waiting.since + GATHER };
        self.lanes[lane as usize].push_back(waiting);
        self.writes.by(soon);
        if self.lanes[lane as usize].len() > lane.most() {
            if let Some(oldest) = self.lanes[lane as usize].pop_front() {
                self.count_out(&oldest);
            }
            lane.lost(1);
        }
    }

    /// Whether a call may have one more step waiting.
    fn count_in(&mut self, entry: &AuditEntry) -> bool {
        let Some(call) = &entry.call_sid else { return true };
        match self.of_calls.get_mut(call) {
            Some(count) if *count >= MOST_OF_A_CALL => return false,
            Some(count) => *count += 1,
            None => drop(self.of_calls.insert(call.clone(), 1)),
        }
        true
    }

    fn count_out(&mut self, waiting: &Waiting) {
        if waiting.lane != Lane::Steps {
            return;
        }
        let Some(call) = &waiting.entry.call_sid else { return };
        match self.of_calls.get_mut(call) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.of_calls.remove(call)),
        }
    }

    /// Somebody waits for all of it.
    pub(super) fn flush(&mut self, done: oneshot::Sender<bool>) {
        self.writes.flush(done);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.are_waiting() == 0 && self.writing.is_empty()
    }

    fn are_waiting(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    pub(super) fn writes(&self) -> &WriteBehind {
        &self.writes
    }

    /// The next batch, in the order in which they came: the oldest of all, but never without its share of requests.
    pub(super) fn take(&mut self) -> Vec<AuditEntry> {
        self.writes.begin();
        let requests = &mut self.lanes[Lane::Requests as usize];
        let share = requests.len().min(REQUESTS_AT_ONCE);
        self.writing = requests.drain(..share).collect();
        while self.writing.len() < AT_ONCE {
            let front = |lane: &VecDeque<Waiting>| lane.front().map(|waiting| waiting.number);
            let oldest = self.lanes.iter_mut().min_by_key(|lane| front(lane).unwrap_or(u64::MAX));
            let Some(waiting) = oldest.and_then(VecDeque::pop_front) else { break };
            self.writing.push(waiting);
        }
        self.writing.sort_unstable_by_key(|waiting| waiting.number);
        self.writing.iter().map(|waiting| waiting.entry.clone()).collect()
    }

    /// A batch was written, or not: then it waits again, in its place.
    pub(super) fn written(&mut self, (count, result): Outcome) -> bool {
        let ok = result.is_ok();
        self.stuck.store(!ok, Ordering::Relaxed);
        let rest = self.writing.split_off(count.min(self.writing.len()));
        for waiting in std::mem::take(&mut self.writing) {
            self.count_out(&waiting);
            if let Some(done) = waiting.done {
                // Whoever waited may have given up.
                let _ = done.send(());
            }
        }
        match result {
            Ok(()) if self.writes.is_failing() => tracing::info!("the audit log is being written again"),
            Ok(()) => {}
            Err(error) => {
                if !self.writes.is_failing() {
                    tracing::error!(%error, "the audit log cannot be written: entries wait and are tried again");
                }
                for waiting in rest.into_iter().rev() {
                    self.lanes[waiting.lane as usize].push_front(waiting);
                }
            }
        }
        self.writes.written(ok, self.are_waiting() > 0);
        ok
    }

    pub(super) fn tell(&self) {
        let waiting = self.lanes.iter().filter_map(VecDeque::front).chain(&self.writing);
        let oldest = waiting.map(|waiting| waiting.since).min();
        let lag = oldest.map_or(0.0, |since| since.elapsed().as_secs_f64());
        metrics::gauge!("callgate_audit_lag_seconds").set(lag);
        metrics::gauge!("callgate_audit_waiting").set((self.are_waiting() + self.writing.len()) as f64);
    }

    /// Nobody will write what is left.
    pub(super) fn give_up(&self) {
        for lane in Lane::ALL {
            lane.lost(self.lanes[lane as usize].len());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::Value;

    use super::*;
    use crate::store::StoreError;

    fn entry(kind: &str, call: &str) -> AuditEntry {
        AuditEntry {
            at: Utc::now(),
            kind: kind.to_owned(),
            call_sid: Some(CallSid::new(call)),
            remote_addr: None,
            request_id: None,
            outcome: "ok".to_owned(),
            payload: Value::Null,
        }
    }

    /// Pushes entries, as they come.
    #[derive(Default)]
    struct Pushed {
        entries: Entries,
        number: u64,
    }

    impl Pushed {
        fn push(&mut self, kind: &str, call: &str) {
            self.number += 1;
            let (number, since) = (self.number, Instant::now());
            let lane = match kind.split_once('.') {
                Some(("webhook", _)) => Lane::Requests,
                Some(("call", "ended")) => Lane::Ends,
                _ => Lane::Steps,
            };
            self.entries.push(Waiting { number, lane, entry: entry(kind, call), since, done: None });
        }

        fn waiting(&self, lane: Lane) -> Vec<&AuditEntry> {
            self.entries.lanes[lane as usize].iter().map(|waiting| &waiting.entry).collect()
        }
    }

    #[tokio::test]
    async fn a_long_outage_costs_the_oldest_steps_and_no_end() {
        let mut pushed = Pushed::default();
        pushed.push("call.ended", "first");
        for n in 0..=MOST_STEPS {
            pushed.push("call.key-pressed", &format!("c{n}"));
        }
        assert_eq!(pushed.waiting(Lane::Ends).len(), 1);
        let steps = pushed.waiting(Lane::Steps);
        assert_eq!(steps.len(), MOST_STEPS);
        assert_eq!(steps[0].call_sid, Some(CallSid::new("c1")));
    }

    #[tokio::test]
    async fn no_flood_of_a_calls_steps_costs_another_call_its_webhook_or_its_step() {
        let mut pushed = Pushed::default();
        pushed.push("webhook.call-start", "honest");
        pushed.push("call.media-started", "honest");
        for n in 0..20_000 {
            pushed.push("call.key-pressed", if n % 2 == 0 { "rude" } else { "ruder" });
        }
        pushed.push("webhook.call-end", "honest");
        let requests: Vec<_> = pushed.waiting(Lane::Requests).iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(requests, ["webhook.call-start", "webhook.call-end"]);
        assert_eq!(pushed.waiting(Lane::Steps).len(), 1 + 2 * MOST_OF_A_CALL);
        // Although 401 steps came before it.
        let first = pushed.entries.take();
        assert!(first.iter().any(|entry| entry.kind == "webhook.call-end"));
    }

    #[tokio::test]
    async fn a_call_whose_steps_were_written_may_tell_more() {
        let mut pushed = Pushed::default();
        for _ in 0..3 {
            for _ in 0..2 * MOST_OF_A_CALL {
                pushed.push("call.key-pressed", "rude");
            }
            let batch = pushed.entries.take();
            assert_eq!(batch.len(), MOST_OF_A_CALL);
            assert!(pushed.entries.written((batch.len(), Ok(()))));
        }
        assert!(pushed.entries.of_calls.is_empty(), "calls that are over leave nothing behind");
    }

    #[tokio::test]
    async fn requests_are_written_although_steps_without_end_came_before_them() {
        let mut pushed = Pushed::default();
        for n in 0..MOST_STEPS {
            pushed.push("supervisor.restart", &format!("c{n}"));
        }
        for n in 0..REQUESTS_AT_ONCE {
            pushed.push("webhook.voicebot", &format!("w{n}"));
        }
        let batch = pushed.entries.take();
        assert_eq!(batch.len(), AT_ONCE);
        assert_eq!(batch.iter().filter(|entry| entry.kind == "webhook.voicebot").count(), REQUESTS_AT_ONCE);
    }

    #[tokio::test]
    async fn a_batch_that_failed_waits_again_in_its_place() {
        let mut pushed = Pushed::default();
        for (kind, call) in [("webhook.voicebot", "a"), ("call.ended", "b"), ("call.resumed", "c")] {
            pushed.push(kind, call);
        }
        assert_eq!(pushed.entries.take().len(), 3);
        pushed.push("call.ended", "d");
        assert!(!pushed.entries.written((1, Err(StoreError::Away("gone".to_owned())))));
        assert!(
            !pushed.entries.writes().is_due(Instant::now())
                && pushed.entries.writes().is_due(Instant::now() + GATHER * 3)
        );
        let calls: Vec<_> = pushed.entries.take().iter().map(|entry| entry.call_sid.clone().unwrap()).collect();
        assert_eq!(calls, ["b", "c", "d"].map(CallSid::new));
    }
}
