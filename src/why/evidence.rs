//! What is on record of a call, as the rules ask for it.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::end::EndCode;
use protocol::call::fact::{Turn, Who};
use protocol::call::latency::Latency;
use protocol::ids::CallSid;
use serde_json::Value;

use crate::store::{AuditEntry, Call, Recording};
use crate::views::WholeCall;

/// From when to when.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// A caller who is left without an answer for so long notices, ms.
const UNANSWERED_MS: u64 = 4_000;

/// All that rules look at.
pub(super) struct Evidence<'a> {
    pub(super) sid: &'a CallSid,
    /// None: the call was refused, and has no row.
    pub(super) call: Option<&'a Call>,
    pub(super) turns: &'a [Turn],
    /// Oldest first.
    pub(super) steps: &'a [AuditEntry],
    pub(super) recordings: &'a [Recording],
}

impl<'a> Evidence<'a> {
    pub(super) fn of(whole: &'a WholeCall) -> Self {
        let found = &whole.found;
        Self {
            sid: &found.call.call_sid,
            call: Some(&found.call),
            turns: &found.turns,
            steps: &whole.steps,
            recordings: &whole.recordings,
        }
    }

    /// Of a call that was never let in.
    pub(super) const fn refused(sid: &'a CallSid, steps: &'a [AuditEntry]) -> Self {
        Self { sid, call: None, turns: &[], steps, recordings: &[] }
    }

    /// Steps of one kind.
    pub(super) fn steps(&self, kind: &'static str) -> impl Iterator<Item = &'a AuditEntry> + use<'a> {
        self.steps.iter().filter(move |step| step.kind == kind)
    }

    /// How much of something was counted.
    pub(super) fn counted(&self, what: &str) -> u64 {
        let of_it = self.steps("call.counted").filter(|step| step.payload["what"] == what);
        of_it.map(|step| number(&step.payload, "count")).sum()
    }

    /// How the call ended.
    pub(super) fn code(&self) -> Option<EndCode> {
        self.call.and_then(|call| call.ended_code)
    }

    /// Whether a media stream began.
    pub(super) fn has_media(&self) -> bool {
        self.call.is_some_and(|call| call.times.media_at.is_some())
    }

    /// A moment of the call, ms since its first stream began.
    pub(super) fn moment(&self, ms: u64) -> Option<DateTime<Utc>> {
        let media = self.call?.times.media_at?;
        media.checked_add_signed(TimeDelta::milliseconds(i64::try_from(ms).ok()?))
    }

    /// From and to, ms since the call's first stream began.
    pub(super) fn span(&self, from_ms: u64, to_ms: u64) -> Option<Span> {
        self.moment(from_ms).zip(self.moment(to_ms))
    }

    /// How long the caller waited for what they heard, as far as it was measured.
    pub(super) fn latencies(&self) -> impl Iterator<Item = &'a Latency> + use<'a> {
        self.turns.iter().filter_map(|turn| turn.latency.as_deref())
    }

    /// When the call ended, ms since its first stream began.
    pub(super) fn end_ms(&self) -> Option<u64> {
        let call = self.call?;
        natural(call.figures.duration_ms).or_else(|| ms_between(call.times.media_at?, call.times.ended_at?))
    }

    /// What the caller said last and nobody answered: since when, and for how long, ms.
    pub(super) fn unanswered(&self) -> Option<(u64, u64)> {
        let last = self.turns.iter().rfind(|turn| !turn.backchannel && !turn.clip)?;
        let since = last.at_ms.saturating_add(last.heard_ms);
        let waited = self.end_ms()?.checked_sub(since)?;
        (last.who == Who::Caller && waited >= UNANSWERED_MS).then_some((since, waited))
    }
}

/// A number that a step tells; 0 where it tells none.
pub(super) fn number(payload: &Value, name: &str) -> u64 {
    payload[name].as_u64().unwrap_or(0)
}

/// A word that a step tells.
pub(super) fn word<'a>(payload: &'a Value, name: &str) -> Option<&'a str> {
    payload[name].as_str()
}

/// What is told of something that a client or a server said in its own words: short, on one line.
pub(super) fn short(text: &str) -> String {
    let line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(80).collect();
    if text.chars().count() > 80 { format!("{line}…") } else { line }
}

pub(super) fn natural(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

pub(super) fn ms_between(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<u64> {
    u64::try_from((to - from).num_milliseconds()).ok()
}

/// `4.2 s`.
pub(super) fn secs(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// The time of a step, to the second: `16:38:05`.
pub(super) fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%SZ").to_string()
}
