//! What clients are told of their calls: `call.started`, `call.transferred`, `call.ended`, `recording.stored`,
//! `call.analysed`, `tool.completed_after_call`, POSTed to the client's `events_url`.
//!
//! The job that tells is added in the transaction that writes what it tells of, so nothing is told that did not happen and nothing
//! that happened is forgotten. An event may come twice (its id is the same then), and those of one call come in order.

use std::time::Duration;

use chrono::Utc;
use protocol::backoff::Backoff;
use protocol::call::end::EndCode;
use protocol::ids::{CallSid, Secret};
use rand::TryRngCore;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

mod endpoint;
mod schema;
mod targets;
mod whole;

#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, EndpointChange, EndpointError};
pub(crate) use schema::EVENTS;
pub use targets::{RefusedTarget, check_url, refused_targets, unpark};

use crate::crypto::{hex, signature};
use crate::jobs::{Handler, Job, JobError, RetryPolicy};
use crate::outgoing::{ClientError, Forbidden, Outgoing, PrivateHosts, Times, refused_by_guard, words};
use crate::store::{CALL_ANALYSED, CALL_ENDED, EventSubject, EventsTarget, SEND_EVENT, Store};
use crate::time;
use crate::trace_context::{Sampler, SpanOf, TRACEPARENT};
use crate::views::transfer_json;

/// Connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// An answer, from the first byte of the request on.
const ANSWER: Duration = Duration::from_secs(10);

/// Tells clients.
pub struct Events {
    store: Store,
    client: Outgoing,
    /// None: calls are not traced.
    sampler: Option<Sampler>,
}

impl Events {
    /// Tells what a store holds, to public hosts and to those.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(store: Store, private: &PrivateHosts) -> Result<Self, ClientError> {
        Ok(Self { store, client: Outgoing::new(private, Times { connect: CONNECT, idle: ANSWER })?, sampler: None })
    }

    /// What is told says to which trace it belongs.
    #[must_use]
    pub(crate) fn traced(self, sampler: Option<Sampler>) -> Self {
        Self { sampler, ..self }
    }

    async fn post(
        &self,
        target: &EventsTarget,
        (id, traceparent): (&str, Option<String>),
        body: String,
    ) -> Result<(), JobError> {
        let timestamp = Utc::now().timestamp();
        let url = Url::parse(&target.url).map_err(|_| forbidden(Forbidden::NoUrl))?;
        let request = self.client.request(Method::POST, &url).map_err(forbidden)?;
        let request = request
            .header("content-type", "application/json")
            .header("callgate-event-id", id)
            .header("callgate-timestamp", timestamp)
            .header("callgate-signature", signature(&target.secret, timestamp, &body))
            .timeout(ANSWER)
            .body(body);
        let request = match traceparent {
            Some(parent) => request.header(TRACEPARENT, parent),
            None => request,
        };
        // What the receiver says beside its status is not read.
        let status = request.send().await.map_err(failed)?.status();
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::GONE => Err(JobError::GiveUp(format!("the receiver answered {status}"))),
            _ => Err(JobError::Retry(format!("the receiver answered {status}"))),
        }
    }
}

impl Handler for Events {
    const KIND: &'static str = SEND_EVENT;
    /// Many, since a receiver that hangs must not hold up the others.
    const AT_ONCE: usize = 32;
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(1), Duration::from_secs(15 * 60)),
        longest_age: Duration::from_secs(24 * 3600),
        most_attempts: 1000,
        one_attempt: Duration::from_secs(30),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let text = |name: &str| job.payload[name].as_str().unwrap_or_default();
        let (id, what, call) = (text("id"), text("type"), CallSid::new(text("call_sid")));
        let told = self.store.told_of(&call, job.payload["recording_id"].as_i64()).await?;
        let told = told.ok_or_else(|| JobError::GiveUp("there is no such call".to_owned()))?;
        if what == CALL_ENDED && !told.call.is_over() {
            return Err(JobError::Retry("the call goes on after all".to_owned()));
        }
        let target = self.store.events_target(told.client.id).await?;
        let target = target.ok_or_else(|| JobError::GiveUp("the client has no events_url any more".to_owned()))?;
        let mut data = data(what, &told);
        for part in ["tool", "transfer"] {
            if let Some(told) = job.payload.get(part) {
                data[part] = told.clone();
            }
        }
        let body = json!({
            "id": id,
            "type": what,
            // A job that is put back in line is younger than its event.
            "created_at": job.payload.get("at").cloned().unwrap_or_else(|| json!(time::told(job.created_at))),
            "call_sid": call.as_str(),
            "data": data,
        });
        let parent = self.sampler.map(|sampler| sampler.traceparent(&call, SpanOf::Job(job.id, job.attempts)));
        self.post(&target, (id, parent), body.to_string()).await
    }
}

fn forbidden(why: Forbidden) -> JobError {
    JobError::Park(format!("the client's events_url is not allowed: {why}"))
}

fn failed(error: reqwest::Error) -> JobError {
    refused_by_guard(&error).map_or_else(|| JobError::Retry(words(&error)), forbidden)
}

/// What there is to say of each kind of event.
fn data(what: &str, told: &EventSubject) -> Value {
    if let Some(recording) = &told.recording {
        return json!({
            "client": told.client.name,
            "recording_id": recording.id,
            "source": recording.source_url,
            "url": recording.stored_url,
            "bytes": recording.bytes,
            "sha256": recording.sha256,
            "content_type": recording.content_type,
        });
    }
    let call = &told.call;
    let parties = &call.parties;
    let number = |e164: &Option<protocol::ids::PhoneNumber>, raw: &Option<protocol::ids::PhoneNumber>| {
        e164.as_ref().or(raw.as_ref()).map(|number| number.reveal().to_owned())
    };
    let mut data = json!({
        "client": told.client.name,
        "from": number(&parties.from, &parties.from_raw),
        "to": number(&parties.to, &parties.to_raw),
        "direction": parties.direction,
        "started_at": time::told(call.times.started_at),
    });
    if what == CALL_ENDED {
        data["status"] = json!(call.status);
        data["ended_code"] = json!(call.ended_code.map(EndCode::name));
        data["ended_why"] = json!(call.ended_why);
        data["media_at"] = json!(time::maybe_told(call.times.media_at));
        data["ended_at"] = json!(time::maybe_told(call.times.ended_at));
        data["figures"] = json!(call.figures);
        data["transfer"] = told.transfers.last().map(transfer_json).into();
        whole::add(&mut data, told);
    } else if what == CALL_ANALYSED {
        data["outcome"] = crate::views::outcome_json(told.outcome.as_ref());
    }
    data
}

/// A secret for a client that brought none.
///
/// # Errors
/// When the system has no randomness to give.
fn new_secret() -> Result<Secret, rand::rand_core::OsError> {
    let mut key = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut key)?;
    Ok(Secret::new(format!("whsec_{}", hex(&key))))
}
