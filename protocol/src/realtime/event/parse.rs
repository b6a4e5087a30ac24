//! From a text frame to a [`Parsed`].

use std::borrow::Cow;

use serde_json::Value;

use super::{
    AudioFormat, ContentKey, FunctionCall, Parsed, ResponseDone, ResponseStatus, ServerError, ServerEvent, Usage, audio,
};
use crate::ids::{ItemId, ResponseId};
use crate::wire::{self, WireError, clip};

/// Bytes of an id, a code or a name.
pub(super) const MAX_NAME: usize = 128;
/// Bytes of an error's message.
const MAX_REASON: usize = 256;
/// Bytes of what is said in one event, or of a function's arguments.
const MAX_WORDS: usize = 16 * 1024;

/// Reads one event.
///
/// Missing and odd fields read as empty or zero rather than lose an event; beta names are mapped to GA's. Audio is borrowed.
///
/// # Errors
/// When the text is no JSON object or has no `type`, and for audio without `delta`.
pub fn parse(text: &str) -> Result<Parsed<'_>, WireError> {
    if let Some(parsed) = audio::scan(text) {
        return Ok(parsed);
    }
    let event = Value::Object(wire::object(text)?);
    let kind = event["type"].as_str().ok_or(WireError::Field { field: "type" })?;
    if audio::is_delta(kind) {
        let Value::String(delta) = &event["delta"] else { return Err(WireError::Field { field: "delta" }) };
        return Ok(Parsed::Audio { key: key(&event), delta: Cow::Owned(delta.clone()) });
    }
    Ok(Parsed::Event { event: server_event(kind, &event), cut: text.len() > MAX_REASON && is_cut(&event) })
}

/// Whether anything that is said in an event, or the message of an error, is longer than its bound.
fn is_cut(event: &Value) -> bool {
    let longer = |value: &Value, most| value.as_str().is_some_and(|text| text.len() > most);
    let arguments = &event["item"]["arguments"];
    let said = [&event["delta"], &event["transcript"], &event["text"], arguments];
    let failed = &event["response"]["status_details"]["error"]["message"];
    let reasons = [&event["error"]["message"], &event["error"], &event["message"], failed];
    said.iter().any(|value| longer(value, MAX_WORDS)) || reasons.iter().any(|value| longer(value, MAX_REASON))
}

fn server_event(kind: &str, event: &Value) -> ServerEvent {
    match kind {
        "session.created" => ServerEvent::SessionCreated { expires_at: expires_at(event) },
        "session.updated" | "transcription_session.updated" => {
            let (input, output) = (format_of(&event["session"], "input"), format_of(&event["session"], "output"));
            ServerEvent::SessionUpdated { input, output, expires_at: expires_at(event) }
        }
        "input_audio_buffer.speech_started" => {
            ServerEvent::SpeechStarted { item: item(event), audio_start_ms: event["audio_start_ms"].as_u64() }
        }
        "input_audio_buffer.speech_stopped" => {
            ServerEvent::SpeechStopped { item: item(event), audio_end_ms: number(&event["audio_end_ms"]) }
        }
        "input_audio_buffer.committed" => ServerEvent::Committed { item: item(event) },
        // One server says `completed` several times for an item, the whole text so far each time.
        "conversation.item.input_audio_transcription.completed" if event["status"] == "in_progress" => {
            ServerEvent::Ignored
        }
        "conversation.item.input_audio_transcription.completed" => {
            ServerEvent::InputTranscript { item: item(event), text: words(&event["transcript"]) }
        }
        "conversation.item.input_audio_transcription.failed" => {
            ServerEvent::InputTranscriptFailed { item: item(event), error: error(event) }
        }
        "response.created" => ServerEvent::ResponseCreated {
            response: response_id(event),
            output: format_of(&event["response"], "output"),
        },
        "response.output_item.done" if event["item"]["type"] == "function_call" => function_call(event),
        "response.output_audio.done" | "response.audio.done" => ServerEvent::AudioDone(key(event)),
        "response.output_audio_transcript.delta"
        | "response.audio_transcript.delta"
        | "response.output_text.delta"
        | "response.text.delta" => ServerEvent::TranscriptDelta { key: key(event), delta: words(&event["delta"]) },
        "response.output_audio_transcript.done" | "response.audio_transcript.done" => {
            ServerEvent::TranscriptDone { key: key(event), text: words(&event["transcript"]) }
        }
        "response.output_text.done" | "response.text.done" => {
            ServerEvent::TranscriptDone { key: key(event), text: words(&event["text"]) }
        }
        "response.done" => ServerEvent::ResponseDone(response_done(event)),
        "error" => ServerEvent::Error(error(event)),
        known if is_unused(known) => ServerEvent::Ignored,
        unknown => ServerEvent::Unknown { kind: clip(unknown, MAX_NAME).into_owned() },
    }
}

