//! Writing behind: what comes is gathered for a moment and written together; while the database is away it is kept, and tried again.
//!
//! The record of calls and the audit log are written like this. What waits, and within which bound, is theirs; when it is written, and who
//! waits for that, is here.

use std::sync::Arc;
use std::time::Duration;

use protocol::backoff::Backoff;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// How long things are gathered before they are written.
pub(crate) const GATHER: Duration = Duration::from_millis(100);
/// The same for what nobody looks at while it is new: what a live call does, step by step. A crash costs as much of it.
pub(crate) const GATHER_STEPS: Duration = Duration::from_secs(1);
/// Pauses before a failed write is tried again.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// The sending side of a bounded queue whose reader is not woken for each item: what comes while a write is due is taken with it.
#[derive(Debug)]
pub(crate) struct Gathered<T> {
    queue: mpsc::Sender<T>,
    /// Behind the queue: it rings once more when that is gone.
    bell: Bell,
}

/// The reader's side.
pub(crate) struct Gathering<T> {
    queue: mpsc::Receiver<T>,
    bell: Bell,
}

/// Wakes the reader.
#[derive(Clone, Debug, Default)]
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A queue of both.
pub(crate) fn gathered<T>(places: usize) -> (Gathered<T>, Gathering<T>) {
    let (sender, receiver) = mpsc::channel(places);
    let bell = Bell::default();
    (Gathered { queue: sender, bell: bell.clone() }, Gathering { queue: receiver, bell })
}

impl<T> Clone for Gathered<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bell: self.bell.clone() }
    }
}

impl<T> Gathered<T> {
    /// A place, unless all are taken. Of a queue that fills the reader takes what is there.
    pub(crate) fn place(&self) -> Option<mpsc::Permit<'_, T>> {
        let place = self.queue.try_reserve().ok();
        if self.queue.capacity() < self.queue.max_capacity() / 2 {
            self.hurry();
        }
        place
    }

    /// Waits for a place, and has what was put there taken at once. False when there is no reader.
    pub(crate) async fn send_now(&self, item: T) -> bool {
        let sent = self.queue.send(item).await.is_ok();
        self.hurry();
        sent
    }

    /// What is there is taken at once.
    pub(crate) fn hurry(&self) {
        self.bell.0.notify_one();
    }
}

impl<T> Gathering<T> {
    /// Resolves when something is to be taken: what came first if there is no write for it to wait for, else when there is a hurry.
    pub(crate) async fn recv(&mut self, is_scheduled: bool) -> Taken<T> {
        tokio::select! {
            biased;
            () = self.bell.0.notified() => Taken::Hurry,
            item = self.queue.recv(), if !is_scheduled => item.map_or(Taken::Closed, Taken::First),
        }
    }

    /// What has come by now and no more: whoever sends all the time must not keep the reader from writing.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        let count = self.queue.len();
        std::iter::from_fn(|| self.queue.try_recv().ok()).take(count)
    }

    /// Nobody is left to send anything, and everything was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.queue.is_closed() && self.queue.is_empty()
    }
}

/// What woke a reader.
pub(crate) enum Taken<T> {
    First(T),
    Hurry,
    /// Nobody is left to send anything.
    Closed,
}

/// When to write next, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct WriteBehind {
    due: Option<Instant>,
    failures: u32,
    flushes: Vec<oneshot::Sender<bool>>,
}

impl WriteBehind {
    /// Something came that is to be written by then, or sooner with others. A database that is away is not asked sooner.
    pub(crate) fn by(&mut self, at: Instant) {
        if self.failures == 0 && self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
        }
    }

    /// Somebody waits for all of it: an answer is due at once, whatever it is.
    pub(crate) fn flush(&mut self, done: oneshot::Sender<bool>) {
        self.flushes.push(done);
        self.due = Some(Instant::now());
    }

    /// Whether a write will come, now or later.
    pub(crate) const fn is_scheduled(&self) -> bool {
        self.due.is_some()
    }

    /// Whether a write is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Resolves when a write is due; never when there is nothing to write.
    pub(crate) async fn due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// A write begins: what comes from now on is for the next.
    pub(crate) fn begin(&mut self) {
        self.due = None;
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// What a write came to, and whether there is more to write by now. Whoever waits is told once there is nothing left, or that it failed.
    pub(crate) fn written(&mut self, ok: bool, more: bool) {
        self.failures = if ok { 0 } else { self.failures.saturating_add(1) };
        let now = Instant::now();
        self.due = match (ok, more) {
            (true, true) => Some(now),
            (true, false) => None,
            (false, _) => Some(now + BACKOFF.pause(self.failures)),
        };
        if ok && more {
            return;
        }
        for done in self.flushes.drain(..) {
            // Whoever waited may have given up.
            let _ = done.send(ok);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_comes_while_the_database_is_away_does_not_have_it_asked_sooner() {
        let (mut writes, now) = (WriteBehind::default(), Instant::now());
        writes.by(now + GATHER);
        assert!(!writes.is_due(now) && writes.is_due(now + GATHER));
        writes.begin();
        writes.written(false, true);
        writes.by(now);
        assert!(!writes.is_due(now) && writes.is_due(now + BACKOFF.pause(1) * 2));
    }

    #[tokio::test]
    async fn who_waits_is_told_when_nothing_is_left_or_that_it_failed() {
        let mut writes = WriteBehind::default();
        let (done, mut told) = oneshot::channel();
        writes.flush(done);
        writes.begin();
        writes.written(true, true);
        assert!(told.try_recv().is_err() && writes.is_due(Instant::now()));
        writes.written(true, false);
        assert_eq!(told.try_recv(), Ok(true));
        let (done, mut told) = oneshot::channel();
        writes.flush(done);
        writes.written(false, true);
        assert_eq!(told.try_recv(), Ok(false));
    }

    #[tokio::test]
    async fn a_reader_that_has_a_write_to_wait_for_sleeps_until_that_or_until_it_must_make_room() {
        let (items, mut reader) = gathered(8);
        let put = |item: u32| items.place().unwrap().send(item);
        (0..4).for_each(put);
        assert!(reader.recv(true).now_or_never().is_none(), "half of the places were left");
        put(4);
        assert!(matches!(reader.recv(true).now_or_never(), Some(Taken::Hurry)));
        assert_eq!(reader.drain().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        put(5);
        assert!(matches!(reader.recv(false).await, Taken::First(5)), "nothing is scheduled that it could wait for");
    }

    #[tokio::test]
    async fn whoever_waits_for_all_of_it_or_goes_wakes_the_reader() {
        let (items, mut reader) = gathered(8);
        assert!(items.send_now(1).await);
        assert!(matches!(reader.recv(true).await, Taken::Hurry));
        assert_eq!((reader.drain().count(), reader.is_over()), (1, false));
        let other = items.clone();
        drop(items);
        assert!(!reader.is_over());
        other.place().unwrap().send(2);
        drop(other);
        while !reader.is_over() {
            assert!(matches!(reader.recv(true).await, Taken::Hurry));
            reader.drain().for_each(drop);
        }
        assert!(matches!(reader.recv(false).await, Taken::Closed));
    }
}
