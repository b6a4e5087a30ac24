//! The carrier's media socket: JSON messages as text (or binary) frames.
//!
//! Facts: strings where numbers are documented, objects that are missing, snake and camel spellings, events nobody documented.

mod encoding;
mod numbering;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use codecs::SampleRate;
use serde_json::{Map, Value};

use crate::exotel::is_sid;
use crate::ids::{CallSid, MarkId, PhoneNumber, StreamSid};
use crate::wire::scan::Scan;
use crate::wire::{self, Name, Reason, Text, WireError};
pub use encoding::{AudioIn, Encoding};
pub use numbering::{Numbered, Numbering};

/// Parameters that are read of a stream's URL: Exotel takes 3.
const MOST_PARAMETERS: usize = 16;

/// Stands for what a carrier sends in the place of a key: an applet may be set to encrypt them.
pub const UNREADABLE_KEY: char = '?';

/// About the most bytes that stand around the payload of what we send.
const MOST_AROUND: usize = 128;

/// One message from the carrier.
#[derive(Debug, PartialEq)]
pub enum CarrierMessage<'a> {
    /// The socket is a stream; nothing is known of the call yet.
    Connected,
    /// The call this stream carries.
    Start(Box<Start>),
    /// Caller audio.
    Media(Media<'a>),
    /// The caller pressed a key: one of `0-9*#ABCD`, or [`UNREADABLE_KEY`].
    Dtmf {
        /// The key.
        digit: char,
    },
    /// Playback reached a mark we sent (or one sent before a `clear`: see the ledger).
    Mark {
        /// The name we gave it: a [`MarkId`], unless the carrier made it up.
        name: Name,
    },
    /// The stream is over.
    Stop {
        /// `stopped` (the applet ended) or `callended`, as sent.
        reason: Option<Reason>,
    },
    /// Listed by Exotel as coming from it too, without a body. A no-op.
    Clear,
    /// An event nobody documented. Counted, ignored.
    Unknown {
        /// Its name as sent.
        event: Name,
    },
}

/// The `start` event.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The stream, to be named in what we send. Empty when none was told, or what was told is no id: Exotel does without it.
    pub stream_sid: StreamSid,
    /// The call.
    pub call_sid: CallSid,
    /// The account: a slug.
    pub account_sid: Option<Name>,
    /// Caller, as spelt by Exotel (`0` + 10 digits usually).
    pub from: Option<PhoneNumber>,
    /// Dialled number, as spelt by Exotel.
    pub to: Option<PhoneNumber>,
    /// From the query string of the stream URL; absent on the wire when there are none. At most 16.
    pub custom_parameters: BTreeMap<Name, Text<512>>,
    /// `media_format.sample_rate`, else 8 kHz. `Err` holds a rate we cannot carry, as sent.
    pub sample_rate: Result<SampleRate, Text<32>>,
    /// `media_format.encoding`, else PCM. `Err` holds a coding we cannot carry, as sent.
    pub encoding: Result<Encoding, Text<32>>,
}

/// One `media` event.
#[derive(Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// Counts every event of the stream from 1 (`start` is 1).
    pub sequence_number: Option<u64>,
    /// ms since the stream began, by Exotel's clock.
    pub timestamp_ms: Option<u64>,
    /// base64 of mono audio, in the stream's coding.
    pub payload: Cow<'a, str>,
}

/// Reads one message.
///
/// Media in its usual shape takes a path that allocates nothing; everything else, and media in any other shape, a tolerant one.
///
/// # Errors
/// When the text is no JSON object, or lacks what the message is nothing without: the event, a payload, the call of a `start`,
/// a mark's name, a key.
pub fn parse(text: &str) -> Result<CarrierMessage<'_>, WireError> {
    match usual_media(text) {
        Some(media) => Ok(CarrierMessage::Media(media)),
        None => parse_any(&wire::object(text)?),
    }
}

