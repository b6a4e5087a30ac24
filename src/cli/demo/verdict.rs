//! Whether everything a call should do was seen to happen.

use std::io::{self, Write};

use protocol::call::end::EndCode;
use protocol::call::fact::Who;
use simulator::exotel::{CallReport, EndedBy};
use simulator::model::SessionLog;

use super::office::{SATURDAY, WAITS};
use crate::store::CallWithTurns;

/// A prepared greeting is heard this soon after the media socket opened, ms.
const FIRST_AUDIO_MS: u64 = 250;
/// What still reaches the caller after an interruption: the message being played, and the way of the `clear`, ms.
const RESIDUE_MS: u64 = 200 + 100;

/// The clip that is one.
pub(super) const COUGH: &str = "caller_cough";
/// A `clear` so long after a cough is not about it, ms.
const COUGH_MS: u64 = 1_000;

/// What was seen of the call.
pub(super) struct Seen<'a> {
    /// By the caller.
    pub(super) report: &'a CallReport,
    /// As recorded.
    pub(super) record: &'a CallWithTurns,
    /// By the model.
    pub(super) sessions: &'a [SessionLog],
    /// How often the clinic's system was asked.
    pub(super) lookups: usize,
    /// What should have been seen of the second caller, and whether it was.
    pub(super) handed_on: Vec<(&'static str, bool)>,
}

/// Prints one line for each thing that should have happened; true when all did.
pub(super) fn show(screen: &mut impl Write, seen: &Seen<'_>) -> io::Result<bool> {
    let mut good = true;
    writeln!(screen, "\nVerdict")?;
    for (what, seen) in checks(seen).into_iter().chain(seen.handed_on.iter().copied()) {
        good &= seen;
        writeln!(screen, "  {}  {what}", if seen { "ok  " } else { "FAIL" })?;
    }
    for fault in &seen.report.faults {
        writeln!(screen, "        the carrier objects: {fault}")?;
    }
    writeln!(screen, "\n{}", if good { "The call went as it should." } else { "The call did not go as it should." })?;
    Ok(good)
}

fn checks(&Seen { report, record, sessions, lookups, .. }: &Seen<'_>) -> Vec<(&'static str, bool)> {
    let told = sessions.iter().flat_map(|session| &session.items).filter(|item| {
        let output = item["output"].as_str().unwrap_or_default();
        item["type"] == "function_call_output" && output.contains(SATURDAY)
    });
    let truncations: Vec<_> = sessions.iter().flat_map(|s| &s.truncations).collect();
    let interruption = report.utterances.iter().find(|u| u.barge_in && !u.label.contains(COUGH));
    let cut = record.turns.iter().find(|t| t.interrupted);
    let answered = |label: &str| report.utterances.iter().any(|u| u.label.contains(label) && u.reply_ms.is_some());
    let stored_cut_matches = cut.zip(truncations.first()).is_some_and(|(turn, t)| turn.heard_ms == t.audio_end_ms);
    let cough = report.utterances.iter().find(|u| u.label.contains(COUGH));
    let coughed = cough.is_some_and(|u| u.clear_ms.is_none_or(|ms| ms > COUGH_MS))
        && record.turns.iter().any(|turn| turn.backchannel)
        && sessions.iter().map(|session| session.count_received("conversation.item.delete")).sum::<usize>() == 1;
    vec![
        ("the webhooks were answered 200", report.webhooks.iter().all(|w| w.status == 200 || w.name == "passthru")),
        (
            "the model was configured before it was sent audio",
            sessions.iter().all(|s| s.configured && s.appended.events_before_update == 0),
        ),
        ("the greeting was heard within 250 ms", report.first_audio_ms.is_some_and(|ms| ms <= FIRST_AUDIO_MS)),
        ("the caller's question was answered", answered("caller_en_hours")),
        ("a cough did not silence it, and the model does not know of it", coughed),
        (
            "the interruption silenced the agent",
            report.clears > 0
                && interruption
                    .is_some_and(|u| u.clear_ms.zip(u.silenced_ms).is_some_and(|(c, s)| s <= c + RESIDUE_MS)),
        ),
        (
            "the model was told where it was cut, once, within what it had said",
            truncations.iter().any(|t| t.accepted && t.audio_end_ms > 0) && truncations.iter().all(|t| t.accepted),
        ),
        ("the transcript is cut where the model was told", stored_cut_matches),
        (
            "the clinic's own system was asked for its hours, once, and the model was told them",
            lookups == 1 && told.count() == 1,
        ),
        (
            "the caller heard that it takes a moment",
            record.turns.iter().any(|turn| turn.who == Who::Agent && turn.text.contains(WAITS)),
        ),
        ("the turn in Hindi was answered", answered("caller_hi_booking")),
        ("the agent said goodbye and hung up", report.ended_by == EndedBy::Gateway && report.close_code == Some(1000)),
        (
            "the record is complete",
            record.call.ended_code == Some(EndCode::AgentHungUp)
                && record.turns.iter().filter(|t| t.who == Who::Caller && !t.text.is_empty()).count() >= 3
                && record.turns.iter().filter(|t| t.who == Who::Agent).count() >= 4,
        ),
        ("the carrier had nothing to object to", report.faults.is_empty() && report.gave_up == 0),
    ]
}
