//! How long the caller waited for what they heard: a span an answer, and below it its parts, one behind the other.

use chrono::TimeDelta;
use protocol::call::fact::Turn;
use protocol::call::latency::{Awaited, Latency};

use super::otlp::{Kind, Span};
use super::tree::Record;
use crate::trace_context::SpanOf;

/// Those of one turn: none, where nobody waited for it.
pub(super) fn spans(record: &Record<'_>, turn: &Turn) -> Vec<Span> {
    let Some(latency) = turn.latency.as_deref() else { return Vec::new() };
    let Some(from) = record.at_ms(latency.from_ms) else { return Vec::new() };
    let at = |ms: u64| from + TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(0));
    let id = turn.index;
    let name = match latency.of {
        Awaited::Turn => "answer",
        Awaited::Greeting => "greeting",
        Awaited::Tool => "tool answer",
        Awaited::Nudge => "nudge",
    };
    let of = SpanOf::Part(format_args!("answer/{id}"));
    let answer = Span::new(record.trace(), of, name, from, at(latency.whole_ms()));
    let answer = described(answer, latency, turn);
    let mut spans: Vec<Span> = latency
        .parts
        .spans()
        .map(|(part, begins, ms)| {
            let of = SpanOf::Part(format_args!("answer/{id}/{}", part.name()));
            Span::new(record.trace(), of, part.name(), at(begins), at(begins + ms)).below(&answer)
        })
        .collect();
    spans.insert(0, answer);
    spans
}

fn described(span: Span, latency: &Latency, turn: &Turn) -> Span {
    let largest = latency.largest();
    span.kind_of(Kind::Internal)
        .with("callgate.turn", i64::from(turn.index))
        .with("callgate.awaited", latency.of.name())
        .with("callgate.heard", latency.heard)
        .with_known("callgate.largest_part", largest.map(|(part, _)| part.name()))
        .with_known("callgate.owner", largest.map(|(_, owner)| owner.name()))
        .with_known("callgate.owner_setting", largest.and_then(|(_, owner)| owner.setting()))
        .with_known("callgate.network_ms", latency.network_ms)
        .with_known("callgate.carrier_echo_ms", latency.carrier_echo_ms)
}