/// Replaces the buffer's content by a `media` message with that mono audio, in the stream's coding.
pub fn write_media(out: &mut String, stream: &StreamSid, audio: &[u8]) {
    begin(out, "media", stream, audio.len().div_ceil(3) * 4);
    out.push_str(r#","media":{"payload":""#);
    wire::push_base64(out, audio);
    out.push_str(r#""}}"#);
}

/// Replaces the buffer's content by a `mark` message: it is echoed when playback gets there.
pub fn write_mark(out: &mut String, stream: &StreamSid, mark: MarkId) {
    begin(out, "mark", stream, 0);
    out.push_str(r#","mark":{"name":""#);
    // Digits and a hyphen, into memory: it needs no escape and cannot fail.
    let _ = write!(out, "{mark}");
    out.push_str(r#""}}"#);
}

/// Replaces the buffer's content by a `clear` message: what was not picked up for playback yet is dropped.
pub fn write_clear(out: &mut String, stream: &StreamSid) {
    begin(out, "clear", stream, 0);
    out.push('}');
}

/// The head of what we send, with room for all of it. Exotel treats the stream's id as optional: without one it is left out.
fn begin(out: &mut String, event: &str, stream: &StreamSid, payload: usize) {
    out.clear();
    out.reserve(MOST_AROUND + payload);
    out.push_str(r#"{"event":""#);
    out.push_str(event);
    out.push('"');
    if !stream.as_str().is_empty() {
        out.push_str(r#","stream_sid":""#);
        wire::push_escaped(out, stream.as_str());
        out.push('"');
    }
}

/// Media of the usual shape: plain fields around a flat `media`. Anything else is for the full parser.
fn usual_media(text: &str) -> Option<Media<'_>> {
    let (mut is_media, mut sequence_number, mut timestamp_ms, mut payload) = (false, None, None, None);
    let mut scan = Scan::new(text);
    scan.open()?;
    loop {
        match scan.name()? {
            "event" if scan.value()?.text()? == "media" => is_media = true,
            "event" => return None,
            "sequence_number" | "sequenceNumber" => sequence_number = scan.value()?.count(),
            "media" => {
                scan.open()?;
                loop {
                    match scan.name()? {
                        "timestamp" => timestamp_ms = scan.value()?.count(),
                        "payload" => payload = Some(scan.value()?.text()?),
                        _ => _ = scan.value()?,
                    }
                    if !scan.more()? {
                        break;
                    }
                }
            }
            _ => _ = scan.value()?,
        }
        if !scan.more()? {
            break;
        }
    }
    scan.end()?;
    payload.filter(|_| is_media).map(|payload| Media { sequence_number, timestamp_ms, payload: Cow::Borrowed(payload) })
}

/// The body of an event and what stands around it: a field is looked for in both, in snake case and in camel case.
struct Fields<'v> {
    body: Option<&'v Map<String, Value>>,
    outer: &'v Map<String, Value>,
}

impl<'v> Fields<'v> {
    fn get(&self, snake: &str, camel: &str) -> Option<&'v Value> {
        let either =
            |map: &'v Map<String, Value>| map.get(snake).or_else(|| map.get(camel)).filter(|value| !value.is_null());
        self.body.and_then(either).or_else(|| either(self.outer))
    }

    fn text(&self, snake: &str, camel: &str) -> Option<Cow<'v, str>> {
        self.get(snake, camel).and_then(wire::text)
    }

    fn count(&self, snake: &str, camel: &str) -> Option<u64> {
        self.get(snake, camel).and_then(wire::count)
    }
}

fn parse_any<'a>(message: &Map<String, Value>) -> Result<CarrierMessage<'a>, WireError> {
    let event = message.get("event").and_then(Value::as_str).ok_or(WireError::Field { field: "event" })?;
    let name = event.to_ascii_lowercase();
    let fields = Fields { body: message.get(&name).and_then(Value::as_object), outer: message };
    Ok(match name.as_str() {
        "connected" => CarrierMessage::Connected,
        "start" => CarrierMessage::Start(Box::new(start(&fields)?)),
        "media" => CarrierMessage::Media(Media {
            sequence_number: fields.count("sequence_number", "sequenceNumber"),
            timestamp_ms: fields.count("timestamp", "timestamp"),
            payload: match fields.get("payload", "payload") {
                Some(Value::String(payload)) => Cow::Owned(payload.clone()),
                _ => return Err(WireError::Field { field: "media.payload" }),
            },
        }),
        "dtmf" => CarrierMessage::Dtmf {
            digit: fields
                .text("digit", "digit")
                .filter(|text| !text.trim().is_empty())
                .map(|text| key(&text).unwrap_or(UNREADABLE_KEY))
                .ok_or(WireError::Field { field: "dtmf.digit" })?,
        },
        "mark" => CarrierMessage::Mark {
            name: fields.text("name", "name").map(Name::new).ok_or(WireError::Field { field: "mark.name" })?,
        },
        "stop" => CarrierMessage::Stop { reason: fields.text("reason", "reason").map(Reason::new) },
        "clear" => CarrierMessage::Clear,
        _ => CarrierMessage::Unknown { event: Name::new(event) },
    })
}

fn start(fields: &Fields<'_>) -> Result<Start, WireError> {
    let call_sid = fields
        .text("call_sid", "callSid")
        .filter(|sid| is_sid(sid))
        .ok_or(WireError::Field { field: "start.call_sid" })?;
    let number = |name| fields.text(name, name).filter(|number| !number.is_empty()).map(PhoneNumber::new);
    let custom_parameters = fields
        .get("custom_parameters", "customParameters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((Name::new(name), as_parameter(value)?)))
        .take(MOST_PARAMETERS)
        .collect();
    let format = fields.get("media_format", "mediaFormat");
    Ok(Start {
        stream_sid: StreamSid::new(
            fields.text("stream_sid", "streamSid").filter(|sid| is_sid(sid)).unwrap_or_default(),
        ),
        call_sid: CallSid::new(call_sid),
        account_sid: fields.text("account_sid", "accountSid").map(Name::new),
        from: number("from"),
        to: number("to"),
        custom_parameters,
        sample_rate: sample_rate(format),
        encoding: encoding::encoding(format),
    })
}

/// A parameter's value as text: what is not a string is told as JSON.
fn as_parameter(value: &Value) -> Option<Text<512>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Text::new(text)),
        other => Some(Text::new(other.to_string())),
    }
}

/// The rate told, else that of the coding, else the telephone's own.
fn sample_rate(format: Option<&Value>) -> Result<SampleRate, Text<32>> {
    let told = format
        .and_then(Value::as_object)
        .and_then(|format| format.get("sample_rate").or_else(|| format.get("sampleRate")));
    let Some(told) = told.filter(|rate| wire::text(rate).is_some_and(|text| !text.trim().is_empty())) else {
        return match encoding::rate_parameter(format) {
            Some(hz) => u32::try_from(hz).ok().and_then(SampleRate::from_hz).ok_or_else(|| Text::new(hz.to_string())),
            None => Ok(SampleRate::default()),
        };
    };
    wire::count(told)
        .and_then(|hz| u32::try_from(hz).ok())
        .and_then(SampleRate::from_hz)
        .ok_or_else(|| Text::new(wire::text(told).unwrap_or_default()))
}

/// The one key of a `dtmf` event.
fn key(text: &str) -> Option<char> {
    let mut keys = text.trim().trim_matches('"').chars();
    match (keys.next().map(|key| key.to_ascii_uppercase()), keys.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
