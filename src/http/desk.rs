//! The front desk: finds the client of a call, holds its limits, and writes the call down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::{Admission, DeskAnswer, DeskError, FrontDesk, MediaRefusal};
use chrono::Utc;
use protocol::call::policy::{GreetedBy, Policy};
use protocol::exotel::stream::Start;
use protocol::exotel::webhook::FieldError;
use protocol::exotel::{is_withheld, normalise_number, warm_numbers};
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::json;
use tokio::time::timeout;

use super::admission::admission;
use super::error::Refused;
use super::rate::{Let, TooMany, Windows};
use super::tries::Tries;
use crate::calls::writer::RecordWriter;
use crate::store::{AuditEntry, Begun, Call, Client, Entry, NewCall, NewStream, NodeId, Parties, Store, Taken};
use crate::tenant::REGION;

/// Calls a minute of one caller, unless the client says otherwise.
const CALLER_CALLS: u32 = 10;
/// Calls a minute of one client, unless it says otherwise.
const CLIENT_CALLS: u32 = 600;
/// Media sockets turned away behind their upgrade that are written to the audit log in a minute.
const REFUSALS_A_MINUTE: u32 = 600;

/// Admits calls, whichever way they come in.
pub struct Desk {
    store: Store,
    recorder: RecordWriter,
    policy: Policy,
    /// How long the database may take, all in all.
    patience: Duration,
    rates: Arc<Rates>,
    /// Media sockets that were turned away and are written down.
    refusals: Windows,
    tries: Tries,
    node: NodeId,
}

/// Calls of the last minute.
struct Rates {
    clients: Windows,
    callers: Windows,
}

/// A call that asks to begin.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) call: CallSid,
    pub(super) from: Option<PhoneNumber>,
    pub(super) to: Option<PhoneNumber>,
    /// Numbers of which one is the client's, the likeliest first.
    pub(super) lines: Vec<PhoneNumber>,
    /// As the carrier spells it.
    pub(super) direction: Option<String>,
    pub(super) entry: Entry,
}

/// A call that was written down.
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) call: Call,
    /// It had been written down before.
    pub(super) replayed: bool,
    /// By this node: now, or when it was asked before and could not answer.
    pub(super) ours: bool,
    /// It had ended for a while on this node, and comes back.
    pub(super) returns: bool,
    pub(super) admission: Admission,
}

impl Desk {
    /// A desk over a database, with the limits that hold for every call of this node.
    #[must_use]
    pub fn new(store: Store, recorder: RecordWriter, policy: Policy, patience: Duration, node: NodeId) -> Self {
        warm_numbers(REGION);
        Self {
            store,
            recorder,
            policy,
            patience,
            rates: Arc::new(Rates::new()),
            refusals: Windows::new("sockets"),
            tries: Tries::default(),
            node,
        }
    }

    /// Finds the client, holds its limits, and writes the call down: whoever does so first has begun it. A new call for whose client there
    /// is no `room` is not written down.
    pub(super) async fn open(
        &self,
        opening: Opening,
        room: impl Fn(&Client) -> Result<(), Refused> + Send + Sync + 'static,
    ) -> Result<Opened, Refused> {
        let lines = opening.lines.clone();
        let at = self.tries.at(&opening.call, Utc::now());
        let (call, entry, rates, node) =
            (opening.call.clone(), opening.entry, Arc::clone(&self.rates), self.node.clone());
        let judge = move |client: &Client, begun: bool| -> Result<NewCall, Refused> {
            if !begun {
                room(client)?;
            }
            let opening = opening.clone();
            let parties = parties(opening.from, opening.to, opening.direction, &client.region);
            // A call that has begun, here or on another node, was let in already.
            if !begun {
                rates.check(&opening.call, client, &parties, Instant::now())?;
            }
            let (owner, tells) = (node.clone(), client.events_url.is_some());
            Ok(NewCall {
                call_sid: opening.call,
                client_id: client.id,
                entry: opening.entry,
                parties,
                owner,
                tells,
                at,
            })
        };
        let opened = self.store.open_call(lines.clone(), call.clone(), judge).await?;
        let opened = opened.unwrap_or_else(|| Err(nobodys(&lines))).inspect_err(|_| self.settled(&call));
        let (client, begun) = opened?;
        if let Begun::New(row) | Begun::Ours(row) | Begun::Returned(row) = &begun {
            self.recorder.owns(row, row.ownership.generation);
        }
        let (replayed, row) = (!matches!(begun, Begun::New(_)), begun.call().clone());
        let ours = row.times.started_at == at;
        if !ours || row.is_over() {
            self.settled(&call);
        }
        let admission = admission(&call, &client, greeted_by(entry), &self.policy);
        Ok(Opened { client, call: row, replayed, ours, returns: false, admission })
    }

