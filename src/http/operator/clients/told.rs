//! What a body says of a client, checked as an agent file is.

use protocol::exotel::normalise_number;
use protocol::exotel::webhook::FieldError;
use protocol::ids::PhoneNumber;
use serde_json::{Map, Value};

use super::super::{Gateway, Refused, malformed};
use crate::agent::Field;
use crate::notify::{EndpointChange, EndpointError};
use crate::store::{Agent, ClientChanges, ClientLimits, NewClient};
use crate::tenant::voice::{self, TRANSCRIPTION_WANTED, UNLISTED_WANTED, VOICE_WANTED};
use crate::tenant::{self, INSTRUCTIONS, LANGUAGE, REGION, TIME_ZONE};

pub(super) fn new_client(changes: ClientChanges) -> Result<NewClient, Refused> {
    let missing = |field| FieldError::missing(field, "a new client needs one");
    for (field, kind, told) in
        [("greeting", Field::Greeting, &changes.greeting), ("instructions", Field::Instructions, &changes.instructions)]
    {
        // It has no context yet that could be asked.
        let checked = told.as_deref().map_or(Ok(()), |told| kind.check(told, false));
        checked.map_err(|problem| FieldError::malformed(field, problem))?;
    }
    Ok(NewClient {
        name: changes.name.ok_or_else(|| missing("name"))?,
        exotel_number: changes.exotel_number.ok_or_else(|| missing("number"))?,
        region: changes.region.unwrap_or_else(|| REGION.to_owned()),
        time_zone: changes.time_zone.unwrap_or_else(|| TIME_ZONE.to_owned()),
        agent: Agent {
            greeting: changes.greeting.unwrap_or_default(),
            language: changes.language.unwrap_or_else(|| LANGUAGE.to_owned()),
            transcription_language: changes.transcription_language.flatten(),
            voice: changes.voice.flatten(),
            instructions: changes.instructions.unwrap_or_else(|| INSTRUCTIONS.to_owned()),
            model: changes.model.flatten(),
            tools: changes.tools.unwrap_or_else(|| "[]".to_owned()),
        },
        limits: ClientLimits {
            max_concurrent: changes.max_concurrent.flatten(),
            calls_per_minute: changes.calls_per_minute.flatten(),
            caller_calls_per_minute: changes.caller_calls_per_minute.flatten(),
            max_call_secs: changes.max_call_secs.flatten(),
        },
        recording: changes.recording.unwrap_or(false),
    })
}

/// What a body says of a client. A field that is malformed is named; one that nobody knows is refused: it is a slip of the pen.
pub(super) fn changes(told: &Map<String, Value>) -> Result<ClientChanges, Refused> {
    let mut changes = ClientChanges::default();
    for (name, value) in told {
        match name.as_str() {
            "name" => changes.name = Some(said("name", Field::Name, filled("name", value)?)?),
            "number" => changes.exotel_number = Some(number(value, told.get("region"))?),
            "active" => changes.active = Some(flag("active", value)?),
            "region" => changes.region = Some(region(value)?),
            "time_zone" => changes.time_zone = Some(time_zone(value)?),
            "greeting" => changes.greeting = Some(said("greeting", Field::Greeting, text("greeting", value)?)?),
            "language" => {
                changes.language = Some(checked("language", value, tenant::is_language, tenant::LANGUAGE_WANTED)?);
            }
            "transcription_language" => {
                let known = voice::transcription_language;
                let language = kept("transcription_language", value, known, TRANSCRIPTION_WANTED)?;
                changes.transcription_language = Some(language);
            }
            "voice" => changes.voice = Some(kept("voice", value, voice::voice, VOICE_WANTED)?),
            "unlisted_voice" => {
                let voice = kept("unlisted_voice", value, voice::unlisted_voice, UNLISTED_WANTED)?;
                changes.voice = Some(voice);
            }
            "instructions" => {
                changes.instructions = Some(said("instructions", Field::Instructions, text("instructions", value)?)?);
            }
            "model" => {
                let model = optional("model", value)?.map(|model| said("model", Field::Model, model));
                changes.model = Some(model.transpose()?);
            }
            "tools" => changes.tools = Some(tools(value)?),
            "recording" => changes.recording = Some(flag("recording", value)?),
            "max_concurrent" => changes.max_concurrent = Some(count("max_concurrent", value)?),
            "calls_per_minute" => changes.calls_per_minute = Some(count("calls_per_minute", value)?),
            "caller_calls_per_minute" => {
                changes.caller_calls_per_minute = Some(count("caller_calls_per_minute", value)?);
            }
            "max_call_secs" => changes.max_call_secs = Some(count("max_call_secs", value)?),
            // Checked together: see `endpoint_change`.
            "events_url" | "events_secret" => {}
            _ => return Err(Refused::UnknownField(name.chars().take(64).collect())),
        }
    }
    Ok(changes)
}

