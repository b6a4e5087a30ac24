//! What of a file is kept beside the columns of its client's row.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContextConfig, Destination, FollowUp, HoursConfig, Listening, McpConfig, ToolConfig, TransferConfig};
use crate::agent::hours;

/// What is on record of a client's agent beside the columns of its row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// See [`super::AgentFile::hours`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<HoursConfig>,
    /// See [`super::AgentSection::closed_words`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_words: Option<String>,
    /// See [`super::AgentSection::speed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
    /// See [`super::AgentFile::listening`]: without the language of the transcription, which is a column.
    #[serde(default, skip_serializing_if = "Listening::is_empty")]
    pub listening: Listening,
    /// See [`super::AgentFile::context`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextConfig>,
    /// See [`super::AgentFile::transfers`].
    #[serde(flatten)]
    pub transfers: TransferConfig,
    /// See [`super::AgentFile::tools`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolConfig>,
    /// See [`super::AgentFile::mcp`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcp: Vec<McpConfig>,
    /// What these servers had when the file was applied: that is in force until it is applied again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcp_tools: Vec<McpTool>,
    /// See [`super::AgentSection::hold_words`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hold_words: Vec<String>,
    /// See [`super::AgentFile::follow_up`].
    #[serde(flatten)]
    pub follow_up: FollowUp,
}

/// A function of an MCP server's, as it was when the file was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McpTool {
    /// The label of its server.
    pub server: String,
    /// As the server calls it.
    pub name: String,
    /// What the model is told of it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

impl Document {
    /// Sentences that are played without a model, each once.
    #[must_use]
    pub fn fixed_sentences(&self) -> BTreeSet<&str> {
        let of_tools = self.tools.iter().flat_map(|tool| &tool.say_while);
        let nudges = self.follow_up.silence.iter().flat_map(|silence| &silence.nudge_words);
        // Longer ones are said by the model.
        let closed = self.closed_words.iter().filter(|words| crate::clips::fits(words));
        self.hold_words.iter().chain(of_tools).chain(nudges).chain(closed).map(String::as_str).collect()
    }

    /// The destination of that name.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        self.transfers.destinations.get(name)
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Whether the agent answers a call that begins at that time.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours::is_open(&hours.open, at, zone))
    }
}
