//! What a caller's wait goes to, as it passes. It looks on and decides nothing.
//!
//! Of each wait it is known at any time which part the time goes to: whatever happens ends that part and begins another, so that parts
//! are contiguous however often a session is lost in between. A wait ends for the model when its first audio was handed to the
//! carrier's socket, and for the caller when the mark of that message says that it was heard; the next may have begun by then.

mod events;

use std::time::{Duration, Instant};

use super::context::millis;
use super::latency::{Awaited, Part, Parts};
use crate::ids::{ItemId, ResponseId};

/// An answer that a function's result is waited for behind, the result, and one more.
const MOST_WAITS: usize = 4;
/// Pings of the model's connection that are looked back on: one that comes late says less of the way than one that does not.
const TRIPS: usize = 3;

/// A socket that takes audio takes it within that.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);
/// A timer that is later than this says that we stood still, and not the socket.
const ON_TIME: Duration = Duration::from_millis(50);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The carrier's socket should have taken what was offered.
    Taken,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    /// What is waited for, and was not sent yet.
    waits: Vec<Wait>,
    /// What was sent, and whose mark is to come.
    sent: Vec<SentAnswer>,
    /// The newest response that is to be heard, or may be: when it began, and when its first audio came.
    newest: Option<(Instant, Option<Instant>)>,
    /// When the server said that the caller had stopped.
    stopped: Option<Instant>,
    /// The response that was heard last: what follows of it is no answer to what began meanwhile.
    heard: Option<ResponseId>,
    /// When all that was sent will have been played.
    speaks_until: Option<Instant>,
    /// When the carrier's socket was offered what is waited for.
    offered: Option<Instant>,
    /// When the caller pressed a key last.
    key: Option<Instant>,
    /// Round trips of the model's connection, ms, the newest last.
    trips: Vec<u64>,
    /// The least that an echo of the carrier's was late.
    echo: Option<Duration>,
}

/// A wait that goes on.
#[derive(Clone, Debug)]
struct Wait {
    of: Awaited,
    from: Instant,
    /// What the time goes to, and since when.
    part: Part,
    since: Instant,
    spent: [Duration; Part::ALL.len()],
    /// Audio of the answer is there: only its way to the caller takes time now.
    audio: bool,
    /// It began with a function of this response: what that says is not the answer.
    behind: Option<ResponseId>,
    /// A function began then.
    called: Option<Instant>,
    asked: u32,
    stalled: bool,
}

/// An answer whose first message was handed to the carrier's socket.
#[derive(Debug)]
struct SentAnswer {
    wait: Wait,
    item: ItemId,
    /// The message, and when its playback should begin.
    sequence: u64,
    begins: Instant,
}

/// A message of audio that was handed to the carrier's socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) item: &'a ItemId,
    pub(crate) response: &'a ResponseId,
    pub(crate) is_clip: bool,
    pub(crate) sequence: u64,
    pub(crate) begins: Instant,
    pub(crate) due: Instant,
}

impl Wait {
    fn new(of: Awaited, from: Instant, part: Part) -> Self {
        let spent = Default::default();
        let (audio, stalled, asked) = (false, false, 0);
        Self { of, from, part, since: from, spent, audio, behind: None, called: None, asked, stalled }
    }

    /// The part at hand took the time until then, and this one follows. Time never runs back.
    fn goes_to(&mut self, part: Part, at: Instant) {
        self.spent[self.part as usize] += at.saturating_duration_since(self.since);
        (self.part, self.since) = (part, self.since.max(at));
    }

    /// The caller waits since then only.
    fn begins_at(&mut self, at: Instant) {
        if at > self.from {
            (self.from, self.since) = (at, at);
            self.spent = Default::default();
        }
    }

    /// Whether what that response says is no answer to it.
    fn is_behind(&self, response: &ResponseId) -> bool {
        self.behind.as_ref() == Some(response)
    }

    /// Whole ms by part: each boundary is rounded down, so that the parts are the whole.
    fn parts(&self) -> Parts {
        let mut all = Duration::ZERO;
        Parts::new(Part::ALL.into_iter().map(|part| {
            let before = millis(all);
            all += self.spent[part as usize];
            (part, millis(all) - before)
        }))
    }
}

impl Stopwatch {
    /// The newest wait, while what happens to the model makes a difference to it.
    fn open(&mut self) -> Option<&mut Wait> {
        self.waits.last_mut().filter(|wait| !wait.audio)
    }

    /// Whether anybody waits for audio to be sent.
    pub(crate) fn is_awaiting(&self) -> bool {
        !self.waits.is_empty()
    }

    /// The next answer that was sent with that message or one before it.
    fn sent_up_to(&mut self, sequence: u64) -> Option<SentAnswer> {
        let at = self.sent.iter().position(|sent| sent.sequence <= sequence)?;
        Some(self.sent.remove(at))
    }

    /// One more begins. False when that was one too many, and the oldest is given up.
    fn push(&mut self, wait: Wait) -> bool {
        let has_room = self.waits.len() < MOST_WAITS;
        if !has_room {
            self.waits.remove(0);
        }
        self.waits.push(wait);
        has_room
    }

    /// The server shows that it hears the caller: what it said of an earlier sound is over.
    pub(crate) fn caller_began(&mut self) {
        self.stopped = None;
    }

    /// The server says that the caller stopped.
    pub(crate) fn caller_stopped(&mut self, now: Instant) {
        self.stopped.get_or_insert(now);
    }

    /// The caller pressed a key.
    pub(crate) fn key(&mut self, now: Instant) {
        self.key = Some(now);
    }

    /// When the caller pressed the key that ends an entry.
    pub(crate) fn last_key(&mut self, now: Instant) -> Instant {
        self.key.take().unwrap_or(now)
    }

    /// How long a ping of the model's connection took.
    pub(crate) fn round_trip(&mut self, ms: u64) {
        if self.trips.len() == TRIPS {
            self.trips.remove(0);
        }
        self.trips.push(ms);
    }

    /// There is another connection: how long its way is has to be seen.
    pub(crate) fn other_way(&mut self) {
        self.trips.clear();
    }

    /// A message was sent, which is played until then.
    pub(crate) fn speaks_until(&mut self, due: Instant) {
        self.speaks_until = Some(due);
    }

    /// An echo of the carrier's came that much later than playback should have got there.
    pub(crate) fn echo(&mut self, late: Duration) {
        self.echo = Some(self.echo.map_or(late, |least| least.min(late)));
    }
}
