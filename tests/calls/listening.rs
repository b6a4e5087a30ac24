//! Callers who cough, and say "haan ji", while the agent speaks.

use std::time::Duration;

use protocol::call::fact::{Turn, Who};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::{CallReport, EventKind, Say, Voice};

use super::support::{ADMIN_TOKEN, Answer, Gateway, Setup, answered, question};

/// One message of audio, and the way to the carrier and back.
const AGAIN_MS: u64 = 200 + 150;

/// A gateway whose client listens so.
async fn that_listens(interruptions: &str, setup: Setup) -> Gateway {
    let gateway = Gateway::with(setup).await;
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent: Value = gateway.operate(Method::GET, &place).await.json();
    agent["listening"] = json!({ "interruptions": interruptions, "languages": ["hi", "en"] });
    let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
    let put = Answer::of(put.send().await.unwrap()).await;
    assert_eq!(put.status, 200, "{put:?}");
    gateway
}

fn aside(after_ms: u64, clip: &str) -> Say {
    Say::Aside(Duration::from_millis(after_ms), Voice::clip(clip))
}

/// From the beginning of a sound to the `clear` behind it.
fn cleared_after(report: &CallReport, label: &str) -> Option<i64> {
    let began = i64::try_from(report.utterances.iter().find(|said| said.label == label)?.began_ms).ok()?;
    let clears = report.timeline.iter().filter(|event| event.kind == EventKind::Clear);
    clears.map(|event| event.at_ms - began).find(|after| (0..2_000).contains(after))
}

/// How long nobody heard the agent after that `clear`.
fn silent_for(report: &CallReport, label: &str) -> Option<i64> {
    let began = i64::try_from(report.utterances.iter().find(|said| said.label == label)?.began_ms).ok()?;
    let after = |kind: EventKind| {
        report.timeline.iter().find(|event| event.kind == kind && event.at_ms > began).map(|event| event.at_ms)
    };
    Some(after(EventKind::AgentSpeaks)? - after(EventKind::AgentStops)?)
}

fn backchannels(turns: &[Turn]) -> Vec<&str> {
    turns.iter().filter(|turn| turn.backchannel).map(|turn| turn.text.as_str()).collect()
}

