//! Where a caller goes: the Passthru applet asks whether, and the Connect applet to whom. Both are told by one decision, which is on record.

use chrono::Utc;
use protocol::call::end::{EndCode, EndedBy};
use protocol::exotel::connect::Dial;
use protocol::exotel::normalise_number;
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

use super::destinations::numbers;
use super::handover::{Next, with_stream_over};
use super::known::zone;
use super::route::{OnFile, Route, reason, route};
use super::{Calls, Refused};
use crate::agent::{Destination, Document};
use crate::store::{AuditEntry, Call, CallEndReport, Client, NewTransfer};
use crate::tenant::REGION;

/// How often a decision is taken again over which the call moved on.
const MOST_ATTEMPTS: usize = 3;
/// How long another gateway is waited for that had the stream, to write down how it ended; and how often is looked.
const TELLS_WITHIN: Duration = Duration::from_millis(500);
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// Where a caller goes.
#[derive(Clone, Debug)]
pub(super) enum Decided {
    /// The flow knows, if the caller goes anywhere.
    Flow(Next),
    /// To that destination of the client's.
    To(Destination),
    /// To nobody.
    Nowhere,
}

impl Decided {
    /// Which way out of the Passthru applet that is.
    pub(super) const fn next(&self) -> Next {
        match self {
            Self::Flow(next) => *next,
            Self::To(_) => Next::On,
            Self::Nowhere => Next::Else,
        }
    }
}

impl Calls {
    /// `connect`, the dynamic URL of the Connect applet: whom it dials. It ends the stream, as the Passthru applet does.
    ///
    /// # Errors
    /// When the caller goes to nobody whom we know, the call is unknown or another client's, and when the database is away.
    pub async fn connect(&self, report: CallEndReport) -> Result<Dial, Refused> {
        let sid = report.call_sid.clone();
        let known = self.admissions.store.call(&sid).await?.ok_or(Refused::UnknownCall)?.call;
        self.is_line_of(&known, &report.lines).await?;
        // The flow came here: no stream of the call is left.
        let over = !self.goes_on_by_now(&sid);
        self.stream_is_over(&report, over, None).await;
        let report = if over { with_stream_over(report) } else { report };
        let (call, _) = self.write_down(report).await?;
        match self.decide(call, false).await? {
            Decided::To(Destination { to, caller_id, ring_secs, whisper, .. }) => {
                Ok(Dial { to, caller_id, ring_secs, whisper })
            }
            Decided::Flow(_) | Decided::Nowhere => Err(Refused::NoTransfer),
        }
    }

    /// Decides where a caller goes, and puts it on record. `call`: as its row was just now.
    pub(super) async fn decide(&self, mut call: Call, stream_failed: bool) -> Result<Decided, Refused> {
        let as_ever = |call: &Call| Ok(Decided::Flow(Next::after(call.ended_code, stream_failed)));
        let Some(client) = self.client_of(&call).await? else { return as_ever(&call) };
        let document = self.admissions.document(&client).await?;
        if document.transfers.destinations.is_empty() {
            return as_ever(&call);
        }
        call = self.as_told_by_its_owner(call).await?;
        for _ in 0..MOST_ATTEMPTS {
            if let Some(decided) = self.try_to_decide(&call, stream_failed, (&client, &document)).await? {
                return Ok(decided);
            }
            call = self.row(&call.call_sid).await?;
        }
        Err(Refused::StorageAway)
    }

    async fn client_of(&self, call: &Call) -> Result<Option<Client>, Refused> {
        match call.client_id {
            Some(id) => Ok(self.admissions.store.client(id).await?),
            None => Ok(None),
        }
    }

    /// None: the call moved on meanwhile.
    async fn try_to_decide(
        &self,
        call: &Call,
        stream_failed: bool,
        (client, document): (&Client, &Document),
    ) -> Result<Option<Decided>, Refused> {
        let store = &self.admissions.store;
        let (stands, ours) = (store.transfer_of_call(call).await?, store.owners_of(numbers(document)).await?);
        let now = Utc::now();
        let on_file = OnFile {
            call,
            stands: stands.as_ref(),
            stream_failed,
            too_often: call.entry.is_none() && self.admissions.calls_too_often(client, &call.parties).await?,
            document,
            zone: zone(client),
            ours: &ours,
            now,
        };
        let (name, destination) = match route(&on_file) {
            Route::Flow(next) => return Ok(Some(Decided::Flow(next))),
            Route::Nowhere => return Ok(Some(Decided::Nowhere)),
            Route::To(name, destination) => (name, destination),
        };
        let new = NewTransfer {
            call_sid: call.call_sid.clone(),
            number: call.transfer_number(),
            ended_code: call.ended_code,
            destination: name.to_owned(),
            reason: reason(call),
            rings: destination.rings(),
            at: now,
        };
        let Some(handed) = store.hand_on(new).await? else { return Ok(None) };
        if handed.decided {
            self.admissions.writer.audit(handed_on(client, call, name));
        }
        // Of two that decided at once, the other may have come first.
        let first = handed.stands.destination.as_deref().and_then(|first| document.destination(first));
        let stood = if stands.is_none() { first.unwrap_or(destination) } else { destination };
        Ok(Some(Decided::To(stood.clone())))
    }

    /// A stream that another gateway had: how it ended, that one says, and a moment is waited for it.
    async fn as_told_by_its_owner(&self, mut call: Call) -> Result<Call, Refused> {
        let elsewhere = call.ownership.owner.as_ref().is_some_and(|owner| *owner != self.admissions.node);
        let until = Instant::now() + TELLS_WITHIN.min(self.admissions.deadline / 4);
        while elsewhere && call.ended_by != Some(EndedBy::Gateway) && call.streams() > 0 && Instant::now() < until {
            sleep(LOOKS_EVERY).await;
            call = self.row(&call.call_sid).await?;
        }
        Ok(call)
    }

    async fn row(&self, sid: &CallSid) -> Result<Call, Refused> {
        Ok(self.admissions.store.call(sid).await?.ok_or(Refused::UnknownCall)?.call)
    }

    /// Whether the number that was called is one of the call's client.
    async fn is_line_of(&self, call: &Call, lines: &[PhoneNumber]) -> Result<(), Refused> {
        let (store, Some(owner)) = (&self.admissions.store, call.client_id) else { return Ok(()) };
        let Some(client) = store.client_of(lines.to_vec()).await? else { return Ok(()) };
        if client.id == owner {
            return Ok(());
        }
        // Either end of it may be a client's.
        let told = |region: &str| -> Vec<PhoneNumber> {
            let read = lines.iter().filter_map(|line| normalise_number(line.reveal(), region));
            read.map(PhoneNumber::new).collect()
        };
        let owners = store.owners_of([told(REGION), told(&client.region)].concat()).await?;
        if owners.iter().any(|one| one.id == owner) { Ok(()) } else { Err(Refused::AnotherClient) }
    }
}

/// A caller whom no agent handed on.
fn handed_on(client: &Client, call: &Call, to: &str) -> AuditEntry {
    let told = json!({ "client": client.id, "to": to, "cause": call.ended_code.map(EndCode::name) });
    AuditEntry::step(&call.call_sid, Utc::now(), "call.handed-on", "ok", told)
}
