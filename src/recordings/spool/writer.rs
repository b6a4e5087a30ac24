//! The one thread that writes the spool.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use protocol::call::recording::AudioSegment;
use protocol::ids::CallSid;

use super::disk::{Disk, RoomFor};
use super::finished::Finished;
use super::tracks::TrackWriter;
use super::{Begun, Live, Piece, Shared, lock};

/// How often what was heard is written.
const TICK: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Piece>,
    finished: tokio::sync::mpsc::Sender<Finished>,
    /// By the address of their [`Live`].
    open: HashMap<usize, Open>,
}

/// A call being recorded.
struct Open {
    live: Arc<Live>,
    begun: Begun,
    state: State,
}

enum State {
    Writing(Box<TrackWriter>),
    /// The disk would not have it: what there is of it, and why there is no more.
    Failed(Finished),
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: Receiver<Piece>,
        finished: tokio::sync::mpsc::Sender<Finished>,
    ) -> Self {
        Self { shared, queue, finished, open: HashMap::new() }
    }

    /// Writes until the last handle is gone, then what is left.
    pub(super) fn run(mut self, woken: &Receiver<()>) {
        loop {
            let stopped = if self.open.is_empty() {
                woken.recv().is_err()
            } else {
                woken.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected)
            };
            self.tick();
            if stopped {
                // Calls that go on are somebody's whose end nobody will tell: what there is of them is found at the next start.
                return;
            }
        }
    }

    fn tick(&mut self) {
        self.begin();
        // Before the queue is emptied: what a call said before its end is in it.
        let over: Vec<usize> =
            self.open.iter().filter(|(_, open)| open.live.ended.get().is_some()).map(|(key, _)| *key).collect();
        while let Ok(piece) = self.queue.try_recv() {
            let key = key(&piece.live);
            if !self.open.contains_key(&key) {
                // Its stream began since we looked.
                self.begin();
            }
            // None: it was heard after the end of its call.
            if let Some(open) = self.open.get_mut(&key) {
                open.put(&piece.segment, self.shared.backlog.disk());
            }
        }
        self.open.values_mut().for_each(Open::flush);
        if self.shared.backlog.disk().room_for() == RoomFor::Finished {
            self.open.values_mut().for_each(|open| open.cut(self.shared.backlog.disk()));
        }
        for key in over {
            if let Some(finished) = self.open.remove(&key).map(Open::finish) {
                let call = finished.call.clone();
                if self.finished.try_send(finished).is_err() {
                    tracing::warn!(call_sid = %call, "the recording waits in the spool for the next start");
                }
            }
        }
    }

    fn begin(&mut self) {
        for live in std::mem::take(&mut *lock(&self.shared.begun)) {
            let Some(begun) = live.begun.get().copied() else { continue };
            let state = self.create(&live, begun).map_or_else(State::Failed, |tracks| State::Writing(Box::new(tracks)));
            self.open.insert(key(&live), Open { live, begun, state });
        }
    }

    /// Makes the files of a call; or there is no more of it than why not.
    fn create(&self, live: &Live, begun: Begun) -> Result<TrackWriter, Finished> {
        let disk = self.shared.backlog.disk();
        let made = match disk.room_for() {
            RoomFor::New => TrackWriter::create(disk.root(), &live.call, live.part, begun.rate, begun.wall),
            RoomFor::Live | RoomFor::Finished => Err(no_room(disk)),
        };
        made.map_err(|error| {
            let folder = disk.root().join(live.part.folder(&live.call));
            let (call, began) = (live.call.clone(), begun.wall.into());
            let incomplete = Some(failed(&live.call, "nothing was recorded", &error));
            Finished { call, folder, began, rate: begun.rate, incomplete }
        })
    }
}

/// Why nothing is recorded where little is free.
fn no_room(disk: &Disk) -> io::Error {
    let free = disk.free() >> 20;
    io::Error::new(
        io::ErrorKind::StorageFull,
        format!("{free} MiB are free on the spool's disk, kept for what is finished"),
    )
}

fn key(live: &Arc<Live>) -> usize {
    Arc::as_ptr(live).addr()
}

/// Says once that a recording failed, in the log and in the metrics; the words are for its row.
fn failed(call: &CallSid, what: &str, error: &io::Error) -> String {
    let at = if error.kind() == io::ErrorKind::StorageFull { "full" } else { "spool" };
    metrics::counter!("callgate_recordings_failed_total", "at" => at).increment(1);
    tracing::error!(call_sid = %call, %error, "{what}: the call goes on without its recording");
    format!("{what}: {error}")
}

impl Open {
    fn put(&mut self, segment: &AudioSegment, disk: &Disk) {
        if let (State::Writing(_), AudioSegment::Caller { pcm, .. } | AudioSegment::Agent { pcm, .. }) =
            (&self.state, segment)
        {
            disk.wrote(pcm.len());
        }
        self.attempt(|tracks| tracks.put(segment));
    }

    /// Ends the recording here: what is finished needs the room.
    fn cut(&mut self, disk: &Disk) {
        self.attempt(|_| Err(no_room(disk)));
    }

    fn flush(&mut self) {
        // Between two streams the call gets no further.
        let now = lock(&self.live.paused).unwrap_or_else(Instant::now);
        let now = self.begun.sample(now);
        self.attempt(|tracks| tracks.flush(now));
    }

    /// Writes; a disk that will not have it ends the recording there, and not the call.
    fn attempt(&mut self, write: impl FnOnce(&mut TrackWriter) -> io::Result<()>) {
        let State::Writing(tracks) = &mut self.state else { return };
        if let Err(error) = write(tracks) {
            let secs = self.begun.at.elapsed().as_secs();
            let why = failed(&self.live.call, &format!("nothing was recorded from second {secs} on"), &error);
            self.state = State::Failed(tracks.leave(Some(why)));
        }
    }

    /// The call is over.
    fn finish(mut self) -> Finished {
        let end = self.live.ended.get().map_or(0, |at| self.begun.sample(*at));
        let dropped = self.live.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(call_sid = %self.live.call, dropped, "frames are missing on this recording: the disk was too slow");
        }
        self.attempt(|tracks| tracks.finish(end));
        match self.state {
            State::Writing(tracks) => tracks.leave(None),
            State::Failed(finished) => finished,
        }
    }
}
