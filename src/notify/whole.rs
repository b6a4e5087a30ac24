//! What is told of a call that is over, beside its figures: what was said, as heard, and what its functions came to. Within a bound.

use protocol::call::fact::Who;
use protocol::call::latency::Latency;
use serde_json::{Value, json};

use crate::store::EventSubject;
use crate::views::outcome_json;

/// Bytes of an event.
pub const LARGEST: usize = 256 * 1024;
/// Of these, what is beside its data.
const HEAD: usize = 1024;

/// Adds it. What is too large is a link to where it can be read.
pub(super) fn add(data: &mut Value, told: &EventSubject) {
    let turns = told.turns.iter().map(|turn| {
        json!({
            "who": match turn.who { Who::Caller => "caller", Who::Agent => "agent" },
            "text": turn.text,
            "at_ms": turn.at_ms,
            "interrupted": turn.interrupted,
            "backchannel": turn.backchannel,
            "latency": turn.latency.as_deref().map(Latency::to_json),
        })
    });
    data["transcript"] = turns.collect();
    let tools = told.tools.iter().map(|run| {
        json!({
            "tool_call_id": run.number.to_string(),
            "tool": run.name,
            "arguments": run.arguments,
            "output": run.output,
            "at_ms": run.at_ms,
        })
    });
    data["tools"] = tools.collect();
    let recordings = told.recordings.iter().map(|recording| {
        json!({
            "recording_id": recording.id,
            "status": recording.status.name(),
            "source": recording.source_url,
            "url": recording.stored_url,
            "bytes": recording.bytes,
        })
    });
    data["recordings"] = recordings.collect();
    data["outcome"] = outcome_json(told.outcome.as_ref());
    for part in ["tools", "transcript", "recordings"] {
        if data.to_string().len() + HEAD <= LARGEST {
            return;
        }
        data[part] = json!({ "link": format!("/api/v1/calls/{}", told.call.call_sid) });
        metrics::counter!("callgate_events_cut_total").increment(1);
    }
}
