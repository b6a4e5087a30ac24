//! The database, and disks.

use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, clock, number, secs, short, word};
use crate::why::verdict::{Finding, Place};

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    let waited = evidence.steps("call.record-waited").map(waited);
    waited.chain(evidence.steps("recording.incomplete").map(|step| incomplete(evidence, step))).collect()
}

/// The call went on, and no caller noticed.
fn waited(step: &AuditEntry) -> Finding {
    let (full, for_ms) = (step.payload["disk_full"] == true, number(&step.payload, "for_ms"));
    let (place, what) = match full {
        true => (Place::Disk, "the disk of the database had no room: what happened in the call was written later"),
        false => (Place::Database, "the database took nothing: what happened in the call was written later"),
    };
    let fact = format!("for {} from {} on", secs(for_ms), clock(step.at));
    Finding::told(place, what, &[]).fact(fact).next("`callgate check`").next("docs/runbooks/database.md")
}

fn incomplete(evidence: &Evidence<'_>, step: &AuditEntry) -> Finding {
    let why = short(word(&step.payload, "why").unwrap_or_default());
    let finding = Finding::told(Place::Disk, "the disk of the spool did not take the recording", &[]).fact(why);
    finding.next(format!("`callgate calls {} --listen`", evidence.sid)).next("docs/runbooks/recordings.md")
}
