//! The record of running calls: facts in, rows out, and no call ever waits for the database.
//!
//! Facts are pushed on a bounded queue and folded, call by call, into what has to be written; what is new is written every so often in
//! one transaction. While the database is away the fold goes on and the writing is tried again, so memory grows with the number of
//! calls and not with the number of facts, and within a bound. The audit log has a journal of its own (`journal`).

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use actors::{Recorder, SupervisorEvent};
use chrono::{DateTime, Utc};
use protocol::call::fact::Fact;
use protocol::ids::CallSid;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::audit::writer::{AuditWriter, Lane};
use crate::audit::{AuditNumbers, Secrets, facts};
use crate::store::{AuditEntry, Call, CallEndReport, NodeId, Store};
use crate::tools;
use crate::write_behind::{GATHER, GATHER_STEPS, Gathered, Gathering, Taken, WriteBehind, gathered};

mod fold;
mod pending;
mod price;
mod steps;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use price::DEFAULT_MODEL;
pub use price::Prices;

use fold::Held;
pub use fold::Waits;
use pending::Pending;

/// Facts and entries that wait to be folded: some seconds of a full node.
const QUEUE: usize = 8192;
/// Who is told that another gateway has a call, and under which generation this one had it, if that is known.
type TakenOver = Box<dyn Fn(&CallSid, Option<i32>) + Send + Sync>;

enum Item {
    Owns { call: CallSid, held: Box<Held> },
    Fact { call: CallSid, at: DateTime<Utc>, fact: Fact },
    Report(Box<CallEndReport>),
    Flush(oneshot::Sender<bool>),
}

/// Takes facts and audit entries, and writes them behind the calls' backs. Clones are cheap and share one queue; when the last is
/// dropped, what is left is written.
#[derive(Clone)]
pub struct RecordWriter {
    queue: Gathered<Item>,
    journal: AuditWriter,
    secrets: Secrets,
    node: NodeId,
    taken_over: Arc<OnceLock<TakenOver>>,
    dropping: Arc<AtomicBool>,
}

/// How the record is kept.
#[derive(Clone, Debug)]
pub struct RecordRules {
    /// Whose calls are written.
    pub node: NodeId,
    /// Calls whose client names no model are priced as this one.
    pub model: String,
    /// What tokens cost.
    pub prices: Prices,
    /// What becomes of phone numbers in the audit log.
    pub numbers: AuditNumbers,
    /// What is never written there.
    pub secrets: Secrets,
}

impl Default for RecordRules {
    fn default() -> Self {
        Self {
            node: NodeId::new("callgate"),
            model: DEFAULT_MODEL.to_owned(),
            prices: Prices::default(),
            numbers: AuditNumbers::default(),
            secrets: Secrets::default(),
        }
    }
}

impl RecordWriter {
    /// Starts writing to a store, on a runtime that carries no calls.
    #[must_use]
    pub fn new(store: Store, rules: RecordRules, runtime: &Handle) -> Self {
        let (queue, items) = gathered(QUEUE);
        let journal = AuditWriter::new(store.clone(), rules.numbers, runtime);
        let steps = (journal.clone(), rules.secrets.clone());
        let taken_over = Arc::<OnceLock<TakenOver>>::default();
        let pending = Pending::new(rules.node.clone(), rules.model, rules.prices).traced(store.traces_calls());
        runtime.spawn(write(pending, store, steps, items, Arc::clone(&taken_over)));
        Self { queue, journal, secrets: rules.secrets, node: rules.node, taken_over, dropping: Arc::default() }
    }

    /// Says who is told of a call that a write found another gateway to have, and of the generation under which this one had it, if that
    /// is known. The first who is named stays.
    pub fn when_taken_over(&self, tell: impl Fn(&CallSid, Option<i32>) + Send + Sync + 'static) {
        let _ = self.taken_over.set(Box::new(tell));
    }

    /// This gateway.
    #[must_use]
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// This gateway has a call from now on, whose row was found like this, and writes under that generation; `waits`: how long its
    /// caller waited for answers, if the turns on record were read. To be said before the call is admitted.
    pub fn owns(&self, was: &Call, generation: i32, waits: Waits) {
        let held = Box::new(Held::found(was, generation, waits));
        if was.entry.is_some() && generation > was.ownership.generation && held.before.as_ref() != Some(&self.node) {
            self.journal.push(Lane::Steps, facts::taken_over(was, generation, held.before.as_ref()));
        }
        self.push(Item::Owns { call: was.call_sid.clone(), held });
    }

    /// Keeps what the carrier reported while the database is away, and writes it once it can be: the carrier may not tell it again.
    pub fn report(&self, report: CallEndReport) {
        self.push(Item::Report(Box::new(report)));
    }

    /// Appends to the audit log, soon.
    pub fn audit(&self, entry: AuditEntry) {
        self.journal.push(Lane::Requests, self.secrets.out_of(entry));
    }

    /// Appends to the audit log and waits until it is there, but no longer than that: then it is written later. False when it was not
    /// written in time.
    pub async fn audit_now(&self, entry: AuditEntry, patience: Duration) -> bool {
        self.journal.write(self.secrets.out_of(entry), patience).await
    }

