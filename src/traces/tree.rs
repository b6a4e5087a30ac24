//! A call's spans, from what is on record of it. Times, codes and counts: no number, no word that anybody said, nothing that a function
//! was called with.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::end::{EndCode, EndedBy};
use protocol::call::fact::{Turn, Who};
use serde_json::Value as Json;

use super::otlp::{Kind, Span};
use super::step::Step;
use super::{answers, events, tools};
use crate::store::{AuditEntry, Call, CallTransfer, Entry};
use crate::trace_context::{SpanOf, TraceId};

/// The status of a call that came to nothing, whoever says so.
const FAILED: &str = "failed";

/// All that a trace is made of.
pub(super) struct Record<'a> {
    pub(super) call: &'a Call,
    pub(super) client: Option<&'a str>,
    pub(super) model: &'a str,
    pub(super) turns: &'a [Turn],
    /// Oldest first.
    pub(super) steps: &'a [AuditEntry],
    pub(super) transfers: &'a [CallTransfer],
}

impl Record<'_> {
    pub(super) fn trace(&self) -> TraceId {
        TraceId::of(&self.call.call_sid)
    }

    /// Whether the caller did not get what they called for.
    pub(super) fn failed(&self) -> bool {
        self.call.status == FAILED || self.call.ended_code.is_some_and(|code| code.status() == FAILED)
    }

    fn of(&self, what: Step) -> impl Iterator<Item = &AuditEntry> {
        self.steps.iter().filter(move |step| Step::of(step) == Some(what))
    }

    /// That many ms into the call; none before its first stream.
    pub(super) fn at_ms(&self, ms: u64) -> Option<DateTime<Utc>> {
        self.call.times.media_at?.checked_add_signed(TimeDelta::try_milliseconds(i64::try_from(ms).ok()?)?)
    }

    /// When it was over. The carrier's clock is not ours, and knows seconds.
    pub(super) fn ended_at(&self) -> DateTime<Utc> {
        let times = &self.call.times;
        let ours = times.ended_at.filter(|_| times.ended_at_source == Some(EndedBy::Gateway));
        let told = || self.of(Step::Ended).last().map(|step| step.at);
        ours.or_else(told).or(times.ended_at).unwrap_or(times.started_at).max(times.started_at)
    }
}

/// What a step tells under that name, if it is a number.
pub(super) fn number(step: &AuditEntry, name: &str) -> Option<u64> {
    step.payload.get(name).and_then(Json::as_u64)
}

/// The spans, the root first.
pub(super) fn spans(record: &Record<'_>) -> Vec<Span> {
    let mut root = root(record);
    events::put(record, &mut root);
    let mut below: Vec<Span> = admission(record).into_iter().chain(context(record)).collect();
    below.extend(dials(record));
    below.extend(streams(record));
    below.extend(record.turns.iter().filter_map(|turn| speech(record, turn)));
    below.extend(record.turns.iter().flat_map(|turn| answers::spans(record, turn)));
    below.extend(tools::spans(record));
    below.iter().for_each(|span| root.reach(span));
    std::iter::once(root).chain(below).collect()
}

fn root(record: &Record<'_>) -> Span {
    let Call { call_sid, client_id, entry, status, ended_code, ownership, times, figures, .. } = record.call;
    let code = ended_code.map_or("unknown", EndCode::name);
    let tokens = figures.tokens;
    let root = Span::new(record.trace(), SpanOf::Call, "call", times.started_at, record.ended_at())
        .kind_of(Kind::Server)
        .with("gen_ai.operation.name", "invoke_agent")
        .with("gen_ai.provider.name", "openai")
        .with("gen_ai.request.model", record.model)
        .with("gen_ai.conversation.id", call_sid.as_str())
        .with_known("gen_ai.agent.name", record.client)
        .with_known("gen_ai.usage.input_tokens", tokens.map(|tokens| tokens.input_text + tokens.input_audio))
        .with_known("gen_ai.usage.output_tokens", tokens.map(|tokens| tokens.output_text + tokens.output_audio))
        .with_known(
            "gen_ai.usage.cache_read.input_tokens",
            tokens.map(|tokens| tokens.cached_text + tokens.cached_audio),
        )
        .with("callgate.call_sid", call_sid.as_str())
        .with_known("callgate.client", *client_id)
        .with_known("callgate.entry", entry.map(Entry::name))
        .with("callgate.status", status.as_str())
        .with("callgate.end_code", code)
        .with_known("callgate.node", ownership.owner.as_ref().map(|node| node.as_str()))
        .with("callgate.streams", i64::from(ownership.streams))
        .with_known("callgate.duration_ms", figures.duration_ms)
        .with_known("callgate.first_audio_ms", figures.first_audio_ms)
        .with_known("callgate.answer_p50_ms", figures.answer_p50_ms)
        .with_known("callgate.answer_p95_ms", figures.answer_p95_ms)
        .with_known("callgate.answer_max_ms", figures.answer_max_ms)
        .with_known("callgate.turns", figures.turn_count.map(i64::from))
        .with_known("callgate.interruptions", figures.interruptions.map(i64::from))
        .with_known("callgate.unheard_ms", figures.unheard_ms)
        .with_known("callgate.model_reconnects", figures.model_reconnects.map(i64::from))
        .with_known("callgate.frames_lost", figures.frames_lost)
        .with_known("callgate.cost_usd", figures.cost_microusd.map(|micro| micro as f64 / 1_000_000.0));
    root.failed_if(record.failed(), code)
}

