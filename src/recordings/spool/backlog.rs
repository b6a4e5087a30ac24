//! What waits to be encoded, how fast that goes, and so what the next recording is kept as.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::lock;
use tokio::time::{MissedTickBehavior, interval};

use super::disk::{Disk, Space};
use super::finished::Finished;
use super::pace::{EventLoopLag, Pace};
use super::room;
use crate::recordings::format::{FileType, RecordingFormat};

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Seconds of audio that a thread encodes a second, until one was seen to.
const USUAL_SPEED: u64 = 150;

/// The spool as those see it who write, encode and store. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Disk,
    format: RecordingFormat,
    lag: EventLoopLag,
    /// By folder, ms of audio.
    waiting: Mutex<HashMap<PathBuf, u64>>,
    waiting_ms: AtomicU64,
    /// Seconds of audio that a thread encodes a second.
    speed: AtomicU64,
    /// With `auto`: the disk would be full before all that waits is encoded.
    wav: AtomicBool,
}

impl Backlog {
    /// Of the spool below a folder.
    #[must_use]
    pub fn new(root: &Path, format: RecordingFormat) -> Self {
        Self::on(root, format, room::space)
    }

    /// On a disk that is measured like this.
    pub(super) fn on(
        root: &Path,
        format: RecordingFormat,
        measure: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            disk: Disk::new(root, measure),
            format,
            lag: EventLoopLag::default(),
            waiting: Mutex::default(),
            waiting_ms: AtomicU64::new(0),
            speed: AtomicU64::new(USUAL_SPEED),
            wav: AtomicBool::new(false),
        }))
    }

    /// What is told how late the threads that serve are.
    #[must_use]
    pub fn lag(&self) -> EventLoopLag {
        self.0.lag.clone()
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.0.disk
    }

    /// A recording is finished, and waits.
    pub(super) fn add(&self, finished: &Finished) {
        let ms = finished.duration_ms().unwrap_or_default();
        self.count(|waiting| _ = waiting.insert(finished.folder.clone(), ms));
    }

    /// It waits no longer.
    pub(super) fn remove(&self, folder: &Path) {
        self.count(|waiting| _ = waiting.remove(folder));
    }

    fn count(&self, change: impl FnOnce(&mut HashMap<PathBuf, u64>)) {
        let mut waiting = lock(&self.0.waiting);
        change(&mut waiting);
        let ms = waiting.values().sum();
        self.0.waiting_ms.store(ms, Ordering::Relaxed);
        metrics::gauge!("callgate_recordings_backlog_seconds").set(ms as f64 / 1_000.0);
    }

    pub(super) fn secs(&self) -> u64 {
        self.0.waiting_ms.load(Ordering::Relaxed) / 1_000
    }

    /// How encoding goes on now.
    pub(super) fn pace(&self) -> Pace {
        Pace::of(self.secs(), &self.0.lag)
    }

    /// A thread encoded so much audio in that time.
    pub(super) fn encoded(&self, audio_ms: u64, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let before = self.0.speed.load(Ordering::Relaxed);
        self.0.speed.store(((3 * before + audio_ms / took_ms) / 4).max(1), Ordering::Relaxed);
    }

    /// What a recording that is finished now is kept as.
    pub(super) fn file_type(&self) -> FileType {
        match self.0.format {
            RecordingFormat::Opus => FileType::Opus,
            RecordingFormat::Wav => FileType::Wav,
            RecordingFormat::Auto if self.0.wav.load(Ordering::Relaxed) => FileType::Wav,
            RecordingFormat::Auto => FileType::Opus,
        }
    }

    /// Looks at the disk for as long as it is polled.
    pub(super) async fn watch(self) {
        let mut every = interval(LOOK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Told from the start on.
        self.count(|_| ());
        let mut written = self.disk().written();
        loop {
            every.tick().await;
            let backlog = self.clone();
            // A disk that hangs holds nobody else up. Who panicked looks again.
            let _ = tokio::task::spawn_blocking(move || backlog.disk().look()).await;
            let now = self.disk().written();
            self.decide((now - written) / LOOK.as_secs());
            written = now;
        }
    }

    /// Whether recordings are G.711 from now on, while calls write so many bytes a second.
    pub(super) fn decide(&self, bytes_a_second: u64) {
        let before = self.0.wav.load(Ordering::Relaxed);
        let speed = self.0.speed.load(Ordering::Relaxed);
        let forecast =
            Forecast { waiting_secs: self.secs(), speed, bytes_a_second, room: self.disk().free_for_calls() };
        let wav = self.0.format == RecordingFormat::Auto && forecast.wants_wav(before);
        self.0.wav.store(wav, Ordering::Relaxed);
        metrics::gauge!("callgate_recordings_as_wav").set(if self.file_type() == FileType::Wav { 1.0 } else { 0.0 });
        let (waiting_secs, free_bytes) = (self.secs(), self.disk().free());
        match (before, wav) {
            (false, true) => {
                tracing::warn!(target: "recordings", waiting_secs, free_bytes, "the spool's disk would be full before all is encoded: calls that end now are kept as WAV")
            }
            (true, false) => {
                tracing::info!(target: "recordings", waiting_secs, free_bytes, "recordings are Opus again");
            }
            _ => {}
        }
    }
}

