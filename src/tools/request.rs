//! What an endpoint of a client's is asked: the body, what goes with it, and by what it is known.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use protocol::call::digits::SecretDigits;
use protocol::ids::{CallSid, PhoneNumber, Secret};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use rmcp::model::{CallToolRequestParams, MetaObject, RequestMetaObject};
use serde_json::{Map, Value, json};
use url::Url;

use super::toolset::Toolset;
use crate::crypto::signature;
use crate::trace_context::TRACEPARENT;

/// Begins a header's value that stands for a sealed secret.
const SEALED: &str = "secret:";
/// What a request says of itself, whatever a client would have it say.
const OURS: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// For which call something is asked.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// The call.
    pub call_sid: CallSid,
    /// Who calls, in E.164 if that is known.
    pub caller: Option<PhoneNumber>,
    /// Who is called, likewise.
    pub called: Option<PhoneNumber>,
    /// As the carrier spells it.
    pub direction: Option<String>,
    /// What whoever placed the call wrote on it.
    pub custom_field: Option<String>,
    /// What the client said of the call when it began.
    pub context: BTreeMap<String, String>,
    /// What its caller typed in secret.
    pub digits: SecretDigits,
}

impl CallInfo {
    /// For a call of which nothing more is known.
    #[must_use]
    pub fn new(call_sid: CallSid) -> Self {
        let (context, digits) = (BTreeMap::new(), SecretDigits::default());
        Self { call_sid, caller: None, called: None, direction: None, custom_field: None, context, digits }
    }
}

/// A request that can be sent as often as it has to be: it is the same one.
#[derive(Clone, Debug)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// JSON.
    pub body: String,
    /// What goes with it.
    pub headers: HeaderMap,
}

impl Request {
    /// Says to which span it belongs: ours, whatever a client would have it say.
    pub(super) fn traced(mut self, traceparent: Option<String>) -> Self {
        if let Some(value) = traceparent.and_then(|parent| HeaderValue::try_from(parent).ok()) {
            self.headers.insert(HeaderName::from_static(TRACEPARENT), value);
        }
        self
    }
}

/// The names of sealed secrets that a client's headers take.
pub(super) fn sealed(headers: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    headers.values().filter_map(|value| value.strip_prefix(SEALED))
}

/// A function is called.
pub(super) fn of_function(
    toolset: &Toolset,
    info: &CallInfo,
    (method, url): (Method, Url),
    (id, name, arguments): (u32, &str, Value),
    headers: HeaderMap,
    secret: Option<&Secret>,
) -> Request {
    let call = info.call_sid.as_str();
    let body = json!({
        "type": "tool.call",
        "call_sid": call,
        "tool_call_id": id.to_string(),
        "tool": name,
        "arguments": arguments,
        "client": { "name": toolset.name, "number": toolset.number.reveal() },
        "caller": { "number": info.caller.as_ref().map(PhoneNumber::reveal) },
        "context": info.context,
    });
    let body = body.to_string();
    let headers = signed(&body, headers, &format!("{call}:{id}"), secret, Utc::now());
    Request { method, url, body, headers }
}

/// It is asked who calls.
pub(super) fn of_context(
    toolset: &Toolset,
    info: &CallInfo,
    (method, url): (Method, Url),
    headers: HeaderMap,
    secret: Option<&Secret>,
) -> Request {
    let call = info.call_sid.as_str();
    let body = json!({
        "type": "call.context",
        "call_sid": call,
        "client": { "name": toolset.name, "number": toolset.number.reveal() },
        "caller": { "number": info.caller.as_ref().map(PhoneNumber::reveal) },
        "called": { "number": info.called.as_ref().map(PhoneNumber::reveal) },
        "direction": info.direction,
        "custom_field": info.custom_field,
    });
    let body = body.to_string();
    let headers = signed(&body, headers, &format!("{call}:context"), secret, Utc::now());
    Request { method, url, body, headers }
}

/// An MCP server's function is called; and the same as text, as far as it is the call's own.
pub(super) fn of_server(
    info: &CallInfo,
    (id, traceparent): (u32, Option<String>),
    name: &str,
    arguments: Map<String, Value>,
) -> (CallToolRequestParams, String) {
    let call = info.call_sid.as_str();
    let known_by = [("callgate/call_sid", call.to_owned()), ("callgate/idempotency_key", format!("{call}:{id}"))];
    // A session's headers are the same for all calls: a request's own trace goes with the request.
    let known_by = known_by.into_iter().chain(traceparent.map(|parent| (TRACEPARENT, parent)));
    let meta = known_by.map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
    let mut params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
    params.meta = Some(RequestMetaObject(MetaObject(meta)));
    let body = json!({ "method": "tools/call", "params": params }).to_string();
    (params, body)
}

/// What tells a receiver that it is ours, and which one, beside what the client wants sent along.
fn signed(body: &str, mut headers: HeaderMap, key: &str, secret: Option<&Secret>, now: DateTime<Utc>) -> HeaderMap {
    let timestamp = now.timestamp();
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("callgate-event-id", format!("evt_{}", uuid::Uuid::now_v7().simple()));
    put("callgate-timestamp", timestamp.to_string());
    put("idempotency-key", key.to_owned());
    if let Some(secret) = secret {
        put("callgate-signature", signature(secret, timestamp, body));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// What a client wants sent along, its secrets opened.
///
/// # Errors
/// Which header is none.
pub(super) fn headers(told: &BTreeMap<String, String>, opened: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(told.len());
    for (name, value) in told {
        let bad = || format!("its header {name} cannot be sent");
        let key = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        if OURS.contains(&key.as_str()) {
            continue;
        }
        let mut value = match value.strip_prefix(SEALED) {
            Some(secret) => {
                let secret =
                    opened.get(secret).ok_or_else(|| format!("the secret of its header {name} cannot be opened"))?;
                HeaderValue::try_from(secret.reveal()).map_err(|_| bad())?
            }
            None => HeaderValue::try_from(value.as_str()).map_err(|_| bad())?,
        };
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}
