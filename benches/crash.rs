//! The drill of `make drill` in which gateways are killed: calls on two of them, behind a balancer, on one PostgreSQL; one is killed
//! (`kill -9`) every so often, and started again. `CALLGATE` names another binary, `CALLS`, `SECS` and `EVERY` size it. As a test it does
//! nothing: its short form is `tests/crash`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "../tests/support/account.rs"]
mod account;
#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/crash/drill.rs"]
mod drill;
#[path = "support/drill.rs"]
mod harness;
#[path = "../tests/support/port.rs"]
mod port;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/crash/rig.rs"]
mod rig;

use std::time::Duration;

use drill::{Outcome, Scale};
use harness::{binary, setting};

fn main() {
    harness::run("crash", "drill", run());
}

async fn run() -> bool {
    let binary = binary();
    let (calls, secs, every) = (setting("CALLS", 200), setting("SECS", 300), setting("EVERY", 20).max(1));
    let scale = Scale {
        calls: usize::try_from(calls).expect("calls"),
        kills: usize::try_from(secs / every).expect("kills"),
        every: Duration::from_secs(every),
        ramp: Duration::from_millis(50),
        questions: 3,
    };
    println!("== {calls} calls on two gateways, one of which is killed every {every} s: {} kills", scale.kills);
    let outcome = drill::drill(&binary, scale).await;
    tell(&outcome);
    outcome.faults.is_empty()
}

fn tell(outcome: &Outcome) {
    let (words, last) = (outcome.first_words_ms(), outcome.flows.len());
    let at = |percent: usize| {
        words.get((words.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    };
    let generations = outcome.rows.iter().map(|row| row.generation);
    println!("   {} calls, {} rows, {} further streams", last, outcome.rows.len(), words.len());
    println!(
        "   from a further stream's start to the agent's first word: median {} ms, p95 {} ms, p99 {} ms, worst {} ms",
        at(50),
        at(95),
        at(99),
        at(100)
    );
    let back: Vec<String> = outcome.back_within.iter().map(|took| format!("{:.1}", took.as_secs_f64())).collect();
    println!("   from a kill until every caller heard the agent again, s: {}", back.join(", "));
    println!(
        "   generations {} to {}; {} deliveries of call.started and call.ended",
        generations.clone().min().unwrap_or_default(),
        generations.max().unwrap_or_default(),
        outcome.deliveries
    );
    println!("   faults: {}", outcome.faults.len());
    for fault in outcome.faults.iter().take(10) {
        println!("   {fault}");
    }
}
