//! Writing behind: what comes is gathered for a moment and written together; while the database is away it is kept, and tried again.
//!
//! The record of calls and the audit log are written like this. What waits, and within which bound, is theirs; when it is written, and who
//! waits for that, is here.

use std::time::Duration;

use protocol::backoff::Backoff;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// How long things are gathered before they are written.
pub(crate) const GATHER: Duration = Duration::from_millis(100);
/// Pauses before a failed write is tried again.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

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
}