    /// A call that was opened is admitted, or never will be.
    pub(super) fn settled(&self, call: &CallSid) {
        self.tries.settled(call);
    }

    /// Appends to the audit log before the request is answered. A database that is away delays the entry, never the request.
    pub(super) async fn write_down(&self, entry: AuditEntry, patience: Duration) {
        if !self.recorder.audit_now(entry, patience).await {
            metrics::counter!("callgate_audit_late_total").increment(1);
        }
    }

    /// Whether a media socket that was turned away is written down, or counted only.
    fn is_worth_writing(&self) -> bool {
        let worth = self.refusals.count(&(), REFUSALS_A_MINUTE, Instant::now()).is_ok();
        if !worth {
            metrics::counter!("callgate_audit_skipped_total").increment(1);
        }
        worth
    }

    /// Whether nothing may be started any more for a call that is not here. Its end may still be on the way to the row.
    pub(super) async fn is_over(&self, opened: &Opened) -> Result<bool, Refused> {
        if opened.call.is_over() || !opened.replayed {
            return Ok(opened.call.is_over());
        }
        self.recorder.flush().await;
        Ok(self.store.call(&opened.call.call_sid).await?.is_some_and(|found| found.call.is_over()))
    }

    /// Admits a call of a static URL; one that `is_here`, live or not long gone, comes back.
    async fn admit_static(&self, start: Start, is_here: bool) -> Result<Admission, Refused> {
        // Which way it goes is not told: either end may be the client's.
        let lines: Vec<PhoneNumber> = [&start.to, &start.from].into_iter().flatten().cloned().collect();
        if lines.is_empty() {
            return Err(FieldError::missing("to", "the start event does not tell the number that was called").into());
        }
        let opening = Opening {
            call: start.call_sid,
            lines,
            from: start.from,
            to: start.to,
            direction: None,
            entry: Entry::Static,
        };
        let opened = self.open(opening, |_| Ok(())).await?;
        self.settled(&opened.call.call_sid);
        let over = match is_here {
            true => opened.call.is_over_for_the_carrier(),
            false => self.is_over(&opened).await?,
        };
        if over { Err(Refused::CallOver) } else { Ok(opened.admission) }
    }

    async fn take_stream(&self, start: &Start) -> Result<Taken, Refused> {
        let (call_sid, stream, owner) = (start.call_sid.clone(), start.stream_sid.clone(), self.node.clone());
        let new = NewStream { call_sid, number: Some(1), stream, owner, at: Utc::now() };
        Ok(self.store.take_stream(new).await?)
    }

    /// A call that was announced to another node gets its stream here, unless one has it already.
    async fn take(&self, start: Start) -> Result<Admission, Refused> {
        let Taken::Taken { was: call, generation, .. } = self.take_stream(&start).await? else {
            return Err(Refused::TokenUsed);
        };
        self.recorder.owns(&call, generation);
        let (owner, entry) = call.client_id.zip(call.entry).ok_or(Refused::UnknownClient)?;
        let client = self.store.client(owner).await?.ok_or(Refused::UnknownClient)?;
        Ok(admission(&call.call_sid, &client, greeted_by(entry), &self.policy))
    }

    /// Has a stream's call admitted in time, or not, and writes down which.
    async fn decide(
        &self,
        call: CallSid,
        asked: impl Future<Output = Result<Admission, Refused>>,
    ) -> Result<Admission, DeskError> {
        let admitted = timeout(self.patience, asked).await.unwrap_or(Err(Refused::StorageAway));
        let outcome = admitted.as_ref().err().map_or("ok", Refused::code);
        let told = admitted.as_ref().err().map(Refused::to_string);
        if admitted.is_ok() || self.is_worth_writing() {
            self.recorder.audit(entry("media.start", Some(&call), outcome, told.as_deref()));
        }
        admitted.map_err(|refused| desk_error(refused.count()))
    }
}

