//! Where a caller goes whose stream is over: one decision, by what is on record, whoever asks for it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use protocol::call::end::EndCode;

use super::handover::Next;
use crate::agent::{Destination, Document};
use crate::store::{Call, CallTransfer, NumberOwner};

/// What is on record of a call, and of its client's destinations.
pub(super) struct OnFile<'a> {
    pub(super) call: &'a Call,
    /// The transfer behind its last stream.
    pub(super) stands: Option<&'a CallTransfer>,
    /// The carrier says that the stream never came about.
    pub(super) stream_failed: bool,
    /// It was refused since its caller, or all callers together, call too often.
    pub(super) too_often: bool,
    pub(super) document: &'a Document,
    pub(super) zone: Tz,
    /// Which of the destinations' numbers are answered by agents.
    pub(super) ours: &'a [NumberOwner],
    pub(super) now: DateTime<Utc>,
}

/// Where a caller goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// The client names no destinations: to whomever the flow has, or not.
    Flow(Next),
    /// To that destination.
    To(&'a str, &'a Destination),
    /// To nobody.
    Nowhere,
}

/// Decides. A transfer that stands is kept to, as long as there is such a destination.
pub(super) fn route<'a>(on: &OnFile<'a>) -> Route<'a> {
    let (code, transfers) = (on.call.ended_code, &on.document.transfers);
    if transfers.destinations.is_empty() {
        return Route::Flow(Next::after(code, on.stream_failed));
    }
    if let Some((name, destination)) = on.stands.and_then(|stands| there(on, stands.destination.as_deref()?)) {
        return Route::To(name, destination);
    }
    // One that never began was refused, or this gateway could not be reached.
    let never_began = on.call.entry.is_none() && !on.call.is_over_for_the_carrier();
    let unserved = on.stream_failed || never_began || code.is_some_and(EndCode::hands_on);
    let came_too_late =
        code == Some(EndCode::Closed) || unserved && !on.document.is_open(on.call.times.started_at, on.zone);
    let to = match () {
        () if on.too_often => None,
        () if came_too_late => on.document.hours.as_ref().and_then(|hours| hours.to.as_deref()),
        () if unserved => transfers.failure.as_ref().map(|failure| failure.to.as_str()),
        () => None,
    };
    let to = to.and_then(|name| there(on, name)).filter(|(_, destination)| destination.is_open(on.now, on.zone));
    to.map_or(Route::Nowhere, |(name, destination)| Route::To(name, destination))
}

/// Why a caller is handed on whom no agent handed on, in words for whoever picks up.
pub(super) fn reason(call: &Call) -> String {
    match call.ended_code {
        Some(EndCode::Closed) => "outside of the agent's hours".to_owned(),
        Some(EndCode::ContextRefused) => "the agent does not take this call".to_owned(),
        Some(EndCode::StreamReported) | None => "the call did not get through to the agent".to_owned(),
        Some(code) => format!("the agent failed ({})", code.name()),
    }
}

/// A destination that callers can be sent to.
fn there<'a>(on: &OnFile<'a>, name: &str) -> Option<(&'a str, &'a Destination)> {
    let (name, destination) = on.document.transfers.destinations.get_key_value(name)?;
    let is_agent = on.ours.iter().any(|owner| owner.number.reveal() == destination.to);
    (!is_agent).then_some((name.as_str(), destination))
}

#[cfg(test)]
mod tests;