/// What a body says of a client's events; null for a URL is the wish not to be told.
pub(super) fn endpoint_change(gateway: &Gateway, told: &Map<String, Value>) -> Result<EndpointChange, Refused> {
    let url = told.get("events_url").map(|url| optional("events_url", url)).transpose()?;
    let secret = told.get("events_secret").map(|secret| text("events_secret", secret)).transpose()?;
    EndpointChange::new(url.map(Option::unwrap_or_default), secret, &gateway.rules.private_hosts).map_err(no_endpoint)
}

pub(super) fn no_endpoint(error: EndpointError) -> Refused {
    let field = if matches!(error, EndpointError::Url(_)) { "events_url" } else { "events_secret" };
    FieldError::malformed(field, error.to_string()).into()
}

fn text(field: &'static str, value: &Value) -> Result<String, Refused> {
    // Not every database keeps NUL.
    let text = value.as_str().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| malformed(field, "a text"))
}

/// A text as an agent file would take it. A client's context is not looked up: it may fill any place.
fn said(field: &'static str, kind: Field, told: String) -> Result<String, Refused> {
    match kind.check(&told, true) {
        Ok(()) => Ok(told),
        Err(problem) => Err(FieldError::malformed(field, problem).into()),
    }
}

fn filled(field: &'static str, value: &Value) -> Result<String, Refused> {
    let text = text(field, value)?;
    if text.trim().is_empty() { Err(malformed(field, "a text that is not empty")) } else { Ok(text) }
}

/// A text; empty or null for the default.
fn optional(field: &'static str, value: &Value) -> Result<Option<String>, Refused> {
    if value.is_null() { Ok(None) } else { Ok(Some(text(field, value)?).filter(|text| !text.trim().is_empty())) }
}

fn flag(field: &'static str, value: &Value) -> Result<bool, Refused> {
    match (value.as_bool(), value.as_str()) {
        (Some(flag), _) => Ok(flag),
        (_, Some("on")) => Ok(true),
        (_, Some("off")) => Ok(false),
        _ => Err(malformed(field, "true or false, or \"on\" or \"off\"")),
    }
}

/// A limit; 0 or null for the node's.
fn count(field: &'static str, value: &Value) -> Result<Option<i32>, Refused> {
    if value.is_null() {
        return Ok(None);
    }
    let count = value.as_i64().and_then(|count| i32::try_from(count).ok()).filter(|count| *count >= 0);
    count.map(|count| Some(count).filter(|count| *count > 0)).ok_or_else(|| malformed(field, "a number, 0 or more"))
}

/// A number, of the region that is told beside it.
fn number(value: &Value, region: Option<&Value>) -> Result<PhoneNumber, Refused> {
    let region = region.and_then(Value::as_str).unwrap_or(REGION);
    let number = value.as_str().and_then(|number| normalise_number(number, region)).map(PhoneNumber::new);
    number.ok_or_else(|| malformed("number", "a phone number such as +918047112233"))
}

fn region(value: &Value) -> Result<String, Refused> {
    value.as_str().and_then(tenant::region).ok_or_else(|| malformed("region", tenant::REGION_WANTED))
}

fn time_zone(value: &Value) -> Result<String, Refused> {
    let told = value.as_str().ok_or_else(|| malformed("time_zone", tenant::TIME_ZONE_WANTED))?;
    tenant::time_zone(told).map_err(|why| FieldError::malformed("time_zone", format!("will not do: {why}")).into())
}

/// A text that passes a check.
fn checked(field: &'static str, value: &Value, is: fn(&str) -> bool, wanted: &str) -> Result<String, Refused> {
    value.as_str().filter(|told| is(told)).map(str::to_owned).ok_or_else(|| malformed(field, wanted))
}

/// A text as it is kept, if it is known; empty or null for the default.
fn kept(
    field: &'static str,
    value: &Value,
    known: fn(&str) -> Option<String>,
    wanted: &str,
) -> Result<Option<String>, Refused> {
    let told = optional(field, value)?;
    told.map(|told| known(&told).ok_or_else(|| malformed(field, wanted))).transpose()
}

/// Functions stand in the agent file alone.
fn tools(value: &Value) -> Result<String, Refused> {
    let none = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let problem = "is not taken here: functions stand in the agent (PUT …/agent, `callgate client apply`); leave it out, or give []";
    if none { Ok("[]".to_owned()) } else { Err(FieldError::malformed("tools", problem).into()) }
}
