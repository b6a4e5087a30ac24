//! Puts a file on record: what would change is known before anything does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::ids::{PhoneNumber, Secret};
use serde_json::Value;

use super::file::{AgentFile, Document, McpConfig, McpTool};
use super::record::OnRecord;
use super::words::SECRET;
use crate::notify::{Endpoint, EndpointChange, EndpointError};
use crate::outgoing::PrivateHosts;
use crate::store::{AppliedAgent, Apply, Client, Store, StoreError};

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// Why a file is not put on record.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its numbers are not one client's.
    #[error("its numbers belong to {0} clients (ids {1}): a file is for one; take out what is another's")]
    Several(usize, String),
    /// Another client has one of them.
    #[error(
        "the number {number} belongs to the client `{client}` (id {id}): take it out, or take it from that one first"
    )]
    Taken {
        /// The number.
        number: String,
        /// Whose it is.
        client: String,
        /// Its id.
        id: i64,
    },
    /// A destination is a number whose calls an agent answers.
    #[error(
        "{key} is the number of {}, whose calls an agent answers: a caller would come back here; give the number of a person",
        .client.as_ref().map_or_else(|| "this client".to_owned(), |name| format!("the client `{name}`"))
    )]
    OurNumber {
        /// Such as `destinations.desk.to`.
        key: String,
        /// Whose it is; none: the file's own client.
        client: Option<String>,
    },
    /// It was changed meanwhile.
    #[error("the client was changed meanwhile: read it again, and apply the file to what it is now")]
    Stale,
    /// The events cannot be signed.
    #[error("events.url {0}")]
    Events(#[from] EndpointError),
    /// The database.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken { number, client, id } => Self::Taken { number: number.reveal().to_owned(), client, id },
            error => Self::Store(error),
        }
    }
}

/// One thing that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Such as `agent.greeting`.
    pub key: String,
    /// What stands; none: nothing.
    pub from: Option<String>,
    /// What would; none: nothing.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "+ {} = {to}", self.key),
            (Some(from), None) => write!(f, "- {} (was {from})", self.key),
            (Some(from), Some(to)) => write!(f, "~ {} = {to} (was {from})", self.key),
            (None, None) => write!(f, "~ {}", self.key),
        }
    }
}

/// A file, and what it would change.
#[derive(Debug)]
pub struct Plan {
    file: AgentFile,
    /// What stands; none: the client is new.
    stands: Option<OnRecord>,
    document: Document,
}

/// What came of it.
#[derive(Debug)]
pub struct Applied {
    /// The row now.
    pub client: Client,
    /// The secret of its events, if one was made: it is not shown again.
    pub made: Option<Secret>,
}

impl Plan {
    /// For the client that has the numbers of the file, or a new one.
    ///
    /// # Errors
    /// When they are not one client's, and when the database fails.
    pub async fn new(store: &Store, file: AgentFile) -> Result<Self, ApplyError> {
        let mut owners: BTreeMap<i64, Client> = BTreeMap::new();
        for number in &file.numbers {
            if let Some(client) = store.client_by_number(&PhoneNumber::new(number)).await? {
                owners.insert(client.id, client);
            }
        }
        if owners.len() > 1 {
            let ids: Vec<String> = owners.keys().map(ToString::to_string).collect();
            return Err(ApplyError::Several(ids.len(), ids.join(", ")));
        }
        let stands = match owners.into_values().next() {
            Some(client) => Some(OnRecord::of(store, client).await?),
            None => None,
        };
        let plan = Self::of(file, stands);
        plan.check_destinations(store).await?;
        Ok(plan)
    }

    /// None of its destinations is a number of ours, whosever it is.
    async fn check_destinations(&self, store: &Store) -> Result<(), ApplyError> {
        let destinations = || self.document.transfers.destinations.iter().filter(|(_, to)| to.is_number());
        let owners = store.owners_of(destinations().map(|(_, to)| PhoneNumber::new(&to.to)).collect()).await?;
        let id = self.stands.as_ref().map(|stands| stands.client.id);
        for (name, destination) in destinations() {
            if let Some(owner) = owners.iter().find(|owner| owner.number.reveal() == destination.to) {
                let client = Some(owner.client.clone()).filter(|_| Some(owner.id) != id);
                return Err(ApplyError::OurNumber { key: format!("destinations.{name}.to"), client });
            }
        }
        Ok(())
    }

    /// For one client, as it was seen.
    #[must_use]
    pub fn over(stands: OnRecord, file: AgentFile) -> Self {
        Self::of(file, Some(stands))
    }

    /// Until its servers are asked again, what they had stays in force.
    fn of(file: AgentFile, stands: Option<OnRecord>) -> Self {
        let document = file.document();
        let mut plan = Self { file, stands, document };
        plan.document.mcp_tools = plan.servers().iter().flat_map(|server| plan.known_of(server)).collect();
        plan
    }

    /// The MCP servers that the file names.
    #[must_use]
    pub fn servers(&self) -> &[McpConfig] {
        &self.document.mcp
    }

