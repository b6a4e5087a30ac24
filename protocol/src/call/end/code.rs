//! How a call ended, in one word.

/// A way for a call to end. The word is stored, told to clients and counted; sentences are for people, and nothing is decided on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCode {
    /// The carrier ended the stream because the call ended.
    CallerHungUp,
    /// The carrier ended the stream; the call may go on elsewhere.
    StreamStopped,
    /// The carrier's socket closed without a word.
    StreamLost,
    /// The agent said goodbye.
    AgentHungUp,
    /// The agent handed the caller on to a person.
    Transferred,
    /// An operator ended the call.
    Operator,
    /// The carrier reported the end of the call.
    CarrierReported,
    /// The carrier reported the end of the stream, and nothing of the call.
    StreamReported,
    /// The caller said nothing any more.
    CallerSilent,
    /// It came outside of the client's hours.
    Closed,
    /// The longest call that is allowed.
    TooLong,
    /// The media stream never started.
    NoMedia,
    /// The carrier's socket stayed open, and no audio came.
    MediaSilent,
    /// The model could not be reached, refused, or stayed silent.
    ModelFailed,
    /// Faults of ours, more than are mended.
    GaveUp,
    /// The gateway stopped.
    Shutdown,
    /// The client was asked who calls, and does not take the call.
    ContextRefused,
    /// A further stream of the call began on another gateway: here it is over, and nothing of that is stored.
    TakenOver,
    /// Its gateway was gone, and the reaper ended it.
    Reaped,
    /// It cannot be told: an old row whose words say nothing that we know, or a word of a later version.
    Unknown,
}

impl EndCode {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::CallerHungUp,
        Self::StreamStopped,
        Self::StreamLost,
        Self::AgentHungUp,
        Self::Transferred,
        Self::Operator,
        Self::CarrierReported,
        Self::StreamReported,
        Self::CallerSilent,
        Self::Closed,
        Self::TooLong,
        Self::NoMedia,
        Self::MediaSilent,
        Self::ModelFailed,
        Self::GaveUp,
        Self::Shutdown,
        Self::ContextRefused,
        Self::TakenOver,
        Self::Reaped,
        Self::Unknown,
    ];

    /// As stored and told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallerHungUp => "caller_hung_up",
            Self::StreamStopped => "stream_stopped",
            Self::StreamLost => "stream_lost",
            Self::AgentHungUp => "agent_hung_up",
            Self::Transferred => "transferred",
            Self::Operator => "operator",
            Self::CarrierReported => "carrier_reported",
            Self::StreamReported => "stream_reported",
            Self::CallerSilent => "caller_silent",
            Self::Closed => "closed",
            Self::TooLong => "too_long",
            Self::NoMedia => "no_media",
            Self::MediaSilent => "media_silent",
            Self::ModelFailed => "model_failed",
            Self::GaveUp => "gave_up",
            Self::Shutdown => "shutdown",
            Self::ContextRefused => "context_refused",
            Self::TakenOver => "taken_over",
            Self::Reaped => "reaped",
            Self::Unknown => "unknown",
        }
    }

    /// The code of a word: [`EndCode::Unknown`] for one that this version does not know.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::known(name).unwrap_or(Self::Unknown)
    }

    /// The code of that name, if there is one.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The names of all, for whoever asks for another.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whose account it is.
    #[must_use]
    pub const fn by(self) -> EndedBy {
        match self {
            Self::CarrierReported | Self::StreamReported => EndedBy::Carrier,
            Self::Reaped => EndedBy::Reaper,
            _ => EndedBy::Gateway,
        }
    }

    /// The call's status then: `completed`, or `failed` when the caller did not get what they called for. The carrier's own word for it,
    /// where there is one, says more.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::NoMedia
            | Self::MediaSilent
            | Self::ModelFailed
            | Self::GaveUp
            | Self::Shutdown
            | Self::ContextRefused
            | Self::Reaped => "failed",
            _ => "completed",
        }
    }

    /// Whether another stream of the call may follow: nobody said that the call is over, only that this stream of it is.
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        match self {
            Self::StreamStopped
            | Self::StreamLost
            | Self::Transferred
            | Self::StreamReported
            | Self::NoMedia
            | Self::MediaSilent
            | Self::ModelFailed
            | Self::GaveUp
            | Self::Shutdown
            | Self::Reaped => true,
            Self::CallerHungUp
            | Self::AgentHungUp
            | Self::Operator
            | Self::CarrierReported
            | Self::CallerSilent
            | Self::Closed
            | Self::TooLong
            | Self::ContextRefused
            | Self::TakenOver
            | Self::Unknown => false,
        }
    }

    /// Whether the caller is left to somebody else: the agent handed them on, or they did not get an agent. Whoever cannot be told is
    /// rather put through than hung up on.
    #[must_use]
    pub const fn hands_on(self) -> bool {
        match self {
            Self::Transferred
            | Self::NoMedia
            | Self::MediaSilent
            | Self::ModelFailed
            | Self::GaveUp
            | Self::Shutdown
            | Self::ContextRefused
            | Self::Reaped
            | Self::Unknown => true,
            Self::CallerHungUp
            | Self::StreamStopped
            | Self::StreamLost
            | Self::AgentHungUp
            | Self::Operator
            | Self::CarrierReported
            | Self::StreamReported
            | Self::CallerSilent
            | Self::Closed
            | Self::TooLong
            | Self::TakenOver => false,
        }
    }
}

/// Whose account of a call's end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Ours.
    Gateway,
    /// The carrier's.
    Carrier,
    /// Nobody's: the gateway that had the call is gone, and the reaper ended it.
    Reaper,
}

impl EndedBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Carrier, Self::Reaper];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Carrier => "carrier",
            Self::Reaper => "upkeep",
        }
    }

    /// The account of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}
