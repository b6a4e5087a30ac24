//! The files of a call that is being recorded: two tracks of raw samples, and a note of what they are.
//!
//! `SPOOL_DIR/CALL_SID/`: `caller.s16` and `agent.s16` (s16le mono from the start of the call's first media stream, holes are silence)
//! and `call.json`. Every sample has its place in its file, so a cut is a truncation, and whatever a crash leaves can be read. The caller's
//! track is the clock: it reaches as far as the call did, and what the agent's has beyond it was sent and never heard.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use codecs::SampleRate;
use protocol::call::recording::AudioSegment;
use protocol::exotel::is_sid;
use protocol::ids::CallSid;

use super::finished::{AGENT, CALLER, Finished, NOTE, Note, note_again};

/// Recordings of one call that one gateway makes: as many as its streams change their rate.
const MOST: u32 = 99;

/// Of the caller's frames. A write costs the same for one as for these; and so much is lost with a gateway that is killed.
const WRITTEN_AT_ONCE_MS: u64 = 400;

/// Which recording of a call: its streams were had by several gateways, or were of several rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Under which the gateway has the call: no two gateways, and no two runs of one, ever have the same.
    pub generation: i32,
    /// Counts from 1.
    pub number: u32,
}

impl Part {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }

    /// Its name below `SPOOL_DIR`, in the row and in the bucket: no other recording of the call has it, whatever was stored and removed
    /// meanwhile, and wherever.
    #[must_use]
    pub fn folder(self, call: &CallSid) -> String {
        match (self.generation, self.number) {
            (1, 1) => call.as_str().to_owned(),
            (generation, 1) => format!("{call}.{generation}"),
            (generation, number) => format!("{call}.{generation}-{number}"),
        }
    }
}

/// The tracks of a call while it is recorded. The files are locked as long as they are written.
#[derive(Debug)]
pub struct TrackWriter {
    call: CallSid,
    folder: PathBuf,
    began: DateTime<Utc>,
    rate: SampleRate,
    caller: File,
    agent: File,
    /// Samples on each track.
    caller_end: u64,
    agent_end: u64,
    /// Frames of the caller's that follow each other, and where they begin: they are written together.
    gathered: Vec<u8>,
    gathered_at: u64,
}

impl TrackWriter {
    /// Makes the files of a call.
    ///
    /// # Errors
    /// When they cannot be made: no room, no right.
    pub fn create(root: &Path, call: &CallSid, part: Part, rate: SampleRate, began: SystemTime) -> io::Result<Self> {
        if !is_sid(call.as_str()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the call's id is no file name"));
        }
        let folder = new_folder(root, call, part)?;
        let made = Self::fill(folder.clone(), call, rate, began);
        if made.is_err() {
            // What cannot be removed either is at the next start.
            let _ = fs::remove_dir_all(&folder);
        }
        made
    }

    fn fill(folder: PathBuf, call: &CallSid, rate: SampleRate, began: SystemTime) -> io::Result<Self> {
        let track = |name| OpenOptions::new().write(true).create_new(true).open(folder.join(name));
        let caller = track(CALLER)?;
        // Before there is a note: who looks for calls to finish goes by that.
        caller.try_lock()?;
        let agent = track(AGENT)?;
        let began = DateTime::<Utc>::from(began);
        let tracks = Self {
            call: call.clone(),
            folder,
            began,
            rate,
            caller,
            agent,
            caller_end: 0,
            agent_end: 0,
            gathered: Vec::new(),
            gathered_at: 0,
        };
        let note = Note::of(&tracks.leave(None));
        fs::write(tracks.folder.join(NOTE), serde_json::to_vec(&note)?)?;
        Ok(tracks)
    }

    /// Writes what was heard; the caller's frames with the next [`TrackWriter::flush`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, segment: &AudioSegment) -> io::Result<()> {
        match segment {
            AudioSegment::Caller { at, pcm } => {
                if *at != self.gathered_at + self.gathered.len() as u64 / 2 {
                    self.write_gathered()?;
                    self.gathered_at = *at;
                }
                self.gathered.extend_from_slice(pcm);
            }
            AudioSegment::Agent { at, pcm } => {
                // What an actor that died had sent is still played first.
                let at = (*at).max(self.agent_end);
                self.agent.write_all_at(pcm, at * 2)?;
                self.agent_end = at + pcm.len() as u64 / 2;
            }
            AudioSegment::AgentCut { at } if *at < self.agent_end => {
                self.agent.set_len(at * 2)?;
                self.agent_end = *at;
            }
            AudioSegment::AgentCut { .. } => {}
        }
        Ok(())
    }

    /// Hands to the kernel what is worth a write, or is followed by nothing; the call has got to sample `now`, whether anybody was heard or not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self, now: u64) -> io::Result<()> {
        // A quarter of a second is what frames lag behind anyhow.
        let lag = u64::from(self.rate.hz()) / 4;
        let gathered = self.gathered.len() as u64 / 2;
        if gathered >= u64::from(self.rate.hz()) * WRITTEN_AT_ONCE_MS / 1_000 || now > self.gathered_at + gathered + lag
        {
            self.write_gathered()?;
        }
        if self.gathered.is_empty() && now > self.caller_end + lag {
            self.caller.set_len(now * 2)?;
            self.caller_end = now;
        }
        Ok(())
    }

    fn write_gathered(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.caller.write_all_at(&self.gathered, self.gathered_at * 2)?;
        self.gathered_at += self.gathered.len() as u64 / 2;
        self.gathered.clear();
        self.caller_end = self.caller_end.max(self.gathered_at);
        Ok(())
    }

    /// The call ended at sample `end`: what reached beyond it was not heard.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self, end: u64) -> io::Result<()> {
        self.write_gathered()?;
        self.caller.set_len(end * 2)?;
        if self.agent_end > end {
            self.agent.set_len(end * 2)?;
        }
        Ok(())
    }

    /// What there is of it, and why there is no more: that is noted as well, in the block that the note has already, for the disk may
    /// be full.
    #[must_use]
    pub fn leave(&self, incomplete: Option<String>) -> Finished {
        let Self { call, folder, began, rate, .. } = self;
        let finished = Finished { call: call.clone(), folder: folder.clone(), began: *began, rate: *rate, incomplete };
        if finished.incomplete.is_some()
            && let Err(error) = note_again(&finished)
        {
            tracing::warn!(call_sid = %call, %error, "why this recording is incomplete is not noted in the spool");
        }
        finished
    }
}

/// A folder of its own. One of that name is there only where a database began anew and the spool did not.
fn new_folder(root: &Path, call: &CallSid, part: Part) -> io::Result<PathBuf> {
    fs::create_dir_all(root)?;
    for number in part.number..=MOST {
        let folder = root.join(Part { number, ..part }.folder(call));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
