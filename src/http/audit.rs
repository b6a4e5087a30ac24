//! What is written down of every request that matters: who asked what, and how it went.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use chrono::Utc;
use protocol::ids::CallSid;
use protocol::wire::clip;
use serde_json::Value;

use super::Gateway;
use super::error::Refused;
use super::request_id::RequestId;
use crate::store::AuditEntry;

/// Bytes that the audit keeps of what a refused request told, in all and of one value: a row is then below 1 KiB.
const KEPT_OF_REFUSED: usize = 512;
const KEPT_OF_VALUE: usize = 256;

/// Outcomes of requests that were taken and changed nothing.
const IDLE: [&str; 2] = ["replayed", "head"];

/// One request as the audit sees it.
pub(super) struct Seen {
    kind: &'static str,
    /// Where it came from.
    pub(super) address: IpAddr,
    request_id: RequestId,
    /// The call it is about, once that is known.
    pub(super) call: Option<CallSid>,
}

impl Seen {
    /// Of a kind: `webhook.call-start`, `media.token`, ...
    pub(super) fn new(kind: &'static str, gateway: &Gateway, request: &HttpRequest) -> Self {
        Self { kind, address: gateway.address(request), request_id: RequestId::of(request), call: None }
    }

    /// Writes it down. A database that is away delays the entry, never the request. What changes nothing is written within the bounds of
    /// refusals: a webhook may be repeated as often as its sender likes.
    pub(super) async fn write(&self, gateway: &Gateway, outcome: &str, payload: Value, patience: Duration) {
        if IDLE.contains(&outcome) && !gateway.strangers.is_worth_writing(self.address, false, &gateway.recorder) {
            return;
        }
        self.append(gateway, outcome, payload, patience).await;
    }

    async fn append(&self, gateway: &Gateway, outcome: &str, payload: Value, patience: Duration) {
        let entry = AuditEntry {
            at: Utc::now(),
            kind: self.kind.to_owned(),
            call_sid: self.call.clone(),
            remote_addr: Some(self.address.to_string()),
            request_id: Some(self.request_id.as_str().to_owned()),
            outcome: outcome.to_owned(),
            payload,
        };
        gateway.desk.write_down(entry, patience).await;
    }

    /// Writes a refusal down, in words, beside what was told (an object). Of one address so many are written down; beyond that they are
    /// counted only, and what was told is not so much as looked at.
    pub(super) async fn write_refusal(
        &self,
        gateway: &Gateway,
        refused: &Refused,
        told: impl Future<Output = Value>,
        patience: Duration,
    ) {
        if !gateway.is_worth_writing(self.address, refused) {
            return;
        }
        let mut told = told.await;
        // Of a body without fields its beginning was kept.
        if told.get("body").is_none() {
            told = fitted(told, &mut KEPT_OF_REFUSED.clone());
        }
        told["refused"] = refused.to_string().into();
        self.append(gateway, refused.code(), told, patience).await;
    }

    /// The one log line of a request.
    pub(super) fn log(&self, outcome: &str, status: u16, after: Duration) {
        let call_sid = self.call.as_ref().map(CallSid::as_str);
        let request_id = self.request_id.as_str();
        let after_us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(target: "webhook", hook = self.kind, call_sid, request_id, outcome, status, after_us, "answered");
    }
}

/// As much of a value as fits into what is left, from its beginning. What is left out is said.
fn fitted(value: Value, left: &mut usize) -> Value {
    match value {
        Value::String(text) => {
            let kept = clip(&text, (*left).min(KEPT_OF_VALUE)).into_owned();
            *left -= kept.len();
            Value::String(kept)
        }
        Value::Object(fields) => {
            let (mut kept, mut more) = (serde_json::Map::new(), 0_usize);
            for (name, value) in fields {
                if *left < name.len() + 8 {
                    more += 1;
                    continue;
                }
                *left -= name.len() + 6;
                kept.insert(name, fitted(value, left));
            }
            if more > 0 {
                kept.insert("left_out".to_owned(), more.into());
            }
            Value::Object(kept)
        }
        Value::Array(values) => {
            let mut kept = Vec::new();
            for value in values {
                if *left < 8 {
                    break;
                }
                *left -= 4;
                kept.push(fitted(value, left));
            }
            Value::Array(kept)
        }
        other => {
            *left = left.saturating_sub(8);
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(value: Value) -> Value {
        fitted(value, &mut KEPT_OF_REFUSED.clone())
    }

    #[test]
    fn a_call_that_is_refused_is_on_record_as_it_asked() {
        let told = serde_json::json!({ "fields": {
            "CallSid": "c0ffee0123456789c0ffee0123456789", "CallFrom": "09876543210", "CallTo": "08047112233",
            "Direction": "incoming", "CallType": "call-attempt", "Created": "Tue, 24 Nov 2026 11:30:00",
            "DialWhomNumber": "", "From": "09876543210", "To": "08047112233", "CurrentTime": "2026-11-24 11:30:00",
        }});
        assert_eq!(fit(told.clone()), told);
    }

    #[test]
    fn whatever_a_refused_request_tells_little_is_kept_of_it() {
        let long = "é".repeat(30_000);
        let many: serde_json::Map<_, _> = (0..5000).map(|n| (format!("field{n}"), "x".into())).collect();
        let deep = (0..100).fold(Value::from("x"), |inner, _| Value::Array(vec![inner]));
        let wide = Value::Array(vec![Value::from(1); 10_000]);
        for told in [
            serde_json::json!({ "fields": { "CallFrom": long } }),
            serde_json::json!({ "fields": { (long.clone()): "x" } }),
            serde_json::json!({ "body": { "bytes": 60_000, "text": long } }),
            serde_json::json!({ "fields": many }),
            serde_json::json!({ "fields": { "deep": deep, "wide": wide } }),
            Value::Array(vec![Value::Array(Vec::new()); 10_000]),
        ] {
            let kept = fit(told).to_string();
            assert!(kept.len() <= KEPT_OF_REFUSED + 200, "{} bytes: {kept}", kept.len());
        }
    }
}
