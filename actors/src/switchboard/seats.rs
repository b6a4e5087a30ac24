//! Who has a place: on the node, among its client's calls, and among the calls that wait for their stream.
//!
//! A call that waits costs a session and no caller may ever come. So those that wait have a share of all places, and where there is no
//! place left, one that has waited for longer than a handshake takes gives its own to whoever comes.

mod alarm;
mod giving_way;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use protocol::ids::CallSid;
use tokio::sync::Notify;

use self::alarm::Alarm;
use super::meters::Meters;
use crate::admission::Refusal;
use crate::limits::Limits;
use crate::sync::lock;

/// Calls that may wait are a share of all calls: one in so many.
const WAITING_SHARE: usize = 4;
/// But so many in any case, if there may be so many calls at all: a few callers at the same moment are no attack.
const FEWEST_WAITING: usize = 8;
/// Calls that wait for their callers' last words have given their places back: this share of all places again, and those beyond it
/// keep theirs.
const LEAVING_SHARE: usize = 4;

/// How many of so many calls may wait for their stream.
const fn share(calls: usize) -> usize {
    let (share, fewest) = (calls / WAITING_SHARE, if calls < FEWEST_WAITING { calls } else { FEWEST_WAITING });
    if share > fewest { share } else { fewest }
}

/// A place that was taken. It is given back once, by [`Seats::leave`].
#[derive(Debug)]
pub(crate) struct Seat {
    number: u64,
    /// When it has waited in vain; none: its stream is here.
    due: Option<Instant>,
}

impl Seat {
    /// Its number: no other place of this process ever had it.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

/// What is known when a place is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) client: &'a str,
    /// Calls that the client may have; none: as many as the node.
    pub(crate) max_concurrent: Option<u32>,
    /// How long it may wait for its stream; none: its stream is here.
    pub(crate) wait: Option<Duration>,
}

/// A place, and what follows from it.
pub(crate) struct Taken {
    pub(crate) seat: Seat,
    /// Who has to go for it.
    pub(crate) gives_way: Option<CallSid>,
    /// So few wait that the greeting may be had before anybody is there to hear it.
    pub(crate) few_wait: bool,
}

/// The places of this node.
pub(crate) struct Seats {
    limits: Limits,
    counts: Mutex<Counts>,
    /// Told when the last call has ended.
    empty: Notify,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Counts {
    draining: bool,
    /// Places that are taken.
    live: usize,
    waiting: usize,
    clients: HashMap<String, OfClient>,
    /// Calls that have to give way, and have not ended yet: their places are free.
    dismissed: HashMap<u64, Dismissed>,
    /// Calls that wait for their callers' last words, and whose places are free.
    leaving: HashSet<u64>,
    next: u64,
    alarm: Alarm,
}

#[derive(Default)]
struct OfClient {
    live: u32,
    /// In the order in which they will have waited in vain.
    waiting: BTreeMap<(Instant, u64), Waiting>,
}

struct Waiting {
    call: CallSid,
    since: Instant,
}

/// A call that waited when its place went to another.
struct Dismissed {
    client: String,
    due: Instant,
    waiting: Waiting,
}

impl Seats {
    pub(crate) fn new(limits: Limits, meters: Arc<Meters>) -> Self {
        Self { limits, counts: Mutex::default(), empty: Notify::new(), meters }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limits.max_calls
    }

    pub(crate) fn live(&self) -> usize {
        lock(&self.counts).live
    }

    pub(crate) fn drain(&self) {
        lock(&self.counts).draining = true;
    }

    pub(crate) fn is_draining(&self) -> bool {
        lock(&self.counts).draining
    }