/// From the first request to its answer.
fn admission(record: &Record<'_>) -> Option<Span> {
    let began = record.call.times.started_at;
    let hook = record.call.entry.map(|entry| match entry {
        Entry::CallStart => "webhook.call-start",
        Entry::Voicebot => "webhook.voicebot",
        Entry::Static => "media.start",
    })?;
    let answered = record.steps.iter().find(|step| step.kind == hook && step.at >= began)?;
    let span = Span::new(record.trace(), SpanOf::Part(format_args!("admission")), "admission", began, answered.at)
        .kind_of(Kind::Server)
        .with("callgate.webhook", hook)
        .with("callgate.outcome", answered.outcome.as_str());
    Some(span.with_known("callgate.request_id", answered.request_id.as_deref()))
}

/// The client is asked who calls, while the model is dialled.
fn context(record: &Record<'_>) -> Option<Span> {
    let answered = record.of(Step::ContextTold).next()?;
    let took = number(answered, "took_ms").and_then(|ms| TimeDelta::try_milliseconds(i64::try_from(ms).ok()?));
    let dialled = record.of(Step::ModelDialled).next().map_or(record.call.times.started_at, |step| step.at);
    let began = took.map_or(dialled, |took| answered.at - took);
    let outcome = answered.payload["came_to"].as_str().unwrap_or(&answered.outcome);
    let failed = took.is_some();
    let span = Span::new(record.trace(), SpanOf::Context, "context", began, answered.at).kind_of(Kind::Client);
    Some(span.with("callgate.outcome", outcome).failed_if(failed, outcome))
}

/// Connections to the model: each until it took our configuration, or was lost.
fn dials(record: &Record<'_>) -> Vec<Span> {
    let steps = record.steps;
    let dialled = |step: &AuditEntry| Step::of(step) == Some(Step::ModelDialled);
    let mut spans = Vec::new();
    for (index, dial) in steps.iter().enumerate().filter(|(_, step)| dialled(step)) {
        let attempt = number(dial, "attempt").unwrap_or(0);
        let rest = steps.iter().skip(index + 1);
        let mut behind = rest.take_while(|step| !dialled(step));
        // A session may be lost while the one that follows it is dialled.
        let ready = behind.clone().find(|step| Step::of(step) == Some(Step::ModelReady));
        let mut lost = || behind.find(|step| Step::of(step) == Some(Step::ModelLost));
        let (outcome, until) = match ready {
            Some(ready) => ("ready", ready.at),
            None => lost().map_or(("unfinished", record.ended_at()), |lost| ("lost", lost.at)),
        };
        // Of two gateways that dialled alike both are told.
        let id = format_args!("dial/{attempt}/{}", dial.at.timestamp_micros()).to_string();
        let span = Span::new(record.trace(), SpanOf::Part(format_args!("{id}")), "model dial", dial.at, until)
            .kind_of(Kind::Client)
            .with("gen_ai.request.model", record.model)
            .with("callgate.dial.attempt", attempt)
            .with("callgate.outcome", outcome);
        spans.push(span.failed_if(outcome == "lost", outcome));
    }
    spans
}

/// The carrier's media streams, one after another.
fn streams(record: &Record<'_>) -> Vec<Span> {
    let ends = |step: &&AuditEntry| {
        matches!(Step::of(step), Some(Step::Ended | Step::Lost | Step::TakenOver | Step::MediaStarted))
    };
    let started = record.steps.iter().enumerate().filter(|(_, step)| Step::of(step) == Some(Step::MediaStarted));
    let span = |(number_of, (index, step)): (usize, (usize, &AuditEntry))| {
        let end = record.steps.iter().skip(index + 1).find(ends);
        let until = end.map_or_else(|| record.ended_at(), |step| step.at);
        let number_of = number_of as u64 + 1;
        Span::new(record.trace(), SpanOf::Part(format_args!("stream/{number_of}")), "media stream", step.at, until)
            .with("callgate.stream", number_of)
            .with_known("callgate.stream_sid", step.payload["stream_sid"].as_str())
            .with_known("callgate.rate_hz", number(step, "rate_hz"))
            .with_known("callgate.end_code", end.and_then(|step| step.payload["code"].as_str()))
    };
    started.enumerate().map(span).collect()
}

/// Who was heard when. Not what they said.
fn speech(record: &Record<'_>, turn: &Turn) -> Option<Span> {
    let Turn { index, who, at_ms, heard_ms, generated_ms, interrupted, answer_ms, clip, backchannel, .. } = turn;
    let (from, to) = (record.at_ms(*at_ms)?, record.at_ms(at_ms.saturating_add(*heard_ms))?);
    let is_agent = *who == Who::Agent;
    let name = if is_agent { "agent speaking" } else { "caller speaking" };
    let span = Span::new(record.trace(), SpanOf::Part(format_args!("turn/{index}")), name, from, to)
        .with("callgate.turn", i64::from(*index))
        .with("callgate.heard_ms", *heard_ms);
    Some(match is_agent {
        true => span
            .with("callgate.generated_ms", *generated_ms)
            .with("callgate.interrupted", *interrupted)
            .with("callgate.clip", *clip)
            .with_known("callgate.answer_ms", *answer_ms),
        false => span.with("callgate.backchannel", *backchannel),
    })
}
