//! Calls on which something fails.

use super::*;
use crate::realtime::command::NewItem;

fn failed(code: &str, message: &str) -> ResponseStatus {
    ResponseStatus::Failed { code: code.to_owned(), message: message.to_owned() }
}

#[test]
fn a_refused_configuration_is_tried_once_without_its_extras_and_then_ends_the_call() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.opened(1);
    rig.error(1, "unknown_parameter");
    let reduced: Vec<bool> = rig
        .sent()
        .iter()
        .filter_map(|e| if let ClientEvent::SessionUpdate(config) = e { Some(config.tools.is_empty()) } else { None })
        .collect();
    assert_eq!(reduced, [false, true]);
    rig.error(1, "unknown_parameter");
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("session.update")));
}

#[test]
fn a_model_that_refuses_the_key_ends_the_call_before_the_caller_is_connected() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.input(Input::Model(
        ConnId(1),
        ModelEvent::Refused(crate::realtime::failure::ProviderRefusal::Unauthorized, "HTTP 401".to_owned()),
    ));
    assert_eq!(rig.ended(), Some(&Ended::ModelFailed { cause: "HTTP 401".to_owned() }));
}

#[test]
fn a_model_that_is_not_there_is_dialled_again_until_the_caller_has_waited_long_enough() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.start_media();
    while rig.ended().is_none() {
        let conn = *rig.dialled().last().expect("dialled");
        rig.input(Input::Model(ConnId(conn), ModelEvent::Closed("connection refused".to_owned())));
        rig.pass(500);
    }
    assert!(rig.dialled().len() > 3);
    assert_eq!(rig.now.duration_since(rig.start), Duration::from_secs(10));
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Close)), "the flow goes on to its next applet");
}

#[test]
fn a_model_that_takes_the_connection_and_never_answers_is_given_up_in_words() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.start_media();
    rig.opened(1);
    rig.pass(10_000);
    assert_eq!(rig.dialled(), [1, 2]);
    let cause = "no session within 10000 ms".to_owned();
    assert_eq!(rig.ended(), Some(&Ended::ModelFailed { cause }));
}

#[test]
fn a_lost_session_is_replaced_with_the_conversation_as_heard_and_the_answer_asked_for_again() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "When are you open?".to_owned() });
    rig.take();
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    assert_eq!(rig.dialled(), [2], "at once");
    rig.pass(3000);
    rig.take();
    rig.ready(2);
    let sent = rig.sent();
    assert!(matches!(sent[0], ClientEvent::SessionUpdate(_)));
    assert_eq!(sent[1], &ClientEvent::CreateItem(NewItem::Assistant("Welcome to the clinic.".to_owned())));
    assert_eq!(sent[2], &ClientEvent::CreateItem(NewItem::User("When are you open?".to_owned())));
    assert_eq!(rig.appended_ms(), 1000, "older audio would only delay the conversation");
    assert!(matches!(sent.last(), Some(ClientEvent::CreateResponse { instructions: None })));
}

#[test]
fn audio_that_was_there_when_the_session_was_lost_plays_on_and_is_never_truncated_in_the_next() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 2000);
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    rig.ready(2);
    rig.take();
    rig.pass(400);
    assert_eq!(rig.media_ms(), 400);
    rig.speech_started(2, "u1");
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Clear)));
    assert!(!rig.sent().iter().any(|e| matches!(e, ClientEvent::Truncate { .. })));
}

/// A goodbye of 600 ms whose call to `end_call` came, and the end of its response not yet.
fn half_a_goodbye() -> Rig {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 600);
    rig.calls(1, "r1", "c1", "end_call");
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    rig
}

#[test]
fn a_goodbye_whose_session_is_lost_ends_the_call_when_it_was_heard() {
    let mut rig = half_a_goodbye();
    rig.ready(2);
    rig.pass(600);
    rig.echo(&rig.marks().last().cloned().expect("a mark"));
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_call_that_ends_over_a_failed_goodbye_waits_for_nothing() {
    let mut rig = half_a_goodbye();
    rig.ready(2);
    rig.response_created(2, "r2");
    rig.response_done(2, "r2", failed("insufficient_quota", ""));
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { .. })));
    assert_eq!(rig.call.poll_timeout(), None);
}

