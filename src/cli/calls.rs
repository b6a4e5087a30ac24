//! `calls`: recent ones, or one with all that is known of it.

mod list;
mod waits;

use std::io::{self, Write};

use anyhow::Context;
use chrono::{DateTime, Utc};
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use serde_json::{Value, json};

use super::args::CallsArgs;
use super::client::open_existing;
use super::{Failure, table};
use crate::cli::screen::shown;
use crate::cli::transcript;
use crate::store::{CallTransfer, Figures, Recording, ToolRun};
use crate::time::{maybe_told, told};
use crate::trace_context::TraceId;
use crate::views::{WholeCall, recording_json, whole_call_json};
use crate::why;

/// Characters of a function's arguments, and of its result, that are shown.
const MOST_OF_A_RESULT: usize = 300;

/// Prints; false when the call that was asked for is not on record.
pub(super) async fn run(args: &CallsArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let store = open_existing(&args.database).await?;
    let Some(sid) = &args.call_sid else { return list::run(args, &store, screen).await.map(|()| true) };
    let sid = CallSid::new(sid);
    let Some(found) = store.call(&sid).await.context("looking the call up")? else {
        writeln!(screen, "There is no call {sid} on record: `callgate calls` lists the latest.")
            .map_err(anyhow::Error::from)?;
        return Ok(false);
    };
    let whole = WholeCall::of(&store, found).await.context("reading what there is of the call")?;
    let is_live = !whole.found.call.is_over();
    let printed = match args.json {
        _ if args.listen => listen(&whole, args.json, screen),
        true => writeln!(screen, "{:#}", whole_call_json(&whole, is_live)),
        false => show(&whole, screen),
    };
    Ok(printed.map(|()| true).map_err(anyhow::Error::from)?)
}

/// Where the sound of a call is, one recording a line, or why there is none.
fn listen(whole: &WholeCall, as_json: bool, screen: &mut impl Write) -> io::Result<()> {
    if as_json {
        let all: Vec<Value> = whole.recordings.iter().map(recording_json).collect();
        return writeln!(screen, "{:#}", json!({ "recordings": all }));
    }
    writeln!(screen, "{}", shown(&why::sound(&whole.recordings, !whole.found.call.is_over())))
}

fn secs(ms: Option<i64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0))
}

fn ms(value: Option<i64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"))
}

fn show(whole: &WholeCall, screen: &mut impl Write) -> io::Result<()> {
    let WholeCall { found, tools, transfers, recordings, outcome, steps } = whole;
    let call = &found.call;
    let number =
        |n: &Option<protocol::ids::PhoneNumber>| n.as_ref().map_or_else(|| "–".to_owned(), |n| n.reveal().to_owned());
    let when = |at: Option<DateTime<Utc>>| maybe_told(at).unwrap_or_else(|| "–".to_owned());
    let rows = [
        ("call", call.call_sid.to_string()),
        ("trace", TraceId::of(&call.call_sid).to_string()),
        ("client", found.client.clone().unwrap_or_else(|| "–".to_owned())),
        ("from", number(&call.parties.from)),
        ("to", number(&call.parties.to)),
        ("came in by", call.entry.map_or("–", |e| e.name()).to_owned()),
        ("status", call.status.clone()),
        ("end", call.ended_code.map_or("–", EndCode::name).to_owned()),
        ("why it ended", call.ended_why.clone().unwrap_or_else(|| "it has not".to_owned())),
        ("started", told(call.times.started_at)),
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
    waits::print(screen, &found.turns)?;
    if !tools.is_empty() {
        writeln!(screen, "\nFunctions")?;
        tools.iter().try_for_each(|run| writeln!(screen, "{}", tool(run)))?;
    }
    if !transfers.is_empty() {
        writeln!(screen, "\nHanded on")?;
        transfers.iter().try_for_each(|to| transfer(to, screen))?;
    }
    if !recordings.is_empty() {
        writeln!(screen, "\nRecordings")?;
        table::print(screen, &["status", "bytes", "where"], &recordings.iter().map(recording).collect::<Vec<_>>())?;
    }
    if let Some(known) = outcome {
        writeln!(screen, "\nOutcome")?;
        let told = known.outcome.as_ref().map(ToString::to_string).or_else(|| known.why.clone()).unwrap_or_default();
        writeln!(screen, "{:<8} {}", known.status.name(), shown(&told))?;
    }
    writeln!(screen, "\nTimeline")?;
    steps.iter().try_for_each(|step| {
        let what = format!("{}  {:<24} {:<12}", told(step.at), shown(&step.kind), shown(&step.outcome));
        writeln!(screen, "{}", format!("{what} {}", shown(&payload(&step.payload))).trim_end())
    })
}

/// What a step of the timeline tells, on one line.
pub(super) fn payload(payload: &Value) -> String {
    match payload {
        Value::Null => String::new(),
        Value::Object(map) if map.is_empty() => String::new(),
        told => told.to_string(),
    }
}

/// One function that was called: with what, and what it came to.
fn tool(run: &ToolRun) -> String {
    let short = |text: &str| shown(&text.chars().take(MOST_OF_A_RESULT).collect::<String>()).into_owned();
    let output = run.output.as_deref().map_or_else(|| "(nothing yet)".to_owned(), short);
    format!("{:8.2} s  {} {} -> {output}", run.at_ms as f64 / 1000.0, shown(&run.name), short(&run.arguments))
}

/// Where a caller was handed on to, why, and what became of it.
fn transfer(to: &CallTransfer, screen: &mut impl Write) -> io::Result<()> {
    let (name, outcome) =
        (to.destination.as_deref().unwrap_or("a person"), to.outcome.as_deref().unwrap_or("not told"));
    writeln!(screen, "{}  to {name}: {} ({})", told(to.at), shown(&to.reason), shown(outcome))?;
    to.summary.iter().try_for_each(|summary| writeln!(screen, "    {}", shown(summary)))
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
