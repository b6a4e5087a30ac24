//! What Exotel reports of a call after the fact.

use super::{CustomField, Direction, FieldError, Fields, call_sid, lines};
use crate::exotel::is_sid;
use crate::exotel::status::is_end;
use crate::exotel::time::unix_time;
use crate::ids::{CallSid, PhoneNumber, StreamSid};
use crate::wire::{Name, Reason, Text};

/// A status in one word.
pub type Status = Text<32>;
/// Where a recording is. One that is longer is nowhere: an address cannot be cut.
pub type Address = Text<2048>;

/// A call changed its status: StatusCallback, or Passthru at the end of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// The call.
    pub call_sid: CallSid,
    /// In lower case with dashes: `completed`, `failed`, `busy`, `no-answer`, `canceled`, `in-progress`, …
    pub status: Status,
    /// `terminal` or `answered`, when the callback subscribes to events.
    pub event: Option<Name>,
    /// The person's number.
    pub from: Option<PhoneNumber>,
    /// The Exotel number.
    pub to: Option<PhoneNumber>,
    /// Numbers of which one may be ours: see [`lines`].
    pub lines: Vec<PhoneNumber>,
    /// Who placed the call.
    pub direction: Direction,
    /// Unix seconds.
    pub started_at: Option<i64>,
    /// When it was answered, unix seconds.
    pub answered_at: Option<i64>,
    /// Unix seconds; when nothing tells, the last change of a call that is over.
    pub ended_at: Option<i64>,
    /// Seconds of conversation.
    pub conversation_secs: Option<u64>,
    /// Where the recording will be.
    pub recording_url: Option<Address>,
    /// What the API request that placed the call said of it.
    pub custom_field: Option<CustomField>,
}

impl CallEnd {
    /// Whether the call is over; else this tells that it rings or was answered.
    #[must_use]
    pub fn is_final(&self) -> bool {
        is_end(&self.status)
    }
}

impl TryFrom<&Fields> for CallEnd {
    type Error = FieldError;

    fn try_from(fields: &Fields) -> Result<Self, FieldError> {
        let call_sid = call_sid(fields)?;
        let stream = Stream::of(fields);
        // A Passthru request need not have a call status: what became of its stream, its dialling or its menu stands in.
        let status = fields
            .first(&["CallStatus", "Status"])
            .or_else(|| stream.get("Status"))
            .or_else(|| fields.first(&["DialCallStatus", "CallType"]))
            .ok_or_else(|| FieldError::missing("CallStatus", "send CallStatus or Status"))?;
        let event: Option<Name> = fields.text("EventType");
        let is_event = |name: &str| event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case(name));
        let mut status = status_word(status)?;
        // Of an event on the way (`answered`, `ringing`, `Dial`) the status is a leg's: `busy` is a phone that rings.
        if event.is_some() && !is_event("terminal") && is_end(&status) {
            status = "in-progress".into();
        }
        let updated = fields.get("DateUpdated").and_then(unix_time);
        Ok(Self {
            call_sid,
            answered_at: updated.filter(|_| is_event("answered")),
            event,
            from: fields.number(&["CallFrom", "From"]),
            to: fields.number(&["CallTo", "To"]),
            lines: lines(fields),
            direction: Direction::told(fields),
            started_at: fields.get("StartTime").and_then(unix_time),
            ended_at: fields.get("EndTime").and_then(unix_time).or(updated.filter(|_| is_end(&status))),
            status,
            conversation_secs: fields.get("ConversationDuration").and_then(secs),
            recording_url: stream.recording().map(Address::new),
            custom_field: fields.text("CustomField"),
        })
    }
}

/// One spelling for a status.
fn status_word(told: &str) -> Result<Status, FieldError> {
    let word = told.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let plain = word.len() <= 32 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    match word.as_str() {
        "cancelled" => Ok("canceled".into()),
        _ if plain => Ok(word.into()),
        _ => Err(FieldError::malformed("CallStatus", "is malformed: up to 32 letters and dashes, such as `completed`")),
    }
}

fn secs(told: &str) -> Option<u64> {
    crate::wire::leading_count(told)
}

/// A recording can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingReady {
    /// The call.
    pub call_sid: CallSid,
    /// Where it is: a web address. Whether that host may be asked is not judged here.
    pub url: Address,
}

