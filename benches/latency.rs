//! How far what is told of callers' waits is from what both sides' own clocks say: many calls at once, on simulators of this process.
//! `cargo bench --bench latency`; `CALLS` (100) and `QUESTIONS` (5 each) size it. As a test it does nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot be set up must stop, and prints; it shares files with tests"
)]

#[path = "../tests/support/account.rs"]
mod account;
#[path = "../tests/calls/clocks.rs"]
mod clocks;
#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/support/gateway.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use support::{Gateway, Setup};

/// New calls come this far apart.
const APART: Duration = Duration::from_millis(50);
/// The bound for each part, and for the sum of the parts, ms.
const BOUND_MS: f64 = 5.0;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn main() {
    if !std::env::args().any(|word| word == "--bench") {
        return println!("latency: run it by `cargo bench --bench latency`");
    }
    let good = actix_rt::System::new().block_on(run(setting("CALLS", 100), setting("QUESTIONS", 5)));
    std::process::exit(i32::from(!good));
}

async fn run(calls: usize, questions: usize) -> bool {
    let gateway = Gateway::with(Setup::default()).await;
    let places = (0..calls).map(|number| {
        let gateway = &gateway;
        async move {
            tokio::time::sleep(APART * u32::try_from(number).expect("few")).await;
            clocks::place(gateway, number, questions).await
        }
    });
    let placed = join_all(places).await;
    let (mut off, mut worst_sum) = (BTreeMap::<&str, Vec<f64>>::new(), 0);
    for call in &placed {
        let record = gateway.record(&call.report.call_sid).await;
        for (part, ms) in clocks::off(call, &record, &gateway.model) {
            off.entry(part).or_default().push(ms);
        }
        for told in record.turns.iter().filter_map(|turn| turn.latency.as_deref().zip(turn.answer_ms)) {
            worst_sum = worst_sum.max(told.0.sent_ms().abs_diff(told.1));
        }
    }
    gateway.stop().await;
    println!("{calls} calls at once, {questions} questions each: ms off, told against both sides' own clocks");
    let mut good = worst_sum <= 1;
    for (part, mut ms) in off {
        ms.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| ms[(ms.len() * percent).div_ceil(100).saturating_sub(1)];
        println!("{part:>12}: p50 {:.1}, p99 {:.1}, worst {:.1} ({} answers)", at(50), at(99), at(100), ms.len());
        good &= at(99) <= BOUND_MS;
    }
    println!("parts against how long the answer took: {worst_sum} ms at worst");
    good
}
