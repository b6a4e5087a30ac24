//! What can be done with a client's agent.

use serde_json::{Value, json};

use super::refusals::malformed;
use super::{Operation, Who};
use crate::agent::{Mistake, json_schema};
use crate::http::error::Refused;
use crate::json_schema::Kind;

pub(in crate::http) static GET_AGENT: Operation = Operation {
    id: "getAgent",
    about: "A client's agent, whole, and its version",
    who: Who::Reader,
    query: &[],
    takes: None,
    gives: (200, AGENT),
    refusals: &[|| Refused::NoSuchClient],
};

pub(in crate::http) static PUT_AGENT: Operation = Operation {
    id: "putAgent",
    about: "A client's agent from now on, whole; with a `version`, over that one alone",
    who: Who::Operator,
    query: &[],
    takes: Some(AGENT),
    gives: (200, AGENT),
    refusals: &[
        malformed,
        || Refused::AgentFile(vec![Mistake { line: None, key: "KEY".to_owned(), problem: "what is wrong".to_owned() }]),
        || Refused::NoSuchClient,
        || Refused::Stale,
        || Refused::NumberTaken(1),
    ],
};

pub(in crate::http) static GET_AGENT_SCHEMA: Operation = Operation {
    id: "getAgentSchema",
    about: "The JSON Schema of an agent file",
    who: Who::Reader,
    query: &[],
    takes: None,
    gives: (200, Kind::Anything),
    refusals: &[],
};

const AGENT: Kind = Kind::Named("Agent", agent);

/// The agent file, and what the API has beside it. What comes back is taken again as it is.
fn agent() -> Value {
    let mut schema = json_schema();
    if let Some(fields) = schema.as_object_mut() {
        fields.retain(|name, _| name != "$schema" && name != "title");
    }
    schema["description"] = json!("A client's agent: the agent file as JSON.");
    schema["properties"]["version"] = json!({
        "type": "integer",
        "description": "Of what was read: always in an answer. In a request the change is made over that version alone.",
    });
    schema["properties"]["events_secret"] = json!({
        "type": "string",
        "readOnly": true,
        "description": "What its events are signed with: in the answer that it was made for, and never again.",
    });
    schema["properties"]["left_out"] = json!({
        "type": "array",
        "items": { "type": "string" },
        "readOnly": true,
        "description": "What of MCP servers is not offered, and why.",
    });
    schema
}
