//! From the spool to an Ogg Opus file: on one thread of low priority, one recording at a time, so that no live call feels it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use codecs::ogg::{OggError, OggOpus};
use codecs::opus::{Channels, Settings};
use tokio::sync::{mpsc, oneshot};

use super::Finished;

/// Both voices together.
const BITRATE_BPS: u32 = 32_000;
/// An hour of both sides takes some 20 s of one core with it.
const COMPLEXITY: u8 = 5;
/// The lowest that a thread can have: everything else on the machine goes first.
const NICE: i32 = 19;
/// Samples of a side encoded at a time: about a third of a millisecond's work.
const BLOCK: usize = 800;
/// The rest after each block. A low priority alone does not do: once it runs on a core, such a thread is not always put off it the
/// moment that a frame comes in. An hour of recording rests for some 40 s.
const REST: Duration = Duration::from_millis(1);
const PRESSED: &str = "recording.opus";

/// Why a recording could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// There is nothing to encode: no use trying again.
    #[error("there is nothing in the spool")]
    Nothing,
    /// Try again later.
    #[error("{0}")]
    Failed(#[from] OggError),
    /// It panicked on this recording, and goes on with others.
    #[error("a fault of ours: {0}")]
    Fault(String),
    /// The thread is gone: at the next start.
    #[error("the encoder has stopped")]
    Stopped,
}

/// A recording, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The file, in the recording's folder of the spool.
    pub file: PathBuf,
    /// How long it plays, ms.
    pub duration_ms: u64,
}

type Order = (Finished, oneshot::Sender<Result<Encoded, EncodeError>>);

/// The thread that encodes. Clones are handles to the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct EncoderThread {
    orders: mpsc::Sender<Order>,
}

impl EncoderThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> io::Result<Self> {
        Self::with(encoder)
    }

    /// With another way to encode.
    pub(super) fn with(
        mut encoder: impl FnMut(&Finished) -> Result<Encoded, EncodeError> + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, mut queue) = mpsc::channel::<Order>(1);
        let work = move || {
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::warn!(%error, "recordings are encoded at the priority of everything else");
            }
            while let Some((finished, answer)) = queue.blocking_recv() {
                // What it had begun is a file that is written anew.
                let encoded = catch_unwind(AssertUnwindSafe(|| encoder(&finished)));
                let encoded =
                    encoded.unwrap_or_else(|panic| Err(EncodeError::Fault(actors::panic_message(&*panic).to_owned())));
                // Nobody may be waiting any more: whoever asks next finds the file encoded again.
                let _ = answer.send(encoded);
            }
        };
        thread::Builder::new().name("callgate-encoder".to_owned()).spawn(work)?;
        Ok(Self { orders })
    }

    /// Encodes a recording once it is its turn.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub async fn encode(&self, finished: Finished) -> Result<Encoded, EncodeError> {
        let (answer, done) = oneshot::channel();
        self.orders.send((finished, answer)).await.map_err(|_| EncodeError::Stopped)?;
        done.await.map_err(|_| EncodeError::Stopped)?
    }
}

/// Encodes a recording: caller left, agent right.
///
/// # Errors
/// See [`EncodeError`].
pub(super) fn encoder(finished: &Finished) -> Result<Encoded, EncodeError> {
    let (caller, agent, samples) = match finished.tracks() {
        Ok(tracks) => tracks,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(EncodeError::Nothing);
        }
        Err(error) => return Err(OggError::Io(error).into()),
    };
    let rate_hz = finished.rate.hz();
    let settings = Settings { rate_hz, channels: Channels::Stereo, bitrate_bps: BITRATE_BPS, complexity: COMPLEXITY };
    let (file, part) = (finished.folder.join(PRESSED), finished.folder.join("recording.part"));
    let out = BufWriter::new(File::create(&part).map_err(OggError::Io)?);
    let began = finished.began.to_rfc3339();
    let tags =
        [("TITLE", finished.call.as_str()), ("DATE", &began), ("DESCRIPTION", "left: caller, right: agent as heard")];
    // Any number does: it is the only stream of its file.
    let mut opus = OggOpus::new(out, settings, 1, &tags)?;
    let mut sides = [Side::new(caller), Side::new(agent)];
    let mut left = samples;
    let mut block = Vec::with_capacity(2 * BLOCK);
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let [caller, agent] = &mut sides;
        block.clear();
        let pairs = caller.read(length)?.iter().zip(agent.read(length)?);
        block.extend(pairs.flat_map(|(left, right)| [*left, *right]));
        opus.push(&block)?;
        left -= length as u64;
        #[expect(clippy::disallowed_methods, reason = "to stand aside, not to wait for something")]
        thread::sleep(REST);
    }
    opus.finish()?.flush().map_err(OggError::Io)?;
    fs::rename(&part, &file).map_err(OggError::Io)?;
    Ok(Encoded { file, duration_ms: samples * 1_000 / u64::from(rate_hz) })
}

/// One track, read in blocks: silence where it has ended.
struct Side {
    file: BufReader<File>,
    bytes: Vec<u8>,
    samples: Vec<i16>,
}

impl Side {
    fn new(file: File) -> Self {
        Self { file: BufReader::new(file), bytes: Vec::new(), samples: Vec::new() }
    }

    fn read(&mut self, length: usize) -> Result<&[i16], OggError> {
        self.bytes.clear();
        (&mut self.file).take(2 * length as u64).read_to_end(&mut self.bytes)?;
        self.samples.clear();
        codecs::pcm::bytes_to_i16(&self.bytes, &mut self.samples);
        self.samples.resize(length, 0);
        Ok(&self.samples)
    }
}
