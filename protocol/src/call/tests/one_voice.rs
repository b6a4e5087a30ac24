//! While a function runs nobody answers but us: one answer, that has read all, whatever the server's detector begins by itself.

use super::tools::{MONDAY, asked, running, with_tools};
use super::*;
use crate::call::functions::FunctionAnswer;
use crate::realtime::command::NewItem;

fn cancelled(desk: &Desk, response: &str) -> bool {
    desk.sent().contains(&&ClientEvent::CancelResponse { response: ResponseId::new(response) })
}

/// The caller says something while the function runs, and the server begins to answer it.
fn spoken_into() -> Desk {
    let mut desk = running();
    desk.caller_turn(1, "u2");
    desk.take();
    desk.response_created(1, "r2");
    desk
}

#[test]
fn a_caller_who_speaks_while_a_function_runs_is_answered_once_when_it_has_returned() {
    let mut desk = spoken_into();
    assert!(cancelled(&desk, "r2"), "it knows nothing of what is being looked up");
    desk.audio(1, &key("r2", "i2"), 400);
    desk.response_done(1, "r2", ResponseStatus::Cancelled);
    desk.pass(2_000);
    assert_eq!((desk.media_ms(), desk.asked(), desk.ended()), (0, 0, None));
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1), desk.asked()), (vec![("c1", "on Monday")], 1));
    desk.response_created(1, "r3");
    desk.audio(1, &key("r3", "i3"), 400);
    desk.response_done(1, "r3", ResponseStatus::Completed);
    desk.play_out();
    assert_eq!((desk.asked(), desk.dialled().len()), (1, 0), "one answer to both");
    desk.caller(CallerEvent::Gone);
    assert_eq!((desk.counted("response_dismissed"), desk.counted("responses_overlapped")), (1, 0));
}

#[test]
fn a_function_that_returns_before_the_server_has_begun_its_own_answer_waits_for_that_to_be_out_of_the_way() {
    let mut desk = running();
    desk.caller_turn(1, "u2");
    desk.take();
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1).len(), desk.asked()), (1, 0), "asked now, the two would collide");
    desk.response_created(1, "r2");
    assert!(cancelled(&desk, "r2"), "it may not have read the result");
    desk.response_done(1, "r2", ResponseStatus::Cancelled);
    assert_eq!(desk.asked(), 1);
    // One that begins none is not waited for.
    let mut desk = running();
    desk.caller_turn(1, "u2");
    desk.take();
    desk.ran(1, "on Monday");
    desk.pass(1_000);
    assert_eq!((desk.asked(), desk.dialled().len()), (1, 0));
}

#[test]
fn a_caller_who_speaks_into_a_long_function_is_answered_meanwhile_and_told_the_result_later() {
    let mut setup = with_tools();
    setup.tools[0].wait = Some(Duration::from_secs(60));
    let mut desk = asked(setup);
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.caller_turn(1, "u2");
    desk.take();
    desk.response_created(1, "r2");
    desk.response_done(1, "r2", ResponseStatus::Cancelled);
    desk.pass(7_900);
    assert_eq!(desk.asked(), 0);
    desk.pass(100);
    assert_eq!((desk.asked(), desk.dialled().len()), (1, 0), "as long as any answer may take");
    desk.response_created(1, "r3");
    desk.audio(1, &key("r3", "i3"), 400);
    desk.response_done(1, "r3", ResponseStatus::Completed);
    desk.play_out();
    desk.pass(30_000);
    assert_eq!((desk.ended(), desk.dialled().len()), (None, 0));
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1).len(), desk.asked()), (1, 2));
}

#[test]
fn keys_that_are_entered_while_a_function_runs_are_answered_with_its_result() {
    let mut desk = running();
    desk.caller(CallerEvent::Dtmf('5'));
    desk.pass(1_500);
    assert_eq!(desk.asked(), 0);
    desk.ran(1, "on Monday");
    assert_eq!(desk.asked(), 1);
}

#[test]
fn a_server_that_answers_nobody_after_a_false_start_is_asked_for_what_it_was_told() {
    let mut desk = running();
    desk.speech_started(1, "u2");
    desk.ran(1, "on Monday");
    desk.speech_stopped(1, "u2");
    desk.take();
    desk.pass(2_400);
    assert_eq!(desk.asked(), 0, "it answers turns by itself");
    desk.pass(100);
    assert_eq!((desk.asked(), desk.dialled().len()), (1, 0));
    desk.pass(8_000);
    assert_eq!(desk.dialled().len(), 1, "one that is asked and does not answer is no use");
}

