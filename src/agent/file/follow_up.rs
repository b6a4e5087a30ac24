//! What follows when a caller says nothing any more, and when a call is over.

use serde::{Deserialize, Serialize};

use crate::agent::outcome::OutcomeConfig;
use crate::agent::silence::SilenceConfig;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// `[silence]`; none: a silent caller is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<SilenceConfig>,
    /// `[outcome]`; none: nothing is found out of a call that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeConfig>,
}
