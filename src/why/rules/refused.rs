//! Calls that were not let in, or that their client's settings ended.

use protocol::call::end::EndCode;

use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, clock, short, word};
use crate::why::verdict::{Finding, Noticed, Place};

/// Requests by which a call begins.
const BEGINS: [&str; 4] = ["webhook.call-start", "webhook.voicebot", "media.token", "media.static"];
/// How they go when they go well.
const WELL: [&str; 3] = ["ok", "replayed", "head"];

/// The last request by which the call should have begun, if none of them went well.
pub(super) fn refusal<'a>(evidence: &Evidence<'a>) -> Option<&'a AuditEntry> {
    let mut begins = evidence.steps.iter().filter(|step| BEGINS.contains(&step.kind.as_str()));
    let is_well = |step: &&AuditEntry| WELL.contains(&step.outcome.as_str());
    if begins.clone().any(|step| is_well(&step)) { None } else { begins.next_back() }
}

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    let refused = refusal(evidence).filter(|_| !evidence.has_media()).and_then(of_refusal);
    refused.into_iter().chain(too_long(evidence)).collect()
}

fn of_refusal(refusal: &AuditEntry) -> Option<Finding> {
    const NEVER: &[Noticed] = &[Noticed::NeverBegan];
    let (place, what, next) = match refusal.outcome.as_str() {
        "storage_away" => (Place::Database, "the database was away when the call came", "docs/runbooks/database.md"),
        "full" => (Place::Us, "this gateway had all the calls that MAX_CALLS allows", "docs/runbooks/full.md"),
        "draining" => (Place::Us, "the gateway was stopping", "docs/runbooks/down.md"),
        "client_full" => {
            (Place::Setting, "the client had all the calls that its max_concurrent allows", "docs/runbooks/full.md")
        }
        "rate_limited" => (
            Place::Setting,
            "more calls came in a minute than the limits of caller and client allow",
            "docs/runbooks/full.md",
        ),
        "unknown_client" => {
            (Place::Setting, "no active client has the number that was called", "`callgate client list`")
        }
        "unauthenticated" | "address_not_allowed" => (
            Place::Setting,
            "the webhook's key, or the address it came from, is not what the settings allow",
            "docs/runbooks/no-calls.md",
        ),
        _ => return None,
    };
    let (at, kind, outcome) = (clock(refusal.at), &refusal.kind, &refusal.outcome);
    let mut finding = Finding::told(place, what, NEVER).fact(format!("{kind} at {at} was answered `{outcome}`"));
    finding.facts.extend(word(&refusal.payload, "refused").map(short));
    Some(finding.next("`callgate audit list --kind webhook --since 1h`").next(next))
}

fn too_long(evidence: &Evidence<'_>) -> Option<Finding> {
    evidence.code().filter(|code| *code == EndCode::TooLong)?;
    let finding = Finding::told(Place::Setting, "the longest call that is allowed was reached", &[Noticed::CutOff]);
    Some(
        finding.fact("it ended as `too_long`").next("`callgate client show NUMBER` (max_call_secs), and MAX_CALL_SECS"),
    )
}
