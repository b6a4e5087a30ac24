//! The disk of the spool: what is free of it, and who does without when little is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Free bytes below which no new call is recorded, and below which those that are being recorded are cut. The rest is for what is
/// finished: it needs room to be encoded, and gives more back.
const FOR_NEW: u64 = 256 << 20;
const FOR_LIVE: u64 = 128 << 20;

type Measure = dyn Fn(&Path) -> io::Result<u64> + Send + Sync;

/// See the module.
pub(super) struct Disk {
    root: PathBuf,
    measure: Box<Measure>,
    /// As it was last seen.
    free: AtomicU64,
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
    pub(super) fn new(root: &Path, measure: impl Fn(&Path) -> io::Result<u64> + Send + Sync + 'static) -> Self {
        let (free, written) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Self { root: root.to_owned(), measure: Box::new(measure), free, written }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Looks. One that cannot be looked at is as it was.
    pub(super) fn look(&self) {
        if let Ok(free) = (self.measure)(&self.root) {
            self.free.store(free, Ordering::Relaxed);
        }
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Free bytes that may still be used by calls.
    pub(super) fn free_for_calls(&self) -> u64 {
        self.free().saturating_sub(FOR_NEW)
    }

    pub(super) fn room_for(&self) -> RoomFor {
        match self.free() {
            ..FOR_LIVE => RoomFor::Finished,
            FOR_LIVE..FOR_NEW => RoomFor::Live,
            _ => RoomFor::New,
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
        for (mib, room) in [(300, RoomFor::New), (200, RoomFor::Live), (100, RoomFor::Finished), (0, RoomFor::Finished)]
        {
            let disk = Disk::new(Path::new("spool"), move |_| Ok(mib << 20));
            assert_eq!(disk.room_for(), RoomFor::New, "nobody has looked");
            disk.look();
            assert_eq!(disk.room_for(), room, "{mib} MiB");
        }
    }
}
