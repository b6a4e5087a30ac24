//! Who may call, and whose call it is then: what a webhook and a media socket that announces itself have in common.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actors::{Admission, Returning};
use chrono::{DateTime, Utc};
use protocol::call::destinations::Destination;
use protocol::call::history::History;
use protocol::call::policy::{GreetedBy, Policy};
use protocol::exotel::webhook::FieldError;
use protocol::exotel::{normalise_number, warm_numbers};
use protocol::ids::{CallSid, PhoneNumber};

use super::Refused;
use super::admission::{admission, close, wait_for_greeting};
use super::destinations::{destinations, numbers};
use super::known::{caller, known, zone};
use super::parties::parties;
use super::rates::Rates;
use super::writer::RecordWriter;
use crate::agent::Document;
use crate::clips::ClipLibrary;
use crate::rate::Windows;
use crate::store::{Begun, Call, Client, Entry, NewCall, NodeId, Ownership, Parties, Store};
use crate::tenant::REGION;
use crate::tools::{CallInfo, Tools};

/// Admits calls, whichever way they come in. It needs nothing of the calls that are live: those who ask bring what they know.
pub struct Admissions {
    pub(super) store: Store,
    pub(super) writer: RecordWriter,
    policy: Policy,
    /// How long the database may take, all in all.
    pub(super) deadline: Duration,
    rates: Arc<Rates>,
    /// What gives each call its functions.
    tools: Tools,
    /// What its caller hears without a model.
    clips: ClipLibrary,
    /// Media sockets that were turned away and are written down.
    pub(super) refused_sockets: Windows,
    /// This run of this gateway.
    pub(super) node: NodeId,
}

/// A call that asks to begin.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The call.
    pub call: CallSid,
    /// Who calls, as the carrier spells it.
    pub from: Option<PhoneNumber>,
    /// Who is called, likewise.
    pub to: Option<PhoneNumber>,
    /// Numbers of which one is the client's, the likeliest first.
    pub lines: Vec<PhoneNumber>,
    /// As the carrier spells it.
    pub direction: Option<String>,
    /// What whoever placed the call wrote on it.
    pub custom_field: Option<String>,
    /// How it comes in.
    pub entry: Entry,
}

/// A call that was let in, and its place if one was taken for it.
pub(super) struct AdmittedCall<P> {
    pub(super) client: Client,
    pub(super) admission: Admission,
    pub(super) place: Option<P>,
}

impl Admissions {
    /// Over a database, with the limits that hold for every call of this node.
    #[must_use]
    pub fn new(
        store: Store,
        writer: RecordWriter,
        policy: Policy,
        deadline: Duration,
        node: NodeId,
        tools: Tools,
        clips: ClipLibrary,
    ) -> Self {
        warm_numbers(REGION);
        let (rates, refused_sockets) = (Arc::new(Rates::new()), Windows::new("sockets"));
        Self { store, writer, policy, deadline, rates, tools, clips, refused_sockets, node }
    }

    /// Finds the client of a call, takes a place for it, and holds the client's limits. A call that has begun, here or on another node,
    /// was let in before: it goes on without a place if there is none.
    pub(super) async fn let_in<P>(
        &self,
        arrival: &Arrival,
        take_place: impl FnOnce(&Admission) -> Result<Option<P>, Refused>,
    ) -> Result<AdmittedCall<P>, Refused> {
        let client = self.store.client_of(arrival.lines.clone()).await?.ok_or_else(|| nobodys(&arrival.lines))?;
        let parties = self.parties(arrival, &client);
        let noted = arrival.custom_field.as_deref();
        let admission = self.admission(&arrival.call, &client, arrival.entry, &parties, noted).await?;
        let lines = self.tools.lines(&client).await?;
        let judged = match client.active {
            true => take_place(&admission).and_then(|place| {
                self.rates.check(&arrival.call, (&client, &lines), &parties, Instant::now())?;
                Ok(place)
            }),
            false => Err(Refused::UnknownClient),
        };
        let place = match judged {
            Ok(place) => place,
            Err(refused) => match self.store.has_begun(&arrival.call, client.id).await? {
                true => None,
                false => return Err(refused),
            },
        };
        Ok(AdmittedCall { client, admission, place })
    }

    /// Writes the call down: whoever does so first has begun it. Of one that was here and is not any more (`is_here`), the end may be on its
    /// way to the row: it is looked at again behind that.
    pub(super) async fn begin<P>(
        &self,
        arrival: Arrival,
        let_in: &mut AdmittedCall<P>,
        is_here: bool,
    ) -> Result<Begun, Refused> {
        let begun = self.write_down(arrival.clone(), let_in).await?;
        if is_here || !matches!(begun, Begun::Ours(_)) {
            return Ok(begun);
        }
        if !self.writer.flush().await {
            return Err(Refused::StorageAway);
        }
        self.write_down(arrival, let_in).await
    }

    /// One that had begun with another client stays that one's.
    async fn write_down<P>(&self, arrival: Arrival, let_in: &mut AdmittedCall<P>) -> Result<Begun, Refused> {
        let client = &let_in.client;
        let new = NewCall {
            parties: self.parties(&arrival, client),
            call_sid: arrival.call.clone(),
            client_id: client.id,
            entry: arrival.entry,
            owner: self.node.clone(),
            tells: client.events_url.is_some(),
            at: Utc::now(),
        };
        let begun = self.store.begin_call(new).await?;
        if let Some(owner) = begun.call().client_id.filter(|owner| *owner != client.id) {
            let client = self.store.client(owner).await?.ok_or(Refused::UnknownClient)?;
            let call = begun.call();
            let noted = arrival.custom_field.as_deref();
            let admission = self.admission(&call.call_sid, &client, arrival.entry, &call.parties, noted).await?;
            // The place was another client's.
            *let_in = AdmittedCall { client, admission, place: None };
        }
        Ok(begun)
    }