/// Kinds that are known and tell a call nothing.
fn is_unused(kind: &str) -> bool {
    matches!(
        kind,
        "conversation.created"
            | "conversation.item.added"
            | "conversation.item.created"
            | "conversation.item.deleted"
            | "conversation.item.done"
            | "conversation.item.retrieved"
            | "conversation.item.truncated"
            | "input_audio_buffer.cleared"
            | "input_audio_buffer.dtmf_event_received"
            | "input_audio_buffer.timeout_triggered"
            | "ping"
            | "rate_limits.updated"
            | "response.content_part.added"
            | "response.content_part.done"
            | "response.function_call_arguments.delta"
            | "response.function_call_arguments.done"
            | "response.output_item.added"
            | "response.output_item.done"
    ) || [
        "conversation.item.input_audio_transcription.",
        "mcp_list_tools.",
        "output_audio_buffer.",
        "response.mcp_call",
    ]
    .iter()
    .any(|family| kind.starts_with(family))
}

/// A name: an id, a code, a field, a reason in one word.
fn string(value: &Value) -> String {
    within(value, MAX_NAME)
}

/// What is said, or what a function is called with.
fn words(value: &Value) -> String {
    within(value, MAX_WORDS)
}

/// Nothing of a server's goes on without a length.
fn within(value: &Value, most: usize) -> String {
    wire::text(value).map(|text| clip(&text, most).into_owned()).unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    wire::count(value).unwrap_or_default()
}

fn item(event: &Value) -> ItemId {
    ItemId::new(string(&event["item_id"]))
}

/// The response an event is about: it stands beside the event's fields or is told whole.
fn response_id(event: &Value) -> ResponseId {
    let whole = &event["response"]["id"];
    ResponseId::new(string(if whole.is_null() { &event["response_id"] } else { whole }))
}

fn key(event: &Value) -> ContentKey {
    let content_index = number(&event["content_index"]).try_into().unwrap_or_default();
    ContentKey { response: response_id(event), item: item(event), content_index }
}

/// When the server will end the session, unix seconds.
fn expires_at(event: &Value) -> Option<i64> {
    wire::count(&event["session"]["expires_at"]).and_then(|secs| secs.try_into().ok())
}

/// The format of one direction: GA's `audio.input.format`, else beta's `input_audio_format`.
fn format_of(holder: &Value, direction: &str) -> Option<AudioFormat> {
    let told = &holder["audio"][direction]["format"];
    audio_format(told).or_else(|| audio_format(&holder[format!("{direction}_audio_format")]))
}

/// `{"type":"audio/pcm","rate":24000}` or a name alone.
fn audio_format(told: &Value) -> Option<AudioFormat> {
    let name = told.as_str().or_else(|| told["type"].as_str())?;
    match name {
        "audio/pcmu" | "g711_ulaw" => Some(AudioFormat::Pcmu),
        "audio/pcma" | "g711_alaw" => Some(AudioFormat::Pcma),
        "audio/pcm" | "pcm16" => {
            let rate = wire::count(&told["rate"]).and_then(|rate| u32::try_from(rate).ok()).filter(|rate| *rate > 0);
            Some(AudioFormat::Pcm { rate: rate.unwrap_or(24_000) })
        }
        _ => None,
    }
}

