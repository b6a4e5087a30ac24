//! Functions that the model calls: run once, waited for so long, answered once a session.

use super::*;
use crate::call::functions::{Function, FunctionAnswer, FunctionEffect, Returned, Steer};
use crate::realtime::command::{NewItem, Tool};

/// A result for whoever does not know the call.
pub(super) const MONDAY: (&str, &str) = ("in words", "Result of look_up, which was called earlier: on Monday");

pub(super) fn with_tools() -> Setup {
    let tool = |name: &str| {
        Function::new(Tool { name: name.to_owned(), description: String::new(), parameters: "{}".to_owned() })
    };
    Setup { tools: vec![tool("look_up"), tool("book")], ..setup(GreetedBy::Carrier) }
}

/// A live call whose caller asked for something that takes a function.
pub(super) fn asked(setup: Setup) -> Desk {
    let mut desk = Desk::about(Policy::default(), setup);
    desk.ready(1);
    desk.start_media();
    desk.caller_turn(1, "u1");
    desk.transcript(1, "u1", "When is my appointment?");
    desk.response_created(1, "r1");
    desk.take();
    desk
}

/// And the model called it.
pub(super) fn running() -> Desk {
    let mut desk = asked(with_tools());
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk
}

impl Desk {
    /// The results that a session was told, by the name of their call, or in words; and of calls that it was told with them.
    pub(super) fn results(&self, conn: u32) -> Vec<(&str, &str)> {
        let item = |o| match o {
            &Output::Model(ConnId(id), ModelCommand::Send(ClientEvent::CreateItem(ref item), _)) if id == conn => {
                Some(item)
            }
            _ => None,
        };
        let results = self.said.iter().filter_map(item).filter_map(|item| match item {
            NewItem::FunctionCall { call_id, .. } => Some((call_id.as_str(), "called")),
            NewItem::FunctionOutput { call_id, output } => Some((call_id.as_str(), output.as_str())),
            NewItem::System(words) if words.starts_with("Result of") => Some(("in words", words.as_str())),
            _ => None,
        });
        results.collect()
    }
}

#[test]
fn a_function_is_run_and_the_model_told_and_asked_when_it_has_returned() {
    let mut desk = running();
    let effect = Effect::Function { call_id: "c1".into(), name: "look_up".into(), arguments: "{}".into() };
    assert_eq!(desk.runs(), [(1, &effect)]);
    desk.pass(10_000);
    assert_eq!((desk.asked(), desk.dialled().len()), (0, 0), "the caller waits for it, and so does the answer");
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1), desk.asked()), (vec![("c1", "on Monday")], 1));
    desk.take();
    desk.ran(1, "on Tuesday");
    assert!(desk.sent().is_empty(), "a call has one result");
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("tool_result_late"), 1);
}

