//! `calls`: recent ones, or one with all that is known of it.

use std::io::{self, Write};

use anyhow::Context;
use chrono::{DateTime, Utc};
use protocol::call::end::EndCode;
use protocol::ids::CallSid;

use super::args::CallsArgs;
use super::client::open_existing;
use super::{Failure, table};
use crate::cli::screen::shown;
use crate::cli::transcript;
use crate::store::{AuditEntry, Call, CallWithTurns, Figures, Recording, ToolRun};

/// Characters of a function's arguments, and of its result, that are shown.
const MOST_OF_A_RESULT: usize = 300;

/// Prints; false when the call that was asked for is not on record.
pub(super) async fn run(args: &CallsArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let store = open_existing(&args.database).await?;
    let Some(sid) = &args.call_sid else {
        let calls = store.recent_calls(args.limit.max(1)).await.context("listing the calls")?;
        return Ok(list(&calls, screen).map(|()| true).map_err(anyhow::Error::from)?);
    };
    let sid = CallSid::new(sid);
    let Some(found) = store.call(&sid).await.context("looking the call up")? else {
        writeln!(screen, "There is no call {sid} on record: `callgate calls` lists the latest.")
            .map_err(anyhow::Error::from)?;
        return Ok(false);
    };
    let events = store.audit_of_call(&sid).await.context("reading the call's audit")?;
    let recordings = store.recordings_of_call(&sid).await.context("reading the call's recordings")?;
    let tools = store.tools_of_call(&found.call).await.context("reading the call's functions")?;
    show(&found, &tools, &recordings, &events, screen).map_err(anyhow::Error::from)?;
    Ok(true)
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn secs(ms: Option<i64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0))
}

fn ms(value: Option<i64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"))
}

fn list(calls: &[(Call, Option<String>)], screen: &mut impl Write) -> io::Result<()> {
    if calls.is_empty() {
        return writeln!(screen, "No calls yet.");
    }
    let rows: Vec<Vec<String>> = calls
        .iter()
        .map(|(call, client)| {
            vec![
                time(call.times.started_at),
                call.call_sid.to_string(),
                client.clone().unwrap_or_else(|| "–".to_owned()),
                call.status.clone(),
                secs(call.figures.duration_ms),
                call.ended_code.map_or("–", EndCode::name).to_owned(),
                call.ended_why.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table::print(screen, &["started", "call", "client", "status", "duration", "end", "why it ended"], &rows)
}

fn show(
    found: &CallWithTurns,
    tools: &[ToolRun],
    recordings: &[Recording],
    events: &[AuditEntry],
    screen: &mut impl Write,
) -> io::Result<()> {
    let call = &found.call;
    let number =
        |n: &Option<protocol::ids::PhoneNumber>| n.as_ref().map_or_else(|| "–".to_owned(), |n| n.reveal().to_owned());
    let when = |at: Option<DateTime<Utc>>| at.map_or_else(|| "–".to_owned(), time);
    let rows = [
        ("call", call.call_sid.to_string()),
        ("client", found.client.clone().unwrap_or_else(|| "–".to_owned())),
        ("from", number(&call.parties.from)),
        ("to", number(&call.parties.to)),
        ("came in by", call.entry.map_or("–", |e| e.name()).to_owned()),
        ("status", call.status.clone()),
        ("end", call.ended_code.map_or("–", EndCode::name).to_owned()),
        ("why it ended", call.ended_why.clone().unwrap_or_else(|| "it has not".to_owned())),
        ("started", time(call.times.started_at)),
        ("media", when(call.times.media_at)),
        ("ended", when(call.times.ended_at)),
    ];
    table::pairs(screen, &rows)?;
    writeln!(screen, "\nFigures")?;
    table::pairs(screen, &figures(&call.figures))?;
    transcript::print(screen, &found.turns)?;
    if found.turns.is_empty() {
        writeln!(screen, "(nobody spoke)")?;
    }
    if !tools.is_empty() {
        writeln!(screen, "\nFunctions")?;
        tools.iter().try_for_each(|run| writeln!(screen, "{}", tool(run)))?;
    }
    if !recordings.is_empty() {
        writeln!(screen, "\nRecordings")?;
        table::print(screen, &["status", "bytes", "where"], &recordings.iter().map(recording).collect::<Vec<_>>())?;
    }
    writeln!(screen, "\nTimeline")?;
    events.iter().try_for_each(|event| {
        writeln!(screen, "{}  {:<24} {}", time(event.at), shown(&event.kind), shown(&event.outcome))
    })
}

/// One function that was called: with what, and what it came to.
fn tool(run: &ToolRun) -> String {
    let short = |text: &str| shown(&text.chars().take(MOST_OF_A_RESULT).collect::<String>()).into_owned();
    let output = run.output.as_deref().map_or_else(|| "(nothing yet)".to_owned(), short);
    format!("{:8.2} s  {} {} -> {output}", run.at_ms as f64 / 1000.0, shown(&run.name), short(&run.arguments))
}

fn recording(recording: &Recording) -> Vec<String> {
    let bytes = recording.bytes.map_or_else(|| "–".to_owned(), |bytes| bytes.to_string());
    let at = recording.stored_url.as_ref().unwrap_or(&recording.source_url);
    let why = recording.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    vec![recording.status.name().to_owned(), bytes, format!("{at}{why}")]
}

fn figures(figures: &Figures) -> Vec<(&'static str, String)> {
    let count = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    let tokens = figures.tokens.map_or_else(
        || "–".to_owned(),
        |t| {
            format!(
                "in {} text ({} cached), {} audio ({} cached); out {} text, {} audio",
                t.input_text, t.cached_text, t.input_audio, t.cached_audio, t.output_text, t.output_audio
            )
        },
    );
    vec![
        ("duration", secs(figures.duration_ms)),
        ("caller spoke", secs(figures.caller_talk_ms)),
        ("agent was heard", secs(figures.agent_talk_ms)),
        ("turns", count(figures.turn_count.map(i64::from))),
        ("interruptions", count(figures.interruptions.map(i64::from))),
        ("first audio after media start", ms(figures.first_audio_ms)),
        (
            "answer after the caller's last word",
            format!(
                "p50 {}, p95 {}, max {}",
                ms(figures.answer_p50_ms),
                ms(figures.answer_p95_ms),
                ms(figures.answer_max_ms)
            ),
        ),
        ("generated and never heard", secs(figures.unheard_ms)),
        ("model reconnects", count(figures.model_reconnects.map(i64::from))),
        ("frames lost or late", count(figures.frames_lost)),
        ("tokens", tokens),
        (
            "estimated cost",
            figures.cost_microusd.map_or_else(|| "–".to_owned(), |c| format!("${:.4}", c as f64 / 1_000_000.0)),
        ),
    ]
}
