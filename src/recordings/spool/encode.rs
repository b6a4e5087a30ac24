//! From the spool to the file that is kept: on threads that run when nothing else wants to, and rest often, so that no live call feels it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use codecs::ogg::{OggError, OggOpus};
use codecs::opus::Settings;
use codecs::{g711, wav};
use tokio::sync::{mpsc, oneshot};

use super::{Backlog, Finished};
use crate::priority;
use crate::recordings::format::{FileType, RecordingFormat};

/// Samples of a side encoded at a time: about a third of a millisecond's work.
const BLOCK: usize = 2_000;
/// As many of them are hardly more work for G.711.
const BLOCKS_OF_WAV: usize = 20;
/// What is read of a track at a time.
const READ_BYTES: usize = 64 << 10;

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

/// The threads that encode, each one recording at a time. Clones are handles to the same ones; they stop when the last is dropped.
#[derive(Clone)]
pub struct Encoders {
    opus: [EncoderThread; 2],
    wav: EncoderThread,
    backlog: Backlog,
}

impl Encoders {
    /// Starts the threads.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(backlog: &Backlog) -> io::Result<Self> {
        Self::with(backlog, |finished, backlog| opus(finished, backlog, rest))
    }

    /// With another way to encode.
    pub(super) fn with(
        backlog: &Backlog,
        encode: impl FnMut(&Finished, &Backlog) -> Result<Encoded, EncodeError> + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let thread = || EncoderThread::new(backlog.clone(), encode.clone());
        let wav = EncoderThread::new(backlog.clone(), |finished, backlog| wav(finished, backlog, rest))?;
        Ok(Self { opus: [thread()?, thread()?], wav, backlog: backlog.clone() })
    }

    /// Encodes a recording once it is its turn.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub async fn encode(&self, finished: Finished, file_type: FileType) -> Result<Encoded, EncodeError> {
        let [first, second] = &self.opus;
        let folder = finished.folder.clone();
        let answer = match file_type {
            FileType::Wav => self.wav.order(self.wav.orders.reserve().await, finished),
            FileType::Opus => tokio::select! {
                biased;
                room = first.orders.reserve() => first.order(room, finished),
                room = second.orders.reserve(), if self.backlog.pace().two => second.order(room, finished),
            },
        };
        let encoded = answer?.await.map_err(|_| EncodeError::Stopped)?;
        if matches!(encoded, Ok(_) | Err(EncodeError::Nothing)) {
            self.backlog.remove(&folder);
        }
        encoded
    }
}

/// One of them.
#[derive(Clone)]
struct EncoderThread {
    orders: mpsc::Sender<Order>,
}

impl EncoderThread {
    fn new(
        backlog: Backlog,
        mut encode: impl FnMut(&Finished, &Backlog) -> Result<Encoded, EncodeError> + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, mut queue) = mpsc::channel::<Order>(1);
        let work = move || {
            priority::when_idle();
            while let Some((finished, answer)) = queue.blocking_recv() {
                // What it had begun is a file that is written anew.
                let encoded = catch_unwind(AssertUnwindSafe(|| encode(&finished, &backlog)));
                let encoded =
                    encoded.unwrap_or_else(|panic| Err(EncodeError::Fault(actors::panic_message(&*panic).to_owned())));
                // Nobody may be waiting any more: whoever asks next finds the file that was encoded.
                let _ = answer.send(encoded);
            }
        };
        thread::Builder::new().name("callgate-encoder".to_owned()).spawn(work)?;
        Ok(Self { orders })
    }

    fn order(
        &self,
        room: Result<mpsc::Permit<'_, Order>, mpsc::error::SendError<()>>,
        finished: Finished,
    ) -> Result<oneshot::Receiver<Result<Encoded, EncodeError>>, EncodeError> {
        let (answer, done) = oneshot::channel();
        room.map_err(|_| EncodeError::Stopped)?.send((finished, answer));
        Ok(done)
    }
}

/// Encodes a recording as Opus in Ogg: caller left, agent right.
///
/// # Errors
/// See [`EncodeError`].
pub(super) fn opus(finished: &Finished, backlog: &Backlog, rest: fn(&Backlog)) -> Result<Encoded, EncodeError> {
    make(finished, FileType::Opus, |tracks, out| {
        let began = finished.began.to_rfc3339();
        let about = "left: caller, right: agent as heard";
        let tags = [("TITLE", finished.call.as_str()), ("DATE", &began), ("DESCRIPTION", about)];
        let settings = Settings::recording(finished.rate.hz(), backlog.pace().coder);
        let begun = Instant::now();
        // Any number does: it is the only stream of its file.
        let mut opus = OggOpus::new(out, settings, 1, &tags)?;
        while let Some(block) = tracks.block(BLOCK)? {
            opus.push(block)?;
            rest(backlog);
        }
        backlog.encoded(tracks.duration_ms, begun.elapsed());
        opus.finish()
    })
}

