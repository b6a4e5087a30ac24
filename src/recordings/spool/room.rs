//! How much room the disk of the spool has, and how many recordings wait in it: told to the metrics every so often.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{StatVfs, statvfs};
use tokio::time::{MissedTickBehavior, interval};

use super::disk::Space;

/// How often it is looked.
const LOOKS_EVERY: Duration = Duration::from_secs(15);

/// The disk of a folder.
struct Room {
    space: Space,
    /// Folders of calls.
    waiting: usize,
}

/// Looks for as long as it is polled.
pub(super) async fn watch(root: std::path::PathBuf) {
    let mut looks = interval(LOOKS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let folder = root.clone();
        if let Ok(Ok(room)) = tokio::task::spawn_blocking(move || look(&folder)).await {
            metrics::gauge!("callgate_spool_free_bytes").set(room.space.free as f64);
            metrics::gauge!("callgate_spool_size_bytes").set(room.space.size as f64);
            metrics::gauge!("callgate_spool_waiting").set(room.waiting as f64);
        }
    }
}

/// What is there for us.
pub(super) fn space(root: &Path) -> io::Result<Space> {
    let disk = disk_of(root)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Space { free: bytes(disk.f_bavail), size: bytes(disk.f_blocks) })
}

/// The spool is made with the first recording: until then the disk is that of the folder above it.
fn disk_of(root: &Path) -> io::Result<StatVfs> {
    let absolute = std::path::absolute(root)?;
    let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(root);
    Ok(statvfs(there)?)
}

fn look(root: &Path) -> io::Result<Room> {
    let waiting = fs::read_dir(root).map_or(0, |entries| entries.flatten().count());
    Ok(Room { space: space(root)?, waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_that_is_not_there_yet_has_the_room_of_the_folder_above_it() {
        let above = std::env::temp_dir().join(format!("callgate-room-{}", uuid::Uuid::now_v7()));
        let room = look(&above.join("a/spool")).unwrap();
        assert!(room.space.free > 0 && room.space.size >= room.space.free && room.waiting == 0);
        fs::create_dir_all(above.join("spool/call-1")).unwrap();
        fs::create_dir_all(above.join("spool/call-2")).unwrap();
        assert_eq!(look(&above.join("spool")).unwrap().waiting, 2);
        fs::remove_dir_all(above).unwrap();
    }
}
