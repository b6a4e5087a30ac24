//! The model's server, and its provider.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, Span, clock, short, word};
use crate::why::verdict::{Finding, Noticed, Place, Symptom};

/// What a failed response, or a session that was lost, costs: it is asked for again, or the session is dialled anew.
const FELT: TimeDelta = TimeDelta::seconds(12);
/// Codes that say that more is asked of the provider than it gives.
const LIMITS: [&str; 2] = ["rate_limit_exceeded", "rate_limit_error"];

const REFUSES: &str = "docs/runbooks/model-refuses.md";
const LOST: &str = "docs/runbooks/model-lost.md";

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    [refused(evidence), limited(evidence), failed(evidence), expired(evidence)].into_iter().flatten().collect()
}

fn from(step: &AuditEntry) -> Span {
    (step.at, step.at + FELT)
}

/// It will not have us.
fn refused(evidence: &Evidence<'_>) -> Option<Finding> {
    let refused = |step: &&AuditEntry| word(&step.payload, "refused_for").is_some();
    let all: Vec<&AuditEntry> = evidence.steps("call.model-lost").filter(refused).collect();
    let last = all.last()?;
    let reason = word(&last.payload, "refused_for").unwrap_or_default();
    let what = match reason {
        "unauthorized" => "its provider does not know the key",
        "forbidden" => "its provider does not let the key do this",
        "not_found" => "its provider has no such model",
        "quota" => "the account has no money or quota left",
        "configuration" => "it takes no configuration that we ask for",
        _ => "its provider refuses",
    };
    let cause = short(word(&last.payload, "cause").unwrap_or_default());
    let fact = format!("refused {} times (`{reason}`), last at {}: {cause}", all.len(), clock(last.at));
    let finding = Finding::told(Place::Model, what, Noticed::WAITED).fact(fact).at(all.iter().map(|step| from(step)));
    Some(finding.next("`callgate calls --since 1h --ended model_failed`: whether every call is refused").next(REFUSES))
}

/// More is asked of it than it gives.
fn limited(evidence: &Evidence<'_>) -> Option<Finding> {
    let limits = |step: &&AuditEntry| word(&step.payload, "code").is_some_and(|code| LIMITS.contains(&code));
    let failed: Vec<&AuditEntry> =
        evidence.steps("call.response-failed").chain(evidence.steps("call.model-error")).filter(limits).collect();
    let dials = evidence.counted("model_rate_limited");
    if failed.is_empty() && dials == 0 {
        return None;
    }
    let mut finding = Finding::told(Place::Model, "its provider's rate limit was reached", Noticed::WAITED);
    if let Some(first) = failed.first() {
        finding = finding.fact(format!(
            "{} responses failed (`rate_limit_exceeded`), the first at {}",
            failed.len(),
            clock(first.at)
        ));
    }
    if dials > 0 {
        let lost = evidence.steps("call.model-lost").map(from);
        finding = finding.fact(format!("{dials} connections were turned away (429)")).at(lost);
    }
    let look = "`curl -s localhost:8080/metrics | grep -E '^callgate_(responses_failed|calls_live)'`";
    Some(finding.at(failed.iter().map(|step| from(step))).next(look).next(LOST))
}

/// Responses that it failed to give.
fn failed(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    let mut spans = Vec::new();
    let is_refusal = |code: &str| code == "insufficient_quota" && refused(evidence).is_some();
    for step in evidence.steps("call.response-failed") {
        let code = word(&step.payload, "code").unwrap_or("unknown");
        if !LIMITS.contains(&code) && !is_refusal(code) {
            *codes.entry(short(code)).or_default() += 1;
            spans.push(from(step));
        }
    }
    let turned_away = evidence.counted("model_turned_away");
    if turned_away > 0 {
        spans.extend(evidence.steps("call.model-lost").map(from));
    }
    if codes.is_empty() && turned_away == 0 {
        return None;
    }
    let away =
        (turned_away > 0).then(|| format!("{turned_away} connections were answered with an error of the server's"));
    let facts = codes.into_iter().map(|(code, count)| format!("{count} responses failed (`{code}`)")).chain(away);
    let finding = Finding::told(Place::Model, "it failed to answer", Noticed::WAITED).facts(facts).at(spans);
    Some(finding.next("`callgate audit list --kind call.response-failed --since 1h`").next(LOST))
}

/// Its session was as old as it may be.
fn expired(evidence: &Evidence<'_>) -> Option<Finding> {
    let expired = |step: &&AuditEntry| word(&step.payload, "code") == Some("session_expired");
    let all: Vec<&AuditEntry> = evidence.steps("call.model-error").filter(expired).collect();
    let first = all.first()?;
    let fact = format!("{} times `session_expired`, the first at {}", all.len(), clock(first.at));
    let finding =
        Finding::told(Place::Model, "its session expired in the middle of the call", Noticed::WAITED).fact(fact);
    let finding = finding.at(all.iter().map(|step| from(step)));
    Some(finding.next("`callgate audit list --kind call.model-error --since 1h`").next(LOST))
}

/// It took what the caller said, and answered nothing.
pub(super) fn measured(evidence: &Evidence<'_>, unexplained: &[Symptom]) -> Option<Finding> {
    let times = evidence.counted("model_silent");
    let sessions = evidence.steps("call.model-ready").count();
    let is_felt = unexplained.iter().any(|symptom| Noticed::WAITED.contains(&symptom.of));
    if times == 0 || sessions == 0 || !is_felt {
        return None;
    }
    let finding = Finding::measured(Place::Model, "it took what the caller said and answered nothing", Noticed::WAITED);
    let finding = finding.fact(format!("{times} answers never came, of {sessions} sessions that were ready"));
    Some(
        finding
            .next("`callgate calls --since 1h --ended model_failed`: whether other calls are left alone too")
            .next(LOST),
    )
}
