//! For whoever opens media sockets: which call one is for, and why it is turned away.

use protocol::ids::CallSid;

use crate::admission::Refusal;
use crate::admissions::JoinError;

/// How a media socket says which call it is.
#[derive(Clone, Debug)]
pub enum MediaEntry {
    /// By a token that was checked: the `start` event must name this call.
    Token(CallSid),
    /// By such a token, of that stream of a call that is not on this node: another one announced it. The `start` event must name this
    /// call, and [`Admissions`](crate::Admissions) gives it to whoever asks first.
    Elsewhere(CallSid, u32),
    /// Not yet: the `start` event does, and [`Admissions`](crate::Admissions) lets it in.
    Static,
}

/// Why a media socket is turned away. The words go to its peer, to the log and to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefusal {
    /// Its `start` event did not come in time.
    #[error("no start event came")]
    NoStart,
    /// Its `start` event is of another call.
    #[error("the start event names another call than the token")]
    WrongCall,
    /// Its audio has a sample rate that nothing here converts: as the carrier sent it.
    #[error("sample rate {0} cannot be carried: 8000, 16000 and 24000 can")]
    SampleRate(String),
    /// Its audio is coded in a way that nothing here reads: as the carrier sent it.
    #[error("audio coded as {0} cannot be carried: PCM, mu-law and A-law can")]
    Encoding(String),
    /// The call was never here, or has left.
    #[error("there is no such call (any more)")]
    NoSuchCall,
    /// The call has its stream.
    #[error("this call's media stream has started already")]
    AlreadyStarted,
    /// Another socket of the call was opened after this one.
    #[error("a newer media socket of this call took over")]
    Superseded,
    /// The call ended meanwhile.
    #[error("this call is over")]
    Over,
    /// The call waited too long: another one has its place.
    #[error("this call's stream came too late: its place was given away")]
    PlaceLost,
    /// The stream that it takes the place of did not end in time.
    #[error("the stream before this one did not end in time")]
    ReplaceTimeout,
    /// Whether it may begin was not said in time.
    #[error("whether the call may begin was not said in time")]
    JoinTimeout,
    /// Its call is not let in.
    #[error("{0}")]
    Join(JoinError),
    /// There is no room for its call.
    #[error("{0}")]
    NoRoom(Refusal),
}

impl MediaRefusal {
    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoStart => "no_start",
            Self::WrongCall => "wrong_call",
            Self::SampleRate(_) => "sample_rate",
            Self::Encoding(_) => "encoding",
            Self::NoSuchCall => "unknown_call",
            Self::AlreadyStarted => "already_started",
            Self::Superseded => "superseded",
            Self::Over => "call_over",
            Self::PlaceLost => "place_lost",
            Self::ReplaceTimeout => "replace_timeout",
            Self::JoinTimeout => "join_timeout",
            Self::Join(JoinError::Denied(_)) => "denied",
            Self::Join(JoinError::Unavailable(_)) => "unavailable",
            Self::NoRoom(_) => "no_room",
        }
    }
}
