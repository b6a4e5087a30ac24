//! Where a caller may be handed on to: `[destinations.NAME]` and `[failure]`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::agent::hours;

/// Where callers of a client go whom its agent does not serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferConfig {
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub destinations: BTreeMap<String, Destination>,
    /// Where callers go whom the agent failed, or who were refused; none: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureConfig>,
}

/// One of `[destinations.NAME]`: somebody who picks up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// A number in E.164, or a SIP address.
    pub to: String,
    /// What it is for, as the model is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// When somebody is there, as entries of [`super::HoursConfig::open`]; none: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<String>>,
    /// The number that it shows, E.164; none: the carrier's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// How long it rings, s.
    #[serde(default = "ring_secs")]
    pub ring_secs: u64,
    /// What whoever picks up hears first: words, or the https URL of a sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whisper: Option<String>,
}

/// `[failure]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureConfig {
    /// A destination.
    pub to: String,
}

impl Destination {
    /// Whether somebody is there at that time.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        self.hours.as_ref().is_none_or(|entries| hours::is_open(entries, at, zone))
    }

    /// Whether it is a phone number, and not a SIP address.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.to.starts_with('+')
    }

    /// How long it rings.
    #[must_use]
    pub const fn rings(&self) -> Duration {
        Duration::from_secs(self.ring_secs)
    }
}

const fn ring_secs() -> u64 {
    45
}
