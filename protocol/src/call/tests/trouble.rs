//! Calls on which something fails.

use super::*;
use crate::realtime::command::NewItem;

fn failed(code: &str, message: &str) -> ResponseStatus {
    ResponseStatus::Failed { code: code.to_owned(), message: message.to_owned() }
}

#[test]
fn a_refused_configuration_is_tried_once_without_its_extras_and_then_ends_the_call() {
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.opened(1);
    desk.error(1, "unknown_parameter");
    let reduced: Vec<bool> = desk
        .sent()
        .iter()
        .filter_map(|e| if let ClientEvent::SessionUpdate(config) = e { Some(config.tools.is_empty()) } else { None })
        .collect();
    assert_eq!(reduced, [false, true]);
    desk.error(1, "unknown_parameter");
    assert!(matches!(desk.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("session.update")));
}

#[test]
fn a_model_that_refuses_the_key_ends_the_call_before_the_caller_is_connected() {
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.input(Input::Model(
        ConnId(1),
        ModelEvent::Refused(crate::realtime::failure::ProviderRefusal::Unauthorized, "HTTP 401".to_owned()),
    ));
    assert_eq!(desk.ended(), Some(&Ended::ModelFailed { cause: "HTTP 401".to_owned() }));
}

#[test]
fn a_model_that_is_not_there_is_dialled_again_until_the_caller_has_waited_long_enough() {
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.start_media();
    while desk.ended().is_none() {
        let conn = *desk.dialled().last().expect("dialled");
        desk.input(Input::Model(ConnId(conn), ModelEvent::Closed("connection refused".to_owned())));
        desk.pass(500);
    }
    assert!(desk.dialled().len() > 3);
    assert_eq!(desk.now.duration_since(desk.start), Duration::from_secs(10));
    assert!(desk.said.contains(&Output::Caller(CallerCommand::Close)), "the flow goes on to its next applet");
}

#[test]
fn a_model_that_takes_the_connection_and_never_answers_is_given_up_in_words() {
    let mut desk = Desk::new(GreetedBy::Model);
    desk.start_media();
    desk.opened(1);
    desk.pass(10_000);
    assert_eq!(desk.dialled(), [1, 2]);
    let cause = "no session within 10000 ms".to_owned();
    assert_eq!(desk.ended(), Some(&Ended::ModelFailed { cause }));
}

#[test]
fn a_lost_session_is_replaced_with_the_conversation_as_heard_and_the_answer_asked_for_again() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "When are you open?".to_owned() });
    desk.take();
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    assert_eq!(desk.dialled(), [2], "at once");
    desk.pass(3000);
    desk.take();
    desk.ready(2);
    let sent = desk.sent();
    assert!(matches!(sent[0], ClientEvent::SessionUpdate(_)));
    assert_eq!(sent[1], &ClientEvent::CreateItem(NewItem::Assistant("Welcome to the clinic.".to_owned())));
    assert_eq!(sent[2], &ClientEvent::CreateItem(NewItem::User("When are you open?".to_owned())));
    assert_eq!(desk.appended_ms(), 1000, "older audio would only delay the conversation");
    assert!(matches!(sent.last(), Some(ClientEvent::CreateResponse { instructions: None })));
}

#[test]
fn audio_that_was_there_when_the_session_was_lost_plays_on_and_is_never_truncated_in_the_next() {
    let mut desk = Desk::live();
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 2000);
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    desk.ready(2);
    desk.take();
    desk.pass(400);
    assert_eq!(desk.media_ms(), 400);
    desk.speech_started(2, "u1");
    assert!(desk.said.contains(&Output::Caller(CallerCommand::Clear)));
    assert!(!desk.sent().iter().any(|e| matches!(e, ClientEvent::Truncate { .. })));
}

/// A goodbye of 600 ms whose call to `end_call` came, and the end of its response not yet.
fn half_a_goodbye() -> Desk {
    let mut desk = Desk::live();
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 600);
    desk.calls(1, "r1", "c1", "end_call");
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    desk
}

