//! Sentences on disk: one file each, whole or not there, within a bound.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Key, file_name};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct ClipFiles {
    folder: PathBuf,
    most: u64,
}

impl ClipFiles {
    pub(super) const fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most }
    }

    /// The audio of one; none if it is not there.
    pub(super) fn read(&self, key: &Key) -> Option<Vec<u8>> {
        fs::read(self.folder.join(file_name(key))).ok()
    }

    /// Keeps one. The oldest give way.
    pub(super) fn write(&self, key: &Key, pcm: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let (part, whole) = (self.folder.join(format!("{}.part", file_name(key))), self.folder.join(file_name(key)));
        fs::write(&part, pcm)?;
        fs::rename(part, whole)?;
        self.shrink()
    }

    fn shrink(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let path = entry.path();
            let about = entry.metadata()?;
            if about.is_file() && path.extension().is_some_and(|kind| kind == "s16" || kind == "part") {
                files.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), path));
            }
        }
        files.sort_unstable();
        let mut all: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if all <= self.most {
                break;
            }
            fs::remove_file(path)?;
            all -= bytes;
        }
        Ok(())
    }
}
