//! A file, and what is on record: the columns of the client's row, its numbers, the document beside them.

use protocol::ids::PhoneNumber;
use serde_json::Value;

use super::file::{AgentFile, AgentSection, CallLimits, Document, EventsConfig, Listening};
use crate::store::{Agent, Client, ClientLimits, NewClient, Store, StoreError};
use crate::tenant::voice;

/// What stands of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct OnRecord {
    /// Its row.
    pub client: Client,
    /// All of its numbers.
    pub numbers: Vec<PhoneNumber>,
    /// What there is beside.
    pub document: Document,
}

impl OnRecord {
    /// Looks the rest of a client up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(store: &Store, client: Client) -> Result<Self, StoreError> {
        let numbers = store.numbers_of_client(client.id).await?;
        let document = store.document_of_client(client.id).await?.and_then(|(_, document)| document);
        let document = document.as_deref().map(parsed).unwrap_or_default();
        Ok(Self { client, numbers, document })
    }

    fn listening(&self) -> Listening {
        let transcription_language = self.client.agent.transcription_language.clone();
        Listening { transcription_language, ..self.document.listening.clone() }
    }

    /// The file that says it.
    #[must_use]
    pub fn file(&self) -> AgentFile {
        let Client { agent, limits, .. } = &self.client;
        let listed = agent.voice.clone().filter(|kept| voice::voice(kept).as_ref() == Some(kept));
        AgentFile {
            name: self.client.name.clone(),
            numbers: self.numbers.iter().map(|number| number.reveal().to_owned()).collect(),
            active: self.client.active,
            time_zone: self.client.time_zone.clone(),
            region: self.client.region.clone(),
            recording: self.client.recording,
            limits: CallLimits {
                max_concurrent: limits.max_concurrent,
                calls_per_minute: limits.calls_per_minute,
                caller_calls_per_minute: limits.caller_calls_per_minute,
                max_call_secs: limits.max_call_secs,
            },
            agent: AgentSection {
                greeting: agent.greeting.clone(),
                instructions: agent.instructions.clone(),
                language: agent.language.clone(),
                unlisted_voice: agent.voice.clone().filter(|_| listed.is_none()),
                voice: listed,
                model: agent.model.clone(),
                speed: self.document.speed,
                closed_words: self.document.closed_words.clone(),
                hold_words: self.document.hold_words.clone(),
            },
            hours: self.document.hours.clone(),
            listening: self.listening(),
            follow_up: self.document.follow_up.clone(),
            context: self.document.context.clone(),
            events: self.client.events_url.clone().map(|url| EventsConfig { url }),
            transfers: self.document.transfers.clone(),
            tools: self.document.tools.clone(),
            mcp: self.document.mcp.clone(),
        }
    }
}

/// A document as it is kept. Whoever wrote it checked it; one that this version cannot read is told, and counts as none.
pub(super) fn parsed(kept: &str) -> Document {
    serde_json::from_str(kept).unwrap_or_else(|error| {
        tracing::error!(%error, "a client's document cannot be read: its functions are not offered");
        Document::default()
    })
}

impl AgentFile {
    /// What of it is kept beside the columns.
    #[must_use]
    pub fn document(&self) -> Document {
        Document {
            hours: self.hours.clone(),
            closed_words: self.agent.closed_words.clone(),
            speed: self.agent.speed,
            listening: Listening { transcription_language: None, ..self.listening.clone() },
            context: self.context.clone(),
            transfers: self.transfers.clone(),
            tools: self.tools.clone(),
            mcp: self.mcp.clone(),
            mcp_tools: Vec::new(),
            hold_words: self.agent.hold_words.clone(),
            follow_up: self.follow_up.clone(),
        }
    }

    /// What of it is kept in columns.
    pub(super) fn columns(&self) -> NewClient {
        let AgentSection { greeting, instructions, language, voice, unlisted_voice, model, .. } = self.agent.clone();
        NewClient {
            name: self.name.clone(),
            exotel_number: PhoneNumber::new(self.numbers.first().cloned().unwrap_or_default()),
            region: self.region.clone(),
            time_zone: self.time_zone.clone(),
            agent: Agent {
                greeting,
                language,
                transcription_language: self.listening.transcription_language.clone(),
                voice: voice.or(unlisted_voice),
                instructions,
                model,
                tools: "[]".to_owned(),
            },
            limits: ClientLimits {
                max_concurrent: self.limits.max_concurrent,
                calls_per_minute: self.limits.calls_per_minute,
                caller_calls_per_minute: self.limits.caller_calls_per_minute,
                max_call_secs: self.limits.max_call_secs,
            },
            recording: self.recording,
        }
    }

    /// As TOML.
    ///
    /// # Errors
    /// Says what it is that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, String> {
        let mut file = self.clone();
        let schemas = file.tools.iter_mut().map(|tool| &mut tool.parameters);
        for schema in schemas.chain(file.follow_up.outcome.as_mut().map(|outcome| &mut outcome.schema)) {
            if !fits_toml(schema) {
                *schema = Value::String(schema.to_string());
            }
        }
        toml::to_string_pretty(&file).map_err(|error| error.to_string())
    }
}

/// Whether TOML can hold it as it is: it has no null, and no number beyond 64 bits.
fn fits_toml(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Number(number) => number.is_i64() || number.is_f64(),
        Value::Array(list) => list.iter().all(fits_toml),
        Value::Object(table) => table.values().all(fits_toml),
        Value::Bool(_) | Value::String(_) => true,
    }
}
