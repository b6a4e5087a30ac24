//! What an agent may do besides talking: `[[tools]]` and `[[mcp]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One of `[[tools]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolConfig {
    /// As the model calls it.
    pub name: String,
    /// What the model is told of it.
    pub description: String,
    /// JSON Schema of its arguments: an object's.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// The endpoint.
    pub url: String,
    /// How it is asked.
    #[serde(default)]
    pub method: Method,
    /// What goes with it; a value `secret:NAME` stands for a sealed secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How long an answer is waited for, ms.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Whether it changes something.
    #[serde(default)]
    pub effect: Effect,
    /// What the caller hears while it runs: one of these at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub say_while: Vec<String>,
    /// Whether the model says something once it has returned.
    #[serde(default)]
    pub answer: Answer,
}

/// One of `[[mcp]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpConfig {
    /// Its tools are called `LABEL_NAME`.
    pub label: String,
    /// The server: streamable HTTP.
    pub url: String,
    /// What goes with each request; a value `secret:NAME` stands for a sealed secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The tools that are offered, by the server's own names; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// Whether they change something.
    #[serde(default)]
    pub effect: Effect,
    /// Whether it may be given keys that the caller pressed in secret.
    #[serde(default)]
    pub secret_digits: bool,
}

/// Whether a function changes something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only looks: it may be asked again, and given up.
    Read,
    /// It does, or may: it is asked once.
    #[default]
    Write,
}

/// Whether the model says something once a function has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It does.
    #[default]
    Speak,
    /// It does not.
    Silent,
}

/// How an endpoint is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The usual one.
    #[default]
    Post,
    /// Another with a body.
    Put,
    /// Another with a body.
    Patch,
}

impl ToolConfig {
    /// How long an answer is waited for.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

const fn timeout_ms() -> u64 {
    15_000
}

/// The schema of a function without arguments.
fn no_parameters() -> Value {
    serde_json::json!({ "type": "object", "properties": {} })
}
