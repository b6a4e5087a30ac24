//! The audit log's journal: entries in, rows out, and no request ever fails for it.
//!
//! What is pushed waits in memory, within a bound, until the database has it. One write is under way at a time and takes everything
//! that came meanwhile, so that the chain of the log is written once for many requests. While the database is away the entries wait;
//! one that it refuses goes to `jobs` by itself, and holds up nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::late;
use super::numbers::AuditNumbers;
use crate::store::{AuditEntry, Store, StoreError};

mod entries;

use entries::{Entries, Waiting};

pub(crate) use entries::Lane;

/// Requests and ends on their way into the journal.
const QUEUE: usize = 8192;
/// Steps of calls on their way.
const STEPS_QUEUE: usize = 8192;
/// How often the lag is told to the metrics.
const TELL: Duration = Duration::from_secs(1);

enum Item {
    Entry(Box<Waiting>),
    Flush(oneshot::Sender<bool>),
}

/// Takes entries. Clones share one journal; when the last is dropped, what is left is written.
#[derive(Clone)]
pub(crate) struct AuditWriter {
    /// Of requests and ends.
    queue: mpsc::Sender<Item>,
    /// Of calls' steps: however many they are, they take no place of the others.
    steps: mpsc::Sender<Item>,
    numbers: AuditNumbers,
    next: Arc<AtomicU64>,
    stuck: Arc<AtomicBool>,
}

impl AuditWriter {
    /// Starts writing to a store.
    pub(crate) fn new(store: Store, numbers: AuditNumbers, runtime: &Handle) -> Self {
        let ((queue, items), (steps, of_steps)) = (mpsc::channel(QUEUE), mpsc::channel(STEPS_QUEUE));
        let stuck = Arc::<AtomicBool>::default();
        runtime.spawn(run(store, items, of_steps, Arc::clone(&stuck)));
        Self { queue, steps, numbers, next: Arc::default(), stuck }
    }

    /// Whether the database did not take what was last written to it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Takes an entry, or counts it as lost when too many wait.
    pub(crate) fn push(&self, lane: Lane, entry: AuditEntry) {
        self.send(lane, entry, None);
    }

    /// Takes a request's entry and waits for it to be written, but no longer than that.
    pub(crate) async fn write(&self, entry: AuditEntry, patience: Duration) -> bool {
        let (done, written) = oneshot::channel();
        self.send(Lane::Requests, entry, Some(done)) && matches!(timeout(patience, written).await, Ok(Ok(())))
    }

    fn send(&self, lane: Lane, entry: AuditEntry, done: Option<oneshot::Sender<()>>) -> bool {
        let queue = if lane == Lane::Steps { &self.steps } else { &self.queue };
        // Asked first: what is dropped must cost nothing.
        let Ok(place) = queue.try_reserve() else {
            lane.lost(1);
            return false;
        };
        let (number, since) = (self.next.fetch_add(1, Ordering::Relaxed), Instant::now());
        let entry = self.numbers.apply(entry);
        place.send(Item::Entry(Box::new(Waiting { number, lane, entry, since, done })));
        true
    }

    /// Waits until everything taken so far is written; false when the database did not take it.
    pub(crate) async fn flush(&self) -> bool {
        let (done, written) = oneshot::channel();
        self.queue.send(Item::Flush(done)).await.is_ok() && written.await.unwrap_or(false)
    }
}

/// How many of a batch were written (or put off), and why no more.
type Outcome = (usize, Result<(), StoreError>);
type Write = Pin<Box<dyn Future<Output = Outcome> + Send>>;

async fn run(store: Store, mut items: mpsc::Receiver<Item>, mut steps: mpsc::Receiver<Item>, stuck: Arc<AtomicBool>) {
    let mut entries = Entries::new(stuck);
    let mut write: Option<Write> = None;
    let mut open = true;
    let mut tell = interval(TELL);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while open || !entries.is_empty() {
        if write.is_none() && entries.writes().is_due(Instant::now()) {
            let batch = entries.take();
            let (store, again) = (store.clone(), entries.writes().is_failing());
            write = Some(Box::pin(async move { write_all(&store, batch, again).await }));
        }
        tokio::select! {
            biased;
            item = items.recv(), if open => {
                // They belong before what came after them.
                receive_all(&mut steps, &mut entries);
                match item {
                    Some(item) => receive(item, &mut entries),
                    None => open = false,
                }
                receive_all(&mut items, &mut entries);
            }
            Some(item) = steps.recv(), if open => {
                receive(item, &mut entries);
                receive_all(&mut steps, &mut entries);
            }
            outcome = written(&mut write), if write.is_some() => {
                write = None;
                // With nobody left to send, a database that is away is not waited for.
                if !entries.written(outcome) && !open {
                    entries.give_up();
                    return;
                }
            }
            () = entries.writes().due(), if write.is_none() => {}
            _ = tell.tick() => {}
        }
        entries.tell();
    }
}

fn receive(item: Item, entries: &mut Entries) {
    match item {
        Item::Entry(waiting) => entries.push(*waiting),
        Item::Flush(done) => entries.flush(done),
    }
}

/// Takes what has come by now, and no more: whoever sends all the time must not keep us from writing.
fn receive_all(queue: &mut mpsc::Receiver<Item>, entries: &mut Entries) {
    for _ in 0..queue.len() {
        let Ok(item) = queue.try_recv() else { return };
        receive(item, entries);
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
