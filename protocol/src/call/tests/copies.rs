//! Servers that repeat themselves, leave out what they should say, or tell of what nobody announced.

use super::*;
use crate::realtime::command::NewItem;

fn failed(code: &str) -> ResponseStatus {
    ResponseStatus::Failed { code: code.to_owned(), message: String::new() }
}

#[test]
fn five_hundred_copies_of_one_failed_response_are_one_failure() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    desk.take();
    for _ in 0..500 {
        desk.response_done(1, "r1", failed("rate_limit_exceeded"));
    }
    assert_eq!(desk.ended(), None);
    assert_eq!(desk.facts().iter().filter(|f| matches!(f, Fact::ResponseFailed { .. })).count(), 1);
    assert_eq!(desk.facts().iter().filter(|f| matches!(f, Fact::Usage(_))).count(), 1, "nobody pays 500 times");
    desk.pass(600);
    assert_eq!(desk.asked(), 1);
    desk.caller(CallerEvent::Gone);
    desk.wait(2_000);
    assert_eq!(desk.counted("repeated_event"), 499, "and each copy is counted");
}

#[test]
fn copies_of_how_a_response_ended_or_began_change_nothing() {
    for status in [ResponseStatus::Completed, ResponseStatus::Cancelled, failed("server_error")] {
        let mut desk = Desk::live();
        desk.caller_turn(1, "u1");
        for _ in 0..50 {
            desk.response_created(1, "r1");
        }
        desk.audio(1, &key("r1", "a1"), 400);
        for _ in 0..50 {
            desk.response_done(1, "r1", status.clone());
            desk.response_created(1, "r1");
        }
        desk.play_out();
        assert_eq!(desk.facts().iter().filter(|f| matches!(f, Fact::Usage(_))).count(), 1);
        desk.caller_turn(1, "u2");
        desk.response_created(1, "r2");
        desk.take();
        desk.audio(1, &key("r2", "a2"), 400);
        assert_eq!(desk.media_ms(), 400, "the next answer is heard after {status:?}");
    }
}

#[test]
fn copies_of_a_function_call_are_one_call() {
    let mut desk = Desk::live();
    desk.response_created(1, "r1");
    for _ in 0..20 {
        desk.calls(1, "r1", "c1", "look_up");
    }
    assert_eq!(desk.facts().iter().filter(|f| matches!(f, Fact::ToolCalled { .. })).count(), 1);
    let results =
        desk.sent().into_iter().filter(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. })));
    assert_eq!(results.count(), 1);
}

#[test]
fn copies_of_what_the_caller_did_interrupt_nobody() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 2_000);
    desk.take();
    for _ in 0..500 {
        desk.speech_started(1, "u1");
        desk.speech_stopped(1, "u1");
        desk.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
        desk.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
        desk.transcript(1, "u1", "Hello?");
    }
    assert!(!desk.said.contains(&Output::Caller(CallerCommand::Clear)), "the answer is heard on");
    assert_eq!(desk.rows().len(), 1);
    assert_eq!(desk.facts().iter().filter(|f| matches!(f, Fact::Turn(_))).count(), 1);
    desk.play_out();
    assert_eq!(desk.ended(), None);
}

#[test]
fn a_transcript_for_a_turn_that_nobody_announced_is_a_turn_of_the_callers() {
    let mut desk = Desk::live();
    desk.transcript(1, "u9", "Is anybody there?");
    let rows = desk.rows();
    assert_eq!((rows.len(), rows[0].who, rows[0].text.as_str()), (1, Who::Caller, "Is anybody there?"));
    desk.transcript(1, "u9", "Is anybody there?");
    desk.transcript(1, "u10", " ");
    assert_eq!(desk.rows().len(), 1, "neither a copy nor silence is a turn");
    desk.closed(1);
    desk.take();
    desk.ready(2);
    assert!(
        desk.sent().contains(&&ClientEvent::CreateItem(NewItem::User("Is anybody there?".to_owned()))),
        "in the replay"
    );
    assert_eq!(desk.asked(), 1, "and it is owed an answer");
}

#[test]
fn a_turn_that_only_its_end_tells_of_is_answered_like_any_other() {
    let tell: [fn(&mut Desk); 2] = [
        |desk| desk.speech_stopped(1, "u1"),
        |desk| desk.server(1, ServerEvent::Committed { item: ItemId::new("u1") }),
    ];
    for only in tell {
        let mut desk = Desk::live();
        only(&mut desk);
        desk.response_created(1, "r1");
        desk.take();
        desk.audio(1, &key("r1", "a1"), 400);
        assert_eq!(desk.media_ms(), 400);
        desk.transcript(1, "u1", "Hello?");
        assert_eq!(desk.rows().first().map(|turn| turn.text.clone()), Some("Hello?".to_owned()));
        assert_eq!(desk.rows().len(), 1);
    }
}

#[test]
fn a_server_that_names_neither_turns_nor_responses_is_talked_with_all_the_same() {
    let mut desk = Desk::live();
    for turn in 0..3 {
        desk.speech_started(1, "");
        desk.speech_started(1, "");
        desk.speech_stopped(1, "");
        desk.transcript(1, "", &format!("words {turn}"));
        desk.response_created(1, "");
        desk.take();
        desk.audio(1, &key("", &format!("a{turn}")), 400);
        assert_eq!(desk.media_ms(), 400, "answer {turn}");
        desk.response_done(1, "", ResponseStatus::Completed);
        desk.play_out();
    }
    assert_eq!(desk.call.history().turns().count(), 6);
}

#[test]
fn a_server_that_refuses_the_language_is_asked_again_without_it_and_still_for_transcripts() {
    let hindi = || Setup { transcription_language: Some("HI-in".to_owned()), ..setup(GreetedBy::Carrier) };
    let configs = |desk: &Desk| -> Vec<(Option<String>, bool)> {
        let of = |e: &&ClientEvent| match e {
            ClientEvent::SessionUpdate(c) => Some((c.transcription_language.clone(), c.transcription_model.is_some())),
            _ => None,
        };
        desk.sent().iter().filter_map(of).collect()
    };
    for param in [Some("session.audio.input.transcription.language"), None] {
        let mut desk = Desk::about(Policy::default(), hindi());
        desk.opened(1);
        let refusal = ServerError {
            code: "invalid_value".to_owned(),
            message: "no".to_owned(),
            param: param.map(str::to_owned),
            ..ServerError::default()
        };
        desk.server(1, ServerEvent::Error(refusal.clone()));
        assert_eq!(configs(&desk), [(Some("hi".to_owned()), true), (None, true)], "{param:?}");
        desk.server(1, ServerEvent::Error(refusal));
        assert_eq!(configs(&desk).last(), Some(&(None, false)), "transcription is given up last");
    }
    let mut desk = Desk::about(Policy::default(), hindi());
    desk.ready(1);
    desk.start_media();
    desk.caller_turn(1, "u1");
    let error = ServerError { message: "Language 'hi' is not supported".to_owned(), ..ServerError::default() };
    desk.server(1, ServerEvent::InputTranscriptFailed { item: ItemId::new("u1"), error });
    let asked = desk.sent().into_iter().filter(|e| matches!(e, ClientEvent::Transcribe { .. })).count();
    assert_eq!(asked, 1, "a recogniser may say so later");
    desk.closed(1);
    desk.take();
    desk.ready(2);
    assert_eq!(configs(&desk), [(None, true)], "and is not asked for it again");
}
