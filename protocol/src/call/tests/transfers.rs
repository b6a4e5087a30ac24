//! Handing a caller on to one of the client's destinations.

use super::tools::{asked, with_tools};
use super::*;
use crate::call::destinations::{Destination, Open};
use crate::call::end::Transfer;
use crate::call::functions::{Ran, Returned, Steer};
use crate::realtime::command::Tool;

/// A desk that is always there, a nurse from an hour on, and a number that leads back to an agent.
fn with_people() -> Setup {
    let hour = Duration::from_secs(3_600);
    let nurse = Open::Between(vec![(clock().now + hour, clock().now + 2 * hour)]);
    let destination = |name: &str, when: Option<&str>, open| Destination {
        name: name.to_owned(),
        when: when.map(str::to_owned),
        open,
    };
    let destinations = vec![
        destination("desk", Some("Bills, and whatever else is about money."), Open::Always),
        destination("night_nurse", None, nurse),
        destination("other_line", None, Open::IsAgent),
    ];
    Setup { destinations, ..with_tools() }
}

fn transfer_tool(rig: &Rig) -> Tool {
    let config = rig.sent().into_iter().find_map(|event| match event {
        ClientEvent::SessionUpdate(config) => Some(config.tools.clone()),
        _ => None,
    });
    config.unwrap().into_iter().find(|tool| tool.name == "transfer_call").unwrap()
}

