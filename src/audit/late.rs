//! Audit entries that the database refused: each waits as a job of its own, tried again and visible with its error.

use std::time::Duration;

use chrono::{DateTime, Utc};
use protocol::backoff::Backoff;
use protocol::ids::CallSid;
use serde_json::{Value, json};

use crate::jobs::{Handler, Job, JobError, NewJob, RetryPolicy};
use crate::store::{AuditEntry, Store, StoreError};

const KIND: &str = "audit";

/// Puts an entry into `jobs`.
pub(super) async fn put_off(store: &Store, entry: &AuditEntry, why: &str) -> Result<(), StoreError> {
    tracing::error!(kind = entry.kind, error = why, "an audit entry was refused by the database: it waits as a job");
    let key = uuid::Uuid::now_v7().to_string();
    store.enqueue_job(NewJob::new(KIND, key, to_json(entry))).await.map(drop)
}

/// Appends what the database refused earlier.
pub struct LateAudit {
    store: Store,
}

impl LateAudit {
    /// Appends to that store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Handler for LateAudit {
    const KIND: &'static str = KIND;
    const AT_ONCE: usize = 1;
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(5), Duration::from_secs(3600)),
        longest_age: Duration::from_secs(30 * 86_400),
        most_attempts: 1000,
        one_attempt: Duration::from_secs(30),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let entry = from_json(&job.payload).ok_or_else(|| JobError::GiveUp("it holds no audit entry".to_owned()))?;
        Ok(self.store.append_audit_again(vec![entry]).await?)
    }
}

fn to_json(entry: &AuditEntry) -> Value {
    json!({
        "at": entry.at,
        "kind": entry.kind,
        "call_sid": entry.call_sid.as_ref().map(CallSid::as_str),
        "remote_addr": entry.remote_addr,
        "request_id": entry.request_id,
        "outcome": entry.outcome,
        "payload": entry.payload,
    })
}

fn from_json(told: &Value) -> Option<AuditEntry> {
    let text = |name: &str| told[name].as_str().map(str::to_owned);
    Some(AuditEntry {
        at: text("at")?.parse::<DateTime<Utc>>().ok()?,
        kind: text("kind")?,
        call_sid: text("call_sid").map(CallSid::new),
        remote_addr: text("remote_addr"),
        request_id: text("request_id"),
        outcome: text("outcome")?,
        payload: told["payload"].clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Handle;

    use crate::jobs::Runner;
    use crate::store::tests::TempDb;

    #[tokio::test]
    async fn an_entry_that_was_put_off_is_appended_once_by_its_job() {
        let db = TempDb::new();
        let store = db.store().await;
        let entry = AuditEntry {
            at: Utc::now(),
            kind: "webhook.call-end".to_owned(),
            call_sid: Some(CallSid::new("c1")),
            remote_addr: None,
            request_id: Some("r1".to_owned()),
            outcome: "ok".to_owned(),
            payload: json!({ "CallSid": "c1" }),
        };
        // The same job twice, as after a worker that died behind its work.
        put_off(&store, &entry, "too long").await.unwrap();
        put_off(&store, &entry, "too long").await.unwrap();
        let runner = Runner::new(store.clone(), "node").with(LateAudit::new(store.clone()));
        let running = runner.start(&Handle::current());
        tokio::time::timeout(Duration::from_secs(20), async {
            while !store.jobs(false, None, 10).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        running.stop(Duration::from_secs(5)).await;
        let audited = store.audit_of_call(&CallSid::new("c1")).await.unwrap();
        assert_eq!(audited.len(), 1);
        assert_eq!((audited[0].kind.as_str(), &audited[0].payload), ("webhook.call-end", &entry.payload));
        assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 1);
    }
}
