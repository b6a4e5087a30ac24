//! `make siege`: attacks on a release build with live calls, and a table of what they cost. `CALLGATE` names another binary, `ROUNDS`,
//! `SECS` and `CALLS` size it. As a test it does nothing: its short form is `tests/siege`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "../tests/support/account.rs"]
mod account;
#[path = "../tests/siege/attacks.rs"]
mod attacks;
#[path = "support/drill.rs"]
mod harness;
#[path = "../tests/support/port.rs"]
mod port;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/siege/rig.rs"]
mod rig;
#[path = "../tests/siege/siege.rs"]
mod siege;

use std::time::Duration;

use attacks::Attack;
use harness::{binary, setting};
use rig::Ground;
use siege::{Outcome, Scale, besiege, refuse};

/// Refused call-starts, all in all.
const REFUSED: usize = 60_000;
/// The worst hundredth of added latency that a live call may have, ms, or twice that of a calm gateway.
const BOUND_MS: f64 = 10.0;

fn main() {
    harness::run("siege", "siege", run());
}

async fn run() -> bool {
    let binary = binary();
    let (rounds, secs, live) = (setting("ROUNDS", 3), setting("SECS", 30), setting("CALLS", 50));
    let ground = Ground { soft_files: None, max_calls: 1_000 };
    let attacks = [
        (Attack::WorstTexts { a_second: 200 }, ground),
        (Attack::IdleConnections { count: 1_100 }, Ground { soft_files: Some(1_024), ..ground }),
        (Attack::KeyPresses { a_second: 2_000 }, ground),
        (Attack::NoMedia { a_second: 17 }, ground),
    ];
    println!(
        "{live} live calls, {secs} s an attack, median of {rounds} rounds; p99 is of the added latency, the worse way, in ms\n"
    );
    println!("| attack | sent | p99 without | p99 under it | live calls lost | honest callers heard | audit lost | |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut held = true;
    for (attack, ground) in attacks {
        let scale = Scale { live: live as usize, secs, calm: true };
        let mut outcomes = Vec::new();
        for _ in 0..rounds {
            outcomes.push(besiege(&binary, ground, attack, scale).await);
        }
        held &= row(attack, &outcomes);
    }
    let residue = refuse(&binary, REFUSED, Duration::from_secs(300)).await;
    let (sent, grew) = (residue.done.sent, residue.database_grew);
    let (before, after) = (residue.rss_before_kib, residue.rss_after_kib);
    let fits = after * 10 <= before * 11 && grew <= sent * 1024;
    println!(
        "\n{sent} refused call-starts ({:?}): memory {before} KiB, then {after} KiB; the database grew by {grew} bytes, {} a refusal: {}",
        residue.done.answers,
        grew / sent.max(1),
        verdict(fits)
    );
    held && fits
}

fn verdict(held: bool) -> &'static str {
    if held { "held" } else { "**NOT HELD**" }
}

fn row(attack: Attack, outcomes: &[Outcome]) -> bool {
    let median = |of: &dyn Fn(&Outcome) -> Option<f64>| {
        let mut all: Vec<f64> = outcomes.iter().filter_map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let calm = median(&|outcome| Outcome::p99_ms(outcome.calm.as_ref()?.as_ref().ok()?));
    let under = median(&|outcome| Outcome::p99_ms(outcome.live.as_ref().ok()?));
    let lost: u64 = outcomes.iter().map(|outcome| outcome.lost()).fold(0, u64::saturating_add);
    let (served, honest) = outcomes
        .iter()
        .fold((0, 0), |(served, honest), outcome| (served + outcome.served(), honest + outcome.honest.len()));
    let audit_lost = outcomes.iter().map(|outcome| outcome.audit_lost).fold(0.0, |sum, lost| sum + lost);
    let sent: u64 = outcomes.iter().map(|outcome| outcome.done.sent).sum();
    let in_time = under.zip(calm).is_some_and(|(under, calm)| under <= BOUND_MS.max(2.0 * calm));
    let held = in_time && lost == 0 && served == honest && audit_lost == 0.0;
    let ms = |ms: Option<f64>| ms.map_or("not measured".to_owned(), |ms| format!("{ms:.1}"));
    println!(
        "| {} | {sent} | {} | {} | {lost} | {served} of {honest} | {audit_lost} | {} |",
        attack.words(),
        ms(calm),
        ms(under),
        verdict(held)
    );
    if !held {
        for trouble in outcomes.iter().flat_map(Outcome::troubles).take(5) {
            println!("|   {trouble} | | | | | | | |");
        }
    }
    held
}
