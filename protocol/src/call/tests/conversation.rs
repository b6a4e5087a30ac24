//! Calls on which everything goes well.

use super::*;
use crate::realtime::command::NewItem;

#[test]
fn the_model_is_dialled_at_once_and_configured_before_anything_else() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    assert_eq!(rig.dialled(), [1], "before the media stream opens");
    rig.start_media();
    rig.pass(200);
    rig.opened(1);
    rig.pass(200);
    assert!(matches!(rig.sent()[..], [ClientEvent::SessionUpdate(_)]), "no audio before session.updated");
    rig.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    assert_eq!(rig.appended_ms(), 400, "what the caller said meanwhile was held");
}

#[test]
fn caller_audio_is_held_within_a_bound() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.start_media();
    rig.opened(1);
    rig.pass(4500);
    rig.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    assert_eq!(rig.appended_ms(), 3000);
}

#[test]
fn the_model_greets_on_the_voicebot_url_before_the_stream_opens_and_is_heard_when_it_does() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    let asked = rig.sent().iter().any(
        |e| matches!(e, ClientEvent::CreateResponse { instructions: Some(i) } if i.contains("Welcome to the clinic.")),
    );
    assert!(asked);
    rig.response_created(1, "r");
    rig.audio(1, &key("r", "a"), 900);
    rig.response_done(1, "r", ResponseStatus::Completed);
    assert_eq!(rig.media_ms(), 0, "there is no stream yet");
    rig.start_media();
    assert_eq!(rig.media_ms(), 400, "at once, within the lead");
    assert!(rig.facts().contains(&&Fact::FirstAudio { after_ms: 0 }));
}

#[test]
fn a_greeting_that_the_carrier_spoke_is_told_to_the_model_and_not_asked_for() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.ready(1);
    let sent = rig.sent();
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::Assistant("Welcome to the clinic.".to_owned()))));
    assert!(!sent.iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. })));
}

#[test]
fn a_greeting_prepared_at_the_usual_rate_is_converted_for_a_stream_that_has_another() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    rig.audio(1, &key("r", "a"), 900);
    rig.response_done(1, "r", ResponseStatus::Completed);
    rig.take();
    rig.caller(CallerEvent::Started { stream: StreamSid::new("s"), rate: SampleRate::Hz16000 });
    let sizes: Vec<usize> = rig
        .said
        .iter()
        .filter_map(|o| if let Output::Caller(CallerCommand::Play { pcm, .. }) = o { Some(pcm.len()) } else { None })
        .collect();
    assert_eq!(sizes, [6400, 6400], "200 ms at 16 kHz");
    let told = rig.said.contains(&Output::Model(ConnId(1), ModelCommand::CarrierRate(SampleRate::Hz16000)));
    assert!(told);
    for _ in 0..80 {
        for mark in rig.marks() {
            rig.echo(&mark);
        }
        rig.now += Duration::from_millis(20);
        rig.input(Input::Tick);
    }
    let turn = rig.call.history().turns().next().expect("a turn");
    assert_eq!((turn.heard_ms, turn.generated_ms), (900, 900));
}

#[test]
fn audio_goes_out_no_further_ahead_of_real_time_than_the_lead() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    for _ in 0..40 {
        rig.audio(1, &key("r1", "a1"), 250);
    }
    for step in 0..200 {
        assert!(rig.call.lead_ms(rig.now) <= 500, "step {step}");
        rig.pass(20);
    }
    let real = 4000;
    assert!((real..=real + 500).contains(&rig.media_ms()), "{} ms sent in {real} ms", rig.media_ms());
}

#[test]
fn a_slow_model_is_sent_on_as_it_comes_rather_than_held_for_a_whole_message() {
    let mut rig = Rig::live();
    rig.audio(1, &key("r1", "a1"), 100);
    assert_eq!(rig.media_ms(), 100);
    rig.audio(1, &key("r1", "a1"), 90);
    assert_eq!(rig.media_ms(), 100, "what is ahead gives time for a whole message");
    rig.pass(60);
    assert_eq!(rig.media_ms(), 180, "whole units only");
}

#[test]
fn a_tail_is_padded_with_silence_that_is_not_counted_as_speech() {
    let mut rig = Rig::live();
    rig.audio(1, &key("r1", "a1"), 230);
    rig.server(1, ServerEvent::AudioDone(key("r1", "a1")));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(rig.media_ms(), 240);
    for mark in rig.marks() {
        rig.echo(&mark);
    }
    let turn = rig.call.history().turns().next().expect("a turn");
    assert_eq!((turn.generated_ms, turn.heard_ms, turn.interrupted), (230, 230, false));
    assert!(rig.facts().iter().any(|f| matches!(f, Fact::Turn(t) if t.heard_ms == 230)));
}

#[test]
fn playback_that_runs_dry_is_sent_what_there_is_and_no_more_than_the_lead() {
    let policy = Policy { lead: Duration::from_millis(205), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 40);
    rig.audio(1, &key("r1", "a1"), 180);
    assert!(rig.call.lead_ms(rig.now) <= 205, "{} ms ahead", rig.call.lead_ms(rig.now));
    rig.pass(20);
    assert_eq!(rig.media_ms(), 220);
}

