//! What happened in a call and took no time: events of its root span.

use super::otlp::{KeyValue, Span};
use super::span::attribute;
use super::step::Step;
use super::tree::Record;
use crate::store::{AuditEntry, CallTransfer};

/// Steps that are told, and what of each: codes and counts, never a sentence.
const TOLD: [(&str, &[&str]); 13] = [
    ("call.first-audio", &["after_ms"]),
    ("call.interrupted", &["heard_ms", "unheard_ms"]),
    ("call.backchannel", &["length_ms"]),
    ("call.model-lost", &["refused"]),
    ("call.model-error", &["code", "answers"]),
    ("call.response-failed", &["code"]),
    ("call.response-incomplete", &["reason"]),
    ("call.answer-broken-off", &["by"]),
    ("call.resumed", &[]),
    ("call.taken_over", &["from", "generation"]),
    ("call.lost", &["code", "node"]),
    ("supervisor.restart", &["actor", "count"]),
    ("supervisor.give_up", &["actor", "count"]),
];

/// Puts them into the root.
pub(super) fn put(record: &Record<'_>, root: &mut Span) {
    for step in record.steps {
        if let Some((_, names)) = TOLD.iter().find(|(kind, _)| *kind == step.kind) {
            root.happened(step.at, &step.kind, names.iter().filter_map(|name| told(step, name)).collect());
        } else if Step::of(step) == Some(Step::Request) {
            let known_by = step.request_id.as_deref().map(|id| attribute("callgate.request_id", id));
            let outcome = attribute("callgate.outcome", step.outcome.as_str());
            root.happened(step.at, &step.kind, std::iter::once(outcome).chain(known_by).collect());
        }
    }
    for CallTransfer { at, destination, cause, outcome, .. } in record.transfers {
        let told = [
            destination.as_deref().map(|to| attribute("callgate.to", to)),
            Some(attribute("callgate.cause", cause.name())),
            outcome.as_deref().map(|outcome| attribute("callgate.outcome", outcome)),
        ];
        root.happened(*at, "call.transferred", told.into_iter().flatten().collect());
    }
}

fn told(step: &AuditEntry, name: &str) -> Option<KeyValue> {
    let key = format!("callgate.{name}");
    let value = step.payload.get(name)?;
    value
        .as_str()
        .map(|text| attribute(&key, text))
        .or_else(|| value.as_i64().map(|number| attribute(&key, number)))
        .or_else(|| value.as_bool().map(|flag| attribute(&key, flag)))
}