#[actix_rt::test]
async fn neither_a_cough_nor_a_listeners_word_costs_the_agent_its_sentence() {
    let script = "greeting goodbye_en\nanswer answer_en_hours";
    let gateway = that_listens("confirmed", Setup { script, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    let done = Say::AgentFinished(Duration::from_millis(1_800));
    let (cough, haan, hmm) =
        (aside(1_500, "caller_cough"), aside(1_500, "caller_hi_haan"), aside(1_500, "caller_en_hmm"));
    plan.script = vec![
        Say::agent_finished(),
        question(),
        cough,
        Say::Wait(Duration::from_millis(1_800)),
        haan,
        Say::Wait(Duration::from_millis(2_600)),
        hmm,
        done,
    ];
    let report = gateway.call(plan).await;
    assert!(report.faults.is_empty() && report.gave_up == 0, "{report:?}");
    let record = gateway.record(&report.call_sid).await;
    let answer = record.turns.iter().rfind(|turn| turn.who == Who::Agent).unwrap();
    assert!(!answer.interrupted && answer.text.contains("closed all day"), "to its last word: {answer:?}");
    assert!(answer.heard_ms.abs_diff(answer.generated_ms) <= 20, "{answer:?}");
    assert_eq!(backchannels(&record.turns), ["", "हाँ जी।", "Hmm."], "{:?}", record.turns);
    let session = &gateway.model.sessions()[0];
    assert_eq!(session.count_received("conversation.item.delete"), 3);
    assert!(session.truncations.is_empty() && session.errors.is_empty(), "{session:?}");
    let users = session.items.iter().filter(|item| item["role"] == "user").count();
    assert_eq!(users, 1, "the conversation knows of the question alone: {:?}", session.items);
    // What was heard in all, less what there was to hear.
    let there = record.turns.iter().filter(|turn| turn.who == Who::Agent).map(|turn| turn.generated_ms).sum::<u64>();
    let again = report.heard.played_ms.saturating_sub(there);
    assert!(report.heard.played_ms >= there, "nothing is lost: {} of {there} ms", report.heard.played_ms);
    assert!(again <= 2 * AGAIN_MS + u64::from(report.clears) * 400, "{again} ms were said twice");
    for label in ["caller_hi_haan", "caller_en_hmm"] {
        eprintln!(
            "{label}: paused after {:?} ms, silent for {:?} ms",
            cleared_after(&report, label),
            silent_for(&report, label)
        );
    }
    assert_eq!(cleared_after(&report, "caller_cough"), None, "a cough of 200 ms does not even pause it");
    assert!(cleared_after(&report, "caller_hi_haan").is_some_and(|after| after >= 250), "{:?}", report.timeline);
    eprintln!("{again} ms of {there} ms were said twice, over {} pauses", report.clears);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_turn_cuts_the_agent_short_where_it_was_heard_and_is_answered() {
    let script = "greeting goodbye_en\nanswer answer_en_hours\nanswer commentary_en";
    let mut replies = Vec::new();
    for interruptions in ["confirmed", "at_once"] {
        let gateway = that_listens(interruptions, Setup { script, ..Setup::default() }).await;
        let mut plan = gateway.plan();
        let over = Say::BargeIn(Duration::from_millis(2_000), Voice::clip("caller_en_interrupt"));
        plan.script = vec![Say::agent_finished(), question(), over, Say::agent_finished()];
        let report = gateway.call(plan).await;
        assert!(answered(&report), "{report:?}");
        let record = gateway.record(&report.call_sid).await;
        let cut = record.turns.iter().find(|turn| turn.interrupted).expect("an interrupted turn");
        let session = gateway.model.sessions().remove(0);
        assert_eq!(session.truncations.len(), 1, "{:?}", session.truncations);
        assert!(session.truncations[0].accepted && session.truncations[0].audio_end_ms == cut.heard_ms, "{session:?}");
        assert!(cut.heard_ms > 1_000 && cut.heard_ms < cut.generated_ms, "{cut:?}");
        assert_eq!(session.count_received("conversation.item.delete"), 0);
        replies.push(report.utterances.iter().find(|said| said.barge_in).and_then(|said| said.reply_ms));
        gateway.stop().await;
    }
    eprintln!("answered after {:?} ms confirmed, {:?} ms at once", replies[0], replies[1]);
}

#[actix_rt::test]
async fn without_words_in_time_a_sound_is_a_turn() {
    let script = "greeting goodbye_en\nanswer answer_en_hours\nanswer commentary_en";
    let setup = Setup { script, faults: &["no-transcripts"], ..Setup::default() };
    let gateway = that_listens("confirmed", setup).await;
    let mut plan = gateway.plan();
    let over = Say::BargeIn(Duration::from_millis(2_000), Voice::clip("caller_hi_haan"));
    plan.script = vec![Say::agent_finished(), question(), over, Say::agent_finished()];
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    let record = gateway.record(&report.call_sid).await;
    assert!(record.turns.iter().any(|turn| turn.interrupted), "{:?}", record.turns);
    assert!(backchannels(&record.turns).is_empty());
    gateway.stop().await;
}

#[actix_rt::test]
async fn an_agent_that_is_not_to_be_interrupted_finishes_and_then_answers() {
    let script = "greeting goodbye_en\nanswer answer_en_booking\nanswer commentary_en";
    let gateway = that_listens("never", Setup { script, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    let over = Say::BargeIn(Duration::from_millis(1_000), Voice::clip("caller_en_interrupt"));
    plan.script = vec![Say::agent_finished(), question(), over, Say::AgentFinished(Duration::from_millis(1_500))];
    let report = gateway.call(plan).await;
    assert_eq!(report.clears, 0, "{report:?}");
    let record = gateway.record(&report.call_sid).await;
    let agent: Vec<_> = record.turns.iter().filter(|turn| turn.who == Who::Agent).collect();
    assert!(agent.len() == 3 && agent.iter().all(|turn| !turn.interrupted), "{:?}", record.turns);
    gateway.stop().await;
}
