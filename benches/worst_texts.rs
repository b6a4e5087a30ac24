//! The worst texts through everything that reads what strangers send, 64 KiB each: how long the worst of them takes every reader.
//!
//! Run by itself it fails when one takes 5 ms: so long no call is served by that thread.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "../protocol/tests/worst_texts/table.rs"]
mod table;
#[path = "../tests/support/worst_readers.rs"]
mod worst_readers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use table::{LONGEST, UNITS, text};

/// The longest that one text may stop a thread.
const LIMIT: Duration = Duration::from_millis(5);
const BEST_OF: u32 = 5;

fn main() -> ExitCode {
    // As a test it is to show that it works, not how fast.
    let measured = std::env::args().any(|word| word == "--bench");
    let mut well = true;
    for (name, read) in table::READERS.iter().chain(worst_readers::READERS) {
        let cost = |unit: &&&str| {
            let text = text(unit, LONGEST);
            let once = |_| {
                let begun = Instant::now();
                read(&text);
                begun.elapsed()
            };
            (0..if measured { BEST_OF } else { 1 }).map(once).min().unwrap_or_default()
        };
        let worst = UNITS.iter().map(|unit| (cost(&unit), *unit)).max().unwrap_or_default();
        println!("{name:<40} {:>9.3} ms  {:?}", worst.0.as_secs_f64() * 1e3, worst.1);
        well &= !measured || worst.0 < LIMIT;
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
