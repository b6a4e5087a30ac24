//! Which facts are steps of a call's life, and how the audit log tells them.

use actors::SupervisorEvent;
use chrono::{DateTime, Utc};
use protocol::call::end::Ended;
use protocol::call::fact::{BrokenBy, Fact, ToolCall};
use protocol::ids::CallSid;
use protocol::realtime::event_id::EventKind;
use protocol::realtime::failure::ProviderRefusal;
use serde_json::{Value, json};

use crate::store::{AuditEntry, Call, NodeId};

/// The entry of a fact; none for what figures and turns tell already.
pub(crate) fn entry(call: &CallSid, at: DateTime<Utc>, fact: &Fact) -> Option<AuditEntry> {
    let (kind, outcome, payload): (_, &str, Value) = match fact {
        Fact::MediaStarted { stream, rate, at_ms, .. } => {
            ("call.media-started", "ok", json!({ "stream_sid": stream.as_str(), "rate_hz": rate.hz(), "at_ms": at_ms }))
        }
        Fact::ModelDialled { attempt } => ("call.model-dialled", "ok", json!({ "attempt": attempt })),
        Fact::ModelReady { after_ms } => ("call.model-ready", "ok", json!({ "after_ms": after_ms })),
        Fact::Resumed => ("call.resumed", "ok", json!({})),
        Fact::ModelLost { cause, refused } => {
            let refused_for = refused.map(ProviderRefusal::name);
            let told = json!({ "cause": cause, "refused": refused.is_some(), "refused_for": refused_for });
            ("call.model-lost", "failed", told)
        }
        Fact::FirstAudio { after_ms } => ("call.first-audio", "ok", json!({ "after_ms": after_ms })),
        Fact::Interrupted { heard_ms, unheard_ms, at_ms, .. } => {
            ("call.interrupted", "ok", json!({ "at_ms": at_ms, "heard_ms": heard_ms, "unheard_ms": unheard_ms }))
        }
        Fact::Backchannel { at_ms, length_ms, .. } => {
            ("call.backchannel", "ok", json!({ "at_ms": at_ms, "length_ms": length_ms }))
        }
        Fact::ToolCalled(ToolCall { id, call_id, name, arguments, .. }) => {
            let told = json!({ "number": id.0, "call_id": call_id, "name": name, "arguments": arguments });
            ("call.tool-called", "ok", told)
        }
        Fact::ToolReturned { id, call_id, output } => {
            ("call.tool-returned", "ok", json!({ "number": id.0, "call_id": call_id, "output": output }))
        }
        Fact::ToolReturnedLate { words, .. } => ("call.tool-returned-late", "ok", json!({ "words": words })),
        // Which key it was may be a digit of somebody's card.
        Fact::Dtmf { .. } => ("call.key-pressed", "ok", json!({})),
        Fact::KeysCollected { secret, asked } => {
            ("call.keys-collected", "ok", json!({ "secret": secret, "asked": asked }))
        }
        Fact::ResponseFailed { code } => ("call.response-failed", "failed", json!({ "code": code })),
        Fact::ResponseIncomplete { reason } => ("call.response-incomplete", "failed", json!({ "reason": reason })),
        Fact::BrokenOff { by, .. } => {
            let outcome = if *by == BrokenBy::CallEnded { "ok" } else { "failed" };
            ("call.answer-broken-off", outcome, json!({ "by": by.name() }))
        }
        Fact::ModelError { code, message, answers } => {
            let answers = answers.map(EventKind::name);
            ("call.model-error", "failed", json!({ "code": code, "message": message, "answers": answers }))
        }
        // What it says of the caller is the client's own.
        Fact::ContextKnown(context) => {
            ("call.context", "ok", json!({ "variables": context.variables.keys().collect::<Vec<_>>() }))
        }
        Fact::Counted { what, count } => ("call.counted", "ok", json!({ "what": what, "count": count })),
        // Here nothing more is told of it.
        Fact::Ended(Ended::TakenOver) => return None,
        Fact::Ended(ended) => {
            ("call.ended", ended.status(), json!({ "code": ended.code().name(), "why": ended.words() }))
        }
        Fact::CallerSpoke { .. }
        | Fact::CallerStopped { .. }
        | Fact::CallerText { .. }
        | Fact::Answered { .. }
        | Fact::Latency(_)
        | Fact::AgentBegan { .. }
        | Fact::ClipBegan { .. }
        | Fact::Nudged { .. }
        | Fact::ContextAsked { .. }
        | Fact::AgentText { .. }
        | Fact::PlaybackBegan { .. }
        | Fact::Heard { .. }
        | Fact::KeysEntered { .. }
        | Fact::Left(_)
        | Fact::Turn(_)
        | Fact::Usage(_) => return None,
    };
    Some(AuditEntry::step(call, at, kind, outcome, payload))
}

/// The entry of a call whose record waited for the database, from then on and for so long.
pub(crate) fn record_waited(call: &CallSid, since: DateTime<Utc>, for_ms: u64, is_disk_full: bool) -> AuditEntry {
    let told = json!({ "for_ms": for_ms, "disk_full": is_disk_full });
    AuditEntry::step(call, since, "call.record-waited", "failed", told)
}

/// The entry of a call that another gateway had, or nobody that is known.
pub(crate) fn taken_over(was: &Call, generation: i32, from: Option<&NodeId>) -> AuditEntry {
    let told = json!({ "from": from.map(NodeId::as_str), "generation": generation });
    AuditEntry::step(&was.call_sid, Utc::now(), "call.taken_over", "ok", told)
}

/// The entry of a supervisor's event.
pub(crate) fn supervisor_entry(call: &CallSid, at: DateTime<Utc>, event: &SupervisorEvent<'_>) -> AuditEntry {
    let SupervisorEvent { actor, cause, count, fault, .. } = event;
    let told = json!({ "actor": actor, "cause": cause, "count": count });
    AuditEntry::step(call, at, format!("supervisor.{}", event.step.name()), if *fault { "failed" } else { "ok" }, told)
}