impl TryFrom<&Fields> for RecordingReady {
    type Error = FieldError;

    fn try_from(fields: &Fields) -> Result<Self, FieldError> {
        let call_sid = call_sid(fields)?;
        let stream = Stream::of(fields);
        let url = stream
            .recording()
            .map(str::trim)
            .ok_or_else(|| FieldError::missing("RecordingUrl", "send the recording's address"))?;
        let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let (is_web, url) = (begins("https://") || begins("http://"), Address::new(url));
        match is_web {
            _ if url.is_cut() => Err(FieldError::malformed("RecordingUrl", "is too long: 2048 bytes at most")),
            true => Ok(Self { call_sid, url }),
            false => Err(FieldError::malformed("RecordingUrl", "is malformed: it must begin with https://")),
        }
    }
}

/// Who ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectedBy {
    /// The caller hung up (`user`, `caller`).
    Caller,
    /// We did (`bot`).
    Us,
    /// Neither, or not told (`NA`, `system`).
    Other,
}

/// What became of the media stream, told to the Passthru applet behind the Voicebot applet. Everything but the call may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// The call.
    pub call_sid: CallSid,
    /// The stream.
    pub stream_sid: Option<StreamSid>,
    /// `completed`, `cancelled` or `failed`. Who hung up is in `disconnected_by`, not here.
    pub status: Option<Name>,
    /// Seconds.
    pub duration_secs: Option<u64>,
    /// Where the recording is, if the applet records.
    pub recording_url: Option<Address>,
    /// Who ended it.
    pub disconnected_by: Option<DisconnectedBy>,
    /// Exotel's words, e.g. `3009 failed to establish ws conn …`. It wins over a status that says otherwise.
    pub error: Option<Reason>,
    /// e.g. `Streaming_call_throttled`.
    pub detailed_status: Option<Name>,
}

impl StreamReport {
    /// Whether the stream did not come about.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.call_status() == Some("failed")
    }

    /// What it says of the call, in the words of a call's status; none when it says nothing of the stream.
    #[must_use]
    pub fn call_status(&self) -> Option<&'static str> {
        let told = self.status.as_ref().map(|status| status.to_ascii_lowercase());
        match told.as_deref() {
            _ if self.error.is_some() => Some("failed"),
            Some("failed") => Some("failed"),
            Some("cancelled" | "canceled") => Some("canceled"),
            Some(_) => Some("completed"),
            None => self.stream_sid.as_ref().map(|_| "completed"),
        }
    }
}

impl TryFrom<&Fields> for StreamReport {
    type Error = FieldError;

    fn try_from(fields: &Fields) -> Result<Self, FieldError> {
        let stream = Stream::of(fields);
        Ok(Self {
            call_sid: call_sid(fields)?,
            stream_sid: stream.get("StreamSID").filter(|sid| is_sid(sid)).map(StreamSid::new),
            status: stream.get("Status").map(Name::new),
            duration_secs: stream.get("Duration").and_then(secs),
            recording_url: stream.get("RecordingUrl").map(Address::new),
            disconnected_by: stream.get("DisconnectedBy").map(|by| match by.to_ascii_lowercase().as_str() {
                "user" | "caller" => DisconnectedBy::Caller,
                "bot" => DisconnectedBy::Us,
                _ => DisconnectedBy::Other,
            }),
            error: stream.get("Error").map(Reason::new),
            detailed_status: stream.get("DetailedStatus").map(Name::new),
        })
    }
}

/// The `Stream` object: `Stream[Status]=…`, or `Stream={"Status":…}` as one JSON text.
struct Stream<'f> {
    fields: &'f Fields,
    json: Option<Fields>,
}

impl<'f> Stream<'f> {
    fn of(fields: &'f Fields) -> Self {
        Self { fields, json: fields.get("Stream").and_then(|json| Fields::from_json(json.as_bytes()).ok()) }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.json.as_ref().and_then(|json| json.get(name)).or_else(|| self.fields.get(&format!("Stream[{name}]")))
    }

    /// The recording's address, of the call or else of the stream.
    fn recording(&self) -> Option<&str> {
        self.fields.get("RecordingUrl").or_else(|| self.get("RecordingUrl"))
    }
}
