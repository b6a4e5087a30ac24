//! A transcript on a screen.

use std::io::{self, Write};

use protocol::call::fact::{Turn, Who};

use crate::cli::screen::shown;

/// Prints one line a turn: when, who, the words as heard, and where they were cut.
pub(crate) fn print(screen: &mut impl Write, turns: &[Turn]) -> io::Result<()> {
    writeln!(screen, "\nTranscript, as heard")?;
    for Turn { who, text, at_ms, heard_ms, generated_ms, interrupted, backchannel, .. } in turns {
        let who = if *who == Who::Agent { "agent " } else { "caller" };
        let words = if text.is_empty() { "(no words)".into() } else { shown(text) };
        write!(screen, "{:8.2} s  {who}  {words}", *at_ms as f64 / 1000.0)?;
        if *interrupted {
            write!(screen, " — [cut: {heard_ms} of {generated_ms} ms heard]")?;
        }
        if *backchannel {
            write!(screen, " — [no turn: the agent went on]")?;
        }
        writeln!(screen)?;
    }
    Ok(())
}
