//! What a test or an operator can see of the server, and do to it, while it runs.

mod log;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;

use super::ModelOptions;
use super::conversation::Conversation;
use super::faults::{FaultState, Faults};
use super::format::Format;
use super::late::Late;
use super::render::Renderings;
use super::tap::Tap;
pub use log::{Appended, ResponseLog, Seen, SessionLog, Truncation};

/// Events remembered of one session each way: the last ones.
const EVENTS: usize = 1_000;
/// Sessions remembered; the oldest that ended go first.
const SESSIONS: usize = 4_096;
/// Bytes of one session's audio kept: 10 minutes at 24 kHz.
const KEPT_BYTES: usize = 600_000 * 48;

/// A handle on a running server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct ModelHandle {
    pub(super) shared: Arc<Shared>,
}

impl ModelHandle {
    /// All sessions so far.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionLog> {
        self.shared.sessions().iter().map(|tracked| tracked.snapshot()).collect()
    }

    /// Waits until the sessions are as `condition` wants them; false when they were not within `timeout`.
    pub async fn wait_for(&self, mut condition: impl FnMut(&[SessionLog]) -> bool, timeout: Duration) -> bool {
        // Subscribed before looking, so that no change in between is missed.
        let mut changes = self.shared.changes.subscribe();
        let wanted = async {
            while !condition(&self.sessions()) {
                if changes.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(timeout, wanted).await.unwrap_or(false)
    }

    /// What session number `number` appended and this has not returned before, if [`ModelOptions::keep_audio`] is on:
    /// s16le at 24 kHz (8 kHz for a G.711 session).
    #[must_use]
    pub fn take_audio(&self, number: u64) -> Option<Vec<u8>> {
        let sessions = self.shared.sessions();
        let tracked = sessions.iter().find(|tracked| tracked.number == number)?;
        lock(&tracked.audio).as_mut().map(std::mem::take)
    }

    /// Changes what goes wrong, for live sessions too.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.set_faults(faults);
    }

    /// Resets the TCP connection of every live session.
    pub fn drop_all(&self) {
        self.shared.control.send_modify(|control| control.drops += 1);
    }

    /// Ends the server: the listener closes, and so do live sessions, with 1001.
    pub fn stop(&self) {
        self.shared.control.send_modify(|control| control.stop = true);
    }
}

/// What all sessions of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ModelOptions,
    pub(super) faults: FaultState,
    pub(super) renderings: Renderings,
    pub(super) late: Late,
    pub(super) control: watch::Sender<Control>,
    sessions: Mutex<VecDeque<Arc<Tracked>>>,
    changes: watch::Sender<()>,
}

/// Orders to every session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) stop: bool,
    /// How often [`ModelHandle::drop_all`] was called.
    pub(super) drops: u64,
    /// How often the faults were changed.
    pub(super) faults: u64,
}

/// One session as seen from outside of its task.
#[derive(Debug)]
pub(super) struct Tracked {
    number: u64,
    began: Instant,
    log: Mutex<Recorded>,
    pub(super) tap: Mutex<Tap>,
    pub(super) conversation: Mutex<Conversation>,
    audio: Mutex<Option<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// Without the events.
    log: SessionLog,
    received: VecDeque<Seen>,
    sent: VecDeque<Seen>,
}

impl Shared {
    pub(super) fn new(mut options: ModelOptions) -> Self {
        let faults = FaultState::new(std::mem::take(&mut options.faults));
        Self {
            renderings: Renderings::new(options.seed),
            options,
            faults,
            late: Late::default(),
            control: watch::Sender::default(),
            sessions: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, VecDeque<Arc<Tracked>>> {
        lock(&self.sessions)
    }

    pub(super) fn track(&self, number: u64, id: &str, target: &str, headers: &[(String, String)]) -> Arc<Tracked> {
        let began = Instant::now();
        let log = SessionLog {
            number,
            began: Some(began),
            id: id.to_owned(),
            target: target.to_owned(),
            headers: headers.to_vec(),
            ..SessionLog::default()
        };
        let tracked = Arc::new(Tracked {
            number,
            began,
            log: Mutex::new(Recorded { log, ..Recorded::default() }),
            tap: Mutex::default(),
            conversation: Mutex::default(),
            audio: Mutex::new(self.options.keep_audio.then(Vec::new)),
        });
        let mut sessions = self.sessions();
        if sessions.len() >= SESSIONS {
            let ended = sessions.iter().position(|tracked| tracked.ended()).unwrap_or(0);
            sessions.remove(ended);
        }
        sessions.push_back(Arc::clone(&tracked));
        tracked
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.faults.set(faults);
        self.control.send_modify(|control| control.faults += 1);
    }

    /// Tells those who wait; costs next to nothing when nobody does.
    pub(super) fn changed(&self) {
        if self.changes.receiver_count() > 0 {
            self.changes.send_replace(());
        }
    }
}

impl Tracked {
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut SessionLog) -> R) -> R {
        change(&mut lock(&self.log).log)
    }

    pub(super) fn sent(&self, kind: &'static str) {
        let seen = Seen { kind: Cow::Borrowed(kind), at: self.began.elapsed(), body: Value::Null };
        remember(&mut lock(&self.log).sent, seen);
    }

    pub(super) fn error(&self, code: &str) {
        self.update(|log| {
            if log.errors.len() < EVENTS {
                log.errors.push(code.to_owned());
            }
        });
    }

    pub(super) fn truncation(&self, truncation: Truncation) {
        self.update(|log| {
            if log.truncations.len() < EVENTS {
                log.truncations.push(truncation);
            }
        });
    }

    pub(super) fn received(&self, kind: &str, body: Value) {
        let seen = Seen { kind: Cow::Owned(kind.to_owned()), at: self.began.elapsed(), body };
        remember(&mut lock(&self.log).received, seen);
    }

    pub(super) fn appended(&self, appended_ms: u64) {
        let at = Some(self.began.elapsed());
        self.update(|log| {
            log.appended.events += 1;
            log.appended.events_before_update += u64::from(!log.configured);
            log.appended.ms = appended_ms;
            log.appended.first_at = log.appended.first_at.or(at);
            log.appended.last_at = at;
        });
    }

    /// Keeps the caller's audio, if that was asked for.
    pub(super) fn keep(&self, audio: &[u8], format: Format) {
        if let Some(kept) = lock(&self.audio).as_mut().filter(|kept| kept.len() < KEPT_BYTES) {
            format.decode(audio, kept);
        }
    }

    pub(super) fn ended(&self) -> bool {
        lock(&self.log).log.closed.is_some()
    }

    fn snapshot(&self) -> SessionLog {
        let items = lock(&self.conversation).items();
        let recorded = lock(&self.log);
        SessionLog {
            received: recorded.received.iter().cloned().collect(),
            sent: recorded.sent.iter().cloned().collect(),
            items,
            ..recorded.log.clone()
        }
    }
}

fn remember(events: &mut VecDeque<Seen>, seen: Seen) {
    if events.len() >= EVENTS {
        events.pop_front();
    }
    events.push_back(seen);
}

/// A log is whole whatever happened to the task that wrote it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
