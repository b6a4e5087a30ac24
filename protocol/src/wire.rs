//! What both wires share: one error, lenient reading of JSON, and writing into reused buffers.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig, general_purpose};
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) mod scan;
mod text;

pub use text::{Name, Reason, Text, boundary, clip, clip_as};

/// Why a message was dropped. It costs that message and a counter, never the call.
///
/// Nothing of the message is repeated in it: a message may hold a caller's number or words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not a JSON object.
    #[error("not a JSON object (column {column})")]
    NotJson {
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A JSON object without something that the message is nothing without.
    #[error("`{field}` is missing or unusable")]
    Field {
        /// The field, as a path.
        field: &'static str,
    },
    /// Audio that is not base64.
    #[error("the audio is not base64")]
    NotBase64,
}

/// Counts above this are junk: JSON's own largest safe integer, and far from overflowing what we do with it.
const LARGEST_COUNT: u64 = 1 << 53;

/// Reads any JSON object.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, WireError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(WireError::NotJson { column: 1 }),
        Err(error) => Err(WireError::NotJson { column: error.column() }),
    }
}

/// A text without NUL, which not every database keeps: a replacement character stands for it.
#[must_use]
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// A string, or what else can be read as one. Never with NUL.
pub(crate) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.contains('\0') => Some(Cow::Owned(without_nul(text.clone()))),
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A count written as `8000`, `8000.0`, `"8000"` or `"8000Hz"`.
pub(crate) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(count) => sane(count),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` saturates, and sane() bounds"
            )]
            None => number.as_f64().filter(|count| *count >= 0.0).and_then(|count| sane(count as u64)),
        },
        Value::String(text) => leading_count(text),
        _ => None,
    }
}

/// The number that a text begins with.
pub(crate) fn leading_count(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().and_then(sane)
}

/// The count, unless it is junk.
pub(crate) fn sane(count: u64) -> Option<u64> {
    (count <= LARGEST_COUNT).then_some(count)
}

/// Appends the text as the inside of a JSON string.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
            }
        }
    }
    out.push_str(&text[clean..]);
}

/// Replaces the buffer's content by the message.
pub(crate) fn write_json(out: &mut String, message: &impl Serialize) {
    let mut bytes = std::mem::take(out).into_bytes();
    bytes.clear();
    // Writing to a Vec cannot fail, and our messages hold no map with keys that are not strings.
    if serde_json::to_writer(&mut bytes, message).is_err() {
        bytes.clear();
    }
    *out = String::from_utf8(bytes).unwrap_or_default();
}

/// Standard alphabet; padding is written, and on reading need not be there.
const STANDARD: GeneralPurposeConfig = general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// SIMD where there is any: 3 to 6 times faster than the scalar engine.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<base64::engine::Simd> = LazyLock::new(|| base64::engine::Simd::standard(STANDARD));

/// The scalar engine, elsewhere.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<base64::engine::GeneralPurpose> =
    LazyLock::new(|| base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, STANDARD));

/// Appends the bytes as base64.
pub(crate) fn push_base64(out: &mut String, bytes: &[u8]) {
    ENGINE.encode_string(bytes, out);
}

/// Appends what the base64 stands for; on an error nothing is appended.
///
/// Missing padding costs nothing; the URL-safe alphabet and white space cost a second pass.
pub fn decode_base64(encoded: &str, out: &mut Vec<u8>) -> Result<(), WireError> {
    let start = out.len();
    if ENGINE.decode_vec(encoded, out).is_ok() {
        return Ok(());
    }
    out.truncate(start);
    let standard: String = encoded
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let decoded = ENGINE.decode_vec(&standard, out);
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded.map_err(|_| WireError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_json_escapes() {
        let mut out = String::new();
        push_escaped(&mut out, "a\"b\\c\n\u{1}नमस्ते");
        assert_eq!(out, "a\\\"b\\\\c\\u000a\\u0001नमस्ते");
        let back: String = serde_json::from_str(&format!("\"{out}\"")).unwrap();
        assert_eq!(back, "a\"b\\c\n\u{1}नमस्ते");
    }

    #[test]
    fn counts_are_read_from_numbers_and_from_texts() {
        for (value, expected) in [
            (serde_json::json!(8000), Some(8000)),
            (serde_json::json!(8000.7), Some(8000)),
            (serde_json::json!("8000"), Some(8000)),
            (serde_json::json!(" 8000Hz"), Some(8000)),
            (serde_json::json!(-1), None),
            (serde_json::json!("-1"), None),
            (serde_json::json!(""), None),
            (serde_json::json!(u64::MAX), None),
            (serde_json::json!("99999999999999999999999"), None),
            (serde_json::json!(1e300), None),
            (serde_json::json!([1]), None),
        ] {
            assert_eq!(count(&value), expected, "{value}");
        }
    }

    #[test]
    fn base64_is_read_in_every_common_spelling_and_failure_leaves_the_buffer_alone() {
        let bytes = [0xfb, 0xff, 0xfe, 0x01];
        for spelling in ["+//+AQ==", "+//+AQ", "-__-AQ==", "-__-AQ", "+//+\nAQ==", " +//+AQ== "] {
            let mut out = vec![7];
            decode_base64(spelling, &mut out).unwrap();
            assert_eq!(out[1..], bytes, "{spelling}");
        }
        for junk in ["+//+A", "!", "नमस्ते", "=", "AA=A"] {
            let mut out = vec![7];
            assert_eq!(decode_base64(junk, &mut out), Err(WireError::NotBase64), "{junk}");
            assert_eq!(out, [7]);
        }
    }
}
