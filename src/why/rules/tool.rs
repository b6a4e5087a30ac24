//! Systems of the client's own: its functions, and who is asked who calls.

use chrono::TimeDelta;
use protocol::call::end::EndCode;

use super::noticed::went_wrong;
use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, Span, number, secs, short, word};
use crate::why::verdict::{Finding, Noticed, Place, Symptom};

/// A function that takes longer is why its caller waited, ms.
const SLOW_MS: u64 = 1_500;
/// One that takes longer is told of, whatever its caller heard meanwhile, ms.
const WORTH_TELLING_MS: u64 = 5_000;
/// Until its result was said.
const SAID_WITHIN: TimeDelta = TimeDelta::seconds(2);

const WAITED: &[Noticed] = &[Noticed::LateAnswer, Noticed::NotDone];

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    let failed = |step: &&AuditEntry| went_wrong(step) && word(&step.payload, "came_to") != Some("bad_arguments");
    let runs = evidence.steps("call.tool-run").filter(failed).map(|step| {
        let (name, came_to) = (named(step), word(&step.payload, "came_to").unwrap_or("failed"));
        run(step, Finding::told(Place::Tool, format!("the function `{name}` failed (`{came_to}`)"), WAITED))
    });
    runs.chain(context(evidence)).collect()
}

/// Who is asked who calls.
fn context(evidence: &Evidence<'_>) -> Vec<Finding> {
    const GREETED: &[Noticed] = &[Noticed::LateGreeting];
    let page = "`callgate client show NUMBER` ([context])";
    let late = evidence.steps("call.context").filter(|step| went_wrong(step)).map(|step| {
        let came_to = word(&step.payload, "came_to").unwrap_or("failed");
        let took = number(&step.payload, "took_ms");
        let finding = Finding::told(Place::Tool, "the client's system did not say who calls", GREETED);
        finding.fact(format!("`{came_to}` after {}", secs(took))).next(page)
    });
    let refused = (evidence.code() == Some(EndCode::ContextRefused)).then(|| {
        let finding = Finding::told(Place::Tool, "the client's system does not take the call", &[Noticed::CutOff]);
        finding.fact("it ended as `context_refused`").next(page)
    });
    late.chain(refused).collect()
}

/// Functions that took their time.
pub(super) fn measured(evidence: &Evidence<'_>, unexplained: &[Symptom]) -> Vec<Finding> {
    let is_slow = |step: &&AuditEntry| {
        let (took, waits) = (number(&step.payload, "took_ms"), took(step));
        let is_waited_for = unexplained.iter().any(|symptom| {
            WAITED.contains(&symptom.of) && symptom.span.is_some_and(|span| span.0 <= waits.1 && waits.0 <= span.1)
        });
        !went_wrong(step) && (took >= WORTH_TELLING_MS || took >= SLOW_MS && is_waited_for)
    };
    let slow = evidence.steps("call.tool-run").filter(is_slow).map(|step| {
        let what = format!("the function `{}` took {}", named(step), secs(number(&step.payload, "took_ms")));
        run(step, Finding::measured(Place::Tool, what, WAITED))
    });
    slow.collect()
}

fn named(step: &AuditEntry) -> String {
    short(word(&step.payload, "name").unwrap_or_default())
}

/// When its caller waited for it.
fn took(step: &AuditEntry) -> Span {
    let took = TimeDelta::milliseconds(i64::try_from(number(&step.payload, "took_ms")).unwrap_or(0));
    (step.at - took, step.at + SAID_WITHIN)
}

fn run(step: &AuditEntry, finding: Finding) -> Finding {
    let of = |name: &str| step.payload[name].to_string();
    let fact = format!(
        "{} after {}, answer {}, asked {} times",
        word(&step.payload, "came_to").unwrap_or("failed"),
        secs(number(&step.payload, "took_ms")),
        of("status"),
        of("attempts")
    );

    let test = format!("`callgate tool test NUMBER {} ARGUMENTS`", named(step));
    finding.fact(fact).at([took(step)]).next(test).next("docs/agent.md")
}
