//! Who holds a connection to this node, and whose is closed when there are too many.
//!
//! A connection is a stranger's until a request on it has authenticated. Strangers have a share of all connections, one address of
//! them a share of that, and little time. At a bound the oldest idle one goes, never the one that comes: whoever calls next may be
//! the carrier, all of whose calls come from a few addresses. So nothing that has authenticated is ever judged by its address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use actors::lock;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::http::address::guesser;

pub mod files;
mod stream;

#[cfg(test)]
mod tests;

pub use stream::Watched;

/// Connections that may be on their way out before a further one is accepted: each still has its file.
const MOST_CLOSING: usize = 64;

/// How many connections there may be, and how long one may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// In all.
    pub all: usize,
    /// Of those on which nobody has authenticated yet.
    pub strangers: usize,
    /// Of those, from one address (an IPv6 customer's /64).
    pub of_one_address: usize,
    /// How long a stranger's may be idle.
    pub patience: Duration,
    /// A younger one is closed only when there is no older one: its request may be on the way.
    pub grace: Duration,
}

/// Strangers' connections at most, however many files there are.
const MOST_STRANGERS: usize = 4096;
/// How long a stranger's connection may be idle.
const PATIENCE: Duration = Duration::from_secs(8);
const GRACE: Duration = Duration::from_secs(1);

impl Bounds {
    /// For a process that may have `files` open and a node of `max_calls`: each call needs one for its model beside its media socket,
    /// and some are kept for the database, recordings and operators.
    #[must_use]
    pub fn of_node(files: u64, max_calls: usize) -> Self {
        let files = usize::try_from(files.saturating_sub(files::KEPT)).unwrap_or(usize::MAX);
        let strangers = (files / 4).clamp(16, MOST_STRANGERS);
        let dialled = max_calls.min(files.saturating_sub(strangers) / 2);
        Self {
            all: files.saturating_sub(dialled).max(strangers),
            strangers,
            of_one_address: (strangers / 4).max(8),
            patience: PATIENCE,
            grace: GRACE,
        }
    }
}

/// No connection can be had: all are in use by those who authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Every connection of a process. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    bounds: Bounds,
    begun: Instant,
    open: Mutex<Open>,
    /// Told that one is gone.
    gone: Notify,
    gauges: Gauges,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// By age.
    strangers: BTreeMap<u64, Arc<Connection>>,
    known: BTreeMap<u64, Arc<Connection>>,
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
    /// Told to close, and not gone yet.
    closing: usize,
}

struct Gauges {
    strangers: metrics::Gauge,
    known: metrics::Gauge,
    closing: metrics::Gauge,
}

impl Gauges {
    fn new() -> Self {
        let gauge = |state: &'static str| metrics::gauge!("callgate_connections", "state" => state);
        Self { strangers: gauge("unauthenticated"), known: gauge("authenticated"), closing: gauge("closing") }
    }
}

/// One connection, as its requests and its socket see it.
pub struct Connection {
    id: u64,
    address: IpAddr,
    inner: Arc<Inner>,
    begun: Instant,
    /// Requests on their way to an answer; a media socket is one for as long as it is open.
    busy: AtomicU32,
    /// When it became idle: ms since the first connection could be had.
    idle_since: AtomicU64,
    known: AtomicBool,
    closing: AtomicBool,
    waker: AtomicWaker,
}

/// A connection for as long as its socket is open.
pub struct Held(Arc<Connection>);

impl Deref for Held {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.gone();
    }
}

/// A request on its way to an answer.
pub struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.inner.millis(Instant::now()), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Release);
    }
}