#[test]
fn an_answer_of_which_only_words_came_is_asked_for_again() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.server(1, ServerEvent::TranscriptDelta { key: key("r1", "a1"), delta: "We are".to_owned() });
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    rig.take();
    rig.ready(2);
    assert!(matches!(rig.sent().last(), Some(ClientEvent::CreateResponse { instructions: None })));
}

#[test]
fn a_caller_whose_session_is_lost_while_they_speak_is_answered_whether_or_not_they_go_on() {
    for goes_on in [false, true] {
        let mut rig = Rig::live();
        rig.speech_started(1, "u1");
        rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
        rig.ready(2);
        rig.take();
        if goes_on {
            rig.pass(300);
            rig.speech_started(2, "u2");
        }
        rig.pass(1000);
        let asked = rig.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. }));
        assert_eq!(asked, !goes_on, "a server that hears them answers by itself");
    }
}

#[test]
fn a_session_lost_while_its_replacement_is_dialled_is_replaced_by_that_one() {
    let policy = Policy { roll_after: Duration::from_secs(60), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(60_000);
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    rig.pass(500);
    rig.ready(2);
    rig.take();
    rig.pass(15_000);
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
    assert_eq!(rig.appended_ms(), 15_000);
}

#[test]
fn a_session_is_not_told_the_result_of_a_call_that_another_made() {
    let mut rig = half_a_goodbye();
    rig.ready(2);
    rig.take();
    rig.speech_started(2, "u1");
    let told = rig.sent().iter().any(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. })));
    assert!(!told, "a result without its call is refused");
    rig.pass(5000);
    assert_eq!(rig.ended(), None, "the caller speaks into the goodbye");
}

#[test]
fn without_marks_the_clock_credits_only_what_had_time_to_reach_the_player() {
    let mut rig = Rig::with(Policy { chunk_ms: 20, ..Policy::default() }, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.audio(1, &key("r1", "a1"), 5000);
    rig.pass(3000);
    rig.speech_started(1, "u1");
    let turn = rig.call.history().turns().next().expect("a turn");
    assert_eq!(turn.heard_ms, 2740, "3,000 ms less the way to the player, by whole messages");
}

#[test]
fn what_an_old_connection_still_says_is_ignored() {
    let mut rig = Rig::live();
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("1006".to_owned())));
    rig.take();
    rig.audio(1, &key("r1", "a1"), 500);
    rig.speech_started(1, "u1");
    assert!(rig.said.is_empty());
}

#[test]
fn a_failed_response_is_asked_for_again_when_the_server_says_so() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.take();
    rig.response_done(1, "r1", failed("rate_limit_exceeded", "Please try again in 1.5s."));
    rig.pass(1480);
    assert!(rig.appended_ms() > 0 && !rig.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. })));
    rig.pass(20);
    assert!(rig.sent().iter().any(|e| matches!(e, ClientEvent::CreateResponse { .. })));
}

#[test]
fn responses_that_keep_failing_end_the_call_instead_of_leaving_the_caller_in_silence() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    for n in 0..3 {
        let response = format!("r{n}");
        rig.response_created(1, &response);
        rig.response_done(1, &response, failed("rate_limit_exceeded", ""));
        rig.pass(600);
    }
    let cause = "the response failed: rate_limit_exceeded".to_owned();
    assert_eq!(rig.ended(), Some(&Ended::ModelFailed { cause }));
}

#[test]
fn a_model_that_stays_silent_is_replaced_once_and_then_given_up() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.pass(8000);
    assert_eq!(rig.dialled(), [2]);
    rig.ready(2);
    rig.pass(8000);
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("no answer")));
}

#[test]
fn a_caller_who_says_hello_again_gives_a_silent_model_no_more_time() {
    let mut rig = Rig::live();
    for hello in 0..10 {
        rig.caller_turn(1, &format!("u{hello}"));
        rig.pass(5_000);
    }
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("no answer for 30000 ms")));
    assert_eq!(rig.call.history().turns().count(), 6, "30 s of waiting");
}

#[test]
fn a_caller_who_pauses_for_breath_is_not_waiting() {
    let mut rig = Rig::live();
    for pause in 0..60 {
        rig.caller_turn(1, &format!("u{pause}"));
        rig.pass(1_000);
    }
    assert_eq!(rig.ended(), None);
}

