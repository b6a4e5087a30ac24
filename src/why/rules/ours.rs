//! This gateway.

use chrono::TimeDelta;
use protocol::call::end::EndCode;

use super::noticed::went_wrong;
use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, Span, clock, ms_between, number, secs, short, word};
use crate::why::verdict::{Finding, Noticed, Place, Symptom};

/// A fault of ours is felt for so long: the session is dialled again, and told the conversation.
const FELT: TimeDelta = TimeDelta::seconds(12);
/// A thread that was late for so much of a call is told of, whoever noticed, ms.
const WORTH_TELLING_MS: u64 = 1_000;
/// One of so many parts of a wait is why it was long.
const SHARE: u64 = 4;

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    faults(evidence).into_iter().chain(ended(evidence)).collect()
}

/// Parts of the call that panicked or stopped.
fn faults(evidence: &Evidence<'_>) -> Option<Finding> {
    let kinds = ["supervisor.restart", "supervisor.give_up", "supervisor.stop"];
    let faults: Vec<&AuditEntry> =
        kinds.into_iter().flat_map(|kind| evidence.steps(kind)).filter(|step| went_wrong(step)).collect();
    let first = faults.first()?;
    let told = |step: &&AuditEntry| {
        let of = |name| short(word(&step.payload, name).unwrap_or_default());
        format!("{} {} at {}", of("actor"), of("cause"), clock(step.at))
    };
    let finding = Finding::told(Place::Us, "a part of the call failed and was started again", Noticed::WAITED);
    let finding =
        finding.facts(faults.iter().take(3).map(told)).at(faults.iter().map(|step| (step.at, step.at + FELT)));
    let since = first.at.format("%Y-%m-%dT%H:%M:%SZ");
    Some(
        finding
            .next(format!("`callgate audit list --kind supervisor --since {since}`"))
            .next("docs/runbooks/restarts.md"),
    )
}

fn ended(evidence: &Evidence<'_>) -> Option<Finding> {
    let (what, page) = match evidence.code()? {
        EndCode::GaveUp => ("it gave the call up after repeated faults of its own", "docs/runbooks/restarts.md"),
        EndCode::Shutdown => ("it was stopped before the call was over", "docs/runbooks/down.md"),
        EndCode::Reaped => ("the gateway that had the call was gone", "docs/runbooks/down.md"),
        _ => return None,
    };
    let mut finding = Finding::told(Place::Us, what, &[Noticed::CutOff]);
    finding.facts.extend(evidence.code().map(|code| format!("it ended as `{}`", code.name())));
    Some(finding.next("`callgate calls --since 1h --ended reaped`").next(page))
}

/// The thread of the call stood still: blocked, or not run by its host.
pub(super) fn measured(evidence: &Evidence<'_>, noticed: &[Symptom]) -> Option<Finding> {
    let is_lag = |step: &&AuditEntry| step.payload["what"] == "thread_late_ms";
    let lags: Vec<(Span, u64)> = evidence
        .steps("call.counted")
        .filter(is_lag)
        .map(|step| {
            let ms = number(&step.payload, "count");
            let began = step.at - TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(0));
            ((began, step.at), ms)
        })
        .collect();
    let total: u64 = lags.iter().map(|(_, ms)| ms).sum();
    let is_felt = |(lag, _): &&(Span, u64)| noticed.iter().any(|symptom| is_much(symptom, lag));
    let felt: Vec<&(Span, u64)> = lags.iter().filter(is_felt).collect();
    if total < WORTH_TELLING_MS && felt.is_empty() {
        return None;
    }
    let worst = lags.iter().max_by_key(|(_, ms)| *ms)?;
    let finding = Finding::measured(Place::Us, "the thread that serves the call stood still", Noticed::WAITED);
    let finding =
        finding.fact(format!("{} in all, the longest {} at {}", secs(total), secs(worst.1), clock(worst.0.0)));
    // What nobody felt explains nothing.
    let spans: Vec<Span> = if felt.is_empty() {
        lags.iter().map(|(lag, _)| *lag).collect()
    } else {
        felt.iter().map(|(lag, _)| *lag).collect()
    };
    let look = "`curl -s localhost:8080/metrics | grep -E '^callgate_(stalls|event_loop_lag)'`";
    let finding = Finding { explains: if felt.is_empty() { &[] } else { Noticed::WAITED }, ..finding };
    Some(finding.at(spans).next(look).next("docs/runbooks/stalls.md"))
}

/// Whether a good part of a wait went to that.
fn is_much(symptom: &Symptom, (from, to): &Span) -> bool {
    let Some((began, ended)) = symptom.span else { return false };
    let both = ms_between(*from.max(&began), *to.min(&ended)).unwrap_or(0);
    Noticed::WAITED.contains(&symptom.of) && both > 0 && both * SHARE >= ms_between(began, ended).unwrap_or(u64::MAX)
}
