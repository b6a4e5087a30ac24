//! The carrier's media socket: JSON messages as text (or binary) frames.
//!
//! Facts: strings where numbers are documented, objects that are missing, snake and camel spellings, events nobody documented.

use std::borrow::Cow;
use std::collections::BTreeMap;

use codecs::SampleRate;

use crate::ids::{CallSid, PhoneNumber, StreamSid};

/// One message from the carrier.
#[derive(Debug, PartialEq)]
pub enum CarrierMessage<'a> {
    /// The socket is a stream; nothing is known of the call yet.
    Connected,
    /// The call this stream carries.
    Start(Box<Start>),
    /// Caller audio.
    Media(Media<'a>),
    /// The caller pressed a key: one of `0-9*#ABCD`.
    Dtmf {
        /// The key.
        digit: char,
    },
    /// Playback reached a mark we sent (or one sent before a `clear`: see the ledger).
    Mark {
        /// The name we gave it.
        name: Cow<'a, str>,
    },
    /// The stream is over.
    Stop {
        /// `stopped` (the applet ended) or `callended`, as sent.
        reason: Option<String>,
    },
    /// Listed by Exotel as coming from it too, without a body. A no-op.
    Clear,
    /// An event nobody documented. Counted, ignored.
    Unknown {
        /// Its name as sent.
        event: Cow<'a, str>,
    },
}

/// The `start` event.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The stream, to be named in what we send.
    pub stream_sid: StreamSid,
    /// The call.
    pub call_sid: CallSid,
    /// The account: a slug.
    pub account_sid: Option<String>,
    /// Caller, as spelt by Exotel (`0` + 10 digits usually).
    pub from: Option<PhoneNumber>,
    /// Dialled number, as spelt by Exotel.
    pub to: Option<PhoneNumber>,
    /// From the query string of the stream URL; absent on the wire when there are none.
    pub custom_parameters: BTreeMap<String, String>,
    /// `media_format.sample_rate`, else 8 kHz. `Err` holds a rate we cannot carry, as sent.
    pub sample_rate: Result<SampleRate, String>,
}

/// One `media` event.
#[derive(Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// Counts every event of the stream from 1 (`start` is 1).
    pub sequence_number: Option<u64>,
    /// ms since the stream began, by Exotel's clock.
    pub timestamp_ms: Option<u64>,
    /// base64 of s16le mono PCM.
    pub payload: Cow<'a, str>,
}
