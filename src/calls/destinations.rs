//! A client's destinations, as a call of its is told of them.

use std::time::{Duration, Instant};

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use protocol::call::destinations::{Destination, Open};
use protocol::ids::PhoneNumber;

use crate::agent::{Document, OpeningHours};
use crate::store::NumberOwner;

/// So far ahead of a call's stream it is known who is there when: the longest that a carrier lets a call be.
const LOOKS_AHEAD: Duration = Duration::from_secs(4 * 3_600);

/// The numbers among them.
pub(super) fn numbers(document: &Document) -> Vec<PhoneNumber> {
    let all = document.transfers.destinations.values().filter(|destination| destination.is_number());
    all.map(|destination| PhoneNumber::new(&destination.to)).collect()
}

/// As they are from now on; `ours` are numbers whose calls agents answer.
pub(super) fn destinations(
    document: &Document,
    zone: Tz,
    ours: &[NumberOwner],
    (at, now): (DateTime<Utc>, Instant),
) -> Vec<Destination> {
    let all = document.transfers.destinations.iter();
    let told = all.map(|(name, destination)| Destination {
        name: name.clone(),
        when: destination.when.clone(),
        open: match &destination.hours {
            _ if ours.iter().any(|owner| owner.number.reveal() == destination.to) => Open::IsAgent,
            None => Open::Always,
            Some(hours) => Open::Between(open_between(&OpeningHours::of(hours), zone, at, now)),
        },
    });
    told.collect()
}

/// When somebody is there, minute by minute.
fn open_between(hours: &OpeningHours, zone: Tz, at: DateTime<Utc>, now: Instant) -> Vec<(Instant, Instant)> {
    const MINUTE: Duration = Duration::from_secs(60);
    let mut open: Vec<(Instant, Instant)> = Vec::new();
    // What is left of the minute that it is, then whole ones.
    let mut from = Duration::ZERO;
    let mut to = MINUTE - Duration::from_secs(u64::from(at.second()));
    while from < LOOKS_AHEAD {
        if hours.hold(at + from, zone) {
            match open.last_mut().filter(|(_, until)| *until == now + from) {
                Some((_, until)) => *until = now + to,
                None => open.push((now + from, now + to)),
            }
        }
        (from, to) = (to, to + MINUTE);
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_is_there_until_the_minute_that_it_closes() {
        let hours = OpeningHours::of(&["Mon-Fri 09:00-18:00".to_owned(), "Mon 19:00-19:30".to_owned()]);
        // A Monday.
        let at: DateTime<Utc> = "2026-11-23T17:58:30+05:30".parse().unwrap();
        let (now, secs) = (Instant::now(), Duration::from_secs);
        let open = open_between(&hours, Tz::Asia__Kolkata, at, now);
        assert_eq!(open, [(now, now + secs(90)), (now + secs(3_690), now + secs(3_690 + 1_800))]);
        let at: DateTime<Utc> = "2026-11-22T12:00:00+05:30".parse().unwrap();
        assert!(open_between(&hours, Tz::Asia__Kolkata, at, now).is_empty());
    }
}