#[test]
fn a_server_that_does_not_notice_the_caller_is_replaced() {
    let mut rig = Rig::live();
    for _ in 0..50 {
        rig.now += Duration::from_millis(20);
        rig.caller(CallerEvent::Audio { pcm: vec![7; 320], level_dbfs: -20.0, sent_ms: None });
    }
    rig.pass(9000);
    assert_eq!(rig.dialled(), [2]);
}

#[test]
fn a_noisy_line_is_not_taken_for_a_caller_whom_nobody_hears() {
    let mut rig = Rig::live();
    for _ in 0..3000 {
        rig.now += Duration::from_millis(20);
        rig.caller(CallerEvent::Audio { pcm: vec![7; 320], level_dbfs: -20.0, sent_ms: None });
    }
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
}

#[test]
fn a_session_that_floods_errors_is_replaced() {
    let mut rig = Rig::live();
    for _ in 0..5 {
        rig.error(1, "server_error");
    }
    assert_eq!(rig.dialled(), [2]);
}

#[test]
fn harmless_races_cost_nothing() {
    let mut rig = Rig::live();
    rig.error(1, "response_cancel_not_active");
    rig.error(1, "input_audio_buffer_commit_empty");
    rig.pass(1000);
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
}

#[test]
fn a_line_that_stops_while_its_caller_speaks_is_filled_with_silence_so_that_the_turn_can_end() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.pass(200);
    rig.take();
    rig.wait(1000);
    assert_eq!(rig.appended_ms(), 1000);
}

#[test]
fn a_stream_without_audio_ends() {
    let mut rig = Rig::live();
    rig.wait(10_000);
    assert_eq!(rig.ended(), Some(&Ended::MediaSilent));
}

#[test]
fn an_admitted_call_whose_stream_never_opens_ends() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.ready(1);
    rig.wait(19_000);
    assert_eq!(rig.ended(), None);
    rig.wait(1_000);
    assert_eq!(rig.ended(), Some(&Ended::NoMedia));
    assert!(rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
}

#[test]
fn no_call_outlives_the_longest_allowed() {
    let policy = Policy { max_call: Duration::from_secs(30), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(30_000);
    assert_eq!(rig.ended(), Some(&Ended::TooLong));
}

#[test]
fn a_call_that_ended_says_nothing_more() {
    let mut rig = Rig::live();
    rig.caller(CallerEvent::Stopped(Some("callended".to_owned())));
    assert!(rig.ended().is_some());
    rig.take();
    rig.audio(1, &key("r", "a"), 200);
    rig.caller(CallerEvent::Gone);
    rig.wait(60_000);
    assert!(rig.said.is_empty());
    assert_eq!(rig.call.poll_timeout(), None);
}

#[test]
fn a_call_rebuilt_after_a_fault_goes_on_with_its_history() {
    let mut rig = Rig::live();
    let mut history = History::default();
    rig.caller_turn(1, "u1");
    rig.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "Hello?".to_owned() });
    rig.response_created(1, "r1");
    let delta = "We are open from nine".to_owned();
    rig.server(1, ServerEvent::TranscriptDelta { key: key("r1", "a1"), delta });
    rig.audio(1, &key("r1", "a1"), 1000);
    let old_marks = rig.marks();
    rig.echo(&old_marks[0]);
    // What the supervisor folded: the stream began before `take`.
    history.apply(&media_started(rig.start));
    history.apply(&Fact::ModelDialled { attempt: 1 });
    for fact in rig.facts() {
        history.apply(fact);
    }
    let call =
        Call::resume(rig.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut rig = Rig::of(call, rig.now);
    assert_eq!(rig.dialled(), [2]);
    rig.ready(2);
    let sent = rig.sent();
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::User("Hello?".to_owned()))));
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::Assistant("We".to_owned()))), "what was heard: {sent:?}");
    assert!(matches!(sent.last(), Some(ClientEvent::CreateResponse { .. })), "the rest of the answer is owed");
    rig.take();
    rig.audio(2, &key("r2", "a2"), 200);
    assert_eq!(rig.media_ms(), 200);
    rig.echo(&old_marks[1]);
    let heard: u64 = rig.call.history().turns().map(|t| t.heard_ms).sum();
    assert_eq!(heard, 200, "a mark of the life before does not count");
}