    fn parties(&self, arrival: &Arrival, client: &Client) -> Parties {
        parties(arrival.from.clone(), arrival.to.clone(), arrival.direction.clone(), &client.region)
    }

    pub(super) async fn admission(
        &self,
        call: &CallSid,
        client: &Client,
        entry: Entry,
        parties: &Parties,
        custom_field: Option<&str>,
    ) -> Result<Admission, Refused> {
        let greeted_by = match entry {
            Entry::CallStart => GreetedBy::Carrier,
            Entry::Voicebot | Entry::Static => GreetedBy::Model,
        };
        let info = CallInfo {
            caller: caller(&self.tools.lines(client).await?, parties).cloned(),
            custom_field: custom_field.map(str::to_owned),
            called: parties.to.clone(),
            direction: parties.direction.clone(),
            ..CallInfo::new(call.clone())
        };
        let tools = self.tools.of_call(client, info).await?;
        let destinations = self.destinations(client, &tools.document).await?;
        let mut admission = admission(call, client, greeted_by, &self.policy, tools, &self.clips);
        admission.setup.destinations = destinations;
        Ok(admission)
    }

    /// Where its callers may be handed on to, as it is now.
    async fn destinations(&self, client: &Client, document: &Document) -> Result<Vec<Destination>, Refused> {
        if document.transfers.destinations.is_empty() {
            return Ok(Vec::new());
        }
        let ours = self.store.owners_of(numbers(document)).await?;
        Ok(destinations(document, zone(client), &ours, (Utc::now(), Instant::now())))
    }

    /// What there is of a client's agent beside its row.
    pub(super) async fn document(&self, client: &Client) -> Result<Arc<Document>, Refused> {
        Ok(self.tools.document(client).await?)
    }

    /// Whether a further call of that caller's, or of anybody with that client, would be refused as one too many.
    pub(super) async fn calls_too_often(&self, client: &Client, parties: &Parties) -> Result<bool, Refused> {
        let lines = self.tools.lines(client).await?;
        Ok(self.rates.are_used_up((client, &lines), parties, Instant::now()))
    }

    /// Adds what the row of the call says: what is known for its texts without asking anybody, or that nobody answers when it began.
    pub(super) async fn inform(
        &self,
        client: &Client,
        row: &Call,
        custom_field: Option<&str>,
        admission: &mut Admission,
    ) -> Result<(), Refused> {
        let document = self.tools.document(client).await?;
        match document.is_open(row.times.started_at, zone(client)) {
            true => {
                let lines = self.tools.lines(client).await?;
                admission.setup.known = known(&self.store, client, &lines, row, custom_field).await;
            }
            false => close(admission, document.closed_words.clone().unwrap_or_default()),
        }
        wait_for_greeting(admission);
        Ok(())
    }

    /// A call that this node has from now on, as a row has it that was read before. `here`: as this node had it last.
    pub(super) async fn goes_on(
        &self,
        row: &Call,
        goes_on: GoesOn,
        mut admission: Admission,
        here: Option<&Admission>,
    ) -> Result<Admission, Refused> {
        let GoesOn { generation, was_under, was, stream, since } = goes_on;
        admission.generation = generation;
        let remembered = here.is_some_and(|here| was_under == Some(here.generation));
        let stored = if stream <= 1 || remembered { None } else { Some(self.store.stored_history(row).await?) };
        let turns = stored.iter().flat_map(|stored| &stored.turns);
        let waits = turns.collect();
        match was {
            Some(ownership) => self.writer.owns(&Call { ownership, ..row.clone() }, generation, waits),
            None => self.writer.owns(row, generation, waits),
        }
        if stream <= 1 {
            return Ok(admission);
        }
        let history = stored.map(|stored| Box::new(History::stored(stored)));
        admission.returns = Some(Returning { history, stream, since, dial_status: row.ownership.dial_status.clone() });
        Ok(admission)
    }
}

/// Under which generation a call goes on, and with which of its streams.
pub(super) struct GoesOn {
    pub(super) generation: i32,
    /// The generation of this node that the row was under before; none: it was another's.
    pub(super) was_under: Option<i32>,
    /// Whose it was, where the row says whose it is by now.
    pub(super) was: Option<Ownership>,
    pub(super) stream: u32,
    pub(super) since: SystemTime,
}

impl GoesOn {
    /// With the stream that is asked for.
    pub(super) fn asked(row: &Call, was_under: Option<i32>) -> Self {
        let asked_at: DateTime<Utc> = row.ownership.asked_at.unwrap_or(row.times.started_at);
        let (generation, stream) = (row.ownership.generation, row.streams() + 1);
        Self { generation, was_under, was: None, stream, since: asked_at.into() }
    }

    /// Likewise, after an end that was none.
    pub(super) fn returned(row: &Call, was: Ownership, node: &NodeId) -> Self {
        let was_under = (was.owner.as_ref() == Some(node)).then_some(was.generation);
        Self { was: Some(was), ..Self::asked(row, was_under) }
    }
}

/// Why no client was found.
fn nobodys(lines: &[PhoneNumber]) -> Refused {
    if lines.iter().any(|line| normalise_number(line.reveal(), REGION).is_some()) {
        return Refused::UnknownClient;
    }
    FieldError::malformed("CallTo", "is malformed: it must be a phone number").into()
}
