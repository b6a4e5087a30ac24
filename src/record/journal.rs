//! The audit log's journal: entries in, rows out, and no request ever fails for it.
//!
//! What is pushed waits in memory, within a bound, until the database has it. One write is under way at a time and takes everything
//! that came meanwhile, so that the chain of the log is written once for many requests. While the database is away the entries wait;
//! one that it refuses goes to `jobs` by itself, and holds up nobody.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::late;
use super::numbers::AuditNumbers;
use super::{GATHER, LONGEST_RETRY, RETRY};
use crate::store::{AuditEntry, Store, StoreError};

/// Entries on their way into the journal.
const QUEUE: usize = 8192;
/// Entries kept while the database is away; the oldest that are not an end go first.
pub(super) const MOST: usize = 20_000;
/// Entries written at a time.
const AT_ONCE: usize = 512;
/// How often the lag is told to the metrics.
const TELL: Duration = Duration::from_secs(1);

enum Item {
    Entry(Box<AuditEntry>, Option<oneshot::Sender<()>>),
    Flush(oneshot::Sender<bool>),
}

/// Takes entries. Clones share one journal; when the last is dropped, what is left is written.
#[derive(Clone)]
pub(super) struct Journal {
    queue: mpsc::Sender<Item>,
    numbers: AuditNumbers,
    stuck: Arc<AtomicBool>,
}

impl Journal {
    /// Starts writing to a store.
    pub(super) fn new(store: Store, numbers: AuditNumbers) -> Self {
        let (queue, items) = mpsc::channel(QUEUE);
        let runtime = store.runtime().clone();
        let stuck = Arc::<AtomicBool>::default();
        runtime.spawn(run(store, items, Arc::clone(&stuck)));
        Self { queue, numbers, stuck }
    }

    /// Whether the database did not take what was last written to it.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Takes an entry, or counts it as lost when too many wait.
    pub(super) fn push(&self, entry: AuditEntry) {
        let item = Item::Entry(Box::new(self.numbers.apply(entry)), None);
        if self.queue.try_send(item).is_err() {
            lost(1);
        }
    }

    /// Takes an entry and waits for it to be written, but no longer than that.
    pub(super) async fn write(&self, entry: AuditEntry, patience: Duration) -> bool {
        let (done, written) = oneshot::channel();
        if self.queue.try_send(Item::Entry(Box::new(self.numbers.apply(entry)), Some(done))).is_err() {
            lost(1);
            return false;
        }
        matches!(timeout(patience, written).await, Ok(Ok(())))
    }

    /// Waits until everything taken so far is written; false when the database did not take it.
    pub(super) async fn flush(&self) -> bool {
        let (done, written) = oneshot::channel();
        self.queue.send(Item::Flush(done)).await.is_ok() && written.await.unwrap_or(false)
    }
}

/// An entry that waits.
struct Waiting {
    entry: AuditEntry,
    since: Instant,
    done: Option<oneshot::Sender<()>>,
}

/// What waits, what is being written, and who waits for it.
#[derive(Default)]
pub(super) struct Entries {
    waiting: VecDeque<Waiting>,
    writing: Vec<Waiting>,
    flushes: Vec<oneshot::Sender<bool>>,
    /// Not before.
    due: Option<Instant>,
    failures: u32,
    /// What the last write came to, for others to see.
    stuck: Arc<AtomicBool>,
}

/// How many of a batch were written (or put off), and why no more.
type Outcome = (usize, Result<(), StoreError>);
type Write = Pin<Box<dyn Future<Output = Outcome> + Send>>;

async fn run(store: Store, mut items: mpsc::Receiver<Item>, stuck: Arc<AtomicBool>) {
    let mut entries = Entries { stuck, ..Entries::default() };
    let mut taken = Vec::with_capacity(AT_ONCE);
    let mut write: Option<Write> = None;
    let mut open = true;
    let mut tell = interval(TELL);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while open || !entries.is_empty() {
        if write.is_none() && entries.is_due(Instant::now()) {
            let batch = entries.take();
            let (store, again) = (store.clone(), entries.failures > 0);
            write = Some(Box::pin(async move { write_all(&store, batch, again).await }));
        }
        let wake = entries.due.unwrap_or_else(|| Instant::now() + TELL);
        tokio::select! {
            biased;
            count = items.recv_many(&mut taken, AT_ONCE), if open => {
                open = count > 0;
                taken.drain(..).for_each(|item| entries.receive(item));
            }
            outcome = written(&mut write), if write.is_some() => {
                write = None;
                // With nobody left to send, a database that is away is not waited for.
                if !entries.written(outcome) && !open {
                    lost(entries.waiting.len());
                    return;
                }
            }
            () = sleep_until(wake), if write.is_none() && entries.due.is_some() => {}
            _ = tell.tick() => {}
        }
        entries.tell();
    }
}