fn to(name: &str) -> String {
    format!(r#"{{"to":"{name}","reason":"a bill","summary":"Asha asks about bill 12."}}"#)
}

fn handed_on(to: &str) -> Ended {
    let (reason, summary) = ("a bill".to_owned(), Some("Asha asks about bill 12.".to_owned()));
    Ended::Transferred(Transfer { reason, to: Some(to.to_owned()), summary })
}

#[test]
fn the_model_is_told_who_is_there_and_who_is_not_as_it_is_when_its_session_begins() {
    let mut rig = Rig::about(Policy::default(), with_people());
    rig.ready(1);
    let tool = transfer_tool(&rig);
    assert!(tool.description.contains("\ndesk: Bills, and whatever else"), "{}", tool.description);
    assert!(tool.description.contains("Nobody is there now: night_nurse, other_line."), "{}", tool.description);
    let schema: serde_json::Value = serde_json::from_str(&tool.parameters).unwrap();
    assert_eq!(schema["properties"]["to"]["enum"], serde_json::json!(["desk"]));
    assert_eq!(schema["required"], serde_json::json!(["to", "reason", "summary"]));
    // At another time.
    let mut setup = with_people();
    setup.destinations[1].open = Open::Between(vec![(clock().now, clock().now + Duration::from_secs(60))]);
    let mut rig = Rig::about(Policy::default(), setup);
    rig.ready(1);
    assert!(transfer_tool(&rig).parameters.contains(r#"["desk","night_nurse"]"#));
    // Without destinations it is as it was.
    let mut rig = Rig::about(Policy::default(), with_tools());
    rig.ready(1);
    assert!(!transfer_tool(&rig).parameters.contains("summary"));
}

#[test]
fn a_caller_is_handed_on_once_the_goodbye_was_heard_and_not_before() {
    let mut rig = asked(with_people());
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.calls_with(1, "r1", "c1", "transfer_call", &to("desk"));
    rig.calls_with(1, "r1", "c1", "transfer_call", &to("desk"));
    rig.calls_with(1, "r1", "c2", "end_call", "{}");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert!(rig.results(1).iter().all(|(id, output)| *id == "c2" && output.contains("ending already")));
    rig.pass(500);
    assert_eq!((rig.ended(), rig.asked()), (None, 0), "the goodbye is heard first");
    rig.play_out();
    rig.pass(2_000);
    assert_eq!(rig.ended(), Some(&handed_on("desk")));
}

#[test]
fn a_transfer_to_nobody_is_refused_in_words_and_the_agent_goes_on() {
    for (arguments, said) in [
        (to("night_nurse"), "night_nurse is closed at this time; open now: desk"),
        (to("other_line"), "other_line leads back to an agent"),
        (to("sales"), "there is no destination `sales`; open now: desk"),
        (r#"{"reason":"x"}"#.to_owned(), "there is no destination ``"),
        ("[]".to_owned(), "there is no destination"),
    ] {
        let mut rig = asked(with_people());
        rig.calls_with(1, "r1", "c1", "transfer_call", &arguments);
        rig.response_done(1, "r1", ResponseStatus::Completed);
        let results = rig.results(1);
        assert!(results.len() == 1 && results[0].1.contains(said), "{arguments}: {results:?}");
        assert_eq!((rig.ended(), rig.asked()), (None, 1));
    }
    let mut setup = with_people();
    setup.destinations.remove(0);
    let mut rig = asked(setup);
    rig.calls_with(1, "r1", "c1", "transfer_call", &to("night_nurse"));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert!(rig.results(1)[0].1.contains("nobody is there at this time"), "{:?}", rig.results(1));
}

#[test]
fn what_a_model_says_of_a_transfer_is_kept_within_bounds() {
    let mut rig = asked(with_people());
    let (reason, summary) = ("र".repeat(5_000), "s".repeat(50_000));
    let arguments = serde_json::json!({ "to": "desk", "reason": reason, "summary": summary }).to_string();
    rig.calls_with(1, "r1", "c1", "transfer_call", &arguments);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(3_000);
    let Some(Ended::Transferred(transfer)) = rig.ended() else { panic!("{:?}", rig.ended()) };
    assert!(transfer.reason.len() <= 1_030 && transfer.summary.as_ref().unwrap().len() <= 4_100);
}

#[test]
fn a_caller_who_speaks_into_the_goodbye_of_a_transfer_is_answered_and_may_be_handed_on_later() {
    let mut rig = asked(with_people());
    rig.audio(1, &key("r1", "a1"), 2_000);
    rig.calls_with(1, "r1", "c1", "transfer_call", &to("desk"));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(500);
    rig.caller_turn(1, "u2");
    assert!(rig.results(1).iter().any(|(id, output)| *id == "c1" && output.contains("not ended")));
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 500);
    rig.calls_with(1, "r2", "c2", "transfer_call", &to("desk"));
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(2_000);
    assert_eq!(rig.ended(), Some(&handed_on("desk")));
}

#[test]
fn a_function_of_the_clients_hands_on_to_who_is_there_and_of_another_the_model_hears_why_not() {
    let steered = |to: &str| {
        let mut rig = asked(with_people());
        rig.calls(1, "r1", "c1", "look_up");
        rig.response_done(1, "r1", ResponseStatus::Completed);
        let steer = Some(Steer::Transfer(to.to_owned()));
        let ran = Ran::Function(Returned { output: "no slot".to_owned(), steer });
        rig.input(Input::Ran { id: EffectId(1), result: Ok(ran) });
        rig.response_created(1, "r2");
        rig.audio(1, &key("r2", "a2"), 500);
        rig.response_done(1, "r2", ResponseStatus::Completed);
        rig.play_out();
        rig.pass(3_000);
        rig
    };
    let rig = steered("desk");
    assert!(matches!(rig.ended(), Some(Ended::Transferred(to)) if to.to.as_deref() == Some("desk")));
    for (name, said) in [("night_nurse", "closed at this time"), ("sales", "no destination `sales`")] {
        let rig = steered(name);
        let (_, output) = rig.results(1)[0];
        assert!(output.starts_with("no slot\n") && output.contains("is not: ") && output.contains(said), "{output}");
        assert_eq!(rig.ended(), None);
    }
}

#[test]
fn on_a_line_that_is_closed_nobody_is_handed_on_by_the_model() {
    let mut rig = Rig::about(
        Policy::default(),
        Setup { greeted_by: GreetedBy::Model, ..with_people() }.closed("Closed.".to_owned()),
    );
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 500);
    rig.calls_with(1, "r1", "c1", "transfer_call", &to("desk"));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(2_000);
    assert_eq!(rig.ended(), Some(&Ended::Closed));
}
