//! What the carrier reports after the fact: the end of a call, and recordings of it.

use chrono::Utc;
use protocol::call::end::Ended;
use protocol::exotel::status::is_end;
use serde_json::json;
use tokio::task::spawn;

use super::{Calls, Refused};
use crate::store::{AuditEntry, Call, CallEndReport, Kept, MOST_OF_CALL, MOST_WAITING};

impl Calls {
    /// Writes down what the carrier reports of a call; a final status ends it where it is live.
    ///
    /// # Errors
    /// When the database is away: what was told is kept, and written later.
    pub async fn report(&self, report: CallEndReport) -> Result<(Call, Option<Kept>), Refused> {
        // First, since it needs no database.
        if let Some(status) = report.status.as_ref().filter(|status| !report.stream_only && is_end(status)) {
            self.switchboard.end(&report.call_sid, Ended::CallEnd { status: status.clone() });
        }
        self.write_down(report).await
    }

    /// One that a database that is away did not take is kept, and written later: the carrier is told to come again, and may not. A
    /// recording that there is no room for is noted: the report stands without it.
    pub(super) async fn write_down(&self, report: CallEndReport) -> Result<(Call, Option<Kept>), Refused> {
        let (store, writer) = (self.admissions.store.clone(), self.admissions.writer.clone());
        // By itself: whoever asked may stop waiting.
        let written = spawn(async move {
            let kept = report.clone();
            let written = store.report_call_and_recording(report).await;
            match &written {
                Err(error) if error.is_away() => writer.report(kept),
                Ok((call, Some(Kept::CallFull))) => writer.audit(not_kept(call, "call_full")),
                Ok((call, Some(Kept::ClientFull))) => writer.audit(not_kept(call, "client_full")),
                _ => {}
            }
            written
        });
        Ok(written.await.map_err(|_| Refused::StorageAway)??)
    }
}

/// A recording beyond what is kept of one call, or may wait for one client.
fn not_kept(call: &Call, outcome: &str) -> AuditEntry {
    let told = json!({ "most_of_call": MOST_OF_CALL, "most_waiting": MOST_WAITING });
    AuditEntry::step(&call.call_sid, Utc::now(), "recording.refused", outcome, told)
}
