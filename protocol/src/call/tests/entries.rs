//! Keys that the model asks for, and those that nobody shall know.

use super::tools::with_tools;
use super::*;
use crate::call::digits::SecretDigits;
use crate::call::history::{StoredCall, StoredStep};
use crate::call::io::Control;
use crate::call::policy::{Confirmed, Interruptions};
use crate::realtime::command::NewItem;

const CARD: &str = "4539578763621486";
const SECRET: &str = r#"{"count":16,"purpose":"card","secret":true}"#;
const OPEN: &str = r#"{"count":4,"purpose":"booking","secret":false}"#;

/// A live call whose model asks for keys with the first thing that it says.
fn asked_for(arguments: &str, setup: Setup) -> Rig {
    let mut rig = Rig::about(Policy { record: true, ..Policy::default() }, setup);
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", arguments);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.take();
    rig
}

fn secret() -> Rig {
    asked_for(SECRET, with_tools())
}

fn always() -> Setup {
    Setup { secret_keys: true, ..with_tools() }
}

impl Rig {
    fn types(&mut self, keys: &str) {
        for key in keys.chars() {
            self.pass(200);
            self.caller(CallerEvent::Dtmf(key));
        }
    }

    /// The result of the call of that name.
    fn result(&self, call: &str) -> Option<&str> {
        self.results(1).into_iter().find(|(name, _)| *name == call).map(|(_, output)| output)
    }

