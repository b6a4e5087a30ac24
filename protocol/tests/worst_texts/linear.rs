//! How the cost of reading a text grows with it.

#![allow(dead_code, unreachable_pub, reason = "the test, the bench and the fuzz target use their part of it")]
#![allow(clippy::disallowed_methods, reason = "what a text costs is measured with a clock")]

use std::time::{Duration, Instant};

use super::table::{LONGEST, Reader, text};

/// How much longer the long text is than the short one.
const LONGER: usize = 8;
/// The long text may cost so many times what the short one does. A reader that goes over it once takes eight times as long, and
/// one whose cost is the square 64 times: caches, page faults and allocators of a busy machine have their share between the two.
const MOST: u32 = 20;
/// What is below this is noise.
const NOISE: Duration = Duration::from_millis(1);
/// The best of so many counts, when a machine is busy with other things; as a rule the first will do.
const BEST_OF: u32 = 50;

/// Every reader on every text.
pub fn check(readers: &[Reader], units: &[&str]) {
    for (name, read) in readers {
        for unit in units {
            let (short, long) = (text(unit, LONGEST / LONGER), text(unit, LONGEST));
            for attempt in 1..=BEST_OF {
                // Judged as a pair: the kernel's count is now and then short, and one such must not judge all the others.
                let (least, most) = (cost(*read, &short), cost(*read, &long));
                if most <= least * MOST + NOISE {
                    break;
                }
                assert!(attempt < BEST_OF, "{name} of {unit:?}: 8 KiB in {least:?}, 64 KiB in {most:?}");
            }
        }
    }
}

/// Of the processor, not of the clock: a machine that is busy with other things takes its time in between.
fn cost(read: fn(&str), text: &str) -> Duration {
    let (begun, spent) = (Instant::now(), spent());
    read(text);
    match (spent, self::spent()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => begun.elapsed(),
    }
}

/// What this thread has had of the processor so far. The kernel counts it when a thread gives way.
fn spent() -> Option<Duration> {
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