impl Busy {
    /// It became a stream: the connection is never idle again.
    pub fn for_good(self) {
        self.0.busy.fetch_add(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let open = Mutex::default();
        Self(Arc::new(Inner { bounds, begun: Instant::now(), open, gone: Notify::new(), gauges: Gauges::new() }))
    }

    /// Takes a connection in, and closes another if it must. Of one that is trusted (an operator's, a proxy's) nothing is asked.
    ///
    /// # Errors
    /// When there are as many as there may be, and none is idle.
    pub fn open(&self, peer: IpAddr, trusted: bool, now: Instant) -> Result<Held, Full> {
        let address = guesser(peer);
        let mut open = self.0.lock();
        if !trusted {
            self.0.make_room_for_a_stranger(&mut open, address, now);
        }
        if open.strangers.len() + open.known.len() >= self.0.bounds.all && !self.0.close_one(&mut open) {
            metrics::counter!("callgate_connections_refused_total").increment(1);
            return Err(Full);
        }
        let connection = Arc::new(Connection {
            id: open.next,
            address,
            inner: Arc::clone(&self.0),
            begun: now,
            busy: AtomicU32::new(0),
            idle_since: AtomicU64::new(self.0.millis(now)),
            known: AtomicBool::new(trusted),
            closing: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        open.next += 1;
        if trusted {
            open.known.insert(connection.id, Arc::clone(&connection));
            self.0.gauges.known.increment(1);
        } else {
            open.strangers.insert(connection.id, Arc::clone(&connection));
            open.by_address.entry(address).or_default().insert(connection.id);
            self.0.gauges.strangers.increment(1);
        }
        Ok(Held(connection))
    }

    /// Closes strangers' connections that have been idle for too long.
    pub fn close_idle(&self, now: Instant) {
        let patience = self.0.bounds.patience;
        let mut open = self.0.lock();
        let tired = |one: &&Arc<Connection>| one.is_idle() && one.idle_for(now) >= patience;
        let tired: Vec<_> = open.strangers.values().filter(tired).cloned().collect();
        tired.iter().for_each(|one| self.0.close(&mut open, one, "idle"));
    }

    /// Closes one that is idle, for its file. False when none is.
    pub fn give_up_one(&self) -> bool {
        self.0.close_one(&mut self.0.lock())
    }

    /// Closes whatever is idle, now.
    pub fn close_all(&self) {
        let mut open = self.0.lock();
        let idle: Vec<_> =
            open.strangers.values().chain(open.known.values()).filter(|one| one.is_idle()).cloned().collect();
        idle.iter().for_each(|one| self.0.close(&mut open, one, "shutdown"));
    }

    /// Waits until few are on their way out.
    pub async fn settled(&self) {
        self.until(|open| open.closing < MOST_CLOSING).await;
    }

    /// Waits until none is left.
    pub async fn emptied(&self) {
        self.until(|open| open.closing + open.strangers.len() + open.known.len() == 0).await;
    }

    /// Connections that there are: of strangers, of those who authenticated.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let open = self.0.lock();
        (open.strangers.len(), open.known.len())
    }

    async fn until(&self, holds: impl Fn(&Open) -> bool) {
        loop {
            let gone = self.0.gone.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            if holds(&self.0.lock()) {
                return;
            }
            gone.await;
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    fn make_room_for_a_stranger(&self, open: &mut Open, address: IpAddr, now: Instant) {
        let of_address = open.by_address.get(&address);
        if of_address.is_some_and(|ids| ids.len() >= self.bounds.of_one_address) {
            let theirs = of_address.into_iter().flatten().filter_map(|id| open.strangers.get(id));
            // One that is young may have its request on the way: the share of all strangers is bound enough for it.
            let oldest = theirs.into_iter().find(|one| one.is_idle() && one.age(now) >= self.bounds.grace).cloned();
            oldest.into_iter().for_each(|one| self.close(open, &one, "address"));
        }
        while open.strangers.len() >= self.bounds.strangers {
            let Some(one) = oldest(open.strangers.values()).cloned() else { return };
            self.close(open, &one, "share");
        }
    }

    /// A stranger's that is idle, else another that is.
    fn close_one(&self, open: &mut Open) -> bool {
        let idle = |one: &&Arc<Connection>| one.is_idle();
        let one = open.strangers.values().find(idle).or_else(|| open.known.values().find(idle)).cloned();
        one.inspect(|one| self.close(open, one, "full")).is_some()
    }

    fn close(&self, open: &mut Open, one: &Connection, why: &'static str) {
        if open.forget(one, self) {
            open.closing += 1;
            self.gauges.closing.increment(1);
            metrics::counter!("callgate_connections_closed_total", "why" => why).increment(1);
        }
        one.closing.store(true, Ordering::Release);
        one.waker.wake();
    }
}

/// The oldest that is idle; when none is, the oldest: it has waited for its own body longer than any.
fn oldest<'a>(strangers: impl Iterator<Item = &'a Arc<Connection>> + Clone) -> Option<&'a Arc<Connection>> {
    strangers.clone().find(|one| one.is_idle()).or_else(|| strangers.clone().next())
}

impl Open {
    /// Takes it out of the books; false when it was in none.
    fn forget(&mut self, one: &Connection, inner: &Inner) -> bool {
        if self.strangers.remove(&one.id).is_some() {
            self.forget_address(one);
            inner.gauges.strangers.decrement(1);
            return true;
        }
        let was_known = self.known.remove(&one.id).is_some();
        if was_known {
            inner.gauges.known.decrement(1);
        }
        was_known
    }

    fn forget_address(&mut self, one: &Connection) {
        if let Some(ids) = self.by_address.get_mut(&one.address) {
            ids.remove(&one.id);
            if ids.is_empty() {
                self.by_address.remove(&one.address);
            }
        }
    }
}

impl Connection {
    /// A request came in on it.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Acquire);
        Busy(Arc::clone(self))
    }

    /// Somebody showed on it who they are.
    pub fn authenticated(&self) {
        if self.known.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut open = self.inner.lock();
        if let Some(one) = open.strangers.remove(&self.id) {
            open.forget_address(self);
            open.known.insert(self.id, one);
            self.inner.gauges.strangers.decrement(1);
            self.inner.gauges.known.increment(1);
        }
    }

    fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Acquire) == 0
    }

    fn idle_for(&self, now: Instant) -> Duration {
        Duration::from_millis(self.inner.millis(now).saturating_sub(self.idle_since.load(Ordering::Relaxed)))
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Its socket is closed.
    fn gone(&self) {
        let mut open = self.inner.lock();
        if !open.forget(self, &self.inner) && self.is_closing() {
            open.closing = open.closing.saturating_sub(1);
            self.inner.gauges.closing.decrement(1);
        }
        drop(open);
        self.inner.gone.notify_waiters();
    }
}
