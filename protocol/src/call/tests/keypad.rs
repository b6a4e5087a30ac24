//! Keys that the caller presses.

use super::*;
use crate::realtime::command::NewItem;

/// The conversation is told these keys.
fn told(keys: &str) -> ClientEvent {
    ClientEvent::CreateItem(NewItem::User(format!("The caller pressed {keys} on the keypad.")))
}

impl Desk {
    fn keys(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.caller(CallerEvent::Dtmf(key)));
    }

    /// Everything the model was told of keys.
    fn told_of_keys(&self) -> Vec<&ClientEvent> {
        let of_keys = |event: &&ClientEvent| format!("{event:?}").contains("keypad");
        self.sent().into_iter().filter(of_keys).collect()
    }
}

#[test]
fn keys_are_told_as_one_entry_and_answered_once() {
    let mut desk = Desk::live();
    desk.keys("12");
    desk.pass(1_400);
    desk.keys("34");
    desk.pass(1_400);
    assert!(desk.sent().iter().all(|event| matches!(event, ClientEvent::Append(_))), "the next key may come");
    desk.pass(100);
    assert_eq!(desk.told_of_keys(), [&told("1234")]);
    assert_eq!(desk.asked(), 1);
    assert!(desk.facts().contains(&&Fact::KeysEntered { keys: "1234".to_owned() }));
}

#[test]
fn an_entry_ends_with_its_terminator_or_when_it_is_long() {
    let mut desk = Desk::live();
    desk.keys("42#");
    assert_eq!(desk.told_of_keys(), [&told("42")], "at once, and without the key that ended it");
    desk.take();
    desk.keys("#");
    assert_eq!(desk.told_of_keys(), [&told("#")], "which is told when it is all there is");
    desk.take();
    desk.keys(&"9".repeat(40));
    assert_eq!(desk.told_of_keys(), [&told(&"9".repeat(32))]);
    desk.pass(1_500);
    assert_eq!(desk.told_of_keys(), [&told(&"9".repeat(32)), &told(&"9".repeat(8))]);
}

#[test]
fn what_is_no_key_makes_one_entry_that_cannot_be_read() {
    let mut desk = Desk::live();
    desk.keys("1?2??");
    desk.pass(1_500);
    let unreadable = NewItem::User("The caller pressed keys on the keypad that could not be read.".to_owned());
    assert_eq!(desk.told_of_keys(), [&ClientEvent::CreateItem(unreadable)]);
    assert_eq!(desk.asked(), 1);
}

#[test]
fn whoever_answers_by_keys_has_heard_enough_of_the_question() {
    let mut desk = Desk::live();
    desk.response_created(1, "r1");
    for _ in 0..8 {
        desk.audio(1, &key("r1", "a1"), 250);
    }
    desk.pass(420);
    let marks = desk.marks();
    desk.echo(&marks[1]);
    desk.take();
    desk.keys("1");
    assert!(!desk.said.contains(&Output::Caller(CallerCommand::Clear)), "more keys may come");
    desk.keys("#");
    assert!(desk.said.contains(&Output::Caller(CallerCommand::Clear)));
    let sent = desk.sent();
    let truncate = ClientEvent::Truncate { item: ItemId::new("a1"), content_index: 0, audio_end_ms: 400 };
    assert_eq!(sent, [&ClientEvent::CancelResponse { response: ResponseId::new("r1") }, &truncate, &told("1")]);
    desk.take();
    desk.audio(1, &key("r1", "a1"), 250);
    desk.pass(200);
    assert_eq!((desk.media_ms(), desk.asked()), (0, 0));
    desk.response_done(1, "r1", ResponseStatus::Cancelled);
    assert_eq!(desk.asked(), 1, "when the server has stopped");
}

#[test]
fn keys_pressed_while_the_caller_speaks_are_read_by_who_answers_them() {
    let mut desk = Desk::live();
    desk.speech_started(1, "u1");
    desk.keys("7#");
    assert_eq!((desk.told_of_keys().len(), desk.asked()), (1, 0));
    desk.pass(9_000);
    assert_eq!(desk.dialled().len(), 0, "nobody keeps them waiting");
    desk.speech_stopped(1, "u1");
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 400);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.play_out();
    assert_eq!(desk.asked(), 0, "it is not answered twice");
}

#[test]
fn keys_pressed_into_a_goodbye_keep_the_call() {
    let mut desk = Desk::live();
    desk.goodbye(1_000);
    desk.keys("1#");
    desk.pass(5_000);
    assert_eq!(desk.ended(), None);
    assert!(desk.sent().iter().any(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. }))));
    assert_eq!(desk.asked(), 1);
}

#[test]
fn keys_pressed_before_a_session_is_ready_are_told_to_it_and_answered() {
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.start_media();
    desk.keys("12#3");
    desk.ready(1);
    assert_eq!(desk.told_of_keys(), [&told("12")]);
    assert_eq!(desk.asked(), 1);
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 200);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.take();
    desk.pass(1_500);
    assert_eq!(desk.told_of_keys(), [&told("3")], "an entry goes on over that");
}

#[test]
fn keys_outlive_the_session_that_was_told_of_them() {
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.transcript(1, "u1", "My number, please.");
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 400);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.play_out();
    desk.keys("555#");
    desk.closed(1);
    desk.keys("7");
    desk.take();
    desk.ready(2);
    let items: Vec<_> = desk.sent().into_iter().filter(|e| matches!(e, ClientEvent::CreateItem(_))).collect();
    assert_eq!(items.last(), Some(&&told("555")), "in the order of the conversation: {items:?}");
    assert_eq!(desk.asked(), 1, "it had no answer");
    desk.take();
    desk.pass(1_500);
    assert_eq!(desk.told_of_keys(), [&told("7")]);
}

#[test]
fn an_entry_that_was_begun_goes_on_after_a_fault_of_ours() {
    let mut desk = Desk::live();
    desk.keys("12");
    let mut desk = desk.rebuilt(setup(GreetedBy::Carrier));
    desk.keys("34");
    desk.ready(2);
    desk.take();
    desk.pass(1_500);
    assert_eq!(desk.told_of_keys(), [&told("1234")]);
    assert_eq!(desk.asked(), 1);
}
