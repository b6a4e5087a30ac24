//! The worst texts that a stranger could send, and everything here that reads what a stranger sends. One table for the test (no reader's
//! cost grows faster than the text), the bench (none takes long) and the fuzz target (nor any text that nobody thought of).

#![allow(dead_code, unreachable_pub, reason = "the test, the bench and the fuzz target use their part of it")]

use std::hint::black_box;

use protocol::exotel::webhook::{CallEnd, CallStart, Fields, RecordingReady, StreamReport, redact, redact_cut};
use protocol::exotel::{answer_xml, normalise_number, stream};
use protocol::realtime::event;
use protocol::wire;

/// The largest body of a webhook.
pub const LONGEST: usize = 64 * 1024;

/// What a text is made of, over and over.
pub const UNITS: &[&str] = &[
    "://",
    ":\\/\\/",
    "&key=",
    "?key=",
    "key=",
    "https://u:p@h/",
    "://@",
    "@",
    ":",
    "/",
    "\\",
    "\\\\\"",
    "\"",
    "\\\"",
    "'",
    "?",
    "#",
    "&",
    "=",
    "&a=",
    "a=1&",
    "a=1&b=2&",
    "CallSid=a&",
    "&CallSid=",
    "Stream[Status]=x&",
    "_",
    "_=&",
    "%",
    "%2",
    "%25",
    "%ff",
    "+",
    ";",
    "; name=\"",
    "; boundary=",
    "=\"",
    "--X",
    "\r\n--X",
    "--X\r\n",
    "\r\n--X\r\n\r\n",
    "\r\n\r\n",
    "\r\n",
    "\n",
    "\t",
    " ",
    "\0",
    "\u{feff}",
    "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n",
    "9",
    "09",
    "9876543210 ",
    "+91",
    "+44 (0) ",
    "(0)",
    "sip:",
    "<sip:",
    "tel:",
    ";ext=",
    "-",
    ".",
    "e",
    "1e",
    "0.",
    "[",
    "]",
    "[[",
    "[]",
    "[1,",
    "{",
    "{\"a\":",
    "{\"a\":{},",
    "\"a\":1,",
    "\"event\":\"media\",",
    "\"\\u0041",
    "\\u",
    "\\ud800",
    ",",
    "null,",
    "a",
    "é",
    "नमस्ते",
    "\u{200e}",
    "०",
    "९",
    "T",
    "2026-11-24 ",
    "2026-11-24T06:30:00Z",
    "Mon, ",
    "127.0.0.1, ",
    "[::1]:1,",
    "<",
    "<Say>",
    "&amp;",
    "]]>",
    "\u{1b}[2J",
    "hook-key-of-tests",
    "hook-key-of-test",
];

/// So many bytes of a unit, at most.
pub fn text(unit: &str, bytes: usize) -> String {
    let mut text = unit.repeat(bytes / unit.len() + 1);
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

/// Something that reads a text.
pub type Reader = (&'static str, fn(&str));

/// What `protocol` reads.
pub const READERS: &[Reader] = &[
    ("redact", |text| _ = black_box((redact(text), redact_cut(text)))),
    ("a form", |text| everything(&Fields::from_urlencoded(text.as_bytes()))),
    ("a value of a form", |text| everything(&Fields::from_urlencoded(format!("CallSid=a&x={text}").as_bytes()))),
    ("JSON", |text| _ = Fields::from_json(text.as_bytes()).map(|fields| everything(&fields))),
    ("nested JSON", |text| {
        let (half, closed) = (part(text, 2), "]".repeat(text.len() / 2));
        let deep = format!("{{\"CallSid\":\"a\",\"x\":[{half}{closed}]}}");
        _ = Fields::from_json(deep.as_bytes()).map(|fields| everything(&fields));
    }),
    ("a list in JSON", |text| {
        let many = format!("{{\"{}\":[{}0]}}", "n".repeat(250), "0,".repeat(text.len() / 2));
        _ = Fields::from_json(many.as_bytes()).map(|fields| everything(&fields));
    }),
    ("every field of a webhook", |text| {
        let mut fields = Fields::default();
        NAMES.iter().for_each(|name| fields.push(*name, part(text, NAMES.len())));
        everything(&fields);
    }),
    ("a name of a field", |text| {
        let mut fields = Fields::default();
        (0..4).for_each(|_| fields.push(text, "x"));
        everything(&fields);
    }),
    ("a phone number", |text| {
        for region in ["IN", "US", "GB"] {
            black_box(normalise_number(text, region));
        }
    }),
    ("a carrier's message", |text| _ = black_box(stream::parse(text)).is_ok()),
    ("texts in a carrier's message", |text| {
        let text = escaped(part(text, 8));
        for message in [
            format!("{{\"event\":\"{text}\"}}"),
            format!("{{\"event\":\"stop\",\"stop\":{{\"reason\":\"{text}\"}}}}"),
            format!("{{\"event\":\"mark\",\"mark\":{{\"name\":\"{text}\"}}}}"),
            format!("{{\"event\":\"dtmf\",\"dtmf\":{{\"digit\":\"{text}\"}}}}"),
            format!("{{\"event\":\"media\",\"media\":{{\"payload\":\"{text}\"}}}}"),
            format!(
                "{{\"event\":\"start\",\"stream_sid\":\"{text}\",\"start\":{{\"call_sid\":\"a\",\"from\":\"{text}\",\"to\":\"{text}\"}}}}"
            ),
        ] {
            black_box(stream::parse(&message).is_ok());
        }
    }),
    ("a model's event", |text| _ = black_box(event::parse(text).is_ok())),
    ("texts in a model's event", |text| {
        let text = escaped(part(text, 5));
        for message in [
            format!("{{\"type\":\"{text}\"}}"),
            format!("{{\"type\":\"error\",\"error\":{{\"code\":\"{text}\",\"message\":\"{text}\"}}}}"),
            format!(
                "{{\"type\":\"response.output_audio.delta\",\"response_id\":\"r\",\"item_id\":\"{text}\",\"content_index\":0,\"delta\":\"{text}\"}}"
            ),
        ] {
            black_box(event::parse(&message).is_ok());
        }
    }),
    ("base64", |text| _ = black_box(wire::decode_base64(text, &mut Vec::new()))),
    ("XML of an answer", |text| _ = black_box(answer_xml(text, text, text))),
    ("a text without NUL", |text| _ = black_box(wire::without_nul(text.to_owned()))),
];

/// Fields that are read as something.
const NAMES: &[&str] = &[
    "CallSid",
    "CallFrom",
    "CallTo",
    "To",
    "From",
    "PhoneNumberSid",
    "CallStatus",
    "Status",
    "Direction",
    "EventType",
    "StartTime",
    "EndTime",
    "DateUpdated",
    "CurrentTime",
    "ConversationDuration",
    "RecordingUrl",
    "Stream",
    "Stream[Status]",
    "CustomField",
    "digits",
    "key",
];

/// All that is ever made of the fields of a webhook.
fn everything(fields: &Fields) {
    black_box((CallStart::try_from(fields).is_ok(), CallEnd::try_from(fields).is_ok()));
    black_box((RecordingReady::try_from(fields).is_ok(), StreamReport::try_from(fields).is_ok()));
    black_box(fields.to_json());
}

/// Its beginning: one of so many parts.
fn part(text: &str, of: usize) -> &str {
    let end = (0..=text.len() / of).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

/// A text within the quotation marks of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}
