//! What a report of the carrier's changes of a call: the same in whatever order reports come, and however often.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use protocol::call::end::Ended;
use protocol::ids::PhoneNumber;

use super::{Call, CallEndReport, End, Parties, Times};

/// The carrier's statuses, the less final first: of two reports the later in this list counts.
pub(crate) const STATUSES: [&str; 8] =
    ["queued", "ringing", "in-progress", "canceled", "no-answer", "busy", "failed", "completed"];
/// From here on a status is an end.
const FIRST_END: usize = 3;
/// Those that are.
pub(in crate::store) const ENDS: &[&str] = STATUSES.split_at(FIRST_END).1;

/// Puts a report into the row.
pub(in crate::store) fn merge(call: &mut Call, report: &CallEndReport) {
    parties(call, &report.parties);
    // The carrier's clock may be ahead of ours: nothing has happened later than it was told.
    let known = |at: Option<DateTime<Utc>>| at.filter(|at| *at <= report.at);
    // call-start's own time stands.
    if call.entry.is_none() {
        let told = [Some(report.at), report.started_at, known(report.ended_at)];
        call.times.started_at = told.into_iter().flatten().fold(call.times.started_at, Ord::min);
    }
    call.times.answered_at = merged(call.times.answered_at, report.answered_at.map(|at| at.min(report.at)), Ord::min);
    let told_ms = report.duration_secs.map(|secs| secs.saturating_mul(1000));
    let duration_ms = &mut call.figures.duration_ms;
    // Once there was media, what was measured stands.
    if call.times.media_at.is_none() || duration_ms.is_none() {
        *duration_ms = merged(*duration_ms, told_ms, Ord::max);
    }
    if let Some(status) = &report.status {
        let at = known(report.ended_at).unwrap_or_else(|| by_our_clock(report.at));
        told(call, status, at, !report.stream_only);
    }
}

/// An end is never before the start. One of the carrier's then is the start itself; one of our clock is told from it.
pub(in crate::store) fn settle(times: &mut Times) {
    times.ended_at = times.ended_at.map(|at| not_before(times.started_at, at, at.nanosecond() == 0));
}

fn not_before(start: DateTime<Utc>, at: DateTime<Utc>, theirs: bool) -> DateTime<Utc> {
    match at < start {
        false => at,
        true if theirs => start,
        true => start + TimeDelta::microseconds(1),
    }
}

/// call-start owns who called whom. Before it, of two reports that differ the same one always counts; after it, they fill what is empty.
fn parties(call: &mut Call, told: &Parties) {
    let begun = call.entry.is_some();
    let own = &mut call.parties;
    let number = |own: &mut Option<PhoneNumber>, told: &Option<PhoneNumber>| {
        let better = match (&*own, told) {
            (None, told) => told.is_some(),
            (Some(own), Some(told)) => !begun && told.reveal() < own.reveal(),
            (Some(_), None) => false,
        };
        if better {
            own.clone_from(told);
        }
    };
    number(&mut own.from, &told.from);
    number(&mut own.from_raw, &told.from_raw);
    number(&mut own.to, &told.to);
    number(&mut own.to_raw, &told.to_raw);
    own.direction = match (own.direction.take(), told.direction.clone()) {
        (Some(own), Some(told)) if !begun => Some(own.min(told)),
        (own, told) => own.or(told),
    };
}

/// Keeps the most final status; an end is the call's end unless the gateway tells of one.
fn told(call: &mut Call, status: &str, at: DateTime<Utc>, certain: bool) {
    if certain && call.carrier_status.as_deref().is_none_or(|known| finality(status) > finality(known)) {
        call.carrier_status = Some(status.to_owned());
    }
    // A gateway that waited for the stream in vain knows less than the carrier; whatever else a gateway says of an end stands.
    let in_vain = call.times.media_at.is_none() && call.ended_why.as_deref() == Some(&*Ended::NoMedia.words());
    let nobodys = call.ended_by == Some(End::Upkeep);
    if (in_vain || nobodys) && is_end(status) {
        (call.ended_by, call.times.ended_at) = (None, None);
    }
    if !is_end(status) || call.ended_by == Some(End::Gateway) {
        return;
    }
    let counts = match call.carrier_status.as_deref() {
        known if certain => known == Some(status),
        // The end of a stream is the call's only until the carrier speaks of the call.
        Some(known) if is_end(known) => false,
        _ => call.ended_by.is_none() || finality(status) > finality(&call.status),
    };
    if counts {
        status.clone_into(&mut call.status);
        call.ended_by = Some(End::Carrier);
        call.ended_why = Some(format!("the carrier reported the call as {status}"));
    }
    let at = if call.entry.is_some() { not_before(call.times.started_at, at, is_theirs(call, at)) } else { at };
    call.times.ended_at = Some(match call.times.ended_at {
        None => at,
        Some(known) => match (is_theirs(call, known), is_theirs(call, at)) {
            (true, true) | (false, false) => known.min(at),
            (true, false) => known,
            (false, true) => at,
        },
    });
}

/// Any known status counts for more than one that nobody documented.
fn finality(status: &str) -> (usize, &str) {
    (STATUSES.iter().position(|known| *known == status).map_or(0, |rank| rank + 1), status)
}

/// Whether a status of the carrier's ends a call.
pub(crate) fn is_end(status: &str) -> bool {
    ENDS.contains(&status)
}

/// The carrier tells whole seconds, and what it told as before the start of a call of ours stands as the start. A time of our own clock,
/// which stands in until it does, never is either.
fn is_theirs(call: &Call, at: DateTime<Utc>) -> bool {
    at.nanosecond() == 0 || (call.entry.is_some() && at == call.times.started_at)
}

fn by_our_clock(at: DateTime<Utc>) -> DateTime<Utc> {
    if at.nanosecond() == 0 { at + TimeDelta::microseconds(1) } else { at }
}

fn merged<T>(one: Option<T>, other: Option<T>, pick: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(pick(one, other)),
        (one, other) => one.or(other),
    }
}
