//! What a webhook came with: whether it may be listened to, and what is kept of it if not.

use std::borrow::Cow;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, web};
use protocol::exotel::webhook::{Fields, redact};
use protocol::wire::without_nul;
use serde_json::{Value, json};

use super::super::audit::Seen;
use super::super::auth::{Presented, without_key};
use super::super::{Gateway, body};
use super::Refused;

/// The methods of a webhook.
const METHODS: &str = "GET, HEAD, POST";
/// Bytes up to which the audit keeps all fields of a stranger's request: strangers must not fill the disk.
const KEPT_OF_STRANGERS: usize = 4096;
/// Bytes that the audit keeps of what has no fields.
const KEPT_RAW: usize = 2048;

/// One request, read.
pub(super) struct Sent<'a> {
    request: &'a HttpRequest,
    /// Without `key`.
    query: Cow<'a, str>,
    /// Empty when there is none, or when it could not be read.
    raw: web::Bytes,
    /// Why the body could not be read.
    unread: Option<Refused>,
}

impl<'a> Sent<'a> {
    /// Reads its body, within the bounds of bodies.
    pub(super) async fn read(request: &'a HttpRequest, payload: web::Payload) -> Self {
        let (raw, unread) = match body::read(payload).await {
            Ok(raw) => (raw, None),
            Err(refused) => (web::Bytes::new(), Some(refused)),
        };
        Self { request, query: without_key(request.query_string()), raw, unread }
    }

    /// The fields of a webhook that may be listened to; else why not, and what is kept of it.
    pub(super) fn judge(mut self, gateway: &Gateway, seen: &Seen) -> Result<Fields, (Refused, Value)> {
        let size = self.unread.as_ref().map(|unread| self.size(unread));
        self.check(gateway, seen).and_then(|()| self.fields()).map_err(|refused| {
            let kept = match size {
                Some(size) => json!({ "body": { "bytes": size } }),
                None => self.kept(gateway, &refused),
            };
            (refused, kept)
        })
    }

    fn check(&mut self, gateway: &Gateway, seen: &Seen) -> Result<(), Refused> {
        gateway.check_address(seen.address)?;
        if !self.is_get() && self.request.method() != Method::POST {
            return Err(Refused::Method(METHODS));
        }
        if let Some(unread) = self.unread.take() {
            return Err(unread);
        }
        let (headers, query) = (self.request.headers(), self.request.query_string());
        let presented = Presented { headers, query, signed: self.text() };
        gateway.gate.webhook(&presented).map_err(|error| gateway.guessed_wrong(seen.address, error))?;
        Ok(())
    }

    fn is_get(&self) -> bool {
        [Method::GET, Method::HEAD].contains(self.request.method())
    }

    /// What has the fields, and what a signature is over.
    fn text(&self) -> &[u8] {
        if self.is_get() { self.query.as_bytes() } else { &self.raw }
    }

    fn fields(&self) -> Result<Fields, Refused> {
        if self.is_get() {
            Ok(Fields::from_urlencoded(self.text()))
        } else {
            body::fields(self.request.headers(), self.text())
        }
    }

    /// Bytes of a body that was not read, as far as they are known.
    fn size(&self, unread: &Refused) -> usize {
        let declared = self.request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        if let Refused::TooLarge(came) = unread { declared.max(*came) } else { declared }
    }

    /// The fields if they can be read, else the beginning of what came instead. Without secrets.
    fn kept(&self, gateway: &Gateway, refused: &Refused) -> Value {
        let text = self.text();
        match self.fields() {
            Ok(fields) if text.len() <= KEPT_OF_STRANGERS || !refused.is_of_stranger() => {
                json!({ "fields": fields.to_json() })
            }
            _ => {
                // A field at the very beginning has no `&` before it.
                let piece = redact(&without_nul(format!("&{}", String::from_utf8_lossy(text))));
                let piece = gateway.gate.without_secrets(&piece[1..]);
                let end = (0..=piece.len().min(KEPT_RAW)).rev().find(|at| piece.is_char_boundary(*at)).unwrap_or(0);
                json!({ "body": { "bytes": text.len(), "text": piece[..end] } })
            }
        }
    }
}
