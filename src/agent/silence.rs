//! `[silence]`: what is said to a caller who has fallen silent, and what follows.

use std::time::Duration;

use protocol::call::policy::{Silence, Then};
use serde::{Deserialize, Serialize};

use super::shape::{Key, Kind, LONGEST_SENTENCE_BYTES, Shape, key, text};
use super::words;

/// What [`SilenceConfig::then`] says if nobody takes the call over.
const HANG_UP: &str = "hang_up";

/// `[silence]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceConfig {
    /// So long nobody speaks before the caller is nudged, s.
    #[serde(default = "nudge_after_secs")]
    pub nudge_after_secs: u64,
    /// What they hear then, one at a time; none: the model says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nudge_words: Vec<String>,
    /// How often they are nudged before the call ends.
    #[serde(default = "nudges")]
    pub nudges: u32,
    /// What follows: `hang_up`, or the name of a destination.
    #[serde(default = "then")]
    pub then: String,
}

pub(super) const SILENCE: Shape = Shape { keys: KEYS };

const KEYS: &[Key] = &[
    key(
        "nudge_after_secs",
        Kind::Count { least: 3, most: 300 },
        "How long nobody speaks before a nudge, s (default 10)",
    ),
    key(
        "nudge_words",
        Kind::Texts { most: 8, each: LONGEST_SENTENCE_BYTES, read: words::sentence },
        "What the caller hears then, one at a time (default: the model asks whether they are there)",
    ),
    key("nudges", Kind::Count { least: 0, most: 10 }, "Nudges before the call ends (default 2)"),
    key("then", text(64, words::filled), "What follows the last one: hang_up (the default), or a destination"),
];

impl SilenceConfig {
    /// The destination that follows, if it is not the end.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        Some(self.then.as_str()).filter(|then| *then != HANG_UP)
    }

    /// As a call takes it.
    #[must_use]
    pub fn of_call(&self) -> Silence {
        Silence {
            after: Duration::from_secs(self.nudge_after_secs),
            words: self.nudge_words.clone(),
            nudges: self.nudges,
            then: self.destination().map_or(Then::HangUp, |name| Then::Transfer(name.to_owned())),
        }
    }
}

const fn nudge_after_secs() -> u64 {
    10
}

const fn nudges() -> u32 {
    2
}

fn then() -> String {
    HANG_UP.to_owned()
}