#[test]
fn a_function_that_does_not_return_is_given_up_and_what_it_comes_to_later_is_told_in_words_once() {
    let mut desk = running();
    desk.pass(15_000);
    assert_eq!((desk.results(1), desk.asked()), (vec![("c1", r#"{"error":"no result within 15000 ms"}"#)], 1));
    answers(&mut desk, "r2", 400);
    desk.take();
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1), desk.asked()), (vec![MONDAY], 0), "a call has one result");
    desk.ran(1, "on Tuesday");
    assert_eq!(desk.results(1).len(), 1);
    // Another session knows it from the conversation, beside the result that the call had.
    desk.closed(1);
    desk.ready(2);
    assert_eq!((desk.results(2).len(), desk.results(2)[2], desk.asked()), (3, MONDAY, 0));
    desk.caller(CallerEvent::Gone);
    assert_eq!((desk.counted("tool_timed_out"), desk.counted("tool_result_late")), (1, 2));
}

#[test]
fn what_went_wrong_with_a_function_is_told_as_its_result_and_a_long_one_is_cut() {
    let mut desk = running();
    desk.input(Input::Ran { id: EffectId(1), result: Err("HTTP \"500\"".to_owned()) });
    assert_eq!(desk.results(1), [("c1", r#"{"error":"HTTP \"500\""}"#)]);
    let mut desk = running();
    desk.ran(1, &"नमस्ते ".repeat(2_000));
    let length = desk.results(1)[0].1.len();
    assert!((8_000..8_300).contains(&length) && desk.results(1)[0].1.ends_with("[cut]"), "{length}");
}

#[test]
fn functions_of_one_response_are_answered_together_when_all_have_returned_and_it_is_over() {
    let mut desk = asked(with_tools());
    desk.calls(1, "r1", "c1", "look_up");
    desk.ran(1, "one");
    desk.calls(1, "r1", "c2", "book");
    desk.calls(1, "r1", "c3", "no_such_function");
    assert_eq!((desk.results(1).len(), desk.asked()), (2, 0), "the response is not over");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(desk.asked(), 0, "one of them runs");
    desk.ran(2, "two");
    assert_eq!((desk.results(1).len(), desk.asked()), (3, 1));
    assert!(desk.results(1)[1].1.contains("not available"), "{:?}", desk.results(1));
}

#[test]
fn a_function_is_called_with_an_object_and_so_many_run_at_once() {
    let mut desk = asked(with_tools());
    for arguments in ["[]", "{", "12"] {
        let (response, item) = (ResponseId::new("r1"), ItemId::new("f"));
        let (call_id, name, arguments) = (arguments.to_owned(), "look_up".to_owned(), arguments.to_owned());
        let call = FunctionCall { response, item, call_id, name, arguments, complete: true };
        desk.server(1, ServerEvent::FunctionCall(call));
    }
    assert!(desk.runs().is_empty() && desk.results(1).iter().all(|(_, output)| output.contains("JSON object")));
    for n in 0..12 {
        desk.calls_with(1, "r1", &format!("c{n}"), "look_up", &format!(r#"{{"n":{n}}}"#));
    }
    assert_eq!((desk.runs().len(), desk.results(1).len()), (8, 7));
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(15_000);
    assert_eq!((desk.results(1).len(), desk.asked()), (15, 1), "each has its result");
}

#[test]
fn a_caller_who_speaks_meanwhile_is_not_answered_over() {
    let mut desk = running();
    desk.speech_started(1, "u2");
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(1).len(), desk.asked()), (1, 0), "whoever answers them has read it");
    desk.speech_stopped(1, "u2");
    desk.response_created(1, "r2");
    desk.audio(1, &key("r2", "a2"), 400);
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.play_out();
    assert_eq!(desk.asked(), 0);
}

#[test]
fn what_runs_when_its_session_is_lost_is_told_to_the_next_in_words_once() {
    let mut desk = running();
    desk.closed(1);
    desk.ready(2);
    assert_eq!((desk.results(2).len(), desk.asked()), (0, 0), "asked now, the model would call it again");
    desk.ran(1, "on Monday");
    assert_eq!(desk.results(2), [MONDAY], "it knows no such call");
    assert_eq!((desk.runs().len(), desk.asked()), (1, 1));
    desk.take();
    desk.closed(2);
    desk.pass(500);
    desk.ready(3);
    assert_eq!(desk.results(3), [("c1", "called"), ("c1", "on Monday")], "in the replay");
    assert_eq!(desk.asked(), 1);
}

#[test]
fn what_returns_while_there_is_no_session_is_told_to_the_next_and_answered() {
    let mut desk = running();
    desk.closed(1);
    desk.ran(1, "on Monday");
    desk.ready(2);
    assert_eq!((desk.results(2).len(), desk.asked()), (2, 1));
}

#[test]
fn what_returns_while_an_answer_plays_on_is_told_once_and_after_it() {
    let mut desk = asked(with_tools());
    desk.words(1, &key("r1", "a1"), "One moment, let me look that up for you.");
    desk.audio(1, &key("r1", "a1"), 3_000);
    desk.calls(1, "r1", "c1", "look_up");
    desk.closed(1);
    desk.ready(2);
    desk.ran(1, "on Monday");
    assert_eq!(desk.results(2).len(), 0, "what is playing comes first");
    desk.play_out();
    assert_eq!(desk.results(2), [("c1", "called"), ("c1", "on Monday")]);
    assert_eq!(desk.asked(), 1);
}

#[test]
fn a_session_is_not_replaced_while_a_function_runs() {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut desk = Desk::about(policy, with_tools());
    desk.ready(1);
    desk.start_media();
    desk.response_created(1, "r1");
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(5_000);
    desk.ready(2);
    desk.pass(2_000);
    assert!(!desk.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
    desk.ran(1, "on Monday");
    desk.response_created(1, "r2");
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.pass(20);
    assert!(desk.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
    assert_eq!(desk.results(2).len(), 2);
}

#[test]
fn what_runs_is_not_run_again_after_a_fault_of_ours_and_is_waited_for_no_longer() {
    let mut desk = running();
    desk.pass(5_000);
    let mut desk = desk.rebuilt(with_tools());
    desk.ready(2);
    assert_eq!((desk.runs().len(), desk.asked()), (0, 0));
    desk.pass(2_000);
    desk.ran(1, "on Monday");
    assert_eq!((desk.results(2), desk.asked()), (vec![MONDAY], 1));

    let mut desk = running();
    desk.pass(5_000);
    let mut desk = desk.rebuilt(with_tools());
    desk.ready(2);
    desk.pass(9_900);
    assert_eq!(desk.results(2).len(), 0);
    desk.pass(100);
    assert!(desk.results(2)[0].1.contains("no result within"), "{:?}", desk.results(2));
    desk.response_created(2, "r2");
    desk.calls(2, "r2", "c1", "look_up");
    assert_eq!(desk.runs().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2], "the next has a number of its own");
}

#[test]
fn a_model_that_calls_a_function_in_circles_is_told_so_instead() {
    let mut desk = asked(with_tools());
    for n in 0..5 {
        desk.calls(1, "r1", &format!("c{n}"), "look_up");
        desk.ran(n + 1, "on Monday");
    }
    let results = desk.results(1);
    assert_eq!(results.iter().filter(|(_, output)| *output == "on Monday").count(), 3);
    assert!(results[3..].iter().all(|(_, output)| output.contains("same arguments")), "{results:?}");
    // The next question of the caller's, a while later, is another matter.
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.response_created(1, "r2");
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.pass(30_000);
    desk.caller_turn(1, "u2");
    desk.response_created(1, "r3");
    desk.calls(1, "r3", "c9", "look_up");
    assert_eq!(desk.runs().len(), 4);
}

#[test]
fn a_model_that_calls_functions_without_end_is_stopped_and_the_call_goes_on() {
    let mut desk = asked(with_tools());
    for n in 0..30 {
        desk.calls_with(1, "r1", &format!("c{n}"), "look_up", &format!(r#"{{"n":{n}}}"#));
        desk.ran(n + 1, "on Monday");
    }
    assert_eq!(desk.runs().len(), 20);
    assert!(desk.results(1)[20..].iter().all(|(_, output)| output.contains("too many")));
    desk.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(desk.asked(), 1);
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("tool_breaker"), 10);
}

/// What a function of the client's says.
fn returned(desk: &mut Desk, id: u32, output: &str, steer: Steer) {
    let returned = Returned { output: output.to_owned(), steer: Some(steer) };
    desk.input(Input::Ran { id: EffectId(id), result: Ok(returned.into()) });
}

/// The agent's answer to what it returned: so much audio, and that was heard.
fn answers(desk: &mut Desk, response: &str, ms: usize) {
    desk.response_created(1, response);
    desk.audio(1, &key(response, response), ms);
    desk.response_done(1, response, ResponseStatus::Completed);
    desk.play_out();
}

#[test]
fn a_function_that_hangs_up_does_so_once_the_agent_has_spoken_of_its_result() {
    let mut desk = running();
    returned(&mut desk, 1, "you are cancelled", Steer::HangUp);
    assert_eq!((desk.results(1), desk.asked(), desk.ended()), (vec![("c1", "you are cancelled")], 1, None));
    answers(&mut desk, "r2", 800);
    assert_eq!(desk.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_function_that_returns_before_its_response_is_over_ends_the_call_no_sooner_than_its_answer() {
    let mut desk = asked(with_tools());
    desk.calls(1, "r1", "c1", "look_up");
    returned(&mut desk, 1, "bye", Steer::HangUp);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(1_000);
    assert_eq!((desk.asked(), desk.ended()), (1, None));
    answers(&mut desk, "r2", 800);
    assert_eq!(desk.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_caller_who_speaks_into_the_answer_of_a_function_that_hands_them_on_is_answered_and_handed_on() {
    let mut desk = running();
    returned(&mut desk, 1, "a nurse takes this", Steer::Transfer("nurse".to_owned()));
    desk.response_created(1, "r2");
    desk.audio(1, &key("r2", "r2"), 2_000);
    desk.pass(600);
    desk.caller_turn(1, "u2");
    desk.response_done(1, "r2", ResponseStatus::Cancelled);
    desk.pass(2_000);
    assert_eq!(desk.ended(), None);
    desk.transcript(1, "u2", "Wait, which one?");
    answers(&mut desk, "r3", 800);
    assert!(
        matches!(desk.ended(), Some(Ended::Transferred { reason }) if reason.contains("nurse")),
        "{:?}",
        desk.ended()
    );
}

fn with(change: impl Fn(&mut Function)) -> Setup {
    let mut setup = with_tools();
    setup.tools.iter_mut().for_each(change);
    setup
}

#[test]
fn the_result_of_a_silent_function_starts_no_answer_and_nobody_waits_for_it() {
    let mut desk = asked(with(|function| function.answer = FunctionAnswer::Silent));
    desk.audio(1, &key("r1", "a1"), 400);
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.play_out();
    desk.ran(1, "noted");
    desk.pass(5_000);
    assert_eq!((desk.results(1), desk.asked()), (vec![("c1", "noted")], 0));
    let mut desk = asked(with(|function| function.answer = FunctionAnswer::Silent));
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    returned(&mut desk, 1, "blocked", Steer::HangUp);
    desk.pass(3_000);
    assert_eq!(desk.ended(), Some(&Ended::AgentHungUp), "it may end the call all the same");
}

#[test]
fn a_function_may_take_longer_than_a_caller_waits_for_an_answer() {
    let mut desk = asked(with(|function| function.wait = Some(Duration::from_secs(90))));
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(89_000);
    assert_eq!((desk.ended(), desk.dialled().len(), desk.asked()), (None, 0, 0));
    desk.pass(1_000);
    assert!(desk.results(1)[0].1.contains("90000 ms"), "{:?}", desk.results(1));
}

#[test]
fn when_the_caller_hangs_up_what_only_looks_is_given_up_and_what_changes_something_goes_on() {
    let mut setup = with_tools();
    setup.tools[0].effect = FunctionEffect::Read;
    for (reason, given_up) in [(Some("callended".to_owned()), vec![1]), (None, vec![])] {
        let mut desk = asked(setup.clone());
        desk.calls(1, "r1", "c1", "look_up");
        desk.calls(1, "r1", "c2", "book");
        desk.response_done(1, "r1", ResponseStatus::Completed);
        desk.caller(reason.clone().map_or(CallerEvent::Gone, |reason| CallerEvent::Stopped(Some(reason))));
        desk.wait(5_000);
        let cancelled =
            desk.said.iter().filter_map(|output| if let Output::Cancel { id } = output { Some(id.0) } else { None });
        assert_eq!(cancelled.collect::<Vec<_>>(), given_up, "{reason:?}: a line that broke may come back");
    }
}
