//! Recordings of calls that are over, as they lie in the spool: found, noted, read, removed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use codecs::SampleRate;
use protocol::exotel::is_sid;
use protocol::ids::CallSid;
use serde::{Deserialize, Serialize};

pub(super) const CALLER: &str = "caller.s16";
pub(super) const AGENT: &str = "agent.s16";
pub(super) const NOTE: &str = "call.json";

/// A folder that another process has just made holds nothing yet; one of that age will not any more.
const ABANDONED: Duration = Duration::from_secs(60);

/// The spooled files of a call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The call.
    pub call: CallSid,
    /// Their folder, which may not be there when the recording is incomplete.
    pub folder: PathBuf,
    /// When its first sample was heard, or would have been: the start of the call's first stream.
    pub began: DateTime<Utc>,
    /// Rate of both tracks.
    pub rate: SampleRate,
    /// Why there is not all of it, in words.
    pub incomplete: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    call_sid: String,
    began: DateTime<Utc>,
    rate_hz: u32,
    format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
}

/// Longer than the note before, so nothing of that is left.
pub(super) fn note_again(finished: &Finished) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(finished.folder.join(NOTE))?;
    file.write_all_at(&serde_json::to_vec(&Note::of(finished))?, 0)
}

impl Note {
    pub(super) fn of(finished: &Finished) -> Self {
        Self {
            call_sid: finished.call.as_str().to_owned(),
            began: finished.began,
            rate_hz: finished.rate.hz(),
            format: "s16le mono, one file a side".to_owned(),
            incomplete: finished.incomplete.clone(),
        }
    }
}

/// Calls in the spool that nobody records (any more), in this process or another.
///
/// # Errors
/// When the folder cannot be read.
pub fn left_behind(root: &Path) -> io::Result<Vec<Finished>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        match find(&folder) {
            Ok(Some(finished)) => found.push(finished),
            Ok(None) => {}
            // A call whose recording began, and no more.
            Err(_) if holds_nothing(&folder).unwrap_or_default() && fs::remove_dir_all(&folder).is_ok() => {}
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "this is no recording that can be finished")
            }
        }
    }
    Ok(found)
}

/// Whether a folder is one of ours in which nothing was ever heard.
fn holds_nothing(folder: &Path) -> io::Result<bool> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let call = name.split_once('.').map_or(&*name, |(call, _)| call);
    let age = folder.metadata()?.modified()?.elapsed().unwrap_or_default();
    if !is_sid(call) || age < ABANDONED {
        return Ok(false);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let empty = entry.metadata()?.is_file() && entry.metadata()?.len() == 0;
        if name != NOTE && !(empty && (name == CALLER || name == AGENT)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The call of a spool folder; none while it is recorded.
///
/// # Errors
/// When it is no such folder.
pub fn find(folder: &Path) -> io::Result<Option<Finished>> {
    match File::open(folder.join(CALLER))?.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let note: Note = serde_json::from_slice(&fs::read(folder.join(NOTE))?)?;
    let rate = SampleRate::from_hz(note.rate_hz)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a rate nobody records at"))?;
    let call = CallSid::new(&note.call_sid);
    Ok(Some(Finished { call, folder: folder.to_owned(), began: note.began, rate, incomplete: note.incomplete }))
}

impl Finished {
    /// The tracks, caller and agent, and how many samples the recording has.
    pub(super) fn tracks(&self) -> io::Result<(File, File, u64)> {
        let caller = File::open(self.folder.join(CALLER))?;
        let samples = caller.metadata()?.len() / 2;
        Ok((caller, File::open(self.folder.join(AGENT))?, samples))
    }

    /// How long the recording is, ms.
    pub(super) fn duration_ms(&self) -> io::Result<u64> {
        let samples = self.folder.join(CALLER).metadata()?.len() / 2;
        Ok(samples * 1_000 / u64::from(self.rate.hz()))
    }

    /// How long ago the recording was finished.
    pub(super) fn age(&self) -> io::Result<Duration> {
        Ok(self.folder.join(CALLER).metadata()?.modified()?.elapsed().unwrap_or_default())
    }

    /// Removes the call from the spool: it is stored.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }
}