    /// Waits until everything given so far is written; false when the database did not take it (it is kept, and tried again).
    pub async fn flush(&self) -> bool {
        let facts = self.facts_written().await;
        // What the facts had to say to the audit log is in the journal by now.
        self.journal.flush().await && facts
    }

    /// The same for what calls did, without the audit log.
    async fn facts_written(&self) -> bool {
        let (done, written) = oneshot::channel();
        self.queue.send_now(Item::Flush(done)).await && written.await.unwrap_or(false)
    }

    /// Whether the database takes nothing just now, although it may be read: a full disk, a lock, a standby.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.journal.is_stuck()
    }

    fn push(&self, item: Item) {
        if let Some(place) = self.queue.place() {
            place.send(item);
            return;
        }
        metrics::counter!("callgate_record_dropped_total").increment(1);
        if !self.dropping.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the record's queue is full: facts are dropped from here on, callgate_record_dropped_total counts them"
            );
        }
    }
}

impl tools::CallLog for RecordWriter {
    fn written(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.facts_written())
    }

    fn audit(&self, entry: AuditEntry) {
        self.journal.push(Lane::Steps, self.secrets.out_of(entry));
    }
}

impl Recorder for RecordWriter {
    fn record(&self, call: &CallSid, at: SystemTime, fact: &Fact) {
        if !is_kept(fact) {
            return;
        }
        self.push(Item::Fact { call: call.clone(), at: at.into(), fact: fact.clone() });
        if is_awaited(fact) {
            self.queue.hurry();
        }
    }

    fn supervised(&self, call: &CallSid, at: SystemTime, event: &SupervisorEvent<'_>) {
        self.journal.push(Lane::Steps, facts::supervisor_entry(call, at.into(), event));
    }
}

/// The entries of calls whose record waited for a database that was away, once it is back.
fn waited(pending: &mut Pending) -> Vec<AuditEntry> {
    let Some((outage, calls)) = pending.take_waited() else { return Vec::new() };
    let for_ms = u64::try_from((Utc::now() - outage.since).num_milliseconds()).unwrap_or(0);
    calls.iter().map(|call| facts::record_waited(call, outage.since, for_ms, outage.is_disk_full)).collect()
}

/// Folds what comes and writes what is due, until there is nobody left to send anything.
async fn write(
    mut pending: Pending,
    store: Store,
    (journal, secrets): (AuditWriter, Secrets),
    mut items: Gathering<Item>,
    taken_over: Arc<OnceLock<TakenOver>>,
) {
    let mut writes = WriteBehind::default();
    let fold = |item, pending: &mut Pending, writes: &mut WriteBehind| {
        let soon = match item {
            Item::Owns { call, held } => {
                pending.owns(call, &held);
                GATHER
            }
            Item::Fact { call, at, fact } => {
                let (is_end, soon) =
                    (matches!(fact, Fact::Ended(_)), if is_awaited(&fact) { GATHER } else { GATHER_STEPS });
                if let Some(entry) = facts::entry(&call, at, &fact) {
                    journal.push(if is_end { Lane::Ends } else { Lane::Steps }, secrets.out_of(entry));
                }
                pending.fact(call, at, fact);
                soon
            }
            Item::Report(report) => {
                pending.report(*report);
                GATHER
            }
            Item::Flush(done) => return writes.flush(done),
        };
        writes.by(Instant::now() + soon);
    };
    loop {
        // Folding first: a queue that runs over loses facts, a late write loses nothing.
        let is_due = tokio::select! {
            biased;
            taken = items.recv(writes.is_scheduled()) => {
                if let Taken::First(item) = taken {
                    fold(item, &mut pending, &mut writes);
                }
                false
            }
            () = writes.due() => true,
        };
        items.drain().for_each(|item| fold(item, &mut pending, &mut writes));
        let is_over = items.is_over();
        if !is_due && !is_over {
            continue;
        }
        let ok = pending.write(&store).await;
        // Before anybody who waits is told that all of it is written.
        waited(&mut pending).into_iter().for_each(|entry| journal.push(Lane::Steps, entry));
        writes.written(ok, false);
        if let Some(tell) = taken_over.get() {
            pending.take_superseded().iter().for_each(|(call, generation)| tell(call, *generation));
        }
        if is_over {
            return;
        }
    }
}

/// Whether anything of it is written. Most facts are about what a turn, which comes with its end, says as a whole.
const fn is_kept(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::AgentText { .. }
            | Fact::Heard { .. }
            | Fact::CallerSpoke { .. }
            | Fact::CallerStopped { .. }
            | Fact::CallerText { .. }
            | Fact::Answered { .. }
            | Fact::AgentBegan { .. }
            | Fact::ClipBegan { .. }
            | Fact::Nudged { .. }
            | Fact::ContextAsked { .. }
            | Fact::PlaybackBegan { .. }
    )
}

/// Whether somebody looks at it while it is new: the beginning and the end of a call, of which clients are told.
const fn is_awaited(fact: &Fact) -> bool {
    matches!(fact, Fact::MediaStarted { .. } | Fact::Left(_) | Fact::Ended(_))
}
