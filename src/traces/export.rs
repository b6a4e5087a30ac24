//! When a call's spans are told: those of the call itself by a job behind its end, those of its jobs as each is done.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::backoff::Backoff;
use protocol::ids::CallSid;

use super::exporter::Exporter;
use super::otlp::{Kind, Span};
use super::tree::{Record, spans};
use crate::jobs::{Handler, Job, JobError, RetryPolicy, Watcher};
use crate::store::{ANALYSE_CALL, CallWithTurns, EXPORT_TRACE, Store, StoreError};
use crate::trace_context::{Sampler, SpanOf, TraceId};

/// Spans of one call: beyond as many, those that began last are dropped, and counted.
pub const MOST_OF_CALL: usize = 2_000;

/// Makes traces of what is on record, and hands them on.
#[derive(Clone)]
pub struct Traces {
    store: Store,
    exporter: Arc<Exporter>,
    sampler: Sampler,
    /// Of calls whose client names none.
    model: Arc<str>,
}

impl Traces {
    /// Of the calls of a store, whose usual model that is.
    #[must_use]
    pub(crate) fn new(store: Store, exporter: Exporter, sampler: Sampler, model: &str) -> Self {
        Self { store, exporter: Arc::new(exporter), sampler, model: model.into() }
    }

    async fn export(&self, found: &CallWithTurns) -> Result<(), StoreError> {
        let CallWithTurns { call, client, turns } = found;
        let model = self.store.model_of_call(&call.call_sid).await?;
        let record = Record {
            call,
            client: client.as_deref(),
            model: model.as_deref().unwrap_or(&self.model),
            turns,
            steps: &self.store.audit_of_call(&call.call_sid).await?,
            transfers: &self.store.transfers_of_call(call).await?,
        };
        if self.sampler.keeps(record.trace()) || record.failed() && self.sampler.keeps_failed() {
            let mut spans = spans(&record);
            let more = spans.len().saturating_sub(MOST_OF_CALL);
            spans.truncate(MOST_OF_CALL);
            super::exporter::count("dropped_full", more);
            self.exporter.offer(spans);
        }
        Ok(())
    }

    /// Whose call a job is about.
    async fn call_of(&self, job: &Job) -> Option<CallSid> {
        if let Some(call) = job.payload["call_sid"].as_str() {
            return Some(CallSid::new(call));
        }
        if job.kind == ANALYSE_CALL {
            return Some(CallSid::new(job.key.as_str()));
        }
        let recording = self.store.recording(job.payload["recording_id"].as_i64()?).await.ok()??;
        Some(recording.1)
    }
}

impl Handler for Traces {
    const KIND: &'static str = EXPORT_TRACE;
    const AT_ONCE: usize = 2;
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(30), Duration::from_secs(120)),
        longest_age: Duration::from_secs(3600),
        most_attempts: 20,
        one_attempt: Duration::from_secs(30),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let sid = CallSid::new(job.payload["call_sid"].as_str().unwrap_or_default());
        let Some(found) = self.store.call(&sid).await? else { return Ok(()) };
        // A further stream came: the job behind its end tells all of it.
        if job.payload["streams"].as_i64() != Some(found.call.ownership.streams.into()) {
            return Ok(());
        }
        if !found.call.is_over() {
            return Err(JobError::Retry("the call goes on after all".to_owned()));
        }
        Ok(self.export(&found).await?)
    }
}

impl Watcher for Traces {
    fn ran<'a>(
        &'a self,
        job: &'a Job,
        outcome: &'static str,
        (began, ended): (DateTime<Utc>, DateTime<Utc>),
    ) -> BoxFuture<'a, ()> {
        async move {
            if job.kind == EXPORT_TRACE {
                return;
            }
            let Some(trace) = self.call_of(job).await.map(|call| TraceId::of(&call)) else { return };
            if self.sampler.keeps(trace) {
                let of = SpanOf::Job(job.id, job.attempts);
                let span = Span::new(trace, of, format!("job {}", job.kind), began, ended)
                    .kind_of(Kind::Client)
                    .with("callgate.job", job.id)
                    .with("callgate.attempt", i64::from(job.attempts))
                    .with("callgate.outcome", outcome);
                let told = job.payload["type"].as_str();
                self.exporter.offer(vec![
                    span.with_known("callgate.event", told).failed_if(!matches!(outcome, "done" | "released"), outcome),
                ]);
            }
        }
        .boxed()
    }
}
