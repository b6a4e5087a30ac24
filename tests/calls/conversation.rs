//! Calls on which everything goes well.

use std::time::Duration;

use protocol::call::fact::Who;
use simulator::exotel::{AfterCall, EndedBy, FrameShape, HangUp, Mode, Say, StatusBody, Voice};

use super::support::{API_KEY, API_TOKEN, Gateway, Setup, answered, question};

#[actix_rt::test]
async fn a_caller_is_greeted_answered_and_on_record() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    plan.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let status = |name: &str| report.webhooks.iter().find(|w| w.name == name).map(|w| w.status);
    assert_eq!((status("voicebot"), status("call-end"), status("passthru")), (Some(200), Some(200), Some(302)));

    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed");
    let who: Vec<Who> = record.turns.iter().map(|t| t.who).collect();
    assert_eq!(who, [Who::Agent, Who::Caller, Who::Agent]);
    assert!(record.turns[0].text.contains("Thank you for calling"), "{:?}", record.turns);
    assert!(record.turns[1].text.contains("opening hours"), "{:?}", record.turns);
    let figures = &record.call.figures;
    assert!(figures.first_audio_ms.is_some() && figures.answer_p50_ms.is_some(), "{figures:?}");
    let session = &gateway.model.sessions()[0];
    assert_eq!(session.appended.events_before_update, 0, "configured before it was sent audio");
    assert!(session.header("openai-beta").is_none());
    gateway.stop().await;
}

#[actix_rt::test]
async fn an_interruption_is_truncated_at_what_was_heard_and_the_transcript_says_so() {
    let script = "greeting goodbye_en\nanswer answer_en_hours\nanswer commentary_en";
    let gateway = Gateway::with(Setup { script, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    let over = Say::BargeIn(Duration::from_millis(2000), Voice::clip("caller_en_interrupt"));
    plan.script = vec![Say::agent_finished(), question(), over, Say::agent_finished()];
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    assert_eq!(report.clears, 1);
    let record = gateway.record(&report.call_sid).await;
    let cut = record.turns.iter().find(|t| t.interrupted).expect("an interrupted turn");
    let truncations = gateway.model.sessions()[0].truncations.clone();
    assert_eq!(truncations.len(), 1, "{truncations:?}");
    assert!(truncations[0].accepted, "{truncations:?}");
    assert_eq!(truncations[0].audio_end_ms, cut.heard_ms);
    assert!(cut.heard_ms > 1000 && cut.heard_ms < cut.generated_ms, "{cut:?}");
    assert!(!cut.text.is_empty() && !cut.text.contains("Sunday"), "only what was heard: {cut:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn the_carrier_speaks_the_greeting_of_call_start_and_the_model_does_not_repeat_it() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    plan.mode = Mode::CallStart;
    plan.script = vec![Say::Wait(Duration::from_millis(500)), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    assert!(
        report.webhooks[0].body.contains("<Say language=\"en-IN\">Thank you for calling.</Say><Stream url=\"ws://")
    );
    let session = &gateway.model.sessions()[0];
    assert_eq!(session.responses.len(), 1, "no greeting of the model's own");
    assert_eq!(session.items[0]["role"], "assistant", "it was told what was said: {:?}", session.items);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_static_url_carries_a_call_that_no_webhook_announced() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    let (user, password) = (API_KEY, API_TOKEN);
    let url = format!("ws://{user}:{password}@{}/exotel/media?sample-rate=8000", gateway.running.addr());
    plan.mode = Mode::Media(url.parse().unwrap());
    plan.frame = FrameShape::Ms100;
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.entry.map(|e| e.name()), Some("static"));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_wideband_stream_of_odd_frames_is_carried_at_its_own_rate() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    plan.rate = codecs::SampleRate::Hz16000;
    plan.frame = FrameShape::Odd;
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let record = gateway.record(&report.call_sid).await;
    let greeting = &record.turns[0];
    assert!(greeting.heard_ms.abs_diff(greeting.generated_ms) <= 20, "{greeting:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn the_agent_hangs_up_after_its_goodbye_was_heard() {
    let script = "greeting goodbye_en\nanswer goodbye_en + call end_call {}";
    let gateway = Gateway::with(Setup { script, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_bye"))];
    plan.end = HangUp::Gateway;
    let report = gateway.call(plan).await;
    assert_eq!((report.ended_by, report.close_code), (EndedBy::Gateway, Some(1000)));
    let record = gateway.record(&report.call_sid).await;
    let last = record.turns.last().expect("a turn");
    assert_eq!((last.who, last.heard_ms), (Who::Agent, last.generated_ms), "the whole goodbye was heard");
    assert_eq!(record.call.ended_why.as_deref(), Some("the agent ended the call"));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_transfer_sends_the_flow_on_to_a_person() {
    let script = "greeting goodbye_en\nanswer commentary_en + call transfer_call {\"reason\":\"billing\"}";
    let gateway = Gateway::with(Setup { script, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question()];
    plan.end = HangUp::Gateway;
    plan.after.passthru = true;
    let report = gateway.call(plan).await;
    let passthru = report.webhooks.iter().find(|w| w.name == "passthru").expect("asked");
    assert_eq!(passthru.status, 200, "200 hands the call on");
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.ended_why.as_deref(), Some("the agent handed the call on: billing"));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_mulaw_session_and_a_server_that_uses_another_format_than_asked_are_both_understood() {
    tokio::join!(is_understood("pcmu", &[]), is_understood("pcm24k", &["effective-format"]));
}

async fn is_understood(audio: &'static str, faults: &'static [&'static str]) {
    let mut setup = Setup { faults, ..Setup::default() };
    if audio == "pcmu" {
        setup.set = |args| args.realtime_audio = "pcmu".into();
    }
    let gateway = Gateway::with(setup).await;
    let report = gateway.call(gateway.plan()).await;
    assert!(answered(&report), "{audio} {faults:?}: {report:?}");
    // Speech, and not noise at full scale, as PCM read for mu-law is.
    let loud = report.sound.right.iter().filter(|s| s.unsigned_abs() > 20_000).count();
    assert!(loud * 20 < report.sound.right.len(), "{audio} {faults:?}: {loud} loud samples");
    let record = gateway.record(&report.call_sid).await;
    assert!(record.turns[1].text.contains("opening hours"), "the caller was understood: {:?}", record.turns);
    gateway.stop().await;
}

#[actix_rt::test]
async fn whoever_says_goodbye_and_hangs_up_at_once_has_their_last_words_on_record() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    let goodbye = Voice::clip("caller_en_bye");
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), Say::Speak(goodbye)];
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed");
    let last = record.turns.last().expect("turns");
    assert_eq!((last.who, last.index as usize), (Who::Caller, record.turns.len() - 1), "{:?}", record.turns);
    assert!(last.heard_ms > 1_000, "their time counts: {last:?}");
    // A recogniser that takes longer than it is waited for leaves a turn without words.
    assert!(last.text.is_empty() || last.text.contains("goodbye"), "{last:?}");
    let duration = record.call.figures.duration_ms.expect("a duration");
    assert!(
        duration < report.media_ms as i64 + 1_000,
        "the wait for them is no part of the call: {duration} of {report:?}"
    );
    gateway.stop().await;
}