    /// The names of its own functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.document.tools.iter().map(|tool| tool.name.as_str())
    }

    /// What a server had when it was asked last, of what is allowed now.
    #[must_use]
    pub fn known_of(&self, server: &McpConfig) -> Vec<McpTool> {
        let Some(stands) = self.stands.as_ref().map(|stands| &stands.document) else { return Vec::new() };
        let is_same = |was: &McpConfig| was.label == server.label && was.url == server.url;
        if !stands.mcp.iter().any(is_same) {
            return Vec::new();
        }
        let is_allowed = |name: &String| server.allowed.as_ref().is_none_or(|allowed| allowed.contains(name));
        let of_it = stands.mcp_tools.iter().filter(|tool| tool.server == server.label && is_allowed(&tool.name));
        of_it.cloned().collect()
    }

    /// What these servers have, all of them: it is in force from now on.
    pub fn offers(&mut self, tools: Vec<McpTool>) {
        self.document.mcp_tools = tools;
    }

    /// Functions of servers that would not be offered any more, or newly, or are told of otherwise.
    fn changed_tools(&self) -> Vec<Change> {
        let named = |document: &Document| -> BTreeMap<String, McpTool> {
            let key = |tool: &McpTool| format!("mcp {} {}", tool.server, tool.name);
            document.mcp_tools.iter().map(|tool| (key(tool), tool.clone())).collect()
        };
        let from = self.stands.as_ref().map(|stands| named(&stands.document)).unwrap_or_default();
        let to = named(&self.document);
        let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let differ = keys.into_iter().filter(|key| from.get(*key) != to.get(*key));
        let told = |tool: Option<&McpTool>| tool.map(|tool| tool.description.chars().take(SHOWN).collect());
        differ.map(|key| Change { key: key.clone(), from: told(from.get(key)), to: told(to.get(key)) }).collect()
    }

    /// The client that it is for, if there is one.
    #[must_use]
    pub const fn stands(&self) -> Option<&OnRecord> {
        self.stands.as_ref()
    }

    /// Names of sealed secrets that the file refers to.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        let context = self.document.context.iter().map(|context| &context.headers);
        let tools = self.document.tools.iter().map(|tool| &tool.headers);
        let all = context.chain(tools).chain(self.document.mcp.iter().map(|server| &server.headers));
        let named = all.flat_map(BTreeMap::values).filter_map(|value| value.strip_prefix(SECRET));
        named.map(str::to_owned).collect()
    }

    /// What would change, in the order of the keys.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let flat = |file: &AgentFile| {
            let mut flat = BTreeMap::new();
            flatten("", &serde_json::to_value(file).unwrap_or_default(), &mut flat);
            flat
        };
        let (to, mut from) = (flat(&self.file), BTreeMap::new());
        let mut changes = Vec::new();
        if let Some(stands) = &self.stands {
            from = flat(&stands.file());
            if stands.client.agent.tools != "[]" {
                let was = Some("functions as an earlier version kept them: they were never called".to_owned());
                changes.push(Change { key: "tools".to_owned(), from: was, to: None });
            }
        }
        let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let differ = keys.into_iter().filter(|key| from.get(*key) != to.get(*key));
        changes.extend(differ.map(|key| {
            let told = |side: &BTreeMap<String, Value>| side.get(key).map(|value| shown(key, value));
            Change { key: key.clone(), from: told(&from), to: told(&to) }
        }));
        changes.extend(self.changed_tools());
        changes
    }

    /// Puts it on record, all of it or nothing. One that changes nothing is left alone.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub async fn carry_out(self, store: &Store, private: &PrivateHosts) -> Result<Applied, ApplyError> {
        let unchanged = self.changes().is_empty();
        if let Some(stands) = self.stands.as_ref().filter(|_| unchanged) {
            return Ok(Applied { client: stands.client.clone(), made: None });
        }
        self.check_destinations(store).await?;
        let Endpoint { target, made } = self.events(store, private).await?;
        let document = match self.document.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&self.document).unwrap_or_default()),
        };
        let apply = Apply {
            client: self.file.columns(),
            active: self.file.active,
            numbers: self.file.numbers.iter().map(PhoneNumber::new).collect(),
            document,
            analysed: self.document.follow_up.outcome.is_some(),
            events: target,
            over: self.stands.as_ref().map(|stands| (stands.client.id, stands.client.version)),
        };
        match store.apply_agent(apply).await? {
            AppliedAgent::Done(client) => Ok(Applied { client: *client, made }),
            AppliedAgent::Stale => Err(ApplyError::Stale),
        }
    }

    /// Where it is told of its calls. The secret stays as it is, and is made where there is none.
    async fn events(&self, store: &Store, private: &PrivateHosts) -> Result<Endpoint, ApplyError> {
        let stands = self.stands.as_ref().and_then(|stands| stands.client.events_url.as_deref());
        let wished = self.file.events.as_ref().map(|events| events.url.as_str());
        if stands == wished {
            return Ok(Endpoint::default());
        }
        let known = match &self.stands {
            Some(stands) => store.events_target(stands.client.id).await?,
            None => None,
        };
        Ok(EndpointChange::new(Some(wished.unwrap_or_default().to_owned()), None, private)?.endpoint(known)?)
    }
}

/// Every value under its key.
fn flatten(at: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::Object(table) if !at.ends_with(".parameters") && at != "outcome.schema" => {
            table.iter().for_each(|(key, value)| flatten(&below(key), value, flat));
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter().enumerate().for_each(|(index, value)| flatten(&format!("{at}[{index}]"), value, flat));
        }
        value => drop(flat.insert(at.to_owned(), value.clone())),
    }
}

/// A value for people; what a header holds may be a key.
fn shown(key: &str, value: &Value) -> String {
    let hidden = key.contains(".headers.") && !value.as_str().is_some_and(|value| value.starts_with(SECRET));
    if hidden {
        return "(not shown)".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}