#[test]
fn a_message_that_came_with_a_call_is_heard_once_and_its_result_answered_once() {
    let mut desk = asked(with_tools());
    desk.words(1, &key("r1", "i1"), "One moment, let me see.");
    desk.audio(1, &key("r1", "i1"), 1_000);
    desk.calls(1, "r1", "c1", "look_up");
    desk.ran(1, "on Monday");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!((desk.results(1).len(), desk.asked()), (1, 1));
    desk.response_created(1, "r2");
    desk.audio(1, &key("r2", "i2"), 800);
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.play_out();
    desk.pass(20_000);
    assert_eq!(desk.asked(), 1);
    // With a call that nobody speaks of, the message was the answer.
    let mut setup = with_tools();
    setup.tools[0].answer = FunctionAnswer::Silent;
    let mut desk = asked(setup);
    desk.audio(1, &key("r1", "i1"), 1_000);
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.ran(1, "noted");
    desk.play_out();
    assert_eq!(desk.asked(), 0);
    desk.caller_turn(1, "u2");
    desk.take();
    desk.response_created(1, "r2");
    assert!(!cancelled(&desk, "r2"), "nobody waits for it");
}

#[test]
fn a_call_that_comes_whole_with_an_answer_that_was_cut_has_an_error_for_its_result_and_one_that_was_cut_has_none() {
    let mut desk = asked(with_tools());
    desk.audio(1, &key("r1", "i1"), 1_000);
    desk.speech_started(1, "u2");
    desk.take();
    desk.calls(1, "r1", "c1", "look_up");
    let cut = FunctionCall {
        response: ResponseId::new("r1"),
        item: ItemId::new("f"),
        call_id: "c2".to_owned(),
        name: "book".to_owned(),
        arguments: r#"{"day":"#.to_owned(),
        complete: false,
    };
    desk.server(1, ServerEvent::FunctionCall(cut));
    assert!(desk.runs().is_empty());
    let results = desk.results(1);
    assert!(results.len() == 1 && results[0].0 == "c1" && results[0].1.contains("not run"), "{results:?}");
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("unfinished_tool_call"), 2);
}

#[test]
fn a_result_that_the_server_would_not_have_is_told_in_words_and_answered() {
    let mut desk = running();
    desk.take();
    desk.ran(1, "on Monday");
    let name = desk.said.iter().find_map(|output| match output {
        Output::Model(_, ModelCommand::Send(ClientEvent::CreateItem(NewItem::FunctionOutput { .. }), id)) => *id,
        _ => None,
    });
    assert_eq!(desk.asked(), 1, "behind the result, on the same wire");
    let event_id = name.map(|name| name.to_string());
    let error = ServerError { code: "item_not_found".to_owned(), event_id, ..ServerError::default() };
    desk.server(1, ServerEvent::Error(error.clone()));
    desk.server(1, ServerEvent::Error(error));
    assert_eq!(desk.results(1), [("c1", "on Monday"), MONDAY]);
    // The answer that was on its way did not know it.
    desk.response_created(1, "r2");
    desk.response_done(1, "r2", ResponseStatus::Completed);
    assert_eq!(desk.asked(), 2);
    desk.response_created(1, "r3");
    desk.response_done(1, "r3", ResponseStatus::Completed);
    assert_eq!((desk.asked(), desk.ended()), (2, None));
}

#[test]
fn a_caller_whose_session_is_lost_while_they_wait_for_both_is_answered_when_the_function_returns() {
    let mut desk = spoken_into();
    desk.closed(1);
    desk.ready(2);
    assert_eq!(desk.asked(), 0);
    desk.pass(3_000);
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(2), desk.asked()), (vec![MONDAY], 1));
    let mut desk = spoken_into();
    desk.closed(1);
    desk.ready(2);
    desk.pass(8_000);
    assert_eq!((desk.asked(), desk.ended()), (1, None), "and no later than any other");
}

#[test]
fn an_answer_to_a_result_that_fails_is_asked_for_again_when_the_server_says_so() {
    let mut desk = running();
    desk.ran(1, "on Monday");
    desk.take();
    for response in ["r2", "r3"] {
        desk.response_created(1, response);
        let (code, message) = ("rate_limit_exceeded".to_owned(), "Please try again in 7.853s.".to_owned());
        desk.response_done(1, response, ResponseStatus::Failed { code, message });
        desk.take();
        desk.pass(7_840);
        assert_eq!(desk.asked(), 0);
        desk.pass(40);
        assert_eq!((desk.asked(), desk.ended()), (1, None));
    }
}

#[test]
fn an_agent_that_hangs_up_three_hundred_times_ends_the_call_once_when_it_was_heard_out() {
    let mut desk = asked(with_tools());
    desk.audio(1, &key("r1", "i1"), 2_000);
    for n in 0..337 {
        desk.calls(1, "r1", &format!("c{n}"), "end_call");
    }
    desk.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!((desk.ended(), desk.asked()), (None, 0));
    desk.play_out();
    assert_eq!(desk.ended(), Some(&Ended::AgentHungUp));
    let ends = desk.facts().into_iter().filter(|fact| matches!(fact, Fact::Ended(_))).count();
    assert_eq!((ends, desk.runs().len()), (1, 0));
}
