//! What is remembered of a session.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The log of one session, as of the moment it was asked for.
#[derive(Clone, Debug, Default)]
pub struct SessionLog {
    /// From 0, in the order of the handshakes.
    pub number: u64,
    /// When it began: the times of its events count from then.
    pub began: Option<Instant>,
    /// `sess_…`.
    pub id: String,
    /// The path and query of the handshake.
    pub target: String,
    /// Of the handshake; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The effective configuration.
    pub config: Value,
    /// Whether a `session.update` was taken.
    pub configured: bool,
    /// Client events other than appends, the last 1,000.
    pub received: Vec<Seen>,
    /// Server events, the last 1,000.
    pub sent: Vec<Seen>,
    /// The caller's audio.
    pub appended: Appended,
    /// Truncations asked for, the first 1,000.
    pub truncations: Vec<Truncation>,
    /// The conversation as it is, in order: items with their `id`.
    pub items: Vec<Value>,
    /// Responses, in order.
    pub responses: Vec<ResponseLog>,
    /// Errors sent, the first 1,000: their codes.
    pub errors: Vec<String>,
    /// How the connection ended, once it has.
    pub closed: Option<String>,
}

/// An event that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its `type`.
    pub kind: Cow<'static, str>,
    /// When, since the session began.
    pub at: Duration,
    /// The event; of those received only.
    pub body: Value,
}

/// The caller's audio of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events.
    pub events: u64,
    /// ms of audio.
    pub ms: u64,
    /// Those sent before the session was configured.
    pub events_before_update: u64,
    /// When the first came, since the session began.
    pub first_at: Option<Duration>,
    /// When the last came.
    pub last_at: Option<Duration>,
}

/// A `conversation.item.truncate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// The item.
    pub item_id: String,
    /// As asked.
    pub audio_end_ms: u64,
    /// ms of audio the item had.
    pub generated_ms: u64,
    /// Whether it was taken.
    pub accepted: bool,
}

/// One response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseLog {
    /// `resp_…`.
    pub id: String,
    /// `in_progress`, or as in `response.done`.
    pub status: String,
    /// The clips it was made of; function calls by name.
    pub parts: Vec<String>,
    /// ms of audio sent.
    pub generated_ms: u64,
}

impl SessionLog {
    /// How many events of that kind were received.
    #[must_use]
    pub fn count_received(&self, kind: &str) -> usize {
        self.received.iter().filter(|seen| seen.kind == kind).count()
    }

    /// How many events of that kind were sent.
    #[must_use]
    pub fn count_sent(&self, kind: &str) -> usize {
        self.sent.iter().filter(|seen| seen.kind == kind).count()
    }

    /// A header of the handshake, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}
