//! Traces of calls: told by a job behind the end, written in one transaction with it.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::ids::CallSid;
use serde_json::json;

use super::{NewJob, Store};

/// The kind of the jobs that tell traces.
pub const EXPORT_TRACE: &str = "export_trace";

/// What the audit log, and jobs that follow at once, have to be done in.
const SETTLED: TimeDelta = TimeDelta::seconds(3);

/// The job behind the end of a call's last stream, of so many: done once the call cannot come back any more.
pub(super) fn trace_job(call: &CallSid, streams: i32, over_at: DateTime<Utc>) -> NewJob {
    let payload = json!({ "call_sid": call.as_str(), "streams": streams });
    NewJob::new(EXPORT_TRACE, format!("{call}/{streams}"), payload).at(over_at + SETTLED)
}

impl Store {
    /// From now on the ends of calls that are written here leave such jobs.
    pub fn trace_calls(&self) {
        self.inner.traced.store(true, Ordering::Relaxed);
    }

    /// Whether they do.
    #[must_use]
    pub fn traces_calls(&self) -> bool {
        self.inner.traced.load(Ordering::Relaxed)
    }
}
