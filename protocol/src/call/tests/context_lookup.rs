//! The client is asked who calls.

use std::collections::BTreeMap;

use super::*;
use crate::call::functions::{CallContext, Ran};
use crate::realtime::command::{NewItem, SessionConfig};

fn asks(greeted_by: GreetedBy) -> Desk {
    let known = BTreeMap::from([("caller".to_owned(), "+919876543210".to_owned())]);
    let (greeting, instructions) =
        ("Hello {{name|there}}.".to_owned(), "{{caller}} is {{name|nobody we know}}.".to_owned());
    let context = Some(Duration::from_millis(800));
    Desk::about(Policy::default(), Setup { greeting, instructions, known, context, ..setup(greeted_by) })
}

fn asha() -> CallContext {
    CallContext { variables: BTreeMap::from([("name".to_owned(), "Asha".to_owned())]), ..CallContext::default() }
}

fn says(desk: &mut Desk, context: CallContext) {
    desk.input(Input::Ran { id: EffectId(1), result: Ok(Ran::Context(context)) });
}

impl Desk {
    fn configured(&self) -> Vec<&SessionConfig> {
        let config = |event: &&'_ ClientEvent| matches!(event, ClientEvent::SessionUpdate(_));
        let events = self.sent().into_iter().filter(config);
        events
            .filter_map(|event| if let ClientEvent::SessionUpdate(config) = event { Some(&**config) } else { None })
            .collect()
    }

    fn told(&self) -> Vec<&str> {
        let notes = self.sent().into_iter().filter_map(|event| match event {
            ClientEvent::CreateItem(NewItem::System(note)) => Some(note.as_str()),
            _ => None,
        });
        notes.collect()
    }
}

#[test]
fn a_session_is_configured_with_what_the_client_says_of_the_caller() {
    let mut desk = asks(GreetedBy::Model);
    assert_eq!((desk.runs(), desk.dialled()), (vec![(1, &Effect::Context)], vec![1]), "while the model is dialled");
    desk.opened(1);
    assert!(desk.configured().is_empty());
    says(
        &mut desk,
        CallContext { language: Some("hi-IN".to_owned()), instructions: Some("Be kind.".to_owned()), ..asha() },
    );
    assert_eq!(desk.configured()[0].instructions, "+919876543210 is Asha.\n\nBe kind.");
    desk.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    let greeting = desk.sent().into_iter().find_map(|event| match event {
        ClientEvent::CreateResponse { instructions } => instructions.clone(),
        _ => None,
    });
    let greeting = greeting.expect("it greets");
    assert!(greeting.contains("Hello Asha.") && greeting.contains("in hi-IN"), "{greeting}");
}

#[test]
fn an_answer_that_comes_first_waits_for_the_session() {
    let mut desk = asks(GreetedBy::Model);
    says(&mut desk, asha());
    desk.opened(1);
    assert_eq!(desk.configured()[0].instructions, "+919876543210 is Asha.");
}

#[test]
fn a_client_that_takes_too_long_is_not_waited_for_and_what_it_says_later_is_told_as_a_fact() {
    let mut desk = asks(GreetedBy::Model);
    desk.opened(1);
    desk.wait(799);
    assert!(desk.configured().is_empty());
    desk.wait(1);
    assert_eq!(desk.configured()[0].instructions, "+919876543210 is nobody we know.");
    desk.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    desk.take();
    says(&mut desk, asha());
    assert!(desk.configured().is_empty() && desk.told()[0].contains(r#"{"name":"Asha"}"#), "{:?}", desk.told());
    // The next session knows it from the beginning.
    desk.closed(1);
    desk.opened(2);
    assert_eq!(desk.configured()[0].instructions, "+919876543210 is Asha.");
    assert_eq!(desk.runs().len(), 0, "and nobody is asked again");
}

#[test]
fn a_client_that_fails_to_answer_costs_the_call_nothing() {
    let mut desk = asks(GreetedBy::Model);
    desk.opened(1);
    desk.input(Input::Ran { id: EffectId(1), result: Err("HTTP 500".to_owned()) });
    assert_eq!(desk.configured()[0].instructions, "+919876543210 is nobody we know.");
}

#[test]
fn a_call_that_the_client_does_not_want_ends_before_its_first_word() {
    let mut desk = asks(GreetedBy::Model);
    desk.opened(1);
    says(&mut desk, CallContext { refuse: Some("blocked".to_owned()), ..asha() });
    assert_eq!(desk.ended(), Some(&Ended::ContextRefused { reason: "blocked".to_owned() }));
    assert_eq!(desk.media_ms(), 0);
}

#[test]
fn what_the_carrier_greeted_with_stays_as_it_was_said() {
    let mut desk = asks(GreetedBy::Carrier);
    desk.opened(1);
    says(&mut desk, asha());
    desk.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    let said = desk.sent().into_iter().find_map(|event| match event {
        ClientEvent::CreateItem(NewItem::Assistant(words)) => Some(words.clone()),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("Hello there."));
}

#[test]
fn after_a_fault_of_ours_the_client_is_not_asked_again_and_its_answer_counts() {
    let mut desk = asks(GreetedBy::Model);
    let setup = (*desk.call.on_file).clone();
    let mut rebuilt = desk.rebuilt(setup.clone());
    assert!(rebuilt.runs().is_empty());
    rebuilt.opened(2);
    assert_eq!(rebuilt.configured().len(), 1, "nothing is waited for");
    says(&mut rebuilt, asha());
    let mut again = rebuilt.rebuilt(setup);
    again.opened(3);
    assert_eq!(again.configured()[0].instructions, "+919876543210 is Asha.");
    says(&mut desk, asha());
}
