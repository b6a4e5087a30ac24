//! How many calls a client and one caller of it may begin in a minute.

use std::time::Instant;

use protocol::exotel::is_withheld;
use protocol::ids::{CallSid, PhoneNumber};

use super::Refused;
use crate::rate::{Permit, TooMany, Windows};
use crate::store::{Client, Parties};

/// Calls a minute of one caller, unless the client says otherwise.
const CALLER_CALLS: u32 = 10;
/// Calls a minute of one client, unless it says otherwise.
const CLIENT_CALLS: u32 = 600;

/// Calls of the last minute.
pub(super) struct Rates {
    clients: Windows,
    callers: Windows,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self { clients: Windows::new("clients"), callers: Windows::new("callers") }
    }

    /// The client's limit first: what it refuses leaves nothing of its caller behind.
    pub(super) fn check(
        &self,
        call: &CallSid,
        (client, lines): (&Client, &[PhoneNumber]),
        parties: &Parties,
        now: Instant,
    ) -> Result<(), Refused> {
        let too_many = |what| move |TooMany { retry_after }| Refused::TooMany { what, retry_after };
        let calls = limit(client.limits.calls_per_minute, CLIENT_CALLS);
        let of_client = self.clients.hit(&client.id, call, calls, now).map_err(too_many("calls of this client"))?;
        let Some(person) = person(lines, parties) else { return Ok(()) };
        let calls = limit(client.limits.caller_calls_per_minute, CALLER_CALLS);
        let of_caller = self.callers.hit(&(client.id, person.reveal()), call, calls, now);
        if of_caller.is_err() && of_client == Permit::Through {
            // One caller who is refused must not use up what the client has for all.
            self.clients.take_back(&client.id, call, now);
        }
        of_caller.map(|_| ()).map_err(too_many("calls of this caller"))
    }

    /// Whether a further call would be refused: nothing is counted.
    pub(super) fn are_used_up(
        &self,
        (client, lines): (&Client, &[PhoneNumber]),
        parties: &Parties,
        now: Instant,
    ) -> bool {
        let calls = limit(client.limits.calls_per_minute, CLIENT_CALLS);
        let of_caller = || {
            let calls = limit(client.limits.caller_calls_per_minute, CALLER_CALLS);
            let person = person(lines, parties);
            person.is_some_and(|person| self.callers.check(&(client.id, person.reveal()), calls, now).is_err())
        };
        self.clients.check(&client.id, calls, now).is_err() || of_caller()
    }
}

/// Calls a minute, as the client says or as it is else.
fn limit(own: Option<i32>, default: u32) -> u32 {
    own.and_then(|own| u32::try_from(own).ok()).unwrap_or(default)
}

/// The person that a client talks with: who calls, or of a call that goes out from one of the client's numbers who is called. None for
/// those who show no number: they are many people.
fn person<'p>(lines: &[PhoneNumber], parties: &'p Parties) -> Option<&'p PhoneNumber> {
    let goes_out = parties.from.as_ref().is_some_and(|from| lines.contains(from));
    let (e164, raw) = if goes_out { (&parties.to, &parties.to_raw) } else { (&parties.from, &parties.from_raw) };
    e164.as_ref().or(raw.as_ref().filter(|raw| !is_withheld(raw.reveal())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_from_any_of_the_clients_numbers_counts_for_whom_it_calls() {
        let number = |told: &str| Some(PhoneNumber::new(told));
        let lines = [PhoneNumber::new("+918047112233"), PhoneNumber::new("+918047112234")];
        let called = |from: &str, to: &str| {
            let parties = Parties { from: number(from), to: number(to), ..Parties::default() };
            person(&lines, &parties).map(|person| person.reveal().to_owned())
        };
        for line in ["+918047112233", "+918047112234"] {
            assert_eq!(called(line, "+919876543210").as_deref(), Some("+919876543210"));
            assert_eq!(called("+919876543210", line).as_deref(), Some("+919876543210"));
        }
        assert_eq!(person(&lines, &Parties { from_raw: number("anonymous"), ..Parties::default() }), None);
    }
}
