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
        client: &Client,
        parties: &Parties,
        now: Instant,
    ) -> Result<(), Refused> {
        let limit = |own: Option<i32>, default| own.and_then(|own| u32::try_from(own).ok()).unwrap_or(default);
        let too_many = |what| move |TooMany { retry_after }| Refused::TooMany { what, retry_after };
        let calls = limit(client.limits.calls_per_minute, CLIENT_CALLS);
        let of_client = self.clients.hit(&client.id, call, calls, now).map_err(too_many("calls of this client"))?;
        let Some(person) = person(client, parties) else { return Ok(()) };
        let calls = limit(client.limits.caller_calls_per_minute, CALLER_CALLS);
        let of_caller = self.callers.hit(&(client.id, person.reveal()), call, calls, now);
        if of_caller.is_err() && of_client == Permit::Through {
            // One caller who is refused must not use up what the client has for all.
            self.clients.take_back(&client.id, call, now);
        }
        of_caller.map(|_| ()).map_err(too_many("calls of this caller"))
    }
}

/// The person that a client talks with: who calls, or of a call that goes out from the client's number who is called. None for those who
/// show no number: they are many people.
fn person<'p>(client: &Client, parties: &'p Parties) -> Option<&'p PhoneNumber> {
    let goes_out = parties.from.as_ref() == Some(&client.exotel_number);
    let (e164, raw) = if goes_out { (&parties.to, &parties.to_raw) } else { (&parties.from, &parties.from_raw) };
    e164.as_ref().or(raw.as_ref().filter(|raw| !is_withheld(raw.reveal())))
}
