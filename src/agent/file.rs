//! The agent file, typed. In TOML for people, as JSON in the API and on record: the same keys.

mod destinations;
mod document;
mod follow_up;
mod functions;
mod keypad;
mod listening;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use destinations::{Destination, TransferConfig};
pub use document::{Document, McpTool};
pub use follow_up::FollowUp;
pub use functions::{Answer, Effect, McpConfig, Method, ToolConfig};
pub use keypad::SecretKeys;
pub(super) use listening::OFF;
pub use listening::{Interruptions, Listening, TurnDetection};

use crate::tenant::{INSTRUCTIONS, LANGUAGE, REGION, TIME_ZONE};

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentFile {
    /// For people.
    pub name: String,
    /// ExoPhones, in E.164 once checked; the first is the one that the client is known by.
    pub numbers: Vec<String>,
    /// Takes calls.
    #[serde(default = "yes")]
    pub active: bool,
    /// IANA name.
    #[serde(default = "time_zone")]
    pub time_zone: String,
    /// ISO 3166 region in which numbers without a country code are read.
    #[serde(default = "region")]
    pub region: String,
    /// Calls are recorded.
    #[serde(default)]
    pub recording: bool,
    /// How much of the gateway it may have.
    #[serde(flatten)]
    pub limits: CallLimits,
    /// What callers meet.
    #[serde(default)]
    pub agent: AgentSection,
    /// When the agent answers; none: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<HoursConfig>,
    /// How callers are understood.
    #[serde(default, skip_serializing_if = "Listening::is_empty")]
    pub listening: Listening,
    /// `[silence]`, `[keypad]` and `[outcome]`.
    #[serde(flatten)]
    pub follow_up: FollowUp,
    /// Who is asked who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextConfig>,
    /// Where the client is told of its calls; none: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventsConfig>,
    /// Where callers are handed on to.
    #[serde(flatten)]
    pub transfers: TransferConfig,
    /// Functions that are HTTP endpoints of the client's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolConfig>,
    /// Servers of functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcp: Vec<McpConfig>,
}

/// Of a client's calls; they stand at the top of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLimits {
    /// Live calls; none: as many as the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<i32>,
    /// Calls a minute, over all callers; none: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<i32>,
    /// Calls a minute of one caller; none: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_calls_per_minute: Option<i32>,
    /// Longest call, s; none: the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_call_secs: Option<i32>,
}

/// `[agent]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// What callers are greeted with; a template.
    #[serde(default)]
    pub greeting: String,
    /// System prompt; a template.
    #[serde(default = "instructions")]
    pub instructions: String,
    /// BCP 47, e.g. `hi-IN`.
    #[serde(default = "language")]
    pub language: String,
    /// A voice of the usual server; none: the model's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    /// A voice that is none of these, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_voice: Option<String>,
    /// Model; none: the gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How fast the voice speaks; none: as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
    /// What callers hear outside of [`AgentFile::hours`], before they are hung up on or handed on; none: not a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_words: Option<String>,
    /// What a caller hears who waits for a function that has no sentences of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hold_words: Vec<String>,
}

/// `[hours]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursConfig {
    /// Entries such as `Mon-Fri 09:00-18:00`, in the client's time zone.
    pub open: Vec<String>,
    /// A destination: where callers go outside of these; none: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// `[events]`. Its secret is no part of the file: it is made when the URL is set first, and shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsConfig {
    /// Where.
    pub url: String,
}

/// `[context]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextConfig {
    /// Who is asked.
    pub url: String,
    /// What goes with it; a value `secret:NAME` stands for a sealed secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How long the call's beginning waits for it, ms.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
}

impl ContextConfig {
    /// How long the call's beginning waits for it.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

impl Default for AgentSection {
    fn default() -> Self {
        Self {
            greeting: String::new(),
            instructions: instructions(),
            language: language(),
            voice: None,
            unlisted_voice: None,
            model: None,
            speed: None,
            closed_words: None,
            hold_words: Vec::new(),
        }
    }
}

const fn yes() -> bool {
    true
}

fn time_zone() -> String {
    TIME_ZONE.to_owned()
}

fn region() -> String {
    REGION.to_owned()
}

fn instructions() -> String {
    INSTRUCTIONS.to_owned()
}

fn language() -> String {
    LANGUAGE.to_owned()
}

const fn deadline_ms() -> u64 {
    800
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_leaves_out_is_as_it_is_with_a_new_client() {
        let told = r#"{
            "name": "City Clinic", "numbers": ["+918047112233"],
            "tools": [{ "name": "book", "description": "Books a slot.", "url": "https://clinic.example/book" }],
            "mcp": [{ "label": "crm", "url": "https://clinic.example/mcp" }],
            "context": { "url": "https://clinic.example/who" }
        }"#;
        let file: AgentFile = serde_json::from_str(told).unwrap();
        assert!(file.active && !file.recording);
        assert_eq!(file.agent, AgentSection::default());
        assert_eq!(file.agent.instructions, INSTRUCTIONS);
        let [book] = file.tools.as_slice() else { panic!("one tool") };
        assert_eq!((book.effect, book.answer, book.method), (Effect::Write, Answer::Speak, Method::Post));
        assert_eq!(book.timeout(), Duration::from_secs(15));
        assert_eq!(file.mcp[0].effect, Effect::Write);
        assert_eq!(file.context.as_ref().map(ContextConfig::deadline), Some(Duration::from_millis(800)));
        // As it is told again, it says the same.
        let again: AgentFile = serde_json::from_value(serde_json::to_value(&file).unwrap()).unwrap();
        assert_eq!(again, file);
    }
}