#[test]
fn barge_in_flushes_clears_and_truncates_at_what_was_heard_in_that_order() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..8 {
        rig.audio(1, &key("r1", "a1"), 250);
    }
    rig.pass(420);
    let marks = rig.marks();
    rig.echo(&marks[0]);
    rig.echo(&marks[1]);
    rig.take();
    rig.speech_started(1, "u1");
    let order: Vec<&Output> = rig.said.iter().filter(|o| !matches!(o, Output::Record(_))).collect();
    let truncate = ClientEvent::Truncate { item: ItemId::new("a1"), content_index: 0, audio_end_ms: 400 };
    assert_eq!(order[0], &Output::Caller(CallerCommand::Clear));
    assert!(matches!(order[1..], [Output::Model(ConnId(1), ModelCommand::Send(sent, _))] if *sent == truncate));
    let expected = |f: &&Fact| matches!(f, Fact::Interrupted { heard_ms: 400, unheard_ms: 1600, .. });
    assert!(rig.facts().iter().any(expected));

    rig.take();
    rig.audio(1, &key("r1", "a1"), 250);
    rig.pass(100);
    assert_eq!(rig.media_ms(), 0, "late deltas of the response are dropped");
    rig.echo(&marks[2]);
    let turn = rig.call.history().turns().next().expect("a turn");
    assert_eq!(turn.heard_ms, 400, "a mark of audio that was cleared never counts");
}

#[test]
fn speech_while_the_agent_is_silent_clears_and_truncates_nothing() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    assert!(!rig.said.contains(&Output::Caller(CallerCommand::Clear)));
    assert!(rig.sent().is_empty());
}

#[test]
fn an_item_heard_whole_is_not_truncated_when_the_next_one_is_cut() {
    let mut rig = Rig::live();
    rig.audio(1, &key("r1", "a1"), 200);
    rig.audio(1, &key("r1", "a2"), 600);
    rig.server(1, ServerEvent::AudioDone(key("r1", "a1")));
    rig.echo(&rig.marks()[0].clone());
    rig.take();
    rig.speech_started(1, "u1");
    let truncated: Vec<(String, u64)> = rig
        .sent()
        .iter()
        .filter_map(|e| match e {
            ClientEvent::Truncate { item, audio_end_ms, .. } => Some((item.to_string(), *audio_end_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(truncated, [("a2".to_owned(), 0)]);
}

#[test]
fn the_wait_for_an_answer_is_counted_from_the_callers_last_word() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.pass(1000);
    rig.speech_stopped(1, "u1");
    rig.pass(300);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 250);
    assert!(
        rig.facts().contains(&&Fact::Answered { item: ItemId::new("a1"), after_ms: 800 }),
        "500 ms of closing silence and 300 ms of thought"
    );
}

#[test]
fn only_one_response_is_asked_for_at_a_time() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_500);
    let created = |rig: &Rig| rig.sent().iter().filter(|e| matches!(e, ClientEvent::CreateResponse { .. })).count();
    assert_eq!(created(&rig), 0);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(created(&rig), 1);
    rig.error(1, "conversation_already_has_active_response");
    rig.response_created(1, "vad");
    rig.response_done(1, "vad", ResponseStatus::Completed);
    assert_eq!(created(&rig), 2, "asked again when the server was busy with one of its own");
}

#[test]
fn the_call_ends_when_the_goodbye_was_heard() {
    let mut rig = Rig::live();
    rig.goodbye(200);
    assert_eq!(rig.ended(), None);
    rig.echo(&rig.marks()[0].clone());
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Close)));
}

#[test]
fn a_goodbye_whose_mark_is_lost_ends_the_call_all_the_same() {
    let mut rig = Rig::live();
    rig.goodbye(200);
    rig.pass(2400);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_caller_who_speaks_into_the_goodbye_keeps_the_call() {
    let mut rig = Rig::live();
    rig.goodbye(200);
    rig.speech_started(1, "u1");
    rig.pass(5000);
    assert_eq!(rig.ended(), None);
}

#[test]
fn a_session_that_grows_old_is_replaced_in_a_quiet_moment_with_the_conversation() {
    let policy = Policy { roll_after: Duration::from_secs(60), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    rig.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "Hello?".to_owned() });
    rig.response_created(1, "r1");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(60_000);
    assert_eq!(rig.dialled(), [1, 2], "the new one is dialled while the old one still serves");
    rig.take();
    rig.speech_started(1, "u2");
    rig.ready(2);
    rig.pass(100);
    assert!(!rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)), "the caller is speaking");
    rig.speech_stopped(1, "u2");
    rig.response_created(1, "r2");
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(100);
    assert!(!rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)), "their words are on their way");
    rig.server(1, ServerEvent::InputTranscript { item: ItemId::new("u2"), text: "And on Sundays?".to_owned() });
    rig.pass(20);
    assert!(rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
    assert!(rig.sent().contains(&&ClientEvent::CreateItem(NewItem::User("And on Sundays?".to_owned()))));
    assert!(rig.sent().contains(&&ClientEvent::CreateItem(NewItem::User("Hello?".to_owned()))));
    rig.take();
    rig.pass(20);
    assert!(
        rig.said.iter().any(|o| matches!(o, Output::Model(ConnId(2), ModelCommand::Send(ClientEvent::Append(_), _))))
    );
}

#[test]
fn a_caller_may_speak_any_language_unless_the_client_names_the_one_to_expect() {
    let asked = |language: Option<&str>| {
        let listening = Listening { transcription_language: language.map(str::to_owned), ..Listening::default() };
        let setup = Setup { listening, ..setup(GreetedBy::Carrier) };
        let mut rig = Rig::about(Policy::default(), setup);
        rig.opened(1);
        match rig.sent()[..] {
            [ClientEvent::SessionUpdate(config)] => config.transcription_language.clone(),
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(None), None, "the agent's own language says nothing of its callers'");
    assert_eq!(asked(Some("hi")), Some("hi".to_owned()));
}
