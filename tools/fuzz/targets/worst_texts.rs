//! No text, however long it goes on, takes any reader long: the input is what a text is made of, over and over.
#![no_main]

#[path = "../../../protocol/tests/worst_texts/table.rs"]
mod table;

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use table::{LONGEST, READERS, text};

/// Far beyond what a linear reader takes, and far below what a quadratic one does.
const LIMIT: Duration = Duration::from_millis(100);

fuzz_target!(|data: &[u8]| {
    let Some((reader, unit)) = data.split_first() else { return };
    let Ok(unit) = std::str::from_utf8(unit) else { return };
    if unit.is_empty() {
        return;
    }
    let (name, read) = READERS[usize::from(*reader) % READERS.len()];
    let text = text(unit, LONGEST);
    // One slow time may be the machine's; three are the reader's.
    let took = |_| {
        let begun = Instant::now();
        read(&text);
        begun.elapsed()
    };
    let best = (0..3).map(took).find(|took| *took < LIMIT);
    assert!(best.is_some(), "{name} takes too long over {unit:?}");
});
