//! A list of calls: the latest, or those that come.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use protocol::call::end::EndCode;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::args::CallsArgs;
use crate::cli::client::find_id;
use crate::cli::{Failure, table};
use crate::store::{Call, CallPage, MOST_FOLLOWED, Store};
use crate::time::told;
use crate::views::call_json;

/// A call and its client's name.
type Named = (Call, Option<String>);

const HEADING: [&str; 9] =
    ["started", "call", "client", "caller", "phase", "status", "duration", "end", "why it ended"];
/// How often who follows looks again.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// Prints the calls that are asked for, and goes on if that is.
pub(super) async fn run(args: &CallsArgs, store: &Store, screen: &mut impl Write) -> Result<(), Failure> {
    let page = page(args, store).await?;
    if args.follow {
        return follow(args, store, page, screen).await;
    }
    let calls = store.calls_page(page).await.context("listing the calls")?;
    let now = Utc::now();
    let printed = match (args.json, calls.is_empty()) {
        (true, _) => writeln!(screen, "{:#}", json!({ "calls": calls.iter().map(as_json).collect::<Vec<_>>() })),
        (false, true) => writeln!(screen, "{}", if asks(args) { "No such calls." } else { "No calls yet." }),
        (false, false) => {
            let rows: Vec<_> = calls.iter().map(|(call, client)| row(call, client.as_deref(), now)).collect();
            table::print(screen, &HEADING, &rows)
        }
    };
    Ok(printed.map_err(anyhow::Error::from)?)
}

/// Whether only some of the calls are asked for.
fn asks(args: &CallsArgs) -> bool {
    let filters = &args.filters;
    let of_time = args.span.since.is_some() || args.span.until.is_some();
    let of_kind = filters.live || filters.status.is_some() || filters.ended.is_some() || filters.slow.is_some();
    args.which.client.is_some() || of_time || of_kind
}

async fn page(args: &CallsArgs, store: &Store) -> Result<CallPage, Failure> {
    let client = find_id(store, args.which.client.as_deref()).await?;
    let filters = &args.filters;
    Ok(CallPage {
        client,
        status: filters.status.clone(),
        live: filters.live,
        ended: filters.ended,
        slow_ms: filters.slow,
        since: args.span.since,
        until: args.span.until,
        after: None,
        limit: args.which.limit,
    })
}

/// Prints the latest calls, each further one when it starts, and each when it ends.
async fn follow(args: &CallsArgs, store: &Store, asked: CallPage, screen: &mut impl Write) -> Result<(), Failure> {
    // Which calls are looked at does not hang on what they are like by now.
    let latest = CallPage { live: false, status: None, ended: None, slow_ms: None, ..asked.clone() };
    let mut calls = store.calls_page(latest).await.context("listing the calls")?;
    let (mut followed, mut lines) = (Followed::default(), table::Lines::new(&HEADING));
    let mut looks = interval(LOOKS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if !args.json {
        lines.print(screen, &HEADING.map(str::to_owned)).map_err(anyhow::Error::from)?;
    }
    loop {
        let now = Utc::now();
        for named in calls.iter().rev() {
            let (call, client) = named;
            if !followed.is_news(call, now) || !is_asked_for(&asked, call) {
                continue;
            }
            match args.json {
                true => writeln!(screen, "{}", as_json(named)),
                false => lines.print(screen, &row(call, client.as_deref(), now)),
            }
            .map_err(anyhow::Error::from)?;
        }
        screen.flush().map_err(anyhow::Error::from)?;
        looks.tick().await;
        // A database that is away for a moment is asked again.
        calls = store.calls_followed(asked.client, followed.last, followed.open()).await.unwrap_or_default();
    }
}

/// Whether a call is what is asked for, by its row as it is now.
fn is_asked_for(asked: &CallPage, call: &Call) -> bool {
    let waited = call.figures.answer_max_ms.max(call.figures.first_audio_ms);
    (!asked.live || !call.is_over())
        && asked.status.as_ref().is_none_or(|status| call.status == *status)
        && asked.ended.is_none_or(|code| call.ended_code == Some(code))
        && asked.slow_ms.is_none_or(|slow| waited.is_some_and(|waited| waited >= slow))
}

/// What who follows was told.
#[derive(Default)]
struct Followed {
    /// The latest row.
    last: i64,
    /// Calls whose end is waited for, and when the one before was, if there was one.
    open: HashMap<i64, Option<DateTime<Utc>>>,
}

impl Followed {
    /// Whether it started, ended or went on since it was told of last.
    fn is_news(&mut self, call: &Call, now: DateTime<Utc>) -> bool {
        let ended = call.times.ended_at.filter(|_| call.is_over());
        let is_new = call.id > self.last;
        let is_news = is_new || self.open.get(&call.id).is_some_and(|told| *told != ended);
        self.last = self.last.max(call.id);
        if call.is_over() && call.is_over_for_good(now) {
            self.open.remove(&call.id);
        } else {
            self.open.insert(call.id, ended);
        }
        is_news
    }

    /// The latest of those whose end is waited for.
    fn open(&mut self) -> Vec<i64> {
        let mut open: Vec<i64> = self.open.keys().copied().collect();
        open.sort_unstable_by(|a, b| b.cmp(a));
        for forgotten in open.split_off(open.len().min(MOST_FOLLOWED.into())) {
            self.open.remove(&forgotten);
        }
        open
    }
}

fn as_json((call, client): &Named) -> Value {
    call_json(call, client.as_deref(), !call.is_over())
}

fn row(call: &Call, client: Option<&str>, now: DateTime<Utc>) -> Vec<String> {
    // Of a call that is not over: its age.
    let age = || (now - call.times.started_at).num_milliseconds().max(0);
    let caller = call.parties.from.as_ref().or(call.parties.from_raw.as_ref());
    vec![
        told(call.times.started_at),
        call.call_sid.to_string(),
        client.unwrap_or("–").to_owned(),
        // Its last digits: a screen is looked at over shoulders.
        caller.map_or_else(|| "–".to_owned(), ToString::to_string),
        phase(call, now).to_owned(),
        call.status.clone(),
        super::secs(call.figures.duration_ms.or_else(|| (!call.is_over()).then(age))),
        call.ended_code.map_or("–", EndCode::name).to_owned(),
        call.ended_why.clone().unwrap_or_default(),
    ]
}

/// How far a call is, by its row.
fn phase(call: &Call, now: DateTime<Utc>) -> &'static str {
    match (call.is_over(), call.times.media_at) {
        (true, _) if call.is_over_for_good(now) => "over",
        (true, _) => "may return",
        (false, None) => "waiting",
        (false, Some(_)) => "talking",
    }
}

#[cfg(test)]
mod tests;