/// Encodes a recording as G.711 in WAV: caller left, agent right.
///
/// # Errors
/// See [`EncodeError`].
pub(super) fn wav(finished: &Finished, backlog: &Backlog, rest: fn(&Backlog)) -> Result<Encoded, EncodeError> {
    make(finished, FileType::Wav, |tracks, mut out| {
        out.write_all(&wav::ulaw_stereo_head(finished.rate.hz(), tracks.left))?;
        let mut codes = Vec::new();
        while let Some(block) = tracks.block(BLOCK * BLOCKS_OF_WAV)? {
            codes.clear();
            codes.extend(block.iter().map(|sample| g711::ulaw_encode(*sample)));
            out.write_all(&codes)?;
            rest(backlog);
        }
        Ok(out)
    })
}

/// Encodes what lies in a folder of the spool without a rest: what it costs, for benches.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode_now(folder: &Path, file_type: FileType) -> Result<Encoded, EncodeError> {
    let finished = super::find(folder).map_err(OggError::Io)?.ok_or(EncodeError::Nothing)?;
    let backlog = Backlog::new(folder, RecordingFormat::Auto);
    match file_type {
        FileType::Opus => opus(&finished, &backlog, |_| ()),
        FileType::Wav => wav(&finished, &backlog, |_| ()),
    }
}

/// Stands aside for as long as the pace has it.
pub(super) fn rest(backlog: &Backlog) {
    #[expect(clippy::disallowed_methods, reason = "to stand aside, not to wait for something")]
    thread::sleep(backlog.pace().rest);
}

/// Makes a recording's file under another name first: one under its own is whole, and is not made again.
fn make(
    finished: &Finished,
    file_type: FileType,
    encode: impl FnOnce(&mut Tracks, BufWriter<File>) -> Result<BufWriter<File>, OggError>,
) -> Result<Encoded, EncodeError> {
    let mut tracks = match finished.tracks() {
        Ok(tracks) => Tracks::new(finished.rate.hz(), tracks),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(EncodeError::Nothing);
        }
        Err(error) => return Err(OggError::Io(error).into()),
    };
    let name = format!("recording.{}", file_type.ending());
    let encoded = Encoded { file: finished.folder.join(&name), duration_ms: tracks.duration_ms };
    if !encoded.file.is_file() {
        let part = finished.folder.join(format!("{name}.part"));
        let out = BufWriter::new(File::create(&part).map_err(OggError::Io)?);
        encode(&mut tracks, out)?.flush().map_err(OggError::Io)?;
        fs::rename(&part, &encoded.file).map_err(OggError::Io)?;
    }
    Ok(encoded)
}

/// Both tracks, read in step.
struct Tracks {
    sides: [Side; 2],
    /// Samples of a side that are still to be read.
    left: u64,
    duration_ms: u64,
    block: Vec<i16>,
}

impl Tracks {
    fn new(rate_hz: u32, (caller, agent, samples): (File, File, u64)) -> Self {
        let duration_ms = samples * 1_000 / u64::from(rate_hz);
        Self { sides: [Side::new(caller), Side::new(agent)], left: samples, duration_ms, block: Vec::new() }
    }

    /// The next samples, interleaved, at most so many of a side.
    fn block(&mut self, most: usize) -> Result<Option<&[i16]>, OggError> {
        let length = usize::try_from(self.left).unwrap_or(most).min(most);
        let [caller, agent] = &mut self.sides;
        self.block.clear();
        let pairs = caller.read(length)?.iter().zip(agent.read(length)?);
        self.block.extend(pairs.flat_map(|(left, right)| [*left, *right]));
        self.left -= length as u64;
        Ok((length > 0).then_some(&self.block))
    }
}

/// One track, read in blocks: silence where it has ended.
struct Side {
    file: BufReader<File>,
    bytes: Vec<u8>,
    samples: Vec<i16>,
}

impl Side {
    fn new(file: File) -> Self {
        Self { file: BufReader::with_capacity(READ_BYTES, file), bytes: Vec::new(), samples: Vec::new() }
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
