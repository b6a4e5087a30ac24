//! What a webhook came with: whether it may be listened to, and what is kept of it if not.

use std::borrow::Cow;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, web};
use protocol::exotel::webhook::{Fields, redact_cut};
use protocol::wire::without_nul;
use serde_json::{Value, json};

use super::super::audit::AuditContext;
use super::super::auth::{AuthMethod, Credentials, without_key};
use super::super::body::{self, Incoming};
use super::super::{Gateway, let_in};
use super::Refused;

/// The methods of a webhook.
const METHODS: &str = "GET, HEAD, POST";
/// Bytes up to which the audit keeps all fields of a stranger's request: strangers must not fill the disk.
const KEPT_OF_STRANGERS: usize = 4096;
/// Bytes that the audit keeps of what has no fields: a row is then below 1 KiB.
const KEPT_RAW: usize = 512;

/// One request. What can be judged without its body is judged before that is read.
pub(super) struct RawRequest<'a> {
    request: &'a HttpRequest,
    /// As it is signed: without prefix and spare slashes.
    path: &'static str,
    /// Without `key`.
    query: Cow<'a, str>,
    body: Incoming,
    /// Whether its body was read, well or not.
    was_read: bool,
}

impl<'a> RawRequest<'a> {
    pub(super) fn new(request: &'a HttpRequest, path: &'static str, payload: web::Payload) -> Self {
        let query = without_key(request.query_string());
        Self { request, path, query, body: Incoming::new(payload), was_read: false }
    }

    /// The fields of a webhook that may be listened to: address, method, credentials, and then its body.
    pub(super) async fn judge(&mut self, gateway: &Gateway, audited: &AuditContext) -> Result<Fields, Refused> {
        gateway.check_address(audited.address)?;
        if !self.is_get() && self.request.method() != Method::POST {
            return Err(Refused::Method(METHODS.into()));
        }
        // A signature that could hold is the one credential that needs the body.
        if !self.is_get() && gateway.authenticator.must_read(&self.credentials()) {
            self.read().await?;
        }
        let way = gateway
            .authenticator
            .webhook(&self.credentials())
            .map_err(|error| gateway.guessed_wrong(audited.address, error))?;
        if way == AuthMethod::None {
            gateway.check_page(self.request)?;
        }
        let_in(self.request);
        if !self.is_get() && !self.was_read {
            self.read().await?;
        }
        self.fields()
    }

    async fn read(&mut self) -> Result<(), Refused> {
        self.was_read = true;
        self.body.read().await
    }

    fn credentials(&self) -> Credentials<'_> {
        let (headers, query) = (self.request.headers(), self.request.query_string());
        Credentials { method: self.request.method(), path: self.path, headers, query, signed: self.text() }
    }

    fn is_get(&self) -> bool {
        [Method::GET, Method::HEAD].contains(self.request.method())
    }

    /// What has the fields, and what a signature is over.
    fn text(&self) -> &[u8] {
        if self.is_get() { self.query.as_bytes() } else { self.body.bytes() }
    }

    fn fields(&self) -> Result<Fields, Refused> {
        if self.is_get() {
            Ok(Fields::from_urlencoded(self.text()))
        } else {
            body::fields(self.request.headers(), self.text())
        }
    }

    /// Bytes of what was sent, as far as they are known.
    fn size(&self) -> usize {
        if self.is_get() {
            return self.query.len();
        }
        let declared = self.request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        self.body.total().max(declared)
    }

    /// What the audit keeps of a refused request: its fields if they can be read, else the beginning of what came instead; without secrets.
    /// Of one that was refused before its body was read, whatever of that is here by now.
    pub(super) async fn kept(&mut self, gateway: &Gateway, refused: &Refused) -> Value {
        if matches!(refused, Refused::TooLarge(_) | Refused::Slow | Refused::Broken) {
            return json!({ "body": { "bytes": self.size() } });
        }
        let whole = self.is_get() || self.was_read || self.body.glance().await;
        let small = self.size() <= KEPT_OF_STRANGERS || !refused.is_of_stranger();
        let fields = if whole && small { self.fields().ok() } else { None };
        match fields {
            Some(fields) => json!({ "fields": fields.to_json() }),
            None => json!({ "body": { "bytes": self.size(), "text": self.beginning(gateway) } }),
        }
    }

    /// Cut first, with room for one secret that the cut may go through, then redacted: no text costs more than its beginning.
    fn beginning(&self, gateway: &Gateway) -> String {
        let text = self.text();
        let room = gateway.authenticator.longest_secret();
        // Twice what is kept: what was redacted is shorter as a rule.
        let piece = &text[..text.len().min(2 * KEPT_RAW + room)];
        // A field at the very beginning has no `&` before it.
        let clean = redact_cut(&without_nul(format!("&{}", String::from_utf8_lossy(piece))));
        let clean = gateway.authenticator.without_secrets(&clean[1..]);
        let sure = if piece.len() < text.len() { clean.len().saturating_sub(room) } else { clean.len() };
        let end = (0..=sure.min(KEPT_RAW)).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
        clean[..end].to_owned()
    }
}
