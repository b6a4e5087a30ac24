//! Rows as JSON: the API and the terminal show the same.

pub(crate) mod schema;

use protocol::call::fact::{Turn, Who};
use protocol::call::latency::Latency;
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::{Value, json};

use crate::store::{
    AuditEntry, Call, CallOutcome, CallTransfer, CallWithTurns, Client, Figures, Job, Recording, Store, StoreError,
    ToolRun,
};
use crate::time::{maybe_told, told};
use crate::trace_context::TraceId;

/// All that is on record of a call.
pub(crate) struct WholeCall {
    /// The call, and what was said.
    pub(crate) found: CallWithTurns,
    /// Functions that were called, in order.
    pub(crate) tools: Vec<ToolRun>,
    /// Where its caller was handed on to, in order.
    pub(crate) transfers: Vec<CallTransfer>,
    /// What there is to listen to.
    pub(crate) recordings: Vec<Recording>,
    /// What was found out of it, if that was tried.
    pub(crate) outcome: Option<CallOutcome>,
    /// What happened, oldest first.
    pub(crate) steps: Vec<AuditEntry>,
}

impl WholeCall {
    /// Looks up what there is beside the call and its turns.
    pub(crate) async fn of(store: &Store, found: CallWithTurns) -> Result<Self, StoreError> {
        let sid = &found.call.call_sid;
        let steps = store.audit_of_call(sid).await?;
        let recordings = store.recordings_of_call(sid).await?;
        let tools = store.tools_of_call(&found.call).await?;
        let transfers = store.transfers_of_call(&found.call).await?;
        let outcome = store.outcome_of_call(&found.call).await?;
        Ok(Self { found, tools, transfers, recordings, outcome, steps })
    }
}

pub(crate) fn client_json(client: &Client) -> Value {
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

/// `live`: whether it has a media stream, or waits for one.
pub(crate) fn call_json(call: &Call, client: Option<&str>, live: bool) -> Value {
    let number = |number: &Option<PhoneNumber>| number.as_ref().map(|number| number.reveal().to_owned());
    let times = &call.times;
    json!({
        "call_sid": call.call_sid.as_str(),
        "trace_id": TraceId::of(&call.call_sid).to_string(),
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
        "live": live,
        "started_at": told(times.started_at),
        "answered_at": maybe_told(times.answered_at),
        "media_at": maybe_told(times.media_at),
        "ended_at": maybe_told(times.ended_at),
        "figures": figures_json(&call.figures),
    })
}

/// A call with all that is on record of it.
pub(crate) fn whole_call_json(whole: &WholeCall, live: bool) -> Value {
    let found = &whole.found;
    let mut call = call_json(&found.call, found.client.as_deref(), live);
    call["turns"] = found.turns.iter().map(turn_json).collect();
    call["tools"] = whole.tools.iter().map(tool_json).collect();
    call["transfers"] = whole.transfers.iter().map(transfer_json).collect();
    call["recordings"] = whole.recordings.iter().map(recording_json).collect();
    call["outcome"] = outcome_json(whole.outcome.as_ref());
    call["timeline"] = whole.steps.iter().map(step_json).collect();
    call
}

/// What was found out of a call, or why nothing was.
pub(crate) fn outcome_json(known: Option<&CallOutcome>) -> Value {
    known.map_or(Value::Null, |known| {
        json!({
            "status": known.status.name(),
            "outcome": known.outcome,
            "why": known.why,
            "model": known.model,
            "updated_at": told(known.updated_at),
        })
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

/// One transfer, with what became of it: clients and operators are told the same.
pub(crate) fn transfer_json(transfer: &CallTransfer) -> Value {
    json!({
        "to": transfer.destination,
        "reason": transfer.reason,
        "summary": transfer.summary,
        "cause": transfer.cause.name(),
        "outcome": transfer.outcome,
        "at": told(transfer.at),
    })
}

pub(crate) fn turn_json(turn: &Turn) -> Value {
    json!({
        "index": turn.index,
        "who": match turn.who { Who::Caller => "caller", Who::Agent => "agent" },
        "text": turn.text,
        "at_ms": turn.at_ms,
        "heard_ms": turn.heard_ms,
        "generated_ms": turn.generated_ms,
        "interrupted": turn.interrupted,
        "answer_ms": turn.answer_ms,
        "latency": turn.latency.as_deref().map(Latency::to_json),
        "clip": turn.clip,
        "backchannel": turn.backchannel,
    })
}

pub(crate) fn tool_json(run: &ToolRun) -> Value {
    json!({
        "tool_call_id": run.number.to_string(),
        "tool": run.name,
        "arguments": run.arguments,
        "output": run.output,
        "at_ms": run.at_ms,
    })
}

pub(crate) fn step_json(entry: &AuditEntry) -> Value {
    json!({
        "at": told(entry.at),
        "kind": entry.kind,
        "outcome": entry.outcome,
        "remote_addr": entry.remote_addr,
        "request_id": entry.request_id,
        "payload": entry.payload,
    })
}

/// Without its payload: it may hold what nobody should read.
pub(crate) fn job_json(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "key": job.key,
        "status": job.status.name(),
        "attempts": job.attempts,
        "run_at": told(job.run_at),
        "last_error": job.last_error,
        "created_at": told(job.created_at),
        "node": job.node,
    })
}

/// An entry of the audit log, of whichever call.
pub(crate) fn entry_json(entry: &AuditEntry) -> Value {
    let mut json = step_json(entry);
    json["call_sid"] = entry.call_sid.as_ref().map(CallSid::as_str).into();
    json
}

pub(crate) fn recording_json(recording: &Recording) -> Value {
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
