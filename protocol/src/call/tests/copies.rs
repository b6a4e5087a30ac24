//! Servers that repeat themselves, leave out what they should say, or tell of what nobody announced.

use super::*;
use crate::realtime::command::NewItem;

fn failed(code: &str) -> ResponseStatus {
    ResponseStatus::Failed { code: code.to_owned(), message: String::new() }
}

#[test]
fn five_hundred_copies_of_one_failed_response_are_one_failure() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.take();
    for _ in 0..500 {
        rig.response_done(1, "r1", failed("rate_limit_exceeded"));
    }
    assert_eq!(rig.ended(), None);
    assert_eq!(rig.facts().iter().filter(|f| matches!(f, Fact::ResponseFailed { .. })).count(), 1);
    assert_eq!(rig.facts().iter().filter(|f| matches!(f, Fact::Usage(_))).count(), 1, "nobody pays 500 times");
    rig.pass(600);
    assert_eq!(rig.asked(), 1);
    rig.caller(CallerEvent::Gone);
    rig.wait(2_000);
    assert_eq!(rig.counted("repeated_event"), 499, "and each copy is counted");
}

#[test]
fn copies_of_how_a_response_ended_or_began_change_nothing() {
    for status in [ResponseStatus::Completed, ResponseStatus::Cancelled, failed("server_error")] {
        let mut rig = Rig::live();
        rig.caller_turn(1, "u1");
        for _ in 0..50 {
            rig.response_created(1, "r1");
        }
        rig.audio(1, &key("r1", "a1"), 400);
        for _ in 0..50 {
            rig.response_done(1, "r1", status.clone());
            rig.response_created(1, "r1");
        }
        rig.play_out();
        assert_eq!(rig.facts().iter().filter(|f| matches!(f, Fact::Usage(_))).count(), 1);
        rig.caller_turn(1, "u2");
        rig.response_created(1, "r2");
        rig.take();
        rig.audio(1, &key("r2", "a2"), 400);
        assert_eq!(rig.media_ms(), 400, "the next answer is heard after {status:?}");
    }
}

#[test]
fn copies_of_a_function_call_are_one_call() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..20 {
        rig.calls(1, "r1", "c1", "look_up");
    }
    assert_eq!(rig.facts().iter().filter(|f| matches!(f, Fact::ToolCalled { .. })).count(), 1);
    let results =
        rig.sent().into_iter().filter(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. })));
    assert_eq!(results.count(), 1);
}

#[test]
fn copies_of_what_the_caller_did_interrupt_nobody() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 2_000);
    rig.take();
    for _ in 0..500 {
        rig.speech_started(1, "u1");
        rig.speech_stopped(1, "u1");
        rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
        rig.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
        rig.transcript(1, "u1", "Hello?");
    }
    assert!(!rig.said.contains(&Output::Caller(CallerCommand::Clear)), "the answer is heard on");
    assert_eq!(rig.rows().len(), 1);
    assert_eq!(rig.facts().iter().filter(|f| matches!(f, Fact::Turn(_))).count(), 1);
    rig.play_out();
    assert_eq!(rig.ended(), None);
}

#[test]
fn a_transcript_for_a_turn_that_nobody_announced_is_a_turn_of_the_callers() {
    let mut rig = Rig::live();
    rig.transcript(1, "u9", "Is anybody there?");
    let rows = rig.rows();
    assert_eq!((rows.len(), rows[0].who, rows[0].text.as_str()), (1, Who::Caller, "Is anybody there?"));
    rig.transcript(1, "u9", "Is anybody there?");
    rig.transcript(1, "u10", " ");
    assert_eq!(rig.rows().len(), 1, "neither a copy nor silence is a turn");
    rig.closed(1);
    rig.take();
    rig.ready(2);
    assert!(
        rig.sent().contains(&&ClientEvent::CreateItem(NewItem::User("Is anybody there?".to_owned()))),
        "in the replay"
    );
    assert_eq!(rig.asked(), 1, "and it is owed an answer");
}

#[test]
fn a_turn_that_only_its_end_tells_of_is_answered_like_any_other() {
    let tell: [fn(&mut Rig); 2] =
        [|rig| rig.speech_stopped(1, "u1"), |rig| rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") })];
    for only in tell {
        let mut rig = Rig::live();
        only(&mut rig);
        rig.response_created(1, "r1");
        rig.take();
        rig.audio(1, &key("r1", "a1"), 400);
        assert_eq!(rig.media_ms(), 400);
        rig.transcript(1, "u1", "Hello?");
        assert_eq!(rig.rows().first().map(|turn| turn.text.clone()), Some("Hello?".to_owned()));
        assert_eq!(rig.rows().len(), 1);
    }
}

#[test]
fn a_server_that_names_neither_turns_nor_responses_is_talked_with_all_the_same() {
    let mut rig = Rig::live();
    for turn in 0..3 {
        rig.speech_started(1, "");
        rig.speech_started(1, "");
        rig.speech_stopped(1, "");
        rig.transcript(1, "", &format!("words {turn}"));
        rig.response_created(1, "");
        rig.take();
        rig.audio(1, &key("", &format!("a{turn}")), 400);
        assert_eq!(rig.media_ms(), 400, "answer {turn}");
        rig.response_done(1, "", ResponseStatus::Completed);
        rig.play_out();
    }
    assert_eq!(rig.call.history().turns().count(), 6);
}

#[test]
fn a_server_that_refuses_the_language_is_asked_again_without_it_and_still_for_transcripts() {
    let listening = || Listening { transcription_language: Some("HI-in".to_owned()), ..Listening::default() };
    let hindi = || Setup { listening: listening(), ..setup(GreetedBy::Carrier) };
    let configs = |rig: &Rig| -> Vec<(Option<String>, bool)> {
        let of = |e: &&ClientEvent| match e {
            ClientEvent::SessionUpdate(c) => Some((c.transcription_language.clone(), c.transcription_model.is_some())),
            _ => None,
        };
        rig.sent().iter().filter_map(of).collect()
    };
    for param in [Some("session.audio.input.transcription.language"), None] {
        let mut rig = Rig::about(Policy::default(), hindi());
        rig.opened(1);
        let refusal = ServerError {
            code: "invalid_value".to_owned(),
            message: "no".to_owned(),
            param: param.map(str::to_owned),
            ..ServerError::default()
        };
        rig.server(1, ServerEvent::Error(refusal.clone()));
        assert_eq!(configs(&rig), [(Some("hi".to_owned()), true), (None, true)], "{param:?}");
        rig.server(1, ServerEvent::Error(refusal));
        assert_eq!(configs(&rig).last(), Some(&(None, false)), "transcription is given up last");
    }
    let mut rig = Rig::about(Policy::default(), hindi());
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    let error = ServerError { message: "Language 'hi' is not supported".to_owned(), ..ServerError::default() };
    rig.server(1, ServerEvent::InputTranscriptFailed { item: ItemId::new("u1"), error });
    let asked = rig.sent().into_iter().filter(|e| matches!(e, ClientEvent::Transcribe { .. })).count();
    assert_eq!(asked, 1, "a recogniser may say so later");
    rig.closed(1);
    rig.take();
    rig.ready(2);
    assert_eq!(configs(&rig), [(None, true)], "and is not asked for it again");
}
