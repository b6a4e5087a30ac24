//! What is written down of every request that matters: who asked what, and how it went.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use chrono::Utc;
use protocol::ids::CallSid;
use serde_json::Value;

use super::Gateway;
use super::error::Refused;
use super::request_id::RequestId;
use crate::audit::bound_refused;
use crate::store::AuditEntry;

/// Outcomes of requests that were taken and changed nothing.
const IDLE: [&str; 2] = ["replayed", "head"];

/// One request as the audit sees it.
pub(super) struct AuditContext {
    kind: &'static str,
    /// Where it came from.
    pub(super) address: IpAddr,
    request_id: RequestId,
    /// The call it is about, once that is known.
    pub(super) call: Option<CallSid>,
}

impl AuditContext {
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
        if !gateway.recorder.audit_now(entry, patience).await {
            metrics::counter!("callgate_audit_late_total").increment(1);
        }
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
            bound_refused(&mut told);
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
