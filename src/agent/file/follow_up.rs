//! What follows when a caller says nothing any more, or types; and when a call is over.

use serde::{Deserialize, Serialize};

use super::keypad::KeypadConfig;
use crate::agent::outcome::OutcomeConfig;
use crate::agent::silence::SilenceConfig;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// `[silence]`; none: a silent caller is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<SilenceConfig>,
    /// `[keypad]`: how keys that callers press are taken.
    #[serde(default, skip_serializing_if = "KeypadConfig::is_default")]
    pub keypad: KeypadConfig,
    /// `[outcome]`; none: nothing is found out of a call that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeConfig>,
}
