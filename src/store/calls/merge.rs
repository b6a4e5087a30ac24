//! What a report of the carrier's changes of a call: the same in whatever order reports come, and however often.

use chrono::{DateTime, Utc};
use protocol::call::end::{EndCode, EndRank, Ended, EndedBy};
use protocol::exotel::status::{finality, is_end};
use protocol::ids::PhoneNumber;

use super::{Call, CallEndReport, Parties, Times};
use crate::store::ends::open_until;

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
        let by_its_clock = known(report.ended_at).map(|at| (at, EndedBy::Carrier));
        let stood = call.ended_rank;
        told(call, status, by_its_clock.unwrap_or((report.at, EndedBy::Gateway)), !report.stream_only);
        if call.ended_rank != stood {
            call.over_at = call.ended_code.and_then(|code| open_until(code, report.at));
        }
    }
}

/// An end is never before the start.
pub(in crate::store) fn settle(times: &mut Times) {
    times.ended_at = times.ended_at.map(|at| at.max(times.started_at));
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

/// Keeps the most final status; an end is the call's end unless the account that stands knows more.
fn told(call: &mut Call, status: &str, (at, clock): (DateTime<Utc>, EndedBy), certain: bool) {
    if certain && call.carrier_status.as_deref().is_none_or(|known| finality(status) > finality(known)) {
        call.carrier_status = Some(status.to_owned());
    }
    if !is_end(status) {
        return;
    }
    let code = if certain { EndCode::CarrierReported } else { EndCode::StreamReported };
    let rank = EndRank::of(code, status);
    let (counts, first) = (rank.outranks(call.standing()), call.ended_by != Some(EndedBy::Carrier));
    if first && !counts {
        return;
    }
    if counts {
        status.clone_into(&mut call.status);
        (call.ended_by, call.ended_code, call.ended_rank) = (Some(code.by()), Some(code), Some(rank.number()));
        call.ended_why = Some(Ended::CallEnd { status: status.to_owned() }.words());
    }
    // Of the carrier's accounts the earliest time counts, by its own clock if it told one.
    let times = &mut call.times;
    let at = if call.entry.is_some() { at.max(times.started_at) } else { at };
    let known = times.ended_at.zip(times.ended_at_source).filter(|_| !first);
    let (at, clock) = match known {
        Some((known, its)) if its == clock => (known.min(at), clock),
        Some(known @ (_, EndedBy::Carrier)) => known,
        _ => (at, clock),
    };
    (times.ended_at, times.ended_at_source) = (Some(at), Some(clock));
}

fn merged<T>(one: Option<T>, other: Option<T>, pick: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(pick(one, other)),
        (one, other) => one.or(other),
    }
}
