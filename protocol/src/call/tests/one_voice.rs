//! While a function runs nobody answers but us: one answer, that has read all, whatever the server's detector begins by itself.

use super::tools::{MONDAY, asked, running, with_tools};
use super::*;
use crate::call::functions::FunctionAnswer;
use crate::realtime::command::NewItem;

fn cancelled(rig: &Rig, response: &str) -> bool {
    rig.sent().contains(&&ClientEvent::CancelResponse { response: ResponseId::new(response) })
}

/// The caller says something while the function runs, and the server begins to answer it.
fn spoken_into() -> Rig {
    let mut rig = running();
    rig.caller_turn(1, "u2");
    rig.take();
    rig.response_created(1, "r2");
    rig
}

#[test]
fn a_caller_who_speaks_while_a_function_runs_is_answered_once_when_it_has_returned() {
    let mut rig = spoken_into();
    assert!(cancelled(&rig, "r2"), "it knows nothing of what is being looked up");
    rig.audio(1, &key("r2", "i2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Cancelled);
    rig.pass(2_000);
    assert_eq!((rig.media_ms(), rig.asked(), rig.ended()), (0, 0, None));
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1), rig.asked()), (vec![("c1", "on Monday")], 1));
    rig.response_created(1, "r3");
    rig.audio(1, &key("r3", "i3"), 400);
    rig.response_done(1, "r3", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!((rig.asked(), rig.dialled().len()), (1, 0), "one answer to both");
    rig.caller(CallerEvent::Gone);
    assert_eq!((rig.counted("response_dismissed"), rig.counted("responses_overlapped")), (1, 0));
}

#[test]
fn a_function_that_returns_before_the_server_has_begun_its_own_answer_waits_for_that_to_be_out_of_the_way() {
    let mut rig = running();
    rig.caller_turn(1, "u2");
    rig.take();
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1).len(), rig.asked()), (1, 0), "asked now, the two would collide");
    rig.response_created(1, "r2");
    assert!(cancelled(&rig, "r2"), "it may not have read the result");
    rig.response_done(1, "r2", ResponseStatus::Cancelled);
    assert_eq!(rig.asked(), 1);
    // One that begins none is not waited for.
    let mut rig = running();
    rig.caller_turn(1, "u2");
    rig.take();
    rig.ran(1, "on Monday");
    rig.pass(1_000);
    assert_eq!((rig.asked(), rig.dialled().len()), (1, 0));
}

#[test]
fn a_caller_who_speaks_into_a_long_function_is_answered_meanwhile_and_told_the_result_later() {
    let mut setup = with_tools();
    setup.tools[0].wait = Some(Duration::from_secs(60));
    let mut rig = asked(setup);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.caller_turn(1, "u2");
    rig.take();
    rig.response_created(1, "r2");
    rig.response_done(1, "r2", ResponseStatus::Cancelled);
    rig.pass(7_900);
    assert_eq!(rig.asked(), 0);
    rig.pass(100);
    assert_eq!((rig.asked(), rig.dialled().len()), (1, 0), "as long as any answer may take");
    rig.response_created(1, "r3");
    rig.audio(1, &key("r3", "i3"), 400);
    rig.response_done(1, "r3", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(30_000);
    assert_eq!((rig.ended(), rig.dialled().len()), (None, 0));
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1).len(), rig.asked()), (1, 2));
}

#[test]
fn keys_that_are_entered_while_a_function_runs_are_answered_with_its_result() {
    let mut rig = running();
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_500);
    assert_eq!(rig.asked(), 0);
    rig.ran(1, "on Monday");
    assert_eq!(rig.asked(), 1);
}

#[test]
fn a_server_that_answers_nobody_after_a_false_start_is_asked_for_what_it_was_told() {
    let mut rig = running();
    rig.speech_started(1, "u2");
    rig.ran(1, "on Monday");
    rig.speech_stopped(1, "u2");
    rig.take();
    rig.pass(2_400);
    assert_eq!(rig.asked(), 0, "it answers turns by itself");
    rig.pass(100);
    assert_eq!((rig.asked(), rig.dialled().len()), (1, 0));
    rig.pass(8_000);
    assert_eq!(rig.dialled().len(), 1, "one that is asked and does not answer is no use");
}

#[test]
fn a_message_that_came_with_a_call_is_heard_once_and_its_result_answered_once() {
    let mut rig = asked(with_tools());
    rig.words(1, &key("r1", "i1"), "One moment, let me see.");
    rig.audio(1, &key("r1", "i1"), 1_000);
    rig.calls(1, "r1", "c1", "look_up");
    rig.ran(1, "on Monday");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!((rig.results(1).len(), rig.asked()), (1, 1));
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "i2"), 800);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(20_000);
    assert_eq!(rig.asked(), 1);
    // With a call that nobody speaks of, the message was the answer.
    let mut setup = with_tools();
    setup.tools[0].answer = FunctionAnswer::Silent;
    let mut rig = asked(setup);
    rig.audio(1, &key("r1", "i1"), 1_000);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.ran(1, "noted");
    rig.play_out();
    assert_eq!(rig.asked(), 0);
    rig.caller_turn(1, "u2");
    rig.take();
    rig.response_created(1, "r2");
    assert!(!cancelled(&rig, "r2"), "nobody waits for it");
}

