//! Answers that came late, by their parts: whoever took more of one than is usual.

use protocol::call::fact::Turn;
use protocol::call::latency::{Latency, Owner, Part};

use crate::why::evidence::{Evidence, Span, secs};
use crate::why::verdict::{Finding, Noticed, Place, Symptom};

/// Answers that are told one by one.
const ONE_BY_ONE: usize = 2;
const PAGE: &str = "docs/runbooks/answers-late.md";

/// One answer that was late.
struct Late<'a> {
    latency: &'a Latency,
    span: Span,
}

/// Findings on what is not explained otherwise.
pub(super) fn measured(evidence: &Evidence<'_>, unexplained: &[Symptom]) -> Vec<Finding> {
    let is_open = |span: &Span| unexplained.iter().any(|symptom| symptom.span.as_ref() == Some(span));
    let late = evidence.turns.iter().filter_map(|turn: &Turn| {
        let latency = turn.latency.as_deref().filter(|latency| latency.is_slow())?;
        let span = evidence.span(latency.from_ms, latency.until_ms()).filter(is_open)?;
        Some(Late { latency, span })
    });
    let late: Vec<Late<'_>> = late.collect();
    let mut owners: Vec<Owner> = late.iter().flat_map(|late| owners(late.latency)).map(|(owner, _)| owner).collect();
    owners.sort_unstable_by_key(|owner| owner.name());
    owners.dedup();
    owners.into_iter().filter_map(|owner| finding(evidence, owner, &late)).collect()
}

/// Who took how much of which part, ms.
fn shares(latency: &Latency) -> impl Iterator<Item = (Part, (Owner, u64))> + '_ {
    Part::ALL.into_iter().flat_map(|part| latency.shares(part).into_iter().flatten().map(move |share| (part, share)))
}

/// Who took more of it than is usual, and how much, ms.
fn owners(latency: &Latency) -> Vec<(Owner, u64)> {
    let mut all: Vec<(Owner, u64)> = Vec::new();
    for (part, (owner, ms)) in shares(latency) {
        if is_open(latency, part, owner) {
            continue;
        }
        match all.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, sum)) => *sum += ms,
            None => all.push((owner, ms)),
        }
    }
    all.retain(|(owner, ms)| *ms >= most_usual(*owner));
    all
}

/// Whether it may as well have been the network's: where nobody measured the round trip, only what the model generates is surely its own.
fn is_open(latency: &Latency, part: Part, owner: Owner) -> bool {
    latency.network_ms.is_none() && owner == Owner::Model && part != Part::Generating
}

/// ms of an answer that are the model's or the network's, and nobody knows which.
pub(super) fn open_ms(latency: &Latency) -> u64 {
    shares(latency).filter(|(part, (owner, _))| is_open(latency, *part, *owner)).map(|(_, (_, ms))| ms).sum()
}

/// So much of one answer, ms, is nobody's fault.
const fn most_usual(owner: Owner) -> u64 {
    match owner {
        Owner::Carrier => 700,
        Owner::Network => 400,
        Owner::Us => 500,
        Owner::Setting(_) => 1_000,
        Owner::Model => 1_200,
        Owner::Tool => 1_500,
    }
}

fn finding(evidence: &Evidence<'_>, owner: Owner, late: &[Late<'_>]) -> Option<Finding> {
    let of_it = late.iter().filter_map(|late| {
        let (_, ms) = owners(late.latency).into_iter().find(|(known, _)| *known == owner)?;
        Some((late, ms))
    });
    let of_it: Vec<(&Late<'_>, u64)> = of_it.collect();
    let mut facts: Vec<String> = of_it.iter().take(ONE_BY_ONE).map(|(late, ms)| fact(late.latency, *ms)).collect();
    if of_it.len() > ONE_BY_ONE {
        facts.push(format!("and {} answers more", of_it.len() - ONE_BY_ONE));
    }
    if let (Owner::Network, Some(ms)) = (owner, of_it.iter().filter_map(|(late, _)| late.latency.network_ms).max()) {
        facts.push(format!("round trip {ms} ms"));
    }
    let (place, what, next) = told(evidence, owner);
    let spans = of_it.iter().map(|(late, _)| late.span);
    const LATE: &[Noticed] = &[Noticed::LateGreeting, Noticed::LateAnswer];
    Some(Finding::measured(place, what, LATE).facts(facts).at(spans).next(next).next(PAGE))
}

/// `2.9 s of the 3.6 s until 12.4 s (starting 0.2 s, generating 2.7 s)`.
fn fact(latency: &Latency, ms: u64) -> String {
    let parts = latency.parts.spans().map(|(part, _, ms)| format!("{} {}", part.name(), secs(ms)));
    let parts: Vec<String> = parts.collect();
    format!(
        "{} of the {} until {} of the call ({})",
        secs(ms),
        secs(latency.whole_ms()),
        secs(latency.until_ms()),
        parts.join(", ")
    )
}

fn told(evidence: &Evidence<'_>, owner: Owner) -> (Place, String, String) {
    let sid = evidence.sid;
    let others = "`callgate calls --since 30m --slow 2000`: whether other calls are slow too".to_owned();
    match owner {
        Owner::Carrier => {
            (Place::Carrier, "it played late what it was sent".to_owned(), format!("the carrier, with {sid}"))
        }
        Owner::Network => (
            Place::Network,
            "the way to the model's server and back was slow".to_owned(),
            "`callgate check` on the gateway, and the network between".to_owned(),
        ),
        Owner::Model => (Place::Model, "it was slow to answer".to_owned(), others),
        Owner::Us => (
            Place::Us,
            "this gateway was slow to send".to_owned(),
            "`curl -s localhost:8080/metrics | grep -E '^(process_cpu_seconds_total|callgate_calls_live)'`".to_owned(),
        ),
        Owner::Setting(name) => (
            Place::Setting,
            format!("the client's `{name}` has callers wait"),
            format!("`callgate client export NUMBER` ({name})"),
        ),
        Owner::Tool => {
            (Place::Tool, "a function of the client's took its time".to_owned(), format!("`callgate calls {sid}`"))
        }
    }
}
