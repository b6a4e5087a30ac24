//! From raw bytes to fields: JSON, urlencoded or multipart.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use protocol::exotel::webhook::Fields;
use tokio::time::timeout;

use super::error::Refused;

/// The largest body that is read.
pub const MAX_BODY: usize = 64 * 1024;
/// How much of a body too large is read and dropped, so that its sender gets to see the answer.
const MAX_DRAINED: usize = 1024 * 1024;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

/// How much longer a refusal waits for what will be kept of a body: as a rule it came with the head.
const GLANCE: Duration = Duration::from_millis(20);

/// Reads a body of so many bytes at most, within its bound of time.
///
/// # Errors
/// `TooLarge`, `Slow` or `Broken`.
pub(super) async fn read_at_most(payload: Payload, most: usize) -> Result<Bytes, Refused> {
    let mut incoming = Incoming { most, ..Incoming::new(payload) };
    incoming.read().await?;
    Ok(incoming.came.freeze())
}

/// A body on its way.
pub(super) struct Incoming {
    payload: Payload,
    came: BytesMut,
    /// Bytes that came, those that were dropped included.
    total: usize,
    /// More are not kept.
    most: usize,
}

impl Incoming {
    pub(super) fn new(payload: Payload) -> Self {
        Self { payload, came: BytesMut::new(), total: 0, most: MAX_BODY }
    }

    /// Reads it whole, within the bounds of size and time.
    ///
    /// # Errors
    /// `TooLarge`, `Slow` or `Broken`.
    pub(super) async fn read(&mut self) -> Result<(), Refused> {
        timeout(ARRIVAL, self.collect(MAX_DRAINED)).await.map_err(|_| Refused::Slow)??;
        if self.total > self.most { Err(Refused::TooLarge(self.total)) } else { Ok(()) }
    }

    /// Takes what is here of it, for a request that is refused whatever it may hold. Whether that is all of it.
    pub(super) async fn glance(&mut self) -> bool {
        let whole = timeout(GLANCE, self.collect(MAX_BODY)).await;
        matches!(whole, Ok(Ok(()))) && self.total <= MAX_BODY
    }

    /// Until its end, or until more than `most` came of it.
    async fn collect(&mut self, most: usize) -> Result<(), Refused> {
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|_| Refused::Broken)?;
            self.total += chunk.len();
            if self.total <= self.most {
                self.came.extend_from_slice(&chunk);
            } else if self.total > most {
                break;
            }
        }
        Ok(())
    }

    /// What came of it, up to the bound of bodies.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.came
    }

    /// How much came of it.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}

/// The fields of a body, by its content type. An empty body has none, whatever it is said to be.
///
/// # Errors
/// `MediaType`, or `Body` when it is not what it is said to be.
pub fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Refused> {
    // Some programs put the mark of UTF-8 before whatever they write.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.is_empty() {
        return Ok(Fields::default());
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        _ if encoded => Err(Refused::MediaType),
        "application/json" => Ok(Fields::from_json(body)?),
        "application/x-www-form-urlencoded" => Ok(Fields::from_urlencoded(body)),
        "multipart/form-data" => multipart(content_type, body).ok_or(Refused::Body("well-formed multipart/form-data")),
        _ => Err(Refused::MediaType),
    }
}

/// The parts of a multipart body (RFC 7578) as text; files are taken for their content. The body is small and here already.
fn multipart(content_type: &str, body: &[u8]) -> Option<Fields> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter has no line before it unless there is a preamble.
    let mut rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => &body[find(body, &delimiter)? + delimiter.len()..],
    };
    let mut fields = Fields::default();
    while !rest.starts_with(b"--") {
        // RFC 2046 lets a transport pad the line of a boundary.
        let padding = rest.iter().take_while(|byte| [b' ', b'\t'].contains(byte)).count();
        rest = rest[padding..].strip_prefix(b"\r\n")?;
        let end = find(rest, &delimiter)?;
        let head_end = find(&rest[..end], b"\r\n\r\n")?;
        let name = part_name(&rest[..head_end])?;
        let value = rest.get(head_end + 4..end)?;
        fields.push(name, String::from_utf8_lossy(value));
        rest = &rest[end + delimiter.len()..];
    }
    Some(fields)
}

fn part_name(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    parameter(disposition, "name").map(Cow::into_owned)
}

/// A parameter of a header value: `form-data; name="CallSid"`.
fn parameter<'a>(value: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (text, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (Cow::Borrowed(after[..end].trim_end()), &after[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = next.split_once(';')?.1;
    }
}

/// The text up to its closing quote, and what follows it.
fn quoted_text(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut escaped = false;
    let end = quoted.char_indices().find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    let (end, _) = end?;
    let text = &quoted[..end];
    let text = if text.contains('\\') { Cow::Owned(text.replace("\\\"", "\"")) } else { Cow::Borrowed(text) };
    Some((text, &quoted[end + 1..]))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
