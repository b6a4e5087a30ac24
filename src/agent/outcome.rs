//! `[outcome]`: what a text model is to find out of a call that is over.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shape::{Key, Kind, LONGEST_MODEL, Shape, key, needed, text};
use super::words;

/// Bytes of what is asked.
const LONGEST_PROMPT: usize = 8 * 1024;

/// `[outcome]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeConfig {
    /// JSON Schema of what is found out, an object's.
    pub schema: Value,
    /// What is asked beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The text model; none: the gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

pub(super) const OUTCOME: Shape = Shape { keys: KEYS };

const KEYS: &[Key] = &[
    needed("schema", Kind::Schema, "JSON Schema of what is to be found out, an object's"),
    key("prompt", text(LONGEST_PROMPT, words::filled), "What is asked beside it"),
    key("model", text(LONGEST_MODEL, words::model), "The text model (default: the gateway's)"),
];