fn greeted_by(entry: Entry) -> GreetedBy {
    match entry {
        Entry::CallStart => GreetedBy::Carrier,
        Entry::Voicebot | Entry::Static => GreetedBy::Model,
    }
}

impl Rates {
    fn new() -> Self {
        Self { clients: Windows::new("clients"), callers: Windows::new("callers") }
    }

    /// The client's limit first: what it refuses leaves nothing of its caller behind.
    fn check(&self, call: &CallSid, client: &Client, parties: &Parties, now: Instant) -> Result<(), Refused> {
        let limit = |own: Option<i32>, default| own.and_then(|own| u32::try_from(own).ok()).unwrap_or(default);
        let too_many = |what| move |TooMany { retry_after }| Refused::TooMany { what, retry_after };
        let calls = limit(client.limits.calls_per_minute, CLIENT_CALLS);
        let of_client = self.clients.hit(&client.id, call, calls, now).map_err(too_many("calls of this client"))?;
        let Some(person) = person(client, parties) else { return Ok(()) };
        let calls = limit(client.limits.caller_calls_per_minute, CALLER_CALLS);
        let of_caller = self.callers.hit(&(client.id, person.reveal()), call, calls, now);
        if of_caller.is_err() && of_client == Let::Through {
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

/// Why no client was found.
fn nobodys(lines: &[PhoneNumber]) -> Refused {
    if lines.iter().any(|line| normalise_number(line.reveal(), REGION).is_some()) {
        return Refused::UnknownClient;
    }
    FieldError::malformed("CallTo", "is malformed: it must be a phone number").into()
}

/// Who called whom, in both spellings.
pub(super) fn parties(
    from: Option<PhoneNumber>,
    to: Option<PhoneNumber>,
    direction: Option<String>,
    region: &str,
) -> Parties {
    let e164 = |raw: &Option<PhoneNumber>| {
        raw.as_ref().and_then(|raw| normalise_number(raw.reveal(), region)).map(PhoneNumber::new)
    };
    Parties { from: e164(&from), from_raw: from, to: e164(&to), to_raw: to, direction }
}

/// A refusal as the media socket's leg knows it.
fn desk_error(refused: &Refused) -> DeskError {
    let words = refused.to_string();
    match refused {
        Refused::StorageAway | Refused::Switchboard(_) | Refused::TooMany { .. } => DeskError::Unavailable(words),
        _ => DeskError::Denied(words),
    }
}

/// The desk as the switchboard knows it.
pub(crate) struct StaticDesk(pub(crate) Arc<Desk>);

impl FrontDesk for StaticDesk {
    fn admit(&self, start: Start) -> DeskAnswer {
        let desk = self.0.clone();
        Box::pin(async move { desk.decide(start.call_sid.clone(), desk.admit_static(start, false)).await })
    }

    fn readmit(&self, start: Start) -> DeskAnswer {
        let desk = self.0.clone();
        Box::pin(async move { desk.decide(start.call_sid.clone(), desk.admit_static(start, true)).await })
    }

    fn take(&self, start: Start) -> DeskAnswer {
        let desk = self.0.clone();
        Box::pin(async move { desk.decide(start.call_sid.clone(), desk.take(start)).await })
    }

    fn refused(&self, call: Option<&CallSid>, why: &MediaRefusal) {
        if self.0.is_worth_writing() {
            self.0.recorder.audit(entry("media.refused", call, why.code(), Some(&why.to_string())));
        }
    }
}

fn entry(kind: &str, call: Option<&CallSid>, outcome: &str, message: Option<&str>) -> AuditEntry {
    AuditEntry {
        at: Utc::now(),
        kind: kind.to_owned(),
        call_sid: call.cloned(),
        remote_addr: None,
        request_id: None,
        outcome: outcome.to_owned(),
        payload: json!({ "message": message }),
    }
}