    /// Resolves when no call is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let told = self.empty.notified();
            if lock(&self.counts).is_empty() {
                return;
            }
            told.await;
        }
    }

    /// Whether there is a place on this node for a call whose stream is here.
    pub(crate) fn check_node(&self, now: Instant) -> Result<(), Refusal> {
        let counts = lock(&self.counts);
        if counts.draining {
            return Err(Refusal::Draining);
        }
        self.loser_of_node(&counts, false, now).map(|_| ())
    }

    /// Takes a place.
    pub(crate) fn take(&self, call: &CallSid, asked: Asked<'_>, now: Instant) -> Result<Taken, Refusal> {
        let mut counts = lock(&self.counts);
        let loser = self.loser(&counts, asked, now)?;
        let gives_way = loser.and_then(|loser| self.dismiss(&mut counts, &loser));
        let few_wait = asked.wait.is_none() || counts.waiting * 2 < share(self.limits.max_calls);
        counts.next += 1;
        let seat = Seat { number: counts.next, due: asked.wait.map(|wait| now + wait) };
        self.occupy(&mut counts, asked.client, &seat, Waiting { call: call.clone(), since: now });
        Ok(Taken { seat, gives_way, few_wait })
    }

    fn occupy(&self, counts: &mut Counts, client: &str, seat: &Seat, waiting: Waiting) {
        counts.live += 1;
        self.meters.live.increment(1.0);
        let of_client = counts.clients.entry(client.to_owned()).or_default();
        of_client.live += 1;
        if let Some(due) = seat.due {
            of_client.waiting.insert((due, seat.number), waiting);
            counts.waiting += 1;
            tell_waiting(counts);
        }
    }

    /// The stream of a call began: it waits no more. False when it had to give way.
    pub(crate) fn seated(&self, client: &str, seat: &Seat) -> bool {
        let mut counts = lock(&self.counts);
        if counts.dismissed.contains_key(&seat.number) {
            return false;
        }
        if counts.wait_no_more(client, seat) {
            counts.alarm.heard += 1;
        }
        true
    }

    /// The caller has left and only their last words are awaited: the place is free, unless too many wait for that.
    pub(crate) fn vacate(&self, client: &str, seat: &Seat, now: Instant) {
        let mut counts = lock(&self.counts);
        let has_none = counts.dismissed.contains_key(&seat.number) || counts.leaving.contains(&seat.number);
        if has_none || counts.leaving.len() >= self.limits.max_calls.div_ceil(LEAVING_SHARE) {
            return;
        }
        counts.in_vain(client, seat, now);
        counts.leaving.insert(seat.number);
        self.free(&mut counts, client);
    }

    /// A place that was taken is not needed: no call ever had it, and nobody has to give way for it.
    pub(crate) fn give_back(&self, client: &str, Taken { seat, gives_way, .. }: &Taken) {
        let mut counts = lock(&self.counts);
        counts.wait_no_more(client, seat);
        if counts.dismissed.remove(&seat.number).is_none() {
            self.free(&mut counts, client);
        }
        if let Some(call) = gives_way {
            self.reinstate(&mut counts, call);
        }
        if counts.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// A call has ended.
    pub(crate) fn leave(&self, client: &str, seat: &Seat, now: Instant) {
        let mut counts = lock(&self.counts);
        counts.in_vain(client, seat, now);
        if counts.dismissed.remove(&seat.number).is_none() && !counts.leaving.remove(&seat.number) {
            self.free(&mut counts, client);
        }
        if counts.is_empty() {
            self.empty.notify_waiters();
        }
    }

    /// There is a place more.
    fn free(&self, counts: &mut Counts, client: &str) {
        counts.live -= 1;
        self.meters.live.decrement(1.0);
        match counts.clients.get_mut(client) {
            Some(of_client) if of_client.live > 1 => of_client.live -= 1,
            _ => drop(counts.clients.remove(client)),
        }
    }

    /// A call was told to go for another.
    pub(crate) fn gave_way(&self, now: Instant) {
        counter!("callgate_calls_gave_way_total").increment(1);
        lock(&self.counts).count_in_vain(now);
    }
}

fn tell_waiting(counts: &Counts) {
    gauge!("callgate_calls_waiting").set(counts.waiting as f64);
}

impl Counts {
    /// A call is not waiting any more; false when it was not.
    fn wait_no_more(&mut self, client: &str, seat: &Seat) -> bool {
        let waited = seat.due.and_then(|due| self.clients.get_mut(client)?.waiting.remove(&(due, seat.number)));
        if waited.is_some() {
            self.waiting -= 1;
            tell_waiting(self);
        }
        waited.is_some()
    }

    /// A call ends; if it waited until now, nobody came.
    fn in_vain(&mut self, client: &str, seat: &Seat, now: Instant) {
        if self.wait_no_more(client, seat) {
            self.count_in_vain(now);
        }
    }

    fn count_in_vain(&mut self, now: Instant) {
        counter!("callgate_calls_without_media_total").increment(1);
        self.alarm.without(now);
    }

    /// Whether no call is left.
    fn is_empty(&self) -> bool {
        self.live == 0 && self.dismissed.is_empty() && self.leaving.is_empty()
    }
}
