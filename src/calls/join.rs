//! A media stream began whose call this node does not wait for: it shows who has the call from now on.

use std::time::{Instant, SystemTime};

use actors::{Admission, Join, JoinAnswer, JoinError, MediaRefusal, Reservation};
use chrono::Utc;
use protocol::exotel::stream::Start;
use protocol::exotel::webhook::FieldError;
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::json;
use std::sync::Arc;
use tokio::time::timeout;

use super::admissions::{Admissions, AdmittedCall, Arrival, GoesOn};
use super::{Calls, Refused};
use crate::store::{AuditEntry, Begun, Entry, NewStream, StreamClaim};

/// Media sockets turned away behind their upgrade that are written to the audit log in a minute.
const REFUSALS_A_MINUTE: u32 = 600;

impl Calls {
    /// Whether a token's stream is awaited on this node; else whether its call waits for it at all: another gateway announced it, or this
    /// one before a restart.
    ///
    /// # Errors
    /// When the stream has begun, the call is over, or the database is away.
    pub async fn awaits(&self, call: &CallSid, stream: u32) -> Result<Awaited, Refused> {
        // Until `start` uses the token up, every socket is welcome: the handshake has one retry, and the newest wins.
        if self.switchboard.awaits(call, stream) == Some(true) {
            return Ok(Awaited::Here);
        }
        let on_record = async {
            // What this node had of it may be on its way to the row.
            self.admissions.writer.flush().await;
            let row = self.admissions.store.call(call).await?.map(|found| found.call);
            let awaited =
                row.is_some_and(|row| row.entry.is_some() && row.awaits(stream) && !row.is_over_for_good(Utc::now()));
            if awaited { Ok(Awaited::Elsewhere) } else { Err(Refused::StreamUsed) }
        };
        timeout(self.admissions.deadline, on_record).await.unwrap_or(Err(Refused::StorageAway))
    }
}

/// Where a stream is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// By a call of this node.
    Here,
    /// By one that is not here, or was left here: its start gives the call to this node.
    Elsewhere,
}

impl Admissions {
    async fn join_on_record(&self, join: &Join) -> Result<Admission, Refused> {
        if join.stream.is_some() {
            return self.take(join).await;
        }
        let arrival = arrival(&join.start)?;
        let no_place = |_: &Admission| Ok(None::<Reservation>);
        let mut let_in = self.let_in(&arrival, no_place).await?;
        let begun = self.begin(arrival, &mut let_in, join.here.is_some()).await?;
        let (row, goes_on) = match begun {
            Begun::Over(_) => return Err(Refused::Over),
            Begun::New(row) if row.is_over() => return Err(Refused::Over),
            Begun::Elsewhere(_) => return self.take(join).await,
            Begun::Ours(row) => {
                let under = row.ownership.generation;
                if let Some(here) = join.here.clone().filter(|here| here.generation == under) {
                    return Ok(here);
                }
                let goes_on = GoesOn::asked(&row, Some(under));
                (row, goes_on)
            }
            Begun::New(row) => {
                let goes_on = GoesOn::asked(&row, None);
                (row, goes_on)
            }
            Begun::Returned { call: row, was } => {
                let goes_on = GoesOn::returned(&row, was, &self.node);
                (row, goes_on)
            }
        };
        let AdmittedCall { client, mut admission, .. } = let_in;
        self.inform(&client, &row, None, &mut admission).await?;
        self.goes_on(&row, goes_on, admission, join.here.as_ref()).await
    }

    /// Takes the call of a stream that is here.
    async fn take(&self, join: &Join) -> Result<Admission, Refused> {
        let new = NewStream {
            call_sid: join.start.call_sid.clone(),
            number: join.stream,
            stream: join.start.stream_sid.clone(),
            owner: self.node.clone(),
            at: Utc::now(),
        };
        let (was, generation, stream) = match self.store.take_stream(new).await? {
            StreamClaim::Granted { was, generation, stream } => (was, generation, stream),
            StreamClaim::Used => return Err(Refused::StreamUsed),
            StreamClaim::Over => return Err(Refused::Over),
            StreamClaim::Unknown => return Err(Refused::UnknownClient),
        };
        let (owner, entry) = was.client_id.zip(was.entry).ok_or(Refused::UnknownClient)?;
        let client = self.store.client(owner).await?.ok_or(Refused::UnknownClient)?;
        let was_ours = was.ownership.owner.as_ref() == Some(&self.node);
        let was_under = was_ours.then_some(was.ownership.generation);
        let goes_on = GoesOn { generation, was_under, was: None, stream, since: SystemTime::now() };
        let mut admission = self.admission(&was.call_sid, &client, entry, &was.parties, None).await?;
        self.inform(&client, &was, None, &mut admission).await?;
        self.goes_on(&was, goes_on, admission, join.here.as_ref()).await
    }

    /// Has a stream's call admitted in time, or not, and writes down which.
    async fn join(&self, join: Join) -> Result<Admission, JoinError> {
        let joined = timeout(self.deadline, self.join_on_record(&join)).await.unwrap_or(Err(Refused::StorageAway));
        let joined = match (joined, join.here) {
            // This node knows the call: it needs no database to go on with it.
            (Err(Refused::StorageAway), Some(here)) if join.stream.is_none() => Ok(here),
            (joined, _) => joined,
        };
        let outcome = joined.as_ref().err().map_or("ok", Refused::code);
        let words = joined.as_ref().err().map(Refused::to_string);
        if joined.is_ok() || self.is_worth_writing() {
            self.writer.audit(audit_entry("media.start", Some(&join.start.call_sid), outcome, words.as_deref()));
        }
        joined.map_err(|refused| refused.count().into())
    }

    /// Whether a media socket that was turned away is written down, or counted only.
    fn is_worth_writing(&self) -> bool {
        let worth = self.refused_sockets.count(&(), REFUSALS_A_MINUTE, Instant::now()).is_ok();
        if !worth {
            metrics::counter!("callgate_audit_skipped_total").increment(1);
        }
        worth
    }
}

/// A call whose stream came without a webhook. Which way it goes is not told: either end may be the client's.
fn arrival(start: &Start) -> Result<Arrival, Refused> {
    let lines: Vec<PhoneNumber> = [&start.to, &start.from].into_iter().flatten().cloned().collect();
    if lines.is_empty() {
        return Err(FieldError::missing("to", "the start event does not tell the number that was called").into());
    }
    Ok(Arrival {
        call: start.call_sid.clone(),
        lines,
        from: start.from.clone(),
        to: start.to.clone(),
        direction: None,
        custom_field: None,
        entry: Entry::Static,
    })
}

fn audit_entry(kind: &str, call: Option<&CallSid>, outcome: &str, message: Option<&str>) -> AuditEntry {
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

/// As the media sockets ask.
pub(crate) struct MediaAdmissions(pub(crate) Arc<Admissions>);

impl actors::Admissions for MediaAdmissions {
    fn join(&self, join: Join) -> JoinAnswer {
        let admissions = Arc::clone(&self.0);
        Box::pin(async move { admissions.join(join).await })
    }

    fn refused(&self, call: Option<&CallSid>, why: &MediaRefusal) {
        if self.0.is_worth_writing() {
            self.0.writer.audit(audit_entry("media.refused", call, why.code(), Some(&why.to_string())));
        }
    }
}
