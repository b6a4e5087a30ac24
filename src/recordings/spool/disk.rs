//! The disk of the spool: what is free of it, and who does without when little is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Free bytes below which no new call is recorded, and below which those that are being recorded are cut. The rest is for what is
/// finished: it needs room to be encoded, and gives more back.
const FOR_NEW: u64 = 256 << 20;
const FOR_LIVE: u64 = 128 << 20;
/// Of a small disk no more is kept for that than these parts of it.
const PART_FOR_NEW: u64 = 8;
const PART_FOR_LIVE: u64 = 16;

/// What a disk has, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) size: u64,
}

type Measure = dyn Fn(&Path) -> io::Result<Space> + Send + Sync;

/// See the module.
pub(super) struct Disk {
    root: PathBuf,
    measure: Box<Measure>,
    /// As it was last seen.
    free: AtomicU64,
    size: AtomicU64,
    /// What calls have written, bytes.
    written: AtomicU64,
}

/// What little room is left for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoomFor {
    /// Everything.
    New,
    /// Calls that are being recorded.
    Live,
    /// What is finished.
    Finished,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({}, {} bytes free)", self.root.display(), self.free())
    }
}

impl Disk {
    pub(super) fn new(root: &Path, measure: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static) -> Self {
        let (free, size) = (AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX));
        Self { root: root.to_owned(), measure: Box::new(measure), free, size, written: AtomicU64::new(0) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Looks. One that cannot be looked at is as it was.
    pub(super) fn look(&self) {
        if let Ok(Space { free, size }) = (self.measure)(&self.root) {
            self.free.store(free, Ordering::Relaxed);
            self.size.store(size, Ordering::Relaxed);
        }
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Free bytes that may still be used by calls.
    pub(super) fn free_for_calls(&self) -> u64 {
        self.free().saturating_sub(self.kept().0)
    }

    /// What is kept from new calls, and from live ones.
    fn kept(&self) -> (u64, u64) {
        let size = self.size.load(Ordering::Relaxed);
        (FOR_NEW.min(size / PART_FOR_NEW), FOR_LIVE.min(size / PART_FOR_LIVE))
    }

    pub(super) fn room_for(&self) -> RoomFor {
        let ((for_new, for_live), free) = (self.kept(), self.free());
        match () {
            () if free < for_live => RoomFor::Finished,
            () if free < for_new => RoomFor::Live,
            () => RoomFor::New,
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_calls_do_without_first_then_live_ones_and_what_is_finished_last() {
        for (free, size, room) in [
            (300, 9_000, RoomFor::New),
            (200, 9_000, RoomFor::Live),
            (100, 9_000, RoomFor::Finished),
            (0, 9_000, RoomFor::Finished),
            (200, 800, RoomFor::New),
            (99, 800, RoomFor::Live),
            (49, 800, RoomFor::Finished),
        ] {
            let disk = Disk::new(Path::new("spool"), move |_| Ok(Space { free: free << 20, size: size << 20 }));
            assert_eq!(disk.room_for(), RoomFor::New, "nobody has looked");
            disk.look();
            assert_eq!(disk.room_for(), room, "{free} of {size} MiB");
        }
    }
}
