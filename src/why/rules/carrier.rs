//! The carrier, and its line to the caller.

use protocol::call::end::EndCode;

use crate::why::evidence::Evidence;
use crate::why::verdict::{Finding, Noticed, Place};

const PAGE: &str = "docs/flows.md";

pub(super) fn told(evidence: &Evidence<'_>) -> Vec<Finding> {
    const ENDED: &[Noticed] = &[Noticed::CutOff, Noticed::NeverBegan];
    let Some(code) = evidence.code() else { return Vec::new() };
    let what = match code {
        EndCode::StreamLost => "its socket closed without a word",
        EndCode::MediaSilent => "its socket stayed open, and no audio came any more",
        EndCode::NoMedia if !evidence.call.is_some_and(crate::store::Call::is_over_for_the_carrier) => {
            "the media stream that it was given a URL for never came"
        }
        _ => return Vec::new(),
    };
    let mut finding = Finding::told(Place::Carrier, what, ENDED).fact(format!("it ended as `{}`", code.name()));
    finding.facts.extend(
        evidence
            .call
            .and_then(|call| call.carrier_status.as_ref())
            .map(|status| format!("the carrier said `{status}`")),
    );
    vec![finding.next(format!("the carrier's own record of {}", evidence.sid)).next(PAGE)]
}

/// Sound that did not come. Where our own thread stood still it may have waited here, and no line is blamed for it.
pub(super) fn measured(evidence: &Evidence<'_>) -> Option<Finding> {
    let count = |what| evidence.counted(what);
    let (lost, late, stopped) = (count("caller_lost"), count("caller_late"), count("uplink_gap_filled"));
    let stopped = if count("thread_late_ms") > 0 { 0 } else { stopped };
    if lost == 0 && stopped == 0 {
        return None;
    }
    let finding = Finding::measured(Place::Carrier, "the caller's sound came with holes", &[Noticed::Misheard]);
    // Below what anybody notices it is no finding.
    super::noticed(evidence).iter().any(|symptom| symptom.of == Noticed::Misheard).then(|| {
        let told =
            [(lost, "messages never came"), (late, "came late or twice"), (stopped, "times the line stood still")];
        let facts = told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let next = format!("`callgate calls {} --listen`: the holes are silence on the left", evidence.sid);
        finding.facts(facts).next(next).next(format!("the carrier, with {} and the times", evidence.sid))
    })
}
