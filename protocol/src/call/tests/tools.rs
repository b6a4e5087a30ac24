//! Functions that the model calls: run once, waited for so long, answered once a session.

use super::*;
use crate::call::digits::SecretDigits;
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
pub(super) fn asked(setup: Setup) -> Rig {
    let mut rig = Rig::about(Policy::default(), setup);
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    rig.transcript(1, "u1", "When is my appointment?");
    rig.response_created(1, "r1");
    rig.take();
    rig
}

/// And the model called it.
pub(super) fn running() -> Rig {
    let mut rig = asked(with_tools());
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig
}

impl Rig {
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
    let mut rig = running();
    let (call_id, name, arguments) = ("c1".into(), "look_up".into(), "{}".into());
    let effect = Effect::Function { call_id, name, arguments, digits: SecretDigits::default() };
    assert_eq!(rig.runs(), [(1, &effect)]);
    rig.pass(10_000);
    assert_eq!((rig.asked(), rig.dialled().len()), (0, 0), "the caller waits for it, and so does the answer");
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1), rig.asked()), (vec![("c1", "on Monday")], 1));
    rig.take();
    rig.ran(1, "on Tuesday");
    assert!(rig.sent().is_empty(), "a call has one result");
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("tool_result_late"), 1);
}

#[test]
fn a_function_that_does_not_return_is_given_up_and_what_it_comes_to_later_is_told_in_words_once() {
    let mut rig = running();
    rig.pass(15_000);
    assert_eq!((rig.results(1), rig.asked()), (vec![("c1", r#"{"error":"no result within 15000 ms"}"#)], 1));
    answers(&mut rig, "r2", 400);
    rig.take();
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1), rig.asked()), (vec![MONDAY], 0), "a call has one result");
    rig.ran(1, "on Tuesday");
    assert_eq!(rig.results(1).len(), 1);
    // Another session knows it from the conversation, beside the result that the call had.
    rig.closed(1);
    rig.ready(2);
    assert_eq!((rig.results(2).len(), rig.results(2)[2], rig.asked()), (3, MONDAY, 0));
    rig.caller(CallerEvent::Gone);
    assert_eq!((rig.counted("tool_timed_out"), rig.counted("tool_result_late")), (1, 2));
}

#[test]
fn what_went_wrong_with_a_function_is_told_as_its_result_and_a_long_one_is_cut() {
    let mut rig = running();
    rig.input(Input::Ran { id: EffectId(1), result: Err("HTTP \"500\"".to_owned()) });
    assert_eq!(rig.results(1), [("c1", r#"{"error":"HTTP \"500\""}"#)]);
    let mut rig = running();
    rig.ran(1, &"नमस्ते ".repeat(2_000));
    let length = rig.results(1)[0].1.len();
    assert!((8_000..8_300).contains(&length) && rig.results(1)[0].1.ends_with("[cut]"), "{length}");
}

#[test]
fn functions_of_one_response_are_answered_together_when_all_have_returned_and_it_is_over() {
    let mut rig = asked(with_tools());
    rig.calls(1, "r1", "c1", "look_up");
    rig.ran(1, "one");
    rig.calls(1, "r1", "c2", "book");
    rig.calls(1, "r1", "c3", "no_such_function");
    assert_eq!((rig.results(1).len(), rig.asked()), (2, 0), "the response is not over");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(rig.asked(), 0, "one of them runs");
    rig.ran(2, "two");
    assert_eq!((rig.results(1).len(), rig.asked()), (3, 1));
    assert!(rig.results(1)[1].1.contains("not available"), "{:?}", rig.results(1));
}

#[test]
fn a_function_is_called_with_an_object_and_so_many_run_at_once() {
    let mut rig = asked(with_tools());
    for arguments in ["[]", "{", "12"] {
        let (response, item) = (ResponseId::new("r1"), ItemId::new("f"));
        let (call_id, name, arguments) = (arguments.to_owned(), "look_up".to_owned(), arguments.to_owned());
        let call = FunctionCall { response, item, call_id, name, arguments, complete: true };
        rig.server(1, ServerEvent::FunctionCall(call));
    }
    assert!(rig.runs().is_empty() && rig.results(1).iter().all(|(_, output)| output.contains("JSON object")));
    for n in 0..12 {
        rig.calls_with(1, "r1", &format!("c{n}"), "look_up", &format!(r#"{{"n":{n}}}"#));
    }
    assert_eq!((rig.runs().len(), rig.results(1).len()), (8, 7));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(15_000);
    assert_eq!((rig.results(1).len(), rig.asked()), (15, 1), "each has its result");
}

#[test]
fn a_caller_who_speaks_meanwhile_is_not_answered_over() {
    let mut rig = running();
    rig.speech_started(1, "u2");
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(1).len(), rig.asked()), (1, 0), "whoever answers them has read it");
    rig.speech_stopped(1, "u2");
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!(rig.asked(), 0);
}

#[test]
fn what_runs_when_its_session_is_lost_is_told_to_the_next_in_words_once() {
    let mut rig = running();
    rig.closed(1);
    rig.ready(2);
    assert_eq!((rig.results(2).len(), rig.asked()), (0, 0), "asked now, the model would call it again");
    rig.ran(1, "on Monday");
    assert_eq!(rig.results(2), [MONDAY], "it knows no such call");
    assert_eq!((rig.runs().len(), rig.asked()), (1, 1));
    rig.take();
    rig.closed(2);
    rig.pass(500);
    rig.ready(3);
    assert_eq!(rig.results(3), [("c1", "called"), ("c1", "on Monday")], "in the replay");
    assert_eq!(rig.asked(), 1);
}

#[test]
fn what_returns_while_there_is_no_session_is_told_to_the_next_and_answered() {
    let mut rig = running();
    rig.closed(1);
    rig.ran(1, "on Monday");
    rig.ready(2);
    assert_eq!((rig.results(2).len(), rig.asked()), (2, 1));
}

#[test]
fn what_returns_while_an_answer_plays_on_is_told_once_and_after_it() {
    let mut rig = asked(with_tools());
    rig.words(1, &key("r1", "a1"), "One moment, let me look that up for you.");
    rig.audio(1, &key("r1", "a1"), 3_000);
    rig.calls(1, "r1", "c1", "look_up");
    rig.closed(1);
    rig.ready(2);
    rig.ran(1, "on Monday");
    assert_eq!(rig.results(2).len(), 0, "what is playing comes first");
    rig.play_out();
    assert_eq!(rig.results(2), [("c1", "called"), ("c1", "on Monday")]);
    assert_eq!(rig.asked(), 1);
}

#[test]
fn a_session_is_not_replaced_while_a_function_runs() {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut rig = Rig::about(policy, with_tools());
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(5_000);
    rig.ready(2);
    rig.pass(2_000);
    assert!(!rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
    rig.ran(1, "on Monday");
    rig.response_created(1, "r2");
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(20);
    assert!(rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)));
    assert_eq!(rig.results(2).len(), 2);
}

#[test]
fn what_runs_is_not_run_again_after_a_fault_of_ours_and_is_waited_for_no_longer() {
    let mut rig = running();
    rig.pass(5_000);
    let mut rig = rig.rebuilt(with_tools());
    rig.ready(2);
    assert_eq!((rig.runs().len(), rig.asked()), (0, 0));
    rig.pass(2_000);
    rig.ran(1, "on Monday");
    assert_eq!((rig.results(2), rig.asked()), (vec![MONDAY], 1));

    let mut rig = running();
    rig.pass(5_000);
    let mut rig = rig.rebuilt(with_tools());
    rig.ready(2);
    rig.pass(9_900);
    assert_eq!(rig.results(2).len(), 0);
    rig.pass(100);
    assert!(rig.results(2)[0].1.contains("no result within"), "{:?}", rig.results(2));
    rig.response_created(2, "r2");
    rig.calls(2, "r2", "c1", "look_up");
    assert_eq!(rig.runs().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2], "the next has a number of its own");
}

#[test]
fn a_model_that_calls_a_function_in_circles_is_told_so_instead() {
    let mut rig = asked(with_tools());
    for n in 0..5 {
        rig.calls(1, "r1", &format!("c{n}"), "look_up");
        rig.ran(n + 1, "on Monday");
    }
    let results = rig.results(1);
    assert_eq!(results.iter().filter(|(_, output)| *output == "on Monday").count(), 3);
    assert!(results[3..].iter().all(|(_, output)| output.contains("same arguments")), "{results:?}");
    // The next question of the caller's, a while later, is another matter.
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.response_created(1, "r2");
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(30_000);
    rig.caller_turn(1, "u2");
    rig.response_created(1, "r3");
    rig.calls(1, "r3", "c9", "look_up");
    assert_eq!(rig.runs().len(), 4);
}

#[test]
fn a_model_that_calls_functions_without_end_is_stopped_and_the_call_goes_on() {
    let mut rig = asked(with_tools());
    for n in 0..30 {
        rig.calls_with(1, "r1", &format!("c{n}"), "look_up", &format!(r#"{{"n":{n}}}"#));
        rig.ran(n + 1, "on Monday");
    }
    assert_eq!(rig.runs().len(), 20);
    assert!(rig.results(1)[20..].iter().all(|(_, output)| output.contains("too many")));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert_eq!(rig.asked(), 1);
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("tool_breaker"), 10);
}

/// What a function of the client's says.
fn returned(rig: &mut Rig, id: u32, output: &str, steer: Steer) {
    let returned = Returned { output: output.to_owned(), steer: Some(steer) };
    rig.input(Input::Ran { id: EffectId(id), result: Ok(returned.into()) });
}

/// The agent's answer to what it returned: so much audio, and that was heard.
fn answers(rig: &mut Rig, response: &str, ms: usize) {
    rig.response_created(1, response);
    rig.audio(1, &key(response, response), ms);
    rig.response_done(1, response, ResponseStatus::Completed);
    rig.play_out();
}

#[test]
fn a_function_that_hangs_up_does_so_once_the_agent_has_spoken_of_its_result() {
    let mut rig = running();
    returned(&mut rig, 1, "you are cancelled", Steer::HangUp);
    assert_eq!((rig.results(1), rig.asked(), rig.ended()), (vec![("c1", "you are cancelled")], 1, None));
    answers(&mut rig, "r2", 800);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_function_that_returns_before_its_response_is_over_ends_the_call_no_sooner_than_its_answer() {
    let mut rig = asked(with_tools());
    rig.calls(1, "r1", "c1", "look_up");
    returned(&mut rig, 1, "bye", Steer::HangUp);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(1_000);
    assert_eq!((rig.asked(), rig.ended()), (1, None));
    answers(&mut rig, "r2", 800);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_caller_who_speaks_into_the_answer_of_a_function_that_hands_them_on_is_answered_and_handed_on() {
    let mut rig = running();
    returned(&mut rig, 1, "a nurse takes this", Steer::Transfer("nurse".to_owned()));
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "r2"), 2_000);
    rig.pass(600);
    rig.caller_turn(1, "u2");
    rig.response_done(1, "r2", ResponseStatus::Cancelled);
    rig.pass(2_000);
    assert_eq!(rig.ended(), None);
    rig.transcript(1, "u2", "Wait, which one?");
    answers(&mut rig, "r3", 800);
    assert!(matches!(rig.ended(), Some(Ended::Transferred(to)) if to.reason.contains("nurse")), "{:?}", rig.ended());
}

fn with(change: impl Fn(&mut Function)) -> Setup {
    let mut setup = with_tools();
    setup.tools.iter_mut().for_each(change);
    setup
}

#[test]
fn the_result_of_a_silent_function_starts_no_answer_and_nobody_waits_for_it() {
    let mut rig = asked(with(|function| function.answer = FunctionAnswer::Silent));
    rig.audio(1, &key("r1", "a1"), 400);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    rig.ran(1, "noted");
    rig.pass(5_000);
    assert_eq!((rig.results(1), rig.asked()), (vec![("c1", "noted")], 0));
    let mut rig = asked(with(|function| function.answer = FunctionAnswer::Silent));
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    returned(&mut rig, 1, "blocked", Steer::HangUp);
    rig.pass(3_000);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp), "it may end the call all the same");
}

#[test]
fn a_function_may_take_longer_than_a_caller_waits_for_an_answer() {
    let mut rig = asked(with(|function| function.wait = Some(Duration::from_secs(90))));
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(89_000);
    assert_eq!((rig.ended(), rig.dialled().len(), rig.asked()), (None, 0, 0));
    rig.pass(1_000);
    assert!(rig.results(1)[0].1.contains("90000 ms"), "{:?}", rig.results(1));
}

#[test]
fn when_the_caller_hangs_up_what_only_looks_is_given_up_and_what_changes_something_goes_on() {
    let mut setup = with_tools();
    setup.tools[0].effect = FunctionEffect::Read;
    for (reason, given_up) in [(Some("callended".to_owned()), vec![1]), (None, vec![])] {
        let mut rig = asked(setup.clone());
        rig.calls(1, "r1", "c1", "look_up");
        rig.calls(1, "r1", "c2", "book");
        rig.response_done(1, "r1", ResponseStatus::Completed);
        rig.caller(reason.clone().map_or(CallerEvent::Gone, |reason| CallerEvent::Stopped(Some(reason))));
        rig.wait(5_000);
        let cancelled =
            rig.said.iter().filter_map(|output| if let Output::Cancel { id } = output { Some(id.0) } else { None });
        assert_eq!(cancelled.collect::<Vec<_>>(), given_up, "{reason:?}: a line that broke may come back");
    }
}