/// What is known of the disk's future.
#[derive(Clone, Copy)]
struct Forecast {
    waiting_secs: u64,
    /// Seconds of audio encoded a second, at least.
    speed: u64,
    /// What calls write.
    bytes_a_second: u64,
    /// Bytes.
    room: u64,
}

impl Forecast {
    /// Whether the disk would be full before all that waits is encoded; once it would, until it has twice the room that it takes.
    fn wants_wav(self, already: bool) -> bool {
        let done_in_secs = self.waiting_secs / self.speed.max(1);
        let takes = self.bytes_a_second.saturating_mul(done_in_secs);
        if already {
            takes.saturating_mul(2) > self.room || (self.room == 0 && self.waiting_secs > 0)
        } else {
            takes > self.room
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS_300: u64 = 300 * 32_000;

    fn forecast(waiting_secs: u64, room_mib: u64) -> Forecast {
        Forecast { waiting_secs, speed: 150, bytes_a_second: CALLS_300, room: room_mib << 20 }
    }

    #[test]
    fn recordings_are_wav_while_the_disk_would_be_full_before_all_is_encoded_and_opus_again_when_there_is_twice_the_room()
     {
        // 20 s to go on a small disk, 10 min on a large and on a small one.
        assert!(!forecast(3_000, 1_000).wants_wav(false));
        assert!(!forecast(90_000, 100_000).wants_wav(false));
        assert!(forecast(90_000, 5_000).wants_wav(false));
        assert!(forecast(60_000, 5_000).wants_wav(true) && !forecast(60_000, 5_000).wants_wav(false));
        assert!(!forecast(30_000, 5_000).wants_wav(true));
    }

    #[test]
    fn a_disk_that_is_full_with_nothing_to_encode_is_not_mended_by_larger_files() {
        assert!(!forecast(0, 0).wants_wav(false) && !forecast(0, 0).wants_wav(true));
    }

    #[test]
    fn only_auto_chooses() {
        for (format, chosen) in [(RecordingFormat::Auto, FileType::Wav), (RecordingFormat::Opus, FileType::Opus)] {
            let backlog = Backlog::on(Path::new("none"), format, |_| Ok(Space { free: 0, size: 1 << 40 }));
            backlog.disk().look();
            lock(&backlog.0.waiting).insert(PathBuf::from("long"), 90_000_000);
            backlog.remove(Path::new("other"));
            assert_eq!((backlog.secs(), backlog.file_type()), (90_000, FileType::Opus));
            backlog.decide(CALLS_300);
            assert_eq!(backlog.file_type(), chosen);
            backlog.remove(Path::new("long"));
            backlog.decide(CALLS_300);
            assert_eq!((backlog.secs(), backlog.file_type()), (0, FileType::Opus));
        }
    }
}