    /// The call uses what it knows, as it runs a function.
    fn pays(&mut self, response: &str) -> (String, SecretDigits) {
        self.response_created(1, response);
        self.calls_with(1, response, &format!("p-{response}"), "book", r#"{"card":"{{digits:1}}"}"#);
        self.response_done(1, response, ResponseStatus::Completed);
        let Some((_, Effect::Function { arguments, digits, .. })) = self.runs().pop() else { panic!("nothing runs") };
        (arguments.clone(), digits.clone())
    }

    /// Whether the audio of the caller that was passed on since is silence, all of it, to the model and to the recording.
    fn heard_of_caller(&self) -> (bool, bool) {
        let is_silent = |pcm: &[u8]| pcm.iter().all(|byte| *byte == 0);
        let mut model =
            self.sent().into_iter().filter_map(|e| if let ClientEvent::Append(pcm) = e { Some(pcm) } else { None });
        let mut tape = self.said.iter().filter_map(|o| match o {
            Output::Heard(crate::call::recording::AudioSegment::Caller { pcm, .. }) => Some(pcm),
            _ => None,
        });
        (model.any(|pcm| !is_silent(pcm)), tape.any(|pcm| !is_silent(pcm)))
    }

    /// Everything that was said, but for what is to be run.
    fn no_digit_in_what_it_said(&self, digits: &str) {
        for output in &self.said {
            let told = format!("{output:?}");
            assert!(!told.contains(digits), "{told}");
        }
        let history = format!("{:?}", self.call.history());
        assert!(!history.contains(digits) && !format!("{:?}", self.call).contains(digits));
    }
}

#[test]
fn a_secret_entry_is_told_by_a_name_and_a_function_gets_the_digits() {
    let mut rig = secret();
    rig.types(CARD);
    assert_eq!(rig.result("c1"), Some(r#"{"digits":"{{digits:1}}","count":16}"#));
    assert_eq!(rig.asked(), 1);
    rig.no_digit_in_what_it_said(&CARD[..6]);
    assert!(rig.facts().contains(&&Fact::KeysCollected { secret: true, asked: true }));
    assert!(!rig.facts().iter().any(|fact| matches!(fact, Fact::Dtmf { .. } | Fact::KeysEntered { .. })));
    let (arguments, digits) = rig.pays("r2");
    assert_eq!(digits.fill(&arguments), Ok(Some(format!(r#"{{"card":"{CARD}"}}"#))));
    assert_eq!(arguments, r#"{"card":"{{digits:1}}"}"#, "as it is on record");
    rig.no_digit_in_what_it_said(&CARD[..6]);
}

#[test]
fn what_may_be_known_is_told_as_it_is_and_the_caller_is_heard_meanwhile() {
    let mut rig = asked_for(OPEN, with_tools());
    rig.types("12");
    rig.loud(100);
    assert_eq!(rig.heard_of_caller(), (true, true));
    rig.types("34");
    assert_eq!((rig.result("c1"), rig.asked()), (Some(r#"{"digits":"1234","count":4}"#), 1));
    assert!(rig.facts().contains(&&Fact::KeysCollected { secret: false, asked: true }));
}

#[test]
fn an_entry_ends_at_its_terminator_and_without_one_by_a_pause_if_nobody_named_its_length() {
    let mut rig = secret();
    rig.types("453957#");
    assert_eq!(rig.result("c1"), Some(r#"{"digits":"{{digits:1}}","count":6}"#));
    let mut rig = asked_for(r##"{"terminator":"*","purpose":"x","secret":true}"##, with_tools());
    rig.types("12#3*");
    assert_eq!(rig.result("c1"), Some(r#"{"digits":"{{digits:1}}","count":4}"#));
    let mut rig = asked_for(r#"{"purpose":"x","secret":true}"#, with_tools());
    rig.types("12");
    rig.pass(4_900);
    assert_eq!(rig.result("c1"), None);
    rig.pass(200);
    assert_eq!(rig.result("c1"), Some(r#"{"digits":"{{digits:1}}","count":2}"#));
    let mut rig = secret();
    rig.types("#");
    assert_eq!(rig.result("c1"), Some(r#"{"error":"the caller ended it without a key before","count":0}"#));
}

#[test]
fn a_caller_who_types_nothing_or_not_enough_is_not_waited_for_and_the_model_is_told_how_many_keys_there_were() {
    let mut rig = secret();
    rig.pass(7_900);
    assert_eq!(rig.result("c1"), None);
    rig.pass(200);
    assert!(rig.result("c1").unwrap().contains("pressed 0 of 16 keys") && rig.asked() == 1);
    let mut rig = secret();
    rig.types(&CARD[..9]);
    rig.pass(4_900);
    assert_eq!(rig.result("c1"), None);
    rig.pass(200);
    assert!(rig.result("c1").unwrap().ends_with(r#""count":9}"#), "{:?}", rig.result("c1"));
    rig.no_digit_in_what_it_said(&CARD[..6]);
    let mut rig = secret();
    for key in CARD[..8].chars() {
        rig.pass(4_900);
        rig.caller(CallerEvent::Dtmf(key));
    }
    rig.pass(1_000);
    rig.caller(CallerEvent::Dtmf('7'));
    assert!(rig.result("c1").unwrap().contains("pressed 8 of 16 keys"), "in all: {:?}", rig.result("c1"));
    rig.caller(CallerEvent::Gone);
    assert_eq!((rig.counted("entry_timed_out"), rig.counted("keys_surplus")), (1, 1));
}

#[test]
fn the_time_for_the_first_key_begins_when_the_question_was_heard() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    for _ in 0..10 {
        rig.audio(1, &key("r1", "a1"), 500);
    }
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(12_000);
    assert_eq!(rig.result("c1"), None);
    rig.pass(3_000);
    assert!(rig.result("c1").unwrap().contains("pressed 0 of 16"));
}

#[test]
fn whatever_is_typed_until_three_seconds_after_the_last_key_belongs_to_the_entry() {
    let mut rig = secret();
    rig.types(CARD);
    rig.types("99#");
    rig.pass(2_800);
    rig.caller(CallerEvent::Dtmf('7'));
    rig.pass(2_980);
    assert_eq!((rig.told_of_keys().len(), rig.asked()), (0, 1));
    rig.pass(60);
    rig.caller(CallerEvent::Dtmf('1'));
    rig.pass(1_500);
    assert_eq!(rig.told_of_keys().len(), 1, "what comes later is said by the caller");
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("keys_surplus"), 4);
}

#[test]
fn the_caller_is_not_heard_while_they_type_in_secret_nor_just_behind_it_and_nobody_takes_that_for_a_fault() {
    let mut rig = secret();
    rig.loud(3_000);
    rig.types(&CARD[..8]);
    rig.loud(600);
    rig.types(&CARD[8..]);
    rig.loud(2_900);
    assert_eq!(rig.heard_of_caller(), (false, false));
    assert!(rig.appended_ms() >= 9_000, "silence is sent, and not nothing");
    rig.loud(200);
    assert_eq!(rig.heard_of_caller(), (true, true));
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
}

#[test]
fn a_voice_just_before_the_question_is_not_waited_for_while_nobody_hears_the_caller() {
    let mut rig = Rig::live();
    rig.loud(600);
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    for key in CARD.chars() {
        rig.pass(2_400);
        rig.caller(CallerEvent::Dtmf(key));
    }
    assert_eq!((rig.dialled().len(), rig.ended(), rig.asked()), (0, None, 1));
}

#[test]
fn who_begins_to_type_has_heard_enough_of_the_question_and_no_hold_words_are_played_to_them() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..8 {
        rig.audio(1, &key("r1", "a1"), 250);
    }
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(400);
    rig.take();
    rig.caller(CallerEvent::Dtmf('4'));
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Clear)));
    assert_eq!(rig.asked(), 0, "more keys are to come");
}

#[test]
fn one_entry_is_open_at_a_time_and_what_cannot_be_asked_for_is_named() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.calls_with(1, "r1", "c2", "collect_digits", OPEN);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    assert!(rig.result("c2").unwrap().contains("one entry at a time"));
    rig.types(CARD);
    assert!(rig.result("c1").unwrap().contains("{{digits:1}}"));
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", r#"{"count":99}"#);
    assert_eq!(rig.result("c1"), Some(r#"{"error":"count must be a whole number from 1 to 32"}"#));
}

#[test]
fn a_code_that_is_asked_for_right_after_the_card_is_not_filled_with_what_belongs_to_the_card() {
    let mut rig = secret();
    rig.types(CARD);
    rig.response_created(1, "r2");
    rig.calls_with(1, "r2", "c2", "collect_digits", r#"{"count":3,"purpose":"code","secret":true}"#);
    rig.types("5");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(400);
    rig.types("#927");
    assert_eq!(rig.result("c2"), Some(r#"{"digits":"{{digits:2}}","count":3}"#));
}

#[test]
fn keys_that_came_before_their_question_are_the_beginning_of_the_entry() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.types("45");
    rig.calls_with(1, "r1", "c1", "collect_digits", r#"{"count":4,"purpose":"x","secret":true}"#);
    rig.types("39");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(5_000);
    assert_eq!(rig.result("c1"), Some(r#"{"digits":"{{digits:1}}","count":4}"#));
    assert!(rig.told_of_keys().is_empty() && rig.call.history().keys().is_empty());
}

#[test]
fn where_every_key_is_secret_what_is_typed_unasked_is_told_by_a_name_too() {
    let mut rig = Rig::about(Policy { record: true, ..Policy::default() }, always());
    rig.ready(1);
    rig.start_media();
    rig.take();
    rig.types("1");
    rig.loud(1_400);
    assert_eq!(rig.heard_of_caller(), (false, false));
    rig.pass(200);
    let told = NewItem::User("The caller pressed {{digits:1}} (1 key) on the keypad.".to_owned());
    assert_eq!(rig.told_of_keys(), [&ClientEvent::CreateItem(told)]);
    assert_eq!(rig.asked(), 1);
    rig.take();
    rig.types("453957#");
    assert!(format!("{:?}", rig.told_of_keys()).contains("{{digits:2}} (6 keys)"));
    rig.no_digit_in_what_it_said("453957");
    let rig = asked_for(OPEN, always());
    assert!(rig.call.uplink.keypad.is_muted(), "whatever the model asks for");
}

#[test]
fn who_types_after_the_time_was_up_types_in_secret_still() {
    let mut rig = secret();
    rig.pass(9_000);
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.take();
    rig.types(CARD);
    rig.pass(5_200);
    let told = format!("{:?}", rig.told_of_keys());
    assert!(told.contains("{{digits:1}} (16 keys)"), "{told}");
    rig.no_digit_in_what_it_said(&CARD[..6]);
    rig.take();
    rig.pass(3_000);
    rig.types("1#");
    assert!(format!("{:?}", rig.told_of_keys()).contains("pressed 1 on"), "the card is there, and this is a choice");
}

#[test]
fn an_entry_outlives_its_session_and_is_told_to_the_next_in_words() {
    let mut rig = secret();
    rig.types(&CARD[..8]);
    rig.closed(1);
    rig.types(&CARD[8..12]);
    rig.ready(2);
    rig.types(&CARD[12..]);
    let told =
        ("in words", r#"Result of collect_digits, which was called earlier: {"digits":"{{digits:1}}","count":16}"#);
    assert_eq!((rig.results(2).last(), rig.asked()), (Some(&told), 1));
    assert_eq!(rig.heard_of_caller(), (false, false));
    rig.no_digit_in_what_it_said(&CARD[..6]);
}

#[test]
fn after_a_fault_of_ours_the_entry_is_lost_and_asked_for_again_and_what_is_still_typed_is_nobodys() {
    let mut rig = secret();
    rig.types(&CARD[..8]);
    let mut rig = rig.rebuilt(with_tools());
    rig.types(&CARD[8..]);
    rig.ready(2);
    let [("c1", "called"), ("c1", told)] = rig.results(2)[..] else { panic!("{:?}", rig.results(2)) };
    assert!(told.contains("lost") && told.contains("again"), "{told}");
    assert_eq!(rig.asked(), 1);
    rig.pass(3_100);
    rig.take();
    // Who goes on typing is still not to be known, and a further entry has a name of its own.
    rig.types("453957#");
    assert!(format!("{:?}", rig.told_of_keys()).contains("{{digits:2}} (6 keys)"), "{:?}", rig.told_of_keys());
    rig.no_digit_in_what_it_said("453957");
}

#[test]
fn an_entry_that_a_broken_line_cut_off_is_asked_for_again_when_the_call_comes_back_here_or_at_another_gateway() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.types(&CARD[..8]);
    rig.caller(CallerEvent::Gone);
    let remembered = rig.call.history().clone();
    let asked = rig.facts().into_iter().find_map(|fact| match fact {
        Fact::ToolCalled(call) => Some(call.clone()),
        _ => None,
    });
    let steps = vec![StoredStep::Tool { call: asked.unwrap(), result: None }];
    let recorded = StoredCall { started: Some(clock().wall), streams: 1, steps, dials: 1, ..StoredCall::default() };
    for history in [remembered, History::stored(recorded)] {
        let now = rig.now + Duration::from_secs(6);
        let call = Call::resume(now, clock(), Arc::new(Policy::default()), Arc::new(with_tools()), history);
        let mut rig = Rig::of(call, now);
        rig.caller(CallerEvent::Started { stream: StreamSid::new("s2"), rate: SampleRate::Hz8000 });
        rig.ready(2);
        let told = rig.results(2).pop().map(|(_, told)| told.to_owned()).unwrap();
        assert!(told.contains("lost") && told.contains("again") && rig.asked() == 1, "{told}");
        // What is typed at once is nobody's; who goes on typing types in secret still.
        rig.types("4#");
        rig.response_created(2, "r2");
        rig.audio(2, &key("r2", "a2"), 400);
        rig.response_done(2, "r2", ResponseStatus::Completed);
        rig.play_out();
        rig.pass(3_100);
        rig.types(&CARD[8..]);
        rig.pass(5_200);
        assert!(format!("{:?}", rig.told_of_keys()).contains("(8 keys)"), "{:?}", rig.told_of_keys());
        rig.no_digit_in_what_it_said(&CARD[8..14]);
    }
}

#[test]
fn tones_do_not_pause_an_agent_who_waits_for_who_interrupts_it_and_the_entry_is_answered_once() {
    let listening = Listening { interruptions: Interruptions::Confirmed(Confirmed::default()), ..Listening::default() };
    let mut rig = Rig::about(Policy { record: true, ..Policy::default() }, Setup { listening, ..with_tools() });
    rig.ready(1);
    rig.start_media();
    rig.pass(400);
    rig.caller_turn(1, "u0");
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u0") });
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.audio(1, &key("r1", "a1"), 3_000);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(1_000);
    rig.take();
    rig.loud(400);
    assert_eq!(rig.heard_of_caller(), (false, false), "a tone comes before its event");
    assert!(!rig.said.contains(&Output::Caller(CallerCommand::Clear)), "nobody speaks");
    rig.types(CARD);
    assert_eq!((rig.result("c1"), rig.asked()), (Some(r#"{"digits":"{{digits:1}}","count":16}"#), 1));
    rig.no_digit_in_what_it_said(&CARD[..6]);
    // What the caller says behind it is a turn like any other, and we ask for its answer.
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.pass(3_100);
    rig.take();
    rig.caller_turn(1, "u1");
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
    assert_eq!(rig.asked(), 1);
}

#[test]
fn what_was_entered_before_a_fault_of_ours_is_not_kept() {
    let mut rig = secret();
    rig.types(CARD);
    let mut rig = rig.rebuilt(with_tools());
    rig.ready(2);
    rig.response_created(2, "r2");
    rig.calls_with(2, "r2", "c2", "book", r#"{"card":"{{digits:1}}"}"#);
    let Some((_, Effect::Function { digits, .. })) = rig.runs().pop() else { panic!("nothing runs") };
    assert!(digits.is_empty());
}

#[test]
fn keys_that_were_typed_unasked_and_in_secret_into_a_fault_of_ours_are_told_as_unreadable() {
    let mut rig = Rig::about(Policy { record: true, ..Policy::default() }, always());
    rig.ready(1);
    rig.start_media();
    rig.types("45");
    let mut rig = rig.rebuilt(always());
    rig.loud(2_000);
    rig.types("39");
    rig.ready(2);
    assert_eq!(rig.heard_of_caller(), (false, false));
    let told = format!("{:?}", rig.told_of_keys());
    assert!(told.contains("could not be read") && rig.told_of_keys().len() == 1 && rig.asked() == 1, "{told}");
}

#[test]
fn a_caller_who_hangs_up_in_the_middle_leaves_nothing_behind() {
    let mut rig = secret();
    rig.types(&CARD[..8]);
    rig.caller(CallerEvent::Stopped(Some("callended".to_owned())));
    rig.wait(60_000);
    assert!(rig.ended().is_some());
    rig.no_digit_in_what_it_said(&CARD[..6]);
    let mut rig = secret();
    rig.types(&CARD[..8]);
    rig.input(Input::Control(Control::HangUp(Ended::Operator)));
    assert!(rig.ended().is_some());
}

#[test]
fn who_says_something_instead_of_typing_is_answered() {
    let mut rig = asked_for(OPEN, with_tools());
    rig.caller_turn(1, "u1");
    assert!(rig.result("c1").unwrap().contains("spoke"));
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!((rig.asked(), rig.dialled().len(), rig.ended()), (0, 0, None), "by the server, and once");
}

#[test]
fn keys_that_cannot_be_read_make_no_entry() {
    let mut rig = asked_for(r#"{"count":3,"purpose":"x","secret":true}"#, with_tools());
    rig.types("1?23");
    assert!(rig.result("c1").unwrap().contains("could not be read"));
}

#[test]
fn a_question_before_the_caller_is_there_waits_for_them() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    rig.response_created(1, "r1");
    rig.calls_with(1, "r1", "c1", "collect_digits", SECRET);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.wait(15_000);
    rig.start_media();
    rig.pass(7_000);
    assert_eq!(rig.result("c1"), None);
    rig.types(CARD);
    assert!(rig.result("c1").unwrap().contains("{{digits:1}}"));
}