fn function_call(event: &Value) -> ServerEvent {
    let item = &event["item"];
    ServerEvent::FunctionCall(FunctionCall {
        response: response_id(event),
        item: ItemId::new(string(&item["id"])),
        call_id: string(&item["call_id"]),
        name: string(&item["name"]),
        arguments: match &item["arguments"] {
            Value::Object(arguments) => clip(&Value::Object(arguments.clone()).to_string(), MAX_WORDS).into_owned(),
            other => words(other),
        },
        complete: item["status"] != "incomplete",
    })
}

fn response_done(event: &Value) -> ResponseDone {
    let response = &event["response"];
    // One server tells the usage beside the response, and an empty one within.
    let within = response["usage"].as_object().is_some_and(|usage| !usage.is_empty());
    let usage = usage(if within { &response["usage"] } else { &event["usage"] });
    ResponseDone { response: response_id(event), status: status(response), usage }
}

fn status(response: &Value) -> ResponseStatus {
    let details = &response["status_details"];
    let error = &details["error"];
    match response["status"].as_str() {
        Some("cancelled" | "canceled") => ResponseStatus::Cancelled,
        Some("incomplete") => ResponseStatus::Incomplete { reason: string(&details["reason"]) },
        Some("failed") => failed(error),
        // A status that is missing or new: an error told with it decides.
        _ if error.is_object() => failed(error),
        _ => ResponseStatus::Completed,
    }
}

fn failed(error: &Value) -> ResponseStatus {
    let code = string(&error["code"]);
    ResponseStatus::Failed {
        code: if code.is_empty() { string(&error["type"]) } else { code },
        message: within(&error["message"], MAX_REASON),
    }
}

/// Cached tokens never exceed the tokens they are part of. What is told without its kind counts as text.
fn usage(told: &Value) -> Usage {
    let (input, output) = (&told["input_token_details"], &told["output_token_details"]);
    let of_kind = |details: &Value, kind: &str, total: &str| match wire::count(&details[kind]) {
        Some(tokens) => tokens,
        None if details.is_object() || kind == "audio_tokens" => 0,
        None => number(&told[total]),
    };
    let input_text = of_kind(input, "text_tokens", "input_tokens");
    let input_audio = of_kind(input, "audio_tokens", "input_tokens");
    let cached = &input["cached_tokens_details"];
    let (cached_text, cached_audio) = if cached.is_object() {
        (number(&cached["text_tokens"]), number(&cached["audio_tokens"]))
    } else {
        let cached = number(&input["cached_tokens"]);
        (cached.min(input_text), cached.saturating_sub(input_text))
    };
    Usage {
        input_text,
        input_audio,
        cached_text: cached_text.min(input_text),
        cached_audio: cached_audio.min(input_audio),
        output_text: of_kind(output, "text_tokens", "output_tokens"),
        output_audio: of_kind(output, "audio_tokens", "output_tokens"),
    }
}

/// The `error` object; some servers put its fields beside the type, or a sentence in its place.
fn error(event: &Value) -> ServerError {
    let told = if event["error"].is_object() { &event["error"] } else { event };
    let kind = if event["error"].is_object() { string(&told["type"]) } else { String::new() };
    let optional = |value: &Value, most| wire::text(value).map(|text| clip(&text, most).into_owned());
    ServerError {
        code: string(&told["code"]),
        kind,
        message: optional(&told["message"], MAX_REASON).unwrap_or_else(|| within(&event["error"], MAX_REASON)),
        param: optional(&told["param"], MAX_NAME),
        // Beside the type stands the server's own event id.
        event_id: event["error"].get("event_id").and_then(|id| optional(id, MAX_NAME)),
    }
}
