//! What a caller noticed.

use protocol::call::end::EndCode;
use protocol::call::fact::Who;
use protocol::call::latency::{Awaited, Latency, SLOW_GREETING_MS, SLOW_MS};

use super::refused::refusal;
use super::waits::open_ms;
use crate::store::AuditEntry;
use crate::why::evidence::{Evidence, natural, number, secs, short, word};
use crate::why::verdict::{Noticed, Symptom};

/// Of what a caller says so many messages may be missing before it is misheard, and one of so many of all.
const LOST_MESSAGES: u64 = 10;
const LOST_SHARE: u64 = 100;
/// The shortest message of a carrier, ms.
const MESSAGE_MS: u64 = 20;
/// Times that the line stood still while its caller spoke.
const LINE_STOPPED: u64 = 2;

/// See the module.
pub(in crate::why) fn noticed(evidence: &Evidence<'_>) -> Vec<Symptom> {
    let all =
        [never_began(evidence), cut_off(evidence), late_greeting(evidence), unanswered(evidence), misheard(evidence)];
    let mut all: Vec<Symptom> = all.into_iter().flatten().collect();
    all.extend(late_answers(evidence));
    all.extend(evidence.steps("call.answer-broken-off").filter(|step| went_wrong(step)).map(broken_off));
    all.extend(evidence.steps("call.tool-run").filter(|step| is_not_done(step)).map(not_done));
    all
}

pub(super) fn went_wrong(step: &AuditEntry) -> bool {
    step.outcome == "failed"
}

fn symptom(of: Noticed, words: String, missing: &str) -> Symptom {
    Symptom { of, words, span: None, missing: missing.to_owned() }
}

fn never_began(evidence: &Evidence<'_>) -> Option<Symptom> {
    if evidence.has_media() {
        return None;
    }
    let why = match (refusal(evidence), evidence.code()) {
        (Some(refusal), _) => format!("the call was refused (`{}`)", refusal.outcome),
        (None, Some(EndCode::NoMedia)) if !evidence.call?.is_over_for_the_carrier() => {
            "its sound never came".to_owned()
        }
        _ => return None,
    };
    Some(symptom(Noticed::NeverBegan, format!("the agent was never there: {why}"), "why it did not begin"))
}

/// Ends that no caller wants.
const CUT_OFF: [EndCode; 8] = [
    EndCode::StreamLost,
    EndCode::MediaSilent,
    EndCode::ModelFailed,
    EndCode::GaveUp,
    EndCode::Shutdown,
    EndCode::Reaped,
    EndCode::ContextRefused,
    EndCode::TooLong,
];

fn cut_off(evidence: &Evidence<'_>) -> Option<Symptom> {
    let code = evidence.code().filter(|code| CUT_OFF.contains(code))?;
    let when = evidence
        .end_ms()
        .filter(|_| evidence.has_media())
        .map_or_else(String::new, |ms| format!(" after {}", secs(ms)));
    let missing = match (code, evidence.steps("call.model-lost").last()) {
        (EndCode::ModelFailed, Some(lost)) => broke(lost),
        _ => "what made it end".to_owned(),
    };
    Some(symptom(Noticed::CutOff, format!("the agent was gone{when} (`{}`)", code.name()), &missing))
}

/// What is not known of a connection to the model that broke.
pub(super) fn broke(lost: &AuditEntry) -> String {
    let cause = short(word(&lost.payload, "cause").unwrap_or_default());
    format!("whether the provider or the network on the way broke the connection to the model ({cause})")
}

fn late_greeting(evidence: &Evidence<'_>) -> Option<Symptom> {
    if let Some(latency) = evidence.latencies().find(|latency| latency.of == Awaited::Greeting) {
        return latency.is_slow().then(|| late(evidence, latency, Noticed::LateGreeting));
    }
    let is_heard = evidence.steps("call.first-audio").next().is_some();
    let (ms, words) = match (natural(evidence.call?.figures.first_audio_ms), evidence.end_ms()) {
        (Some(ms), _) if ms > SLOW_GREETING_MS => (ms, format!("the first word came after {}", secs(ms))),
        (None, Some(ms)) if evidence.has_media() && ms > SLOW_GREETING_MS && !is_heard => {
            (ms, format!("the agent said nothing for {}", secs(ms)))
        }
        _ => return None,
    };
    let missing = "what the first word waited for";
    Some(Symptom { span: evidence.span(0, ms), ..symptom(Noticed::LateGreeting, words, missing) })
}

