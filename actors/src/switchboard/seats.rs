//! Who has a place: on the node, among its client's calls, and among the calls that wait for their stream.
//!
//! A call that waits costs a session and no caller may ever come. So those that wait have a share of all places, and where there is no
//! place left, one that has waited for longer than a handshake takes gives its own to whoever comes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use protocol::ids::CallSid;
use tokio::sync::Notify;

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
/// Where so many calls of a minute, and so many per cent of them, end without a stream, people are told.
const ALARM_CALLS: u32 = 5;
const ALARM_PERCENT: u32 = 20;
const ALARM_EVERY: Duration = Duration::from_secs(60);

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

impl OfClient {
    /// The call that has waited longest of those that have waited for so long.
    fn overdue(&self, now: Instant, wait: Duration) -> Option<(Instant, u64)> {
        let overdue = |waiting: &Waiting| now.saturating_duration_since(waiting.since) >= wait;
        self.waiting.iter().find(|(_, waiting)| overdue(waiting)).map(|(key, _)| *key)
    }
}

/// Who gives way: of which client, and which of its calls that wait.
type Loser = (String, (Instant, u64));

impl Seats {
    pub(crate) fn new(limits: Limits, meters: Arc<Meters>) -> Self {
        Self { limits, counts: Mutex::default(), empty: Notify::new(), meters }
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

    /// Who has to go for a call, if anybody has to.
    fn loser(&self, counts: &Counts, asked: Asked<'_>, now: Instant) -> Result<Option<Loser>, Refusal> {
        if counts.draining {
            return Err(Refusal::Draining);
        }
        let of_client = counts.clients.get(asked.client);
        let is_full = |most: u32| {
            let of_client = of_client.map_or((0, 0), |client| (client.live, client.waiting.len()));
            let most_waiting = share(usize::try_from(most).unwrap_or(usize::MAX));
            of_client.0 >= most || (asked.wait.is_some() && of_client.1 >= most_waiting)
        };
        if asked.max_concurrent.is_some_and(is_full) {
            let overdue = of_client.and_then(|client| client.overdue(now, self.limits.gives_way_after));
            return overdue.map(|key| Some((asked.client.to_owned(), key))).ok_or(Refusal::ClientFull);
        }
        self.loser_of_node(counts, asked.wait.is_some(), now)
    }

    fn loser_of_node(&self, counts: &Counts, waits: bool, now: Instant) -> Result<Option<Loser>, Refusal> {
        let most = self.limits.max_calls;
        let is_full = counts.live >= most || (waits && counts.waiting >= share(most));
        if !is_full {
            return Ok(None);
        }
        // Of the client that has most: whoever takes all places loses them first.
        let overdue = |client: &OfClient| client.overdue(now, self.limits.gives_way_after);
        let losers =
            counts.clients.iter().filter_map(|(name, client)| Some((name, client.waiting.len(), overdue(client)?)));
        let loser = losers.max_by_key(|(_, waiting, _)| *waiting);
        loser.map(|(name, _, key)| Some((name.clone(), key))).ok_or(Refusal::Full)
    }

    /// Takes a call's place away. It ends once the place is another's.
    fn dismiss(&self, counts: &mut Counts, (client, key): &Loser) -> Option<CallSid> {
        let waiting = counts.clients.get_mut(client)?.waiting.remove(key)?;
        counts.waiting -= 1;
        let call = waiting.call.clone();
        counts.dismissed.insert(key.1, Dismissed { client: client.clone(), due: key.0, waiting });
        self.free(counts, client);
        tell_waiting(counts);
        Some(call)
    }

    /// A call was to give way to one that never came: it has its place again, if it is still here.
    fn reinstate(&self, counts: &mut Counts, call: &CallSid) {
        let number = counts.dismissed.iter().find(|(_, gone)| gone.waiting.call == *call).map(|(number, _)| *number);
        let Some((number, gone)) = number.and_then(|number| counts.dismissed.remove_entry(&number)) else { return };
        let seat = Seat { number, due: Some(gone.due) };
        self.occupy(counts, &gone.client, &seat, gone.waiting);
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

/// Says so when calls end without a stream: an applet whose URL is wrong, a firewall, or somebody who takes places.
#[derive(Default)]
struct Alarm {
    since: Option<Instant>,
    heard: u32,
    without: u32,
    told: bool,
}

impl Alarm {
    /// A call ended without its stream; true when people were told.
    fn without(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= ALARM_EVERY {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.without = self.without.saturating_add(1);
        let all = self.heard.saturating_add(self.without);
        if self.told
            || self.without < ALARM_CALLS
            || self.without.saturating_mul(100) < all.saturating_mul(ALARM_PERCENT)
        {
            return false;
        }
        self.told = true;
        tracing::warn!(
            without_media = self.without,
            calls = all,
            "calls end without their media stream: is the applet's URL right, and does the carrier reach it?"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(20);
    const OLD: Duration = Duration::from_secs(10);

    fn seats(max_calls: usize) -> Seats {
        let limits = Limits { max_calls, restarts: 3, restart_window: Duration::from_secs(10), gives_way_after: OLD };
        Seats::new(limits, Arc::new(Meters::new()))
    }

    fn call(n: usize) -> CallSid {
        CallSid::new(format!("c{n}"))
    }

    fn asked(client: &str) -> Asked<'_> {
        Asked { client, max_concurrent: None, wait: Some(WAIT) }
    }

    #[test]
    fn on_a_small_node_every_call_may_wait_and_on_a_large_one_a_quarter() {
        let shares = [1, 2, 7, 8, 10, 32, 40, 1000].map(share);
        assert_eq!(shares, [1, 2, 7, 8, 8, 8, 10, 250]);
    }

    #[test]
    fn whatever_call_starts_without_media_an_honest_caller_is_admitted() {
        let (seats, start) = (seats(1000), Instant::now());
        let mut taken: HashMap<CallSid, Seat> = HashMap::new();
        let leave = |taken: &mut HashMap<CallSid, Seat>, sid: &CallSid, now| {
            let seat = taken.remove(sid).expect("a call that is here");
            seats.leave("rude", &seat, now);
        };
        let mut refused = 0;
        for n in 0..17 * 300_usize {
            let now = start + Duration::from_secs(n as u64) / 17;
            match seats.take(&call(n), asked("rude"), now) {
                Ok(Taken { seat, gives_way, .. }) => {
                    taken.insert(call(n), seat);
                    if let Some(sid) = gives_way {
                        leave(&mut taken, &sid, now);
                    }
                }
                Err(_) => refused += 1,
            }
            // Those that nobody drove out wait to their end.
            let over: Vec<_> = taken.iter().filter(|(_, seat)| seat.due.is_some_and(|due| due <= now)).collect();
            let over: Vec<_> = over.into_iter().map(|(sid, _)| sid.clone()).collect();
            over.iter().for_each(|sid| leave(&mut taken, sid, now));
            if n % 17 == 0 {
                let honest = call(1_000_000 + n);
                let Taken { seat, gives_way, .. } = seats.take(&honest, asked("honest"), now).expect("a place");
                if let Some(sid) = gives_way {
                    leave(&mut taken, &sid, now);
                }
                assert!(seats.seated("honest", &seat));
                seats.leave("honest", &seat, now);
            }
            assert!(seats.live() <= 250, "the seats of those who talk are not touched");
        }
        assert_eq!(refused, 0);
    }

    #[test]
    fn the_client_that_has_most_waiting_gives_way_and_its_longest_waiting_call() {
        let (seats, start) = (seats(8), Instant::now());
        let quiet = seats.take(&call(0), asked("quiet"), start).unwrap();
        let rude: Vec<_> = (1..8)
            .map(|n| seats.take(&call(n), asked("rude"), start + Duration::from_secs(n as u64)).unwrap())
            .collect();
        let early = start + Duration::from_millis(9_900);
        assert_eq!(seats.take(&call(9), asked("honest"), early).err(), Some(Refusal::Full), "nobody waited for long");
        let taken = seats.take(&call(9), asked("honest"), start + Duration::from_secs(12)).unwrap();
        assert_eq!(taken.gives_way, Some(call(1)));
        assert!(!seats.seated("rude", &rude[0].seat), "its stream comes too late");
        assert!(seats.seated("quiet", &quiet.seat), "and this one in time");
        assert_eq!(seats.live(), 8);
        seats.leave("rude", &rude[0].seat, start + Duration::from_secs(12));
        assert_eq!(seats.live(), 8, "its place was free already");
    }

    #[test]
    fn who_has_left_frees_the_place_at_once_and_the_node_is_empty_when_all_is_said() {
        let (seats, now) = (seats(2), Instant::now());
        let first = seats.take(&call(0), asked("a"), now).unwrap().seat;
        assert!(seats.seated("a", &first));
        seats.vacate("a", &first, now);
        seats.vacate("a", &first, now);
        assert_eq!(seats.live(), 0);
        assert!(!lock(&seats.counts).is_empty());
        let second = seats.take(&call(1), asked("a"), now).unwrap().seat;
        assert!(seats.seated("a", &second));
        seats.vacate("a", &second, now);
        assert_eq!(seats.live(), 1, "too many wait for last words");
        seats.leave("a", &first, now);
        seats.leave("a", &second, now);
        assert!(lock(&seats.counts).is_empty());
    }

    #[test]
    fn nobody_gives_way_for_a_call_that_does_not_begin() {
        let (seats, start) = (seats(1), Instant::now());
        let waits = seats.take(&call(0), asked("a"), start).unwrap().seat;
        let in_vain = seats.take(&call(1), asked("b"), start + OLD).unwrap();
        assert_eq!(in_vain.gives_way, Some(call(0)));
        seats.give_back("b", &in_vain);
        assert_eq!(seats.live(), 1);
        assert_eq!(seats.take(&call(2), asked("b"), start).err(), Some(Refusal::Full), "the place is taken");
        assert!(seats.seated("a", &waits), "its stream finds its place");
        seats.leave("a", &waits, start + OLD);
        // One that is gone by then has no place any more.
        let gone = seats.take(&call(3), asked("a"), start).unwrap().seat;
        let in_vain = seats.take(&call(4), asked("b"), start + OLD).unwrap();
        seats.leave("a", &gone, start + OLD);
        seats.give_back("b", &in_vain);
        let counts = lock(&seats.counts);
        assert!(counts.clients.is_empty() && counts.is_empty());
        assert_eq!((counts.live, counts.waiting), (0, 0));
    }

    #[test]
    fn one_who_gives_way_is_counted_out_once() {
        let (seats, start) = (seats(1), Instant::now());
        let mut here = seats.take(&call(0), asked("a"), start).unwrap().seat;
        for n in 1..100 {
            let now = start + OLD * u32::try_from(n).unwrap();
            let taken = seats.take(&call(n), asked("a"), now).unwrap();
            assert_eq!(taken.gives_way, Some(call(n - 1)));
            assert_eq!(seats.take(&call(1000), asked("a"), now).err(), Some(Refusal::Full));
            seats.leave("a", &here, now);
            here = taken.seat;
            assert_eq!(seats.live(), 1);
        }
        assert!(seats.seated("a", &here));
        let late = start + OLD * 1000;
        assert_eq!(seats.take(&call(1000), asked("a"), late).err(), Some(Refusal::Full), "who talks never gives way");
        seats.leave("a", &here, late);
        let counts = lock(&seats.counts);
        assert!(counts.clients.is_empty() && counts.is_empty());
        assert_eq!((counts.live, counts.waiting), (0, 0));
    }

    #[test]
    fn a_clients_own_waiting_calls_are_a_share_of_its_own_and_give_way_to_its_own() {
        let (seats, start) = (seats(1000), Instant::now());
        let of_client = Asked { max_concurrent: Some(40), ..asked("small") };
        for n in 0..10 {
            seats.take(&call(n), of_client, start).unwrap();
        }
        assert_eq!(seats.take(&call(10), of_client, start).err(), Some(Refusal::ClientFull));
        let here = Asked { wait: None, ..of_client };
        assert!(seats.take(&call(11), here, start).is_ok(), "one whose stream is here does not wait");
        assert!(seats.take(&call(12), asked("another"), start).is_ok());
        let taken = seats.take(&call(13), of_client, start + OLD).unwrap();
        assert_eq!(taken.gives_way, Some(call(0)));
    }

    #[test]
    fn greetings_are_had_early_only_while_few_wait() {
        let (seats, now) = (seats(40), Instant::now());
        let early: Vec<_> = (0..10).map(|n| seats.take(&call(n), asked("a"), now).unwrap().few_wait).collect();
        assert_eq!(early, [[true; 5], [false; 5]].concat());
        let one = self::seats(1);
        assert!(one.take(&call(0), asked("a"), now).unwrap().few_wait, "on the smallest node too");
    }

    #[test]
    fn people_are_told_once_a_minute_that_calls_end_without_media() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let told = |alarm: &mut Alarm, from: u64, to: u64| {
            (from..to).filter(|n| alarm.without(start + Duration::from_millis(*n * 100))).count()
        };
        assert_eq!(told(&mut alarm, 0, 4), 0, "a few happen");
        assert_eq!(told(&mut alarm, 4, 600), 1);
        assert_eq!(told(&mut alarm, 600, 1200), 1);
        alarm.heard = 10_000;
        assert_eq!(told(&mut alarm, 1200, 1201), 0);
        alarm.heard = 10_000;
        assert_eq!(told(&mut alarm, 1201, 1799), 0, "of very many");
    }
}
