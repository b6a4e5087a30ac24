//! How long a caller waited for what they heard, and in which parts: contiguous, so that they are the whole.
//!
//! The machine measures them as they pass (`stopwatch`); who owns the largest is found from the parts alone (`owner`), so that whoever
//! tells of a latency (the API, the terminal, a client's events, the log) tells the same.

mod json;
mod owner;

use crate::ids::ItemId;

pub use owner::{Owner, SLOW_GREETING_MS, SLOW_MS};

/// From what the caller waited since to the moment that they heard an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// What they waited for.
    pub of: Awaited,
    /// What they heard first.
    pub item: ItemId,
    /// Since when they waited, ms since the call's first media stream began.
    pub from_ms: u64,
    /// What the time went to.
    pub parts: Parts,
    /// The carrier's echo says that it was heard. Where none came the whole ends when it was sent.
    pub heard: bool,
    /// The round trip of the model's connection, ms, if it is known.
    pub network_ms: Option<u64>,
    /// How late the echoes of this carrier are at least, ms, if it sends any.
    pub carrier_echo_ms: Option<u64>,
    /// The gateway asked for a response so many times; otherwise the server began it by itself.
    pub asked: u32,
    /// The carrier's socket would not take the audio at once.
    pub stalled: bool,
    /// What the client's settings have a caller wait.
    pub settings: Settings,
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// An answer to what they said, or to keys that they pressed.
    Turn,
    /// The first word of the agent's after their stream began.
    Greeting,
    /// What is said of the result of a function, by an agent that had said something before.
    Tool,
    /// The word of an agent that speaks up because they are silent; since that was decided.
    Nudge,
}

/// What the time goes to, in the order in which it does. One that is gone through twice (a session is lost) is told once, with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// From the caller's last sound to the server's `speech_stopped`.
    Endpointing,
    /// From there until a response is asked for, where the gateway asks: sounds are judged, keys or words awaited.
    Deciding,
    /// A function runs, or the client is asked who calls.
    Tool,
    /// There is no session: it is dialled and configured.
    Connecting,
    /// Until the response begins (`response.created`).
    Starting,
    /// Until its first audio comes.
    Generating,
    /// Until that is handed to the carrier's socket.
    Sending,
    /// Until it is heard, by the mark that the carrier echoes.
    Playing,
}

/// What a client's settings have a caller wait, whatever anybody does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The silence by which the end of a turn is known (`silence_ms`), ms; the longest one of an `eagerness`.
    pub endpointing_ms: u32,
    /// It is an `eagerness`.
    pub semantic: bool,
    /// Sounds are judged before they are turns (`interruptions` = `confirmed`).
    pub confirmed: bool,
}

/// ms by part. The whole is their sum, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts([u32; Part::ALL.len()]);

impl Awaited {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Turn, Self::Greeting, Self::Tool, Self::Nudge];

    /// As written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Greeting => "greeting",
            Self::Tool => "tool",
            Self::Nudge => "nudge",
        }
    }

    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }
}

impl Part {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Endpointing,
        Self::Deciding,
        Self::Tool,
        Self::Connecting,
        Self::Starting,
        Self::Generating,
        Self::Sending,
        Self::Playing,
    ];

    /// As written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Endpointing => "endpointing",
            Self::Deciding => "deciding",
            Self::Tool => "tool",
            Self::Connecting => "connecting",
            Self::Starting => "starting",
            Self::Generating => "generating",
            Self::Sending => "sending",
            Self::Playing => "playing",
        }
    }

    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

impl Parts {
    /// Each of so many ms; of those not named none.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = (Part, u64)>) -> Self {
        let mut all = Self::default();
        for (part, ms) in parts {
            let of_it = &mut all.0[part as usize];
            *of_it = of_it.saturating_add(u32::try_from(ms).unwrap_or(u32::MAX));
        }
        all
    }

    /// ms of one.
    #[must_use]
    pub const fn ms(&self, part: Part) -> u64 {
        self.0[part as usize] as u64
    }

    /// All of them, in their order, those of no time too.
    pub fn iter(&self) -> impl Iterator<Item = (Part, u64)> + '_ {
        Part::ALL.into_iter().map(|part| (part, self.ms(part)))
    }

    /// Those that took time: each with where it begins, ms since the beginning of the whole, and how long it is.
    pub fn spans(&self) -> impl Iterator<Item = (Part, u64, u64)> + '_ {
        let mut begins = 0;
        self.iter().filter_map(move |(part, ms)| {
            let at = begins;
            begins += ms;
            (ms > 0).then_some((part, at, ms))
        })
    }

    /// ms in all.
    #[must_use]
    pub fn whole_ms(&self) -> u64 {
        self.iter().map(|(_, ms)| ms).sum()
    }

    /// The one that took longest, the first of several; none where nothing took any time.
    #[must_use]
    pub fn largest(&self) -> Option<(Part, u64)> {
        self.iter().filter(|(_, ms)| *ms > 0).reduce(|most, next| if next.1 > most.1 { next } else { most })
    }
}

impl Latency {
    /// ms in all: until it was heard, or sent where that is not known.
    #[must_use]
    pub fn whole_ms(&self) -> u64 {
        self.parts.whole_ms()
    }

    /// ms until its first audio was handed to the carrier's socket.
    #[must_use]
    pub fn sent_ms(&self) -> u64 {
        self.whole_ms() - self.parts.ms(Part::Playing)
    }

    /// When it was heard (or sent), ms since the call's first media stream began.
    #[must_use]
    pub fn until_ms(&self) -> u64 {
        self.from_ms.saturating_add(self.whole_ms())
    }
}

#[cfg(test)]
mod tests;