#[test]
fn a_call_that_comes_whole_with_an_answer_that_was_cut_has_an_error_for_its_result_and_one_that_was_cut_has_none() {
    let mut rig = asked(with_tools());
    rig.audio(1, &key("r1", "i1"), 1_000);
    rig.speech_started(1, "u2");
    rig.take();
    rig.calls(1, "r1", "c1", "look_up");
    let cut = FunctionCall {
        response: ResponseId::new("r1"),
        item: ItemId::new("f"),
        call_id: "c2".to_owned(),
        name: "book".to_owned(),
        arguments: r#"{"day":"#.to_owned(),
        complete: false,
    };
    rig.server(1, ServerEvent::FunctionCall(cut));
    assert!(rig.runs().is_empty());
    let results = rig.results(1);
    assert!(results.len() == 1 && results[0].0 == "c1" && results[0].1.contains("not run"), "{results:?}");
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("unfinished_tool_call"), 2);
}

#[test]
fn a_result_that_the_server_would_not_have_is_told_in_words_and_answered() {
    let mut rig = running();
    rig.take();
    rig.ran(1, "on Monday");
    let name = rig.said.iter().find_map(|output| match output {
        Output::Model(_, ModelCommand::Send(ClientEvent::CreateItem(NewItem::FunctionOutput { .. }), id)) => *id,
        _ => None,
    });
    assert_eq!(rig.asked(), 1, "behind the result, on the same wire");
    let event_id = name.map(|name| name.to_string());
    let error = ServerError { code: "item_not_found".to_owned(), event_id, ..ServerError::default() };
    rig.server(1, ServerEvent::Error(error.clone()));
    rig.server(1, ServerEvent::Error(error));
    assert_eq!(rig.results(1), [("c1", "on Monday"), MONDAY]);
    // The answer that was on its way did not know it.
    rig.response_created(1, "r2");
    rig.response_done(1, "r2", ResponseStatus::Completed);
    assert_eq!(rig.asked(), 2);
    rig.response_created(1, "r3");
    rig.response_done(1, "r3", ResponseStatus::Completed);
    assert_eq!((rig.asked(), rig.ended()), (2, None));
}

#[test]
fn a_caller_whose_session_is_lost_while_they_wait_for_both_is_answered_when_the_function_returns() {
    let mut rig = spoken_into();
    rig.closed(1);
    rig.ready(2);
    assert_eq!(rig.asked(), 0);
    rig.pass(3_000);
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(2), rig.asked()), (vec![MONDAY], 1));
    let mut rig = spoken_into();
    rig.closed(1);
    rig.ready(2);
    rig.pass(8_000);
    assert_eq!((rig.asked(), rig.ended()), (1, None), "and no later than any other");
}

#[test]
fn an_answer_to_a_result_that_fails_is_asked_for_again_when_the_server_says_so() {
    let mut rig = running();
    rig.ran(1, "on Monday");
    rig.take();
    for response in ["r2", "r3"] {
        rig.response_created(1, response);
        let (code, message) = ("rate_limit_exceeded".to_owned(), "Please try again in 7.853s.".to_owned());
        rig.response_done(1, response, ResponseStatus::Failed { code, message });
        rig.take();
        rig.pass(7_840);
        assert_eq!(rig.asked(), 0);
        rig.pass(40);
        assert_eq!((rig.asked(), rig.ended()), (1, None));
    }
}

#[test]
fn an_agent_that_hangs_up_three_hundred_times_ends_the_call_once_when_it_was_heard_out() {
    let mut rig = asked(with_tools());
    rig.audio(1, &key("r1", "i1"), 2_000);
    for n in 0..337 {
        rig.calls(1, "r1", &format!("c{n}"), "end_call");
    }
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!((rig.ended(), rig.asked()), (None, 0));
    rig.play_out();
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
    let ends = rig.facts().into_iter().filter(|fact| matches!(fact, Fact::Ended(_))).count();
    assert_eq!((ends, rig.runs().len()), (1, 0));
}

#[test]
fn keys_that_are_entered_while_a_failed_answer_waits_to_be_asked_for_again_are_answered_once() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    let (code, message) = ("rate_limit_exceeded".to_owned(), "Please try again in 4s.".to_owned());
    rig.response_done(1, "r1", ResponseStatus::Failed { code, message });
    rig.take();
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_500);
    assert_eq!(rig.asked(), 1);
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "i2"), 600);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(5_000);
    assert_eq!(rig.asked(), 1);
}
