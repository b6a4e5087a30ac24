//! What a caller waited for, and what that time went to.

use std::io::{self, Write};

use protocol::call::fact::Turn;
use protocol::call::latency::{Latency, Owner};

/// Prints a line a wait: since when, for what, how long, and its parts; of a slow one its largest, and whose that is.
pub(super) fn print(screen: &mut impl Write, turns: &[Turn]) -> io::Result<()> {
    let mut waits: Vec<&Latency> = turns.iter().filter_map(|turn| turn.latency.as_deref()).collect();
    if waits.is_empty() {
        return Ok(());
    }
    waits.sort_by_key(|wait| wait.from_ms);
    writeln!(screen, "\nWaits, until heard")?;
    waits.into_iter().try_for_each(|wait| writeln!(screen, "{}", line(wait)))
}

fn line(wait: &Latency) -> String {
    let parts: Vec<String> = wait.parts.spans().map(|(part, _, ms)| format!("{} {ms}", part.name())).collect();
    let (at, of, ms, parts) = (wait.from_ms as f64 / 1000.0, wait.of.name(), wait.whole_ms(), parts.join(", "));
    let mut line = format!("{at:8.3} s  {of:<8} {ms:6} ms  {parts}");
    if !wait.heard {
        line.push_str(" (sent; no mark says when it was heard)");
    }
    if let Some((part, owner)) = wait.largest().filter(|_| wait.is_slow()) {
        line.push_str(&format!("  SLOW: {}, {}", part.name(), whose(owner)));
    }
    line
}

/// In words.
fn whose(owner: Owner) -> String {
    match owner {
        Owner::Carrier => "the carrier's".to_owned(),
        Owner::Network => "the network's".to_owned(),
        Owner::Model => "the model's".to_owned(),
        Owner::Us => "this gateway's".to_owned(),
        Owner::Setting(name) => format!("the client's setting {name}"),
        Owner::Tool => "the client's endpoint".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::tests::{latency, turn};

    #[test]
    fn a_wait_is_told_in_its_parts_and_a_slow_one_with_whose_it_is() {
        let mut slow = turn(2, "It is open until six.");
        let told = slow.latency.as_mut().expect("the caller waited for it");
        (told.from_ms, told.heard) = (9_000, false);
        told.parts = protocol::call::latency::Parts::new([
            (protocol::call::latency::Part::Endpointing, 520),
            (protocol::call::latency::Part::Generating, 2_180),
        ]);
        let mut screen = Vec::new();
        super::print(&mut screen, &[slow, turn(1, "When?"), turn(2, "Hello")]).unwrap();
        let text = String::from_utf8(screen).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "   4.000 s  turn        760 ms  endpointing 520, generating 180, playing 60");
        assert!(lines[1].starts_with("   9.000 s  turn       2700 ms  endpointing 520, generating 2180 (sent;"));
        assert!(lines[1].ends_with("SLOW: generating, the model's"), "{}", lines[1]);
        assert_eq!(latency().whole_ms(), 760);
    }
}
