//! Keys that the caller presses.

use super::*;
use crate::realtime::command::NewItem;

/// The conversation is told these keys.
fn told(keys: &str) -> ClientEvent {
    ClientEvent::CreateItem(NewItem::User(format!("The caller pressed {keys} on the keypad.")))
}

impl Rig {
    fn keys(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.caller(CallerEvent::Dtmf(key)));
    }

    /// Everything the model was told of keys.
    pub(super) fn told_of_keys(&self) -> Vec<&ClientEvent> {
        let of_keys = |event: &&ClientEvent| matches!(event, ClientEvent::CreateItem(item) if format!("{item:?}").contains("keypad"));
        self.sent().into_iter().filter(of_keys).collect()
    }
}

#[test]
fn keys_are_told_as_one_entry_and_answered_once() {
    let mut rig = Rig::live();
    rig.keys("12");
    rig.pass(1_400);
    rig.keys("34");
    rig.pass(1_400);
    assert!(rig.sent().iter().all(|event| matches!(event, ClientEvent::Append(_))), "the next key may come");
    rig.pass(100);
    assert_eq!(rig.told_of_keys(), [&told("1234")]);
    assert_eq!(rig.asked(), 1);
    assert!(rig.facts().contains(&&Fact::KeysEntered { keys: "1234".to_owned() }));
}

#[test]
fn an_entry_ends_with_its_terminator_or_when_it_is_long() {
    let mut rig = Rig::live();
    rig.keys("42#");
    assert_eq!(rig.told_of_keys(), [&told("42")], "at once, and without the key that ended it");
    rig.take();
    rig.keys("#");
    assert_eq!(rig.told_of_keys(), [&told("#")], "which is told when it is all there is");
    rig.take();
    rig.keys(&"9".repeat(40));
    assert_eq!(rig.told_of_keys(), [&told(&"9".repeat(32))]);
    rig.pass(1_500);
    assert_eq!(rig.told_of_keys(), [&told(&"9".repeat(32)), &told(&"9".repeat(8))]);
}

#[test]
fn what_is_no_key_makes_one_entry_that_cannot_be_read() {
    let mut rig = Rig::live();
    rig.keys("1?2??");
    rig.pass(1_500);
    let unreadable = NewItem::User("The caller pressed keys on the keypad that could not be read.".to_owned());
    assert_eq!(rig.told_of_keys(), [&ClientEvent::CreateItem(unreadable)]);
    assert_eq!(rig.asked(), 1);
}

#[test]
fn whoever_answers_by_keys_has_heard_enough_of_the_question() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..8 {
        rig.audio(1, &key("r1", "a1"), 250);
    }
    rig.pass(420);
    let marks = rig.marks();
    rig.echo(&marks[1]);
    rig.take();
    rig.keys("1");
    assert!(!rig.said.contains(&Output::Caller(CallerCommand::Clear)), "more keys may come");
    rig.keys("#");
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Clear)));
    let sent = rig.sent();
    let truncate = ClientEvent::Truncate { item: ItemId::new("a1"), content_index: 0, audio_end_ms: 400 };
    assert_eq!(sent, [&ClientEvent::CancelResponse { response: ResponseId::new("r1") }, &truncate, &told("1")]);
    rig.take();
    rig.audio(1, &key("r1", "a1"), 250);
    rig.pass(200);
    assert_eq!((rig.media_ms(), rig.asked()), (0, 0));
    rig.response_done(1, "r1", ResponseStatus::Cancelled);
    assert_eq!(rig.asked(), 1, "when the server has stopped");
}

#[test]
fn keys_pressed_while_the_caller_speaks_are_read_by_who_answers_them() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.keys("7#");
    assert_eq!((rig.told_of_keys().len(), rig.asked()), (1, 0));
    rig.pass(9_000);
    assert_eq!(rig.dialled().len(), 0, "nobody keeps them waiting");
    rig.speech_stopped(1, "u1");
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!(rig.asked(), 0, "it is not answered twice");
}

#[test]
fn keys_pressed_into_a_goodbye_keep_the_call() {
    let mut rig = Rig::live();
    rig.goodbye(1_000);
    rig.keys("1#");
    rig.pass(5_000);
    assert_eq!(rig.ended(), None);
    assert!(rig.sent().iter().any(|e| matches!(e, ClientEvent::CreateItem(NewItem::FunctionOutput { .. }))));
    assert_eq!(rig.asked(), 1);
}

#[test]
fn keys_pressed_before_a_session_is_ready_are_told_to_it_and_answered() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.start_media();
    rig.keys("12#3");
    rig.ready(1);
    assert_eq!(rig.told_of_keys(), [&told("12")]);
    assert_eq!(rig.asked(), 1);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 200);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.take();
    rig.pass(1_500);
    assert_eq!(rig.told_of_keys(), [&told("3")], "an entry goes on over that");
}

#[test]
fn keys_outlive_the_session_that_was_told_of_them() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.transcript(1, "u1", "My number, please.");
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    rig.keys("555#");
    rig.closed(1);
    rig.keys("7");
    rig.take();
    rig.ready(2);
    let items: Vec<_> = rig.sent().into_iter().filter(|e| matches!(e, ClientEvent::CreateItem(_))).collect();
    assert_eq!(items.last(), Some(&&told("555")), "in the order of the conversation: {items:?}");
    assert_eq!(rig.asked(), 1, "it had no answer");
    rig.take();
    rig.pass(1_500);
    assert_eq!(rig.told_of_keys(), [&told("7")]);
}

#[test]
fn an_entry_that_was_begun_goes_on_after_a_fault_of_ours() {
    let mut rig = Rig::live();
    rig.keys("12");
    let mut rig = rig.rebuilt(setup(GreetedBy::Carrier));
    rig.keys("34");
    rig.ready(2);
    rig.take();
    rig.pass(1_500);
    assert_eq!(rig.told_of_keys(), [&told("1234")]);
    assert_eq!(rig.asked(), 1);
}