#[test]
fn a_goodbye_whose_session_is_lost_ends_the_call_when_it_was_heard() {
    let mut desk = half_a_goodbye();
    desk.ready(2);
    desk.pass(600);
    desk.echo(&desk.marks().last().cloned().expect("a mark"));
    assert_eq!(desk.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_call_that_ends_over_a_failed_goodbye_waits_for_nothing() {
    let mut desk = half_a_goodbye();
    desk.ready(2);
    desk.response_created(2, "r2");
    desk.response_done(2, "r2", failed("insufficient_quota", ""));
    assert!(matches!(desk.ended(), Some(Ended::ModelFailed { .. })));
    assert_eq!(desk.call.poll_timeout(), None);
}

#[test]
fn an_answer_of_which_only_words_came_is_asked_for_again() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    desk.server(1, ServerEvent::TranscriptDelta { key: key("r1", "a1"), delta: "We are".to_owned() });
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    desk.take();
    desk.ready(2);
    assert!(matches!(desk.sent().last(), Some(ClientEvent::CreateResponse { instructions: None })));
}

#[test]
fn a_caller_whose_session_is_lost_while_they_speak_is_answered_whether_or_not_they_go_on() {
    for goes_on in [false, true] {
        let mut desk = Desk::live();
        desk.speech_started(1, "u1");
        desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
        desk.ready(2);
        desk.take();
        if goes_on {
            desk.pass(300);
            desk.speech_started(2, "u2");
        }
        desk.pass(1000);
        let asked = desk.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. }));
        assert_eq!(asked, !goes_on, "a server that hears them answers by itself");
    }
}

#[test]
fn a_session_lost_while_its_replacement_is_dialled_is_replaced_by_that_one() {
    let policy = Policy { roll_after: Duration::from_secs(60), ..Policy::default() };
    let mut desk = Desk::with(policy, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.pass(60_000);
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    desk.pass(500);
    desk.ready(2);
    desk.take();
    desk.pass(15_000);
    assert_eq!((desk.dialled().len(), desk.ended()), (0, None));
    assert_eq!(desk.appended_ms(), 15_000);
}

#[test]
fn a_session_is_not_told_the_result_of_a_call_that_another_made() {
    let mut desk = half_a_goodbye();
    desk.ready(2);
    desk.take();
    desk.speech_started(2, "u1");
    let told = desk.sent().iter().any(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. })));
    assert!(!told, "a result without its call is refused");
    desk.pass(5000);
    assert_eq!(desk.ended(), None, "the caller speaks into the goodbye");
}

#[test]
fn without_marks_the_clock_credits_only_what_had_time_to_reach_the_player() {
    let mut desk = Desk::with(Policy { chunk_ms: 20, ..Policy::default() }, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.audio(1, &key("r1", "a1"), 5000);
    desk.pass(3000);
    desk.speech_started(1, "u1");
    let turn = desk.call.history().turns().next().expect("a turn");
    assert_eq!(turn.heard_ms, 2740, "3,000 ms less the way to the player, by whole messages");
}

#[test]
fn what_an_old_connection_still_says_is_ignored() {
    let mut desk = Desk::live();
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    desk.take();
    desk.audio(1, &key("r1", "a1"), 500);
    desk.speech_started(1, "u1");
    assert!(desk.said.is_empty());
}

#[test]
fn a_failed_response_is_asked_for_again_when_the_server_says_so() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    desk.take();
    desk.response_done(1, "r1", failed("rate_limit_exceeded", "Please try again in 1.5s."));
    desk.pass(1480);
    assert!(desk.appended_ms() > 0 && !desk.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. })));
    desk.pass(20);
    assert!(desk.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. })));
}

#[test]
fn responses_that_keep_failing_end_the_call_instead_of_leaving_the_caller_in_silence() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    for n in 0..3 {
        let response = format!("r{n}");
        desk.response_created(1, &response);
        desk.response_done(1, &response, failed("rate_limit_exceeded", ""));
        desk.pass(600);
    }
    let cause = "the response failed: rate_limit_exceeded".to_owned();
    assert_eq!(desk.ended(), Some(&Ended::ModelFailed { cause }));
}

#[test]
fn a_model_that_stays_silent_is_replaced_once_and_then_given_up() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.pass(8000);
    assert_eq!(desk.dialled(), [2]);
    desk.ready(2);
    desk.pass(8000);
    assert!(matches!(desk.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("no answer")));
}

#[test]
fn a_caller_who_says_hello_again_gives_a_silent_model_no_more_time() {
    let mut desk = Desk::live();
    for hello in 0..10 {
        desk.caller_turn(1, &format!("u{hello}"));
        desk.pass(5_000);
    }
    assert!(matches!(desk.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("no answer for 30000 ms")));
    assert_eq!(desk.call.history().turns().count(), 6, "30 s of waiting");
}

#[test]
fn a_caller_who_pauses_for_breath_is_not_waiting() {
    let mut desk = Desk::live();
    for pause in 0..60 {
        desk.caller_turn(1, &format!("u{pause}"));
        desk.pass(1_000);
    }
    assert_eq!(desk.ended(), None);
}