async fn written(write: &mut Option<Write>) -> Outcome {
    match write {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}

/// Writes a batch; when the database refuses it, entry by entry, so that the others are written.
///
/// Behind a failure nobody knows what was committed before it: what is there already is not appended `again`.
async fn write_all(store: &Store, batch: Vec<AuditEntry>, again: bool) -> Outcome {
    if batch.is_empty() {
        return (0, Ok(()));
    }
    let whole = match again {
        true => store.append_audit_again(batch.clone()).await,
        false => store.append_audit(batch.clone()).await,
    };
    match whole {
        Ok(()) => return (batch.len(), Ok(())),
        Err(StoreError::Refused(error)) => {
            tracing::error!(%error, entries = batch.len(), "the database refused audit entries: trying them one by one");
        }
        Err(error) => return (0, Err(error)),
    }
    for (done, entry) in batch.iter().enumerate() {
        let written = match store.append_audit(vec![entry.clone()]).await {
            Err(StoreError::Refused(error)) => late::put_off(store, entry, &error.to_string()).await,
            written => written,
        };
        if let Err(error) = written {
            return (done, Err(error));
        }
    }
    (batch.len(), Ok(()))
}

impl Entries {
    pub(super) fn push(&mut self, entry: AuditEntry, done: Option<oneshot::Sender<()>>) {
        let now = Instant::now();
        // Somebody who waits is served at once: what comes during the write goes into the next.
        let soon = if done.is_some() { now } else { now + GATHER };
        self.waiting.push_back(Waiting { entry, since: now, done });
        if self.failures == 0 && self.due.is_none_or(|due| soon < due) {
            self.due = Some(soon);
        }
        if self.waiting.len() > MOST {
            // Ends are rarely at the front, so the search is short.
            let expendable = self.waiting.iter().position(|waiting| waiting.entry.kind != "call.ended").unwrap_or(0);
            self.waiting.remove(expendable);
            lost(1);
        }
    }

    fn receive(&mut self, item: Item) {
        match item {
            Item::Entry(entry, done) => self.push(*entry, done),
            Item::Flush(done) => {
                self.flushes.push(done);
                self.due = Some(Instant::now());
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// The next batch, oldest first.
    fn take(&mut self) -> Vec<AuditEntry> {
        self.due = None;
        let count = self.waiting.len().min(AT_ONCE);
        self.writing = self.waiting.drain(..count).collect();
        self.writing.iter().map(|waiting| waiting.entry.clone()).collect()
    }

    /// A batch was written, or not: then it waits again, in its place.
    fn written(&mut self, (count, result): Outcome) -> bool {
        let ok = result.is_ok();
        self.stuck.store(!ok, Ordering::Relaxed);
        for done in self.writing.drain(..count.min(self.writing.len())).filter_map(|waiting| waiting.done) {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
        match result {
            Ok(()) => {
                if std::mem::take(&mut self.failures) > 0 {
                    tracing::info!("the audit log is being written again");
                }
                self.due = (!self.waiting.is_empty() || !self.flushes.is_empty()).then(Instant::now);
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::error!(%error, "the audit log cannot be written: entries wait and are tried again");
                }
                self.failures = self.failures.saturating_add(1);
                for waiting in self.writing.drain(..).rev() {
                    self.waiting.push_front(waiting);
                }
                let pause = RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(16)).min(LONGEST_RETRY);
                self.due = Some(Instant::now() + pause);
            }
        }
        if !ok || self.waiting.is_empty() {
            for done in self.flushes.drain(..) {
                let _ = done.send(ok);
            }
        }
        if self.flushes.is_empty() && self.waiting.is_empty() {
            self.due = None;
        }
        ok
    }

    fn tell(&self) {
        let oldest = self.writing.first().or(self.waiting.front());
        let lag = oldest.map_or(0.0, |waiting| waiting.since.elapsed().as_secs_f64());
        metrics::gauge!("callgate_audit_lag_seconds").set(lag);
        metrics::gauge!("callgate_audit_waiting").set((self.waiting.len() + self.writing.len()) as f64);
    }

    /// What waits, oldest first.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<&AuditEntry> {
        self.waiting.iter().map(|waiting| &waiting.entry).collect()
    }
}

fn lost(count: usize) {
    metrics::counter!("callgate_audit_lost_total").increment(u64::try_from(count).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use protocol::ids::CallSid;
    use serde_json::Value;

    use super::*;

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

    #[tokio::test]
    async fn a_long_outage_costs_the_oldest_entries_and_no_end() {
        let mut entries = Entries::default();
        entries.push(entry("call.ended", "first"), None);
        for n in 0..MOST {
            entries.push(entry("call.key-pressed", &format!("c{n}")), None);
        }
        let waiting = entries.waiting();
        assert_eq!(waiting.len(), MOST);
        assert_eq!(waiting[0].kind, "call.ended");
        assert_eq!(waiting[1].call_sid, Some(CallSid::new("c1")));
    }

    #[tokio::test]
    async fn a_batch_that_failed_waits_again_in_its_place() {
        let mut entries = Entries::default();
        for call in ["a", "b", "c"] {
            entries.push(entry("call.ended", call), None);
        }
        assert_eq!(entries.take().len(), 3);
        entries.push(entry("call.ended", "d"), None);
        assert!(!entries.written((1, Err(StoreError::Away("gone".to_owned())))));
        let calls: Vec<_> = entries.waiting().iter().map(|entry| entry.call_sid.clone().unwrap()).collect();
        assert_eq!(calls, ["b", "c", "d"].map(CallSid::new));
        assert!(!entries.is_due(Instant::now()) && entries.is_due(Instant::now() + RETRY));
    }
}
