//! The rules: what a caller noticed, and what happened at each place of the chain. A file a place.

mod carrier;
mod model;
mod noticed;
mod ours;
mod refused;
mod storage;
mod tool;
mod waits;

use super::evidence::Evidence;
use super::verdict::{Finding, Place, Symptom};

pub(super) use noticed::noticed;

/// What the record tells by a code.
pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    let places = [refused::told, carrier::told, model::told, tool::told, ours::told, storage::told];
    places.into_iter().flat_map(|told| told(evidence)).collect()
}

/// What its numbers say, of what nothing else explains.
pub(super) fn measured(evidence: &Evidence<'_>, noticed: &[Symptom], told: &[Finding]) -> Vec<Finding> {
    let open = |found: &[Finding]| -> Vec<Symptom> {
        let is_open = |symptom: &&Symptom| !told.iter().chain(found).any(|finding| finding.is_why(symptom));
        noticed.iter().filter(is_open).cloned().collect()
    };
    // A thread that was late made everybody else look slow.
    let mut found: Vec<Finding> = ours::measured(evidence, noticed).into_iter().collect();
    found.extend(carrier::measured(evidence));
    let unexplained = open(&found);
    let tools = tool::measured(evidence, &unexplained);
    let is_known = |finding: &Finding| finding.place == Place::Tool && !tools.is_empty();
    // Of one answer several may have taken too much.
    found.extend(waits::measured(evidence, &unexplained).into_iter().filter(|finding| !is_known(finding)));
    found.extend(tools);
    let unexplained = open(&found);
    found.extend(model::measured(evidence, &unexplained));
    found
}
