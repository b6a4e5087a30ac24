//! Rows as the API shows them.

use protocol::call::fact::{Turn, Who};
use protocol::ids::PhoneNumber;
use serde_json::{Value, json};

use super::Gateway;
use crate::store::{AuditEntry, Call, Client, Figures, Recording, ToolRun};
use crate::time::{maybe_told, told};

pub(super) fn client_json(client: &Client) -> Value {
    let agent = &client.agent;
    let limits = &client.limits;
    json!({
        "id": client.id,
        "name": client.name,
        "number": client.exotel_number.reveal(),
        "active": client.active,
        "greeting": agent.greeting,
        "language": agent.language,
        "transcription_language": agent.transcription_language,
        "voice": agent.voice,
        "instructions": agent.instructions,
        "model": agent.model,
        "tools": serde_json::from_str::<Value>(&agent.tools).unwrap_or_default(),
        "time_zone": client.time_zone,
        "region": client.region,
        "max_concurrent": limits.max_concurrent,
        "calls_per_minute": limits.calls_per_minute,
        "caller_calls_per_minute": limits.caller_calls_per_minute,
        "max_call_secs": limits.max_call_secs,
        "recording": if client.recording { "on" } else { "off" },
        "events_url": client.events_url,
        "created_at": told(client.created_at),
        "updated_at": told(client.updated_at),
    })
}

pub(super) fn call_json(gateway: &Gateway, call: &Call, client: Option<&str>) -> Value {
    let number = |number: &Option<PhoneNumber>| number.as_ref().map(|number| number.reveal().to_owned());
    let times = &call.times;
    json!({
        "call_sid": call.call_sid.as_str(),
        "client": client,
        "from": number(&call.parties.from).or(number(&call.parties.from_raw)),
        "to": number(&call.parties.to).or(number(&call.parties.to_raw)),
        "direction": call.parties.direction,
        "entry": call.entry.map(crate::store::Entry::name),
        "status": call.status,
        "carrier_status": call.carrier_status,
        "ended_by": call.ended_by.map(protocol::call::end::EndedBy::name),
        "ended_code": call.ended_code.map(protocol::call::end::EndCode::name),
        "ended_why": call.ended_why,
        "live": gateway.switchboard.phase(&call.call_sid).is_some(),
        "started_at": told(times.started_at),
        "answered_at": maybe_told(times.answered_at),
        "media_at": maybe_told(times.media_at),
        "ended_at": maybe_told(times.ended_at),
        "figures": figures_json(&call.figures),
    })
}

fn figures_json(figures: &Figures) -> Value {
    json!({
        "duration_ms": figures.duration_ms,
        "caller_talk_ms": figures.caller_talk_ms,
        "agent_talk_ms": figures.agent_talk_ms,
        "turns": figures.turn_count,
        "interruptions": figures.interruptions,
        "first_audio_ms": figures.first_audio_ms,
        "answer_p50_ms": figures.answer_p50_ms,
        "answer_p95_ms": figures.answer_p95_ms,
        "answer_max_ms": figures.answer_max_ms,
        "unheard_ms": figures.unheard_ms,
        "model_reconnects": figures.model_reconnects,
        "frames_lost": figures.frames_lost,
        "tokens": figures.tokens,
        "cost_microusd": figures.cost_microusd,
    })
}

pub(super) fn turn_json(turn: &Turn) -> Value {
    json!({
        "index": turn.index,
        "who": match turn.who { Who::Caller => "caller", Who::Agent => "agent" },
        "text": turn.text,
        "at_ms": turn.at_ms,
        "heard_ms": turn.heard_ms,
        "generated_ms": turn.generated_ms,
        "interrupted": turn.interrupted,
        "answer_ms": turn.answer_ms,
        "clip": turn.clip,
    })
}

pub(super) fn tool_json(run: &ToolRun) -> Value {
    json!({
        "tool_call_id": run.number.to_string(),
        "tool": run.name,
        "arguments": run.arguments,
        "output": run.output,
        "at_ms": run.at_ms,
    })
}

pub(super) fn step_json(entry: &AuditEntry) -> Value {
    json!({
        "at": told(entry.at),
        "kind": entry.kind,
        "outcome": entry.outcome,
        "remote_addr": entry.remote_addr,
        "request_id": entry.request_id,
        "payload": entry.payload,
    })
}

pub(super) fn recording_json(recording: &Recording) -> Value {
    json!({
        "id": recording.id,
        "source": recording.source_url,
        "status": recording.status.name(),
        "url": recording.stored_url,
        "bytes": recording.bytes,
        "sha256": recording.sha256,
        "content_type": recording.content_type,
        "error": recording.error,
        "created_at": told(recording.created_at),
        "updated_at": told(recording.updated_at),
    })
}
