//! Files that are nobody else's: voices, transcripts, numbers and secrets of a machine with other users on it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::Settings;
use crate::recordings::objects::RecordingTarget;
use crate::store::DatabaseUrl;

/// What others may do with what is made from now on: nothing. Call it before anything is made.
pub(crate) fn keep_to_ourselves() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Takes a folder of ours from everybody else: one that was made before, with another umask.
pub(crate) fn tighten(folder: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(folder)?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(folder, Permissions::from_mode(mode & !0o077))
}

/// The mode of a file that every user of the machine may read; none when they may not, or when it is not there.
fn exposed(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}

/// What others may read although it is ours, with the mend.
pub(super) fn warnings(settings: &Settings) -> impl Iterator<Item = String> {
    let mut kept: Vec<(&str, PathBuf)> = vec![("the file of settings", PathBuf::from(".env"))];
    if let DatabaseUrl::Sqlite(path) = &settings.database {
        kept.extend(["", "-wal"].map(|end| ("the database", PathBuf::from(format!("{path}{end}")))));
    }
    if let RecordingTarget::Folder(folder) = &settings.recordings.target {
        kept.push(("the recordings", folder.clone()));
    }
    kept.into_iter().filter(|(_, path)| exposed(path).is_some()).map(|(what, path)| {
        let path = path.display();
        format!("{what} ({path}) can be read by every user of this machine: chmod -R go= {path}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_before_is_taken_from_everybody_else() {
        let folder = std::env::temp_dir().join(format!("callgate-tighten-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(exposed(&folder), Some(0o755));
        tighten(&folder).unwrap();
        assert_eq!((exposed(&folder), folder.metadata().unwrap().permissions().mode() & 0o777), (None, 0o700));
        std::fs::remove_dir(&folder).unwrap();
    }
}