#[test]
fn a_server_that_does_not_notice_the_caller_is_replaced() {
    let mut desk = Desk::live();
    for _ in 0..50 {
        desk.now += Duration::from_millis(20);
        desk.caller(CallerEvent::Audio { pcm: vec![7; 320], level_dbfs: -20.0, sent_ms: None });
    }
    desk.pass(9000);
    assert_eq!(desk.dialled(), [2]);
}

#[test]
fn a_noisy_line_is_not_taken_for_a_caller_whom_nobody_hears() {
    let mut desk = Desk::live();
    for _ in 0..3000 {
        desk.now += Duration::from_millis(20);
        desk.caller(CallerEvent::Audio { pcm: vec![7; 320], level_dbfs: -20.0, sent_ms: None });
    }
    assert_eq!((desk.dialled().len(), desk.ended()), (0, None));
}

#[test]
fn a_session_that_floods_errors_is_replaced() {
    let mut desk = Desk::live();
    for _ in 0..5 {
        desk.error(1, "server_error");
    }
    assert_eq!(desk.dialled(), [2]);
}

#[test]
fn harmless_races_cost_nothing() {
    let mut desk = Desk::live();
    desk.error(1, "response_cancel_not_active");
    desk.error(1, "input_audio_buffer_commit_empty");
    desk.pass(1000);
    assert_eq!((desk.dialled().len(), desk.ended()), (0, None));
}

#[test]
fn a_line_that_stops_while_its_caller_speaks_is_filled_with_silence_so_that_the_turn_can_end() {
    let mut desk = Desk::live();
    desk.speech_started(1, "u1");
    desk.pass(200);
    desk.take();
    desk.wait(1000);
    assert_eq!(desk.appended_ms(), 1000);
}

#[test]
fn a_stream_without_audio_ends() {
    let mut desk = Desk::live();
    desk.wait(10_000);
    assert_eq!(desk.ended(), Some(&Ended::MediaSilent));
}

#[test]
fn an_admitted_call_whose_stream_never_opens_ends() {
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.ready(1);
    desk.wait(19_000);
    assert_eq!(desk.ended(), None);
    desk.wait(1_000);
    assert_eq!(desk.ended(), Some(&Ended::NoMedia));
    assert!(desk.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
}

#[test]
fn no_call_outlives_the_longest_allowed() {
    let policy = Policy { max_call: Duration::from_secs(30), ..Policy::default() };
    let mut desk = Desk::with(policy, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.pass(30_000);
    assert_eq!(desk.ended(), Some(&Ended::TooLong));
}

#[test]
fn a_call_that_ended_says_nothing_more() {
    let mut desk = Desk::live();
    desk.caller(CallerEvent::Stopped(Some("callended".to_owned())));
    assert!(desk.ended().is_some());
    desk.take();
    desk.audio(1, &key("r", "a"), 200);
    desk.caller(CallerEvent::Gone);
    desk.wait(60_000);
    assert!(desk.said.is_empty());
    assert_eq!(desk.call.poll_timeout(), None);
}

#[test]
fn a_call_rebuilt_after_a_fault_goes_on_with_its_history() {
    let mut desk = Desk::live();
    let mut history = History::default();
    desk.caller_turn(1, "u1");
    desk.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "Hello?".to_owned() });
    desk.response_created(1, "r1");
    let delta = "We are open from nine".to_owned();
    desk.server(1, ServerEvent::TranscriptDelta { key: key("r1", "a1"), delta });
    desk.audio(1, &key("r1", "a1"), 1000);
    let old_marks = desk.marks();
    desk.echo(&old_marks[0]);
    // What the supervisor folded: the stream began before `take`.
    history.apply(&media_started(desk.start));
    history.apply(&Fact::ModelDialled { attempt: 1 });
    for fact in desk.facts() {
        history.apply(fact);
    }
    let call =
        Call::resume(desk.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut desk = Desk::of(call, desk.now);
    assert_eq!(desk.dialled(), [2]);
    desk.ready(2);
    let sent = desk.sent();
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::User("Hello?".to_owned()))));
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::Assistant("We".to_owned()))), "what was heard: {sent:?}");
    assert!(matches!(sent.last(), Some(ClientEvent::CreateResponse { .. })), "the rest of the answer is owed");
    desk.take();
    desk.audio(2, &key("r2", "a2"), 200);
    assert_eq!(desk.media_ms(), 200);
    desk.echo(&old_marks[1]);
    let heard: u64 = desk.call.history().turns().map(|t| t.heard_ms).sum();
    assert_eq!(heard, 200, "a mark of the life before does not count");
}
