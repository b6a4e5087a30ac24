//! What came of a simulated call.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use codecs::SampleRate;

/// Why a call could not be carried through. Those after the first webhook carry what there is of a report.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plan cannot be carried out as it stands: mend it.
    #[error("the plan cannot be carried out: {0}")]
    Plan(String),
    /// The gateway's HTTP side could not be reached: is it running?
    #[error("the gateway could not be reached: {0}")]
    Unreachable(String),
    /// The gateway answered the webhook with a refusal, or with no URL to stream to.
    #[error("the gateway did not take the call: status {status}: {body}")]
    Refused {
        /// HTTP status of the answer.
        status: u16,
        /// Its body, shortened.
        body: String,
        /// What there is.
        report: Box<CallReport>,
    },
    /// The media socket would not open, after one retry.
    #[error("the media socket did not open: {cause}")]
    Handshake {
        /// The last attempt's failure.
        cause: String,
        /// What there is.
        report: Box<CallReport>,
    },
}

/// What came of a call. Times are milliseconds since the media socket opened; before it they are negative.
#[derive(Clone, Debug, Default)]
pub struct CallReport {
    /// The call's id.
    pub call_sid: String,
    /// Every webhook sent and its answer, in order.
    pub webhooks: Vec<WebhookAnswer>,
    /// What happened, in order.
    pub timeline: Vec<Event>,
    /// When the first agent audio arrived.
    pub first_audio_ms: Option<u64>,
    /// `clear` messages received.
    pub clears: u32,
    /// What the caller said, and how fast it was answered.
    pub utterances: Vec<Utterance>,
    /// The agent audio that arrived.
    pub heard: Heard,
    /// Names of the marks received, in order.
    pub marks: Vec<String>,
    /// Close code of the gateway's close frame, when it sent one.
    pub close_code: Option<u16>,
    /// Who ended the media stream.
    pub ended_by: EndedBy,
    /// How long the media socket was open.
    pub media_ms: u64,
    /// What the gateway sent that Exotel would have trouble with; at most 32.
    pub faults: Vec<String>,
    /// Rude things done, and how often.
    pub rude: BTreeMap<&'static str, u64>,
    /// Steps of the script that waited in vain for the agent.
    pub gave_up: u32,
    /// What each side heard.
    pub sound: Stereo,
}

/// A webhook and its answer.
#[derive(Clone, Debug)]
pub struct WebhookAnswer {
    /// The last part of its path: `call-start`, `voicebot`, `passthru`, `call-end`.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
    /// When it was sent.
    pub at_ms: i64,
    /// How long the answer took, in milliseconds.
    pub took_ms: f64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the media socket opened; negative before it. Where it never opened: since the call was placed.
    pub at_ms: i64,
    /// What kind of thing.
    pub kind: EventKind,
    /// The rest, in words.
    pub detail: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.at_ms < 0 { '-' } else { ' ' };
        let ms = self.at_ms.unsigned_abs();
        write!(f, "{sign}{:>4}.{:03} s  {:<14} {}", ms / 1_000, ms % 1_000, self.kind, self.detail)
    }
}

/// Kinds of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A webhook was answered.
    Webhook,
    /// The media socket would not open this time.
    HandshakeFailed,
    /// The media socket is open.
    MediaOpen,
    /// The caller began to speak.
    CallerSpeaks,
    /// The caller has finished.
    CallerStops,
    /// The caller pressed a key.
    Dtmf,
    /// Playback of agent audio began.
    AgentSpeaks,
    /// Playback of agent audio ran dry, or was cleared.
    AgentStops,
    /// The gateway asked to drop what was not yet picked up.
    Clear,
    /// A mark came in.
    Mark,
    /// A mark was echoed.
    MarkEcho,
    /// A step of the script waited in vain.
    GaveUp,
    /// The gateway sent something Exotel would have trouble with.
    Fault,
    /// Something rude was done on purpose.
    Rude,
    /// `stop` was sent, or the line dropped.
    HangUp,
    /// The media socket is closed.
    MediaClosed,
    /// The flow came to its next applet.
    Applet,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Webhook => "webhook",
            Self::HandshakeFailed => "handshake",
            Self::MediaOpen => "media open",
            Self::CallerSpeaks => "caller speaks",
            Self::CallerStops => "caller stops",
            Self::Dtmf => "key",
            Self::AgentSpeaks => "agent speaks",
            Self::AgentStops => "agent stops",
            Self::Clear => "clear",
            Self::Mark => "mark",
            Self::MarkEcho => "mark echo",
            Self::GaveUp => "gave up",
            Self::Fault => "fault",
            Self::Rude => "rude",
            Self::HangUp => "hang-up",
            Self::MediaClosed => "media closed",
            Self::Applet => "applet",
        })
    }
}

/// Something the caller said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utterance {
    /// What was said: a clip's id, a file's name.
    pub label: String,
    /// When its first audible sound was sent.
    pub began_ms: u64,
    /// When its last audible sound was sent.
    pub ended_ms: u64,
    /// The agent was being heard when it began.
    pub barge_in: bool,
    /// Time from its last sound to the first agent audio *received* after it.
    pub reply_ms: Option<u64>,
    /// Time from its first sound to the `clear` that answered it.
    pub clear_ms: Option<u64>,
    /// Time from its first sound until the agent was no longer heard, if it was being heard.
    pub silenced_ms: Option<u64>,
}

/// The agent audio that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// `media` messages.
    pub messages: u64,
    /// Bytes of PCM in them.
    pub bytes: u64,
    /// How many messages had each size in bytes of PCM.
    pub sizes: BTreeMap<usize, u64>,
    /// Milliseconds played to the caller.
    pub played_ms: u64,
    /// Milliseconds dropped by `clear`.
    pub cleared_ms: u64,
    /// The most audio that ever waited to be played, in milliseconds, as a message came in.
    pub max_lead_ms: u64,
}

/// Who ended the media stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndedBy {
    /// There never was one.
    #[default]
    NotOpened,
    /// The caller, or the applet, by plan.
    Caller,
    /// The gateway closed the socket with a close frame.
    Gateway,
    /// The connection broke.
    Broken,
    /// The plan's timeout passed.
    Timeout,
}

/// What each side heard, on one clock that starts as the media socket opens; silence where there was nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stereo {
    /// Rate of both.
    pub rate: SampleRate,
    /// The caller, as sent.
    pub left: Vec<i16>,
    /// The agent as *played*: what a `clear` dropped is not in it.
    pub right: Vec<i16>,
}

impl Stereo {
    /// Writes both as a 16-bit stereo WAV file.
    ///
    /// # Errors
    /// As the file's writing does.
    pub fn write_wav(&self, path: impl AsRef<Path>) -> Result<(), hound::Error> {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: self.rate.hz(),
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec)?;
        for at in 0..self.left.len().max(self.right.len()) {
            file.write_sample(self.left.get(at).copied().unwrap_or(0))?;
            file.write_sample(self.right.get(at).copied().unwrap_or(0))?;
        }
        file.finalize()
    }

    /// Puts s16le audio at that sample of a side, silence before it where the side is shorter. Nothing is overwritten:
    /// what overlaps is left out.
    pub(crate) fn place(side: &mut Vec<i16>, at: u64, pcm: &[u8]) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let skip = side.len().saturating_sub(at);
        if side.len() < at {
            side.resize(at, 0);
        }
        let (samples, _) = pcm.as_chunks::<2>();
        side.extend(samples.iter().skip(skip).map(|sample| i16::from_le_bytes(*sample)));
    }
}
