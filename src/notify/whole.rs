//! What is told of a call that is over, beside its figures: what was said, as heard, and what its functions came to. Within a bound.

use protocol::call::fact::{Turn, Who};
use protocol::ids::CallSid;
use serde_json::{Value, json};

use crate::store::ToolRun;

/// Bytes of an event.
pub const LARGEST: usize = 256 * 1024;
/// Of these, what is beside its data.
const HEAD: usize = 1024;

/// Adds it. What is too large is a link to where it can be read.
pub(super) fn add(data: &mut Value, call: &CallSid, turns: &[Turn], tools: &[ToolRun]) {
    let turns = turns.iter().map(|turn| {
        json!({
            "who": match turn.who { Who::Caller => "caller", Who::Agent => "agent" },
            "text": turn.text,
            "at_ms": turn.at_ms,
            "interrupted": turn.interrupted,
        })
    });
    data["transcript"] = turns.collect();
    let tools = tools.iter().map(|run| {
        json!({
            "tool_call_id": run.number.to_string(),
            "tool": run.name,
            "arguments": run.arguments,
            "output": run.output,
            "at_ms": run.at_ms,
        })
    });
    data["tools"] = tools.collect();
    for part in ["tools", "transcript"] {
        if data.to_string().len() + HEAD <= LARGEST {
            return;
        }
        data[part] = json!({ "link": format!("/api/v1/calls/{}", call) });
        metrics::counter!("callgate_events_cut_total").increment(1);
    }
}
