//! Our own recordings while they are made: what each side of a call heard, as raw PCM in `SPOOL_DIR`, until it is encoded and stored.
//!
//! A call's arbiter only copies a frame into a bounded queue; one thread, which is no arbiter, writes the files. It wakes every 100 ms, so
//! that a frame costs no wake-up, and what the queue cannot take is dropped, counted, and silence on the recording. A process that dies
//! loses what was in the queue, about the last tenth of a second: what was written is the kernel's, and is found at the next start.
//! Nothing is synced during a call, so a machine that dies loses what its kernel had not written yet (Linux: up to some 30 s).

mod backlog;
mod disk;
mod encode;
mod finished;
mod pace;
mod room;
mod tracks;
mod upload;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use actors::{AudioSink, Recorder, SupervisorEvent, lock};
use codecs::SampleRate;
use metrics::Counter;
use protocol::call::Clock;
use protocol::call::fact::Fact;
use protocol::call::recording::AudioSegment;
use protocol::ids::CallSid;

use crate::priority;

pub use backlog::Backlog;
pub use encode::{EncodeError, Encoders, encode_now};
pub use finished::{Finished, find, left_behind};
pub use pace::EventLoopLag;
pub use tracks::Part;
pub use upload::{EncodeRecording, Spool};

/// Pieces that wait to be written. A thousand calls fill a third of it between two ticks.
const QUEUE: usize = 16_384;
/// Finished calls that wait to be taken in: more are found at the next start.
const FINISHED: usize = 1_024;

/// Gives each call its audio sink. Clones are handles to the same one.
#[derive(Clone)]
pub struct SpoolHandle(Arc<Shared>);

/// The thread that writes. Dropped, it writes what is left, and no more.
pub struct WriterThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    backlog: Backlog,
    pieces: mpsc::SyncSender<Piece>,
    /// Wakes the writer when there was nothing to write; dropped, it stops it.
    wake: Mutex<Option<mpsc::SyncSender<()>>>,
    /// Calls that began since the writer last looked.
    begun: Mutex<Vec<Arc<Live>>>,
    dropped: Counter,
}

/// Something to be written, and whose.
struct Piece {
    live: Arc<Live>,
    segment: AudioSegment,
}

/// One recording of a call, as its sink and the writer know it.
struct Live {
    call: CallSid,
    part: Part,
    begun: OnceLock<Begun>,
    /// When its stream ended, while there is none.
    paused: Mutex<Option<Instant>>,
    /// The call is over: since when.
    ended: OnceLock<Instant>,
    dropped: AtomicU64,
}

#[derive(Clone, Copy)]
struct Begun {
    rate: SampleRate,
    /// The recording's first sample.
    at: Instant,
    wall: SystemTime,
}

impl Begun {
    /// The sample at a moment.
    fn sample(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.at).as_micros();
        u64::try_from(since * u128::from(self.rate.hz()) / 1_000_000).unwrap_or(u64::MAX)
    }
}

impl SpoolHandle {
    /// Starts writing below the spool's folder, which is made when the first call is recorded. Finished calls come out of the receiver.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(backlog: &Backlog) -> io::Result<(Self, WriterThread, tokio::sync::mpsc::Receiver<Finished>)> {
        let (pieces, queue) = mpsc::sync_channel(QUEUE);
        let (wake, woken) = mpsc::sync_channel(1);
        let (finished, receiver) = tokio::sync::mpsc::channel(FINISHED);
        let shared = Arc::new(Shared {
            backlog: backlog.clone(),
            pieces,
            wake: Mutex::new(Some(wake)),
            begun: Mutex::default(),
            dropped: metrics::counter!("callgate_recording_dropped_total"),
        });
        let writer = writer::Writer::new(Arc::clone(&shared), queue, finished);
        let thread = thread::Builder::new().name("callgate-spool".to_owned()).spawn(move || {
            priority::beside_calls();
            writer.run(&woken);
        })?;
        Ok((Self(Arc::clone(&shared)), WriterThread { shared, thread: Some(thread) }, receiver))
    }

    /// What takes the sound of one call, which this node has under that generation.
    #[must_use]
    pub fn sink(&self, call: &CallSid, generation: i32) -> Arc<dyn AudioSink> {
        Arc::new(self.call_tape(call, generation))
    }

    fn call_tape(&self, call: &CallSid, generation: i32) -> CallSink {
        CallSink { shared: Arc::clone(&self.0), live: Mutex::new(Live::of(call, Part { generation, number: 1 })) }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        lock(&self.shared.wake).take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes recordings panicked: what it had is in the spool");
        }
    }
}

/// Takes what happens in calls to their record, and what is heard in them to the spool.
pub struct RecorderWithAudio<R> {
    /// The record.
    pub record: R,
    /// The spool.
    pub spool_handle: SpoolHandle,
}

impl<R: Recorder> Recorder for RecorderWithAudio<R> {
    fn record(&self, call: &CallSid, at: SystemTime, fact: &Fact) {
        self.record.record(call, at, fact);
    }

    fn supervised(&self, call: &CallSid, at: SystemTime, event: &SupervisorEvent<'_>) {
        self.record.supervised(call, at, event);
    }

    fn sink(&self, call: &CallSid, generation: i32) -> Option<Arc<dyn AudioSink>> {
        Some(self.spool_handle.sink(call, generation))
    }
}

impl Live {
    fn of(call: &CallSid, part: Part) -> Arc<Self> {
        Arc::new(Self {
            call: call.clone(),
            part,
            begun: OnceLock::new(),
            paused: Mutex::default(),
            ended: OnceLock::new(),
            dropped: AtomicU64::new(0),
        })
    }

    /// The recording ends where its last stream did.
    fn end(&self) {
        let at = lock(&self.paused).unwrap_or_else(Instant::now);
        // It ends once.
        let _ = self.ended.set(at);
    }
}

struct CallSink {
    shared: Arc<Shared>,
    live: Mutex<Arc<Live>>,
}

impl CallSink {
    fn paused_at(&self, at: Instant) {
        let live = Arc::clone(&lock(&self.live));
        lock(&live.paused).get_or_insert(at);
        if let Some(begun) = live.begun.get() {
            // What was sent and not yet played is not heard.
            self.take(AudioSegment::AgentCut { at: begun.sample(at) });
        }
    }
}

impl AudioSink for CallSink {
    /// A further stream goes on where the clock is, and the time between is silence. One at another rate is a recording of its own, on the
    /// clock of the first.
    fn began(&self, rate: SampleRate, zero: Clock) {
        let mut live = lock(&self.live);
        if let Some(first) = live.begun.get() {
            if first.rate == rate {
                *lock(&live.paused) = None;
                return;
            }
            live.end();
            *live = Live::of(&live.call, live.part.next());
        }
        if live.begun.set(Begun { rate, at: zero.now, wall: zero.wall }).is_err() {
            return;
        }
        lock(&self.shared.begun).push(Arc::clone(&live));
        if let Some(wake) = &*lock(&self.shared.wake) {
            // Full: it is awake.
            let _ = wake.try_send(());
        }
    }

    fn take(&self, segment: AudioSegment) {
        let live = Arc::clone(&lock(&self.live));
        if let Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) =
            self.shared.pieces.try_send(Piece { live, segment })
        {
            self.shared.dropped.increment(1);
            piece.live.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn paused(&self) {
        self.paused_at(Instant::now());
    }

    fn ended(&self) {
        lock(&self.live).end();
    }
}

#[cfg(test)]
mod tests;
