//! The measurement tap: when which audio came and went, for a load test to compare with what its callers saw.
//!
//! `GET /measurements` on the server's port answers with the sessions whose audio began with a call's number (see
//! `input/preamble.rs`); of others the first seconds alone are kept.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::input::TICKS_PER_MS;

/// Entries kept each way: at 50 a second, the last 400 s.
const ENTRIES: usize = 20_000;

/// One session's measurements.
#[derive(Debug, Default)]
pub(super) struct Tap {
    call: Option<u16>,
    /// Ticks appended so far, and when (µs of Unix time).
    up: VecDeque<(u32, u64)>,
    /// Response (from 0), ticks sent of it so far, and when.
    down: VecDeque<(u32, u32, u64)>,
    /// There was no preamble: nothing more is recorded.
    off: bool,
}

impl Tap {
    /// Audio came, up to that many [`TICKS_PER_MS`] in the session.
    pub(super) fn appended(&mut self, ticks: u64) {
        if !self.off {
            push(&mut self.up, (clamped(ticks), unix_us()));
        }
    }

    /// A delta goes out: the response's audio up to that many ms.
    pub(super) fn sent(&mut self, response: u32, audio_end_ms: f64) {
        if !self.off {
            let ticks = (audio_end_ms * TICKS_PER_MS as f64).round() as u64;
            push(&mut self.down, (response, clamped(ticks), unix_us()));
        }
    }

    /// The preamble was decoded, or will not come.
    pub(super) fn decided(&mut self, call: Option<u16>) {
        self.call = call;
        if call.is_none() {
            *self = Self { off: true, ..Self::default() };
        }
    }

    pub(super) fn clear(&mut self) {
        self.up.clear();
        self.down.clear();
    }

    /// Appends the session as JSON; false when there is nothing to tell of it.
    pub(super) fn write(&self, out: &mut String) -> bool {
        if self.up.is_empty() && self.down.is_empty() {
            return false;
        }
        let call = self.call.map_or("null".into(), |call| call.to_string());
        // Writing to a String cannot fail.
        let _ = write!(out, "{{\"call\":{call},\"up\":[");
        for (index, (ticks, at)) in self.up.iter().enumerate() {
            let _ = write!(out, "{}[{},{at}]", if index == 0 { "" } else { "," }, ms(*ticks));
        }
        out.push_str("],\"down\":[");
        for (index, (response, ticks, at)) in self.down.iter().enumerate() {
            let _ = write!(out, "{}[{response},{},{at}]", if index == 0 { "" } else { "," }, ms(*ticks));
        }
        out.push_str("]}");
        true
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() >= ENTRIES {
        entries.pop_front();
    }
    entries.push_back(entry);
}

/// As ms, to the µs: most audio is not cut at whole ms.
fn ms(ticks: u32) -> f64 {
    (f64::from(ticks) * 1_000.0 / TICKS_PER_MS as f64).round() / 1_000.0
}

/// Ticks of 49 hours.
fn clamped(ticks: u64) -> u32 {
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