/// One whose parts are on record.
fn late(evidence: &Evidence<'_>, latency: &Latency, of: Noticed) -> Symptom {
    let (ms, until) = (secs(latency.whole_ms()), secs(latency.until_ms()));
    let words = match latency.of {
        Awaited::Greeting => format!("the first word came after {ms}"),
        Awaited::Turn | Awaited::Tool => format!("an answer came after {ms}, at {until}"),
        Awaited::Nudge => format!("the agent spoke up after {ms}, at {until}"),
    };
    let missing = match open_ms(latency) * 2 > latency.whole_ms() {
        true => format!("whether the model or the way to it took {ms} until {until}: the round trip was not measured"),
        false => format!("why the answer at {until} took {ms}: no part of it stands out"),
    };
    Symptom { span: evidence.span(latency.from_ms, latency.until_ms()), ..symptom(of, words, &missing) }
}

fn late_answers(evidence: &Evidence<'_>) -> Vec<Symptom> {
    let is_answer = |latency: &&Latency| latency.of != Awaited::Greeting && latency.is_slow();
    let known = evidence.latencies().filter(is_answer).map(|latency| late(evidence, latency, Noticed::LateAnswer));
    let sent =
        evidence.turns.iter().filter(|turn| turn.who == Who::Agent && turn.latency.is_none()).filter_map(|turn| {
            let ms = turn.answer_ms.filter(|ms| *ms > SLOW_MS)?;
            let words = format!("an answer came after {}, at {}", secs(ms), secs(turn.at_ms));
            let span = evidence.span(turn.at_ms.saturating_sub(ms), turn.at_ms);
            Some(Symptom { span, ..symptom(Noticed::LateAnswer, words, "which part of an answer took so long") })
        });
    known.chain(sent).collect()
}

fn unanswered(evidence: &Evidence<'_>) -> Option<Symptom> {
    let (since, ms) = evidence.unanswered()?;
    let words = format!("nothing answered what was said last, for {}", secs(ms));
    let span = evidence.span(since, since + ms);
    Some(Symptom { span, ..symptom(Noticed::LateAnswer, words, "what the answer waited for") })
}

fn misheard(evidence: &Evidence<'_>) -> Option<Symptom> {
    let (lost, stopped) = (evidence.counted("caller_lost"), evidence.counted("uplink_gap_filled"));
    let is_share = lost * MESSAGE_MS * LOST_SHARE >= evidence.end_ms().unwrap_or(u64::MAX);
    let words = match (lost >= LOST_MESSAGES && is_share, stopped >= LINE_STOPPED) {
        (true, _) => format!("the agent may have misheard: {lost} messages of the caller's sound never came"),
        (false, true) => {
            format!("the agent may have misheard: the line stood still {stopped} times while the caller spoke")
        }
        (false, false) => return None,
    };
    Some(symptom(Noticed::Misheard, words, "where the sound was lost"))
}

fn broken_off(step: &AuditEntry) -> Symptom {
    let by = word(&step.payload, "by").unwrap_or("nothing known");
    let words = format!("an answer broke off in the middle (`{by}`)");
    Symptom { span: Some((step.at, step.at)), ..symptom(Noticed::BrokenOff, words, "what broke it off") }
}

/// Arguments that the model got wrong it is told of, and calls again.
fn is_not_done(step: &AuditEntry) -> bool {
    went_wrong(step) && word(&step.payload, "came_to") != Some("bad_arguments")
}

fn not_done(step: &AuditEntry) -> Symptom {
    let name = short(word(&step.payload, "name").unwrap_or_default());
    let took = chrono::TimeDelta::milliseconds(i64::try_from(number(&step.payload, "took_ms")).unwrap_or(0));
    let words = format!("the agent could not do what it was asked (`{name}` failed)");
    Symptom { span: Some((step.at - took, step.at)), ..symptom(Noticed::NotDone, words, "why it failed") }
}
