//! `[keypad]`.

use serde::{Deserialize, Serialize};

/// How keys that callers press are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeypadConfig {
    /// Which of them no model is told.
    #[serde(default)]
    pub secret: SecretKeys,
}

/// Which keys no model is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKeys {
    /// Those that it asks for as such.
    #[default]
    Asked,
    /// All of them.
    Always,
}

impl KeypadConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
