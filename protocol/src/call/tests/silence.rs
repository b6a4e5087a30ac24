//! A caller who says nothing any more.

use super::tools::{asked, with_tools};
use super::*;
use crate::call::clips::{Clip, Clips};
use crate::call::destinations::{Destination, Open};
use crate::call::policy::{Silence, Then};
use crate::realtime::command::NewItem;

const THERE: &str = "Are you still there?";
const HELLO: &str = "Hello?";

fn silence(words: &[&str], then: Then) -> Policy {
    let words = words.iter().map(|&words| words.to_owned()).collect();
    Policy { silence: Some(Silence { after: Duration::from_secs(10), words, nudges: 2, then }), ..Policy::default() }
}

/// Both sentences are there, of 1.2 s.
fn with_clips() -> Setup {
    let clip = |words: &str| Clip::new(words, vec![1; 1_200 * 48]).expect("it is short enough");
    Setup { clips: Arc::new(Clips::new([THERE, HELLO].map(clip))), ..with_tools() }
}

/// The caller was greeted by the carrier, asked something and was answered.
fn answered(policy: Policy, setup: Setup) -> Rig {
    let mut rig = Rig::about(policy, setup);
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    says(&mut rig, 1, "r1", "a1");
    rig.play_out();
    rig.take();
    rig
}

/// A whole answer of a second.
fn says(rig: &mut Rig, conn: u32, response: &str, item: &str) {
    rig.response_created(conn, response);
    rig.audio(conn, &key(response, item), 1_000);
    rig.response_done(conn, response, ResponseStatus::Completed);
}

impl Rig {
    fn nudges(&self) -> usize {
        self.facts().iter().filter(|fact| matches!(fact, Fact::Nudged { .. })).count()
    }

    /// What the model was told of the silence.
    fn notes(&self) -> Vec<&str> {
        let notes = self.sent().into_iter().filter_map(|event| match event {
            ClientEvent::CreateItem(NewItem::System(note)) if note.starts_with("Nobody has spoken") => {
                Some(note.as_str())
            }
            _ => None,
        });
        notes.collect()
    }
}

#[test]
fn a_caller_who_falls_silent_hears_each_sentence_and_is_hung_up_on_at_last() {
    let mut rig = answered(silence(&[THERE, HELLO], Then::HangUp), with_clips());
    rig.pass(9_900);
    assert_eq!(rig.nudges(), 0);
    rig.pass(200);
    assert_eq!((rig.nudges(), rig.notes().len(), rig.asked()), (1, 0, 0), "no model is needed for it");
    rig.play_out();
    // The clock starts when it was heard.
    rig.pass(9_800);
    assert_eq!(rig.nudges(), 1);
    rig.pass(300);
    assert_eq!(rig.nudges(), 2);
    rig.play_out();
    let said: Vec<String> = rig.rows().into_iter().map(|turn| turn.text).collect();
    assert_eq!(said, [THERE, HELLO]);
    rig.pass(9_800);
    assert_eq!(rig.ended(), None);
    rig.pass(300);
    assert_eq!(rig.ended(), Some(&Ended::CallerSilent));
    assert_eq!((rig.nudges(), rig.counted("nudged")), (2, 2));
}

#[test]
fn a_caller_who_speaks_up_is_spoken_to_as_if_for_the_first_time() {
    let mut rig = answered(silence(&[THERE, HELLO], Then::HangUp), with_clips());
    for turn in ["u2", "u3", "u4", "u5"] {
        rig.pass(10_100);
        rig.play_out();
        rig.caller_turn(1, turn);
        says(&mut rig, 1, &format!("r-{turn}"), &format!("a-{turn}"));
        rig.play_out();
    }
    assert_eq!((rig.nudges(), rig.ended()), (4, None));
    let said: Vec<String> = rig.rows().into_iter().map(|turn| turn.text).filter(|text| !text.is_empty()).collect();
    assert_eq!(said, [THERE; 4], "the first sentence each time");
    // A key is a sign of life as well.
    rig.pass(10_100);
    rig.play_out();
    rig.pass(10_100);
    rig.play_out();
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_600);
    says(&mut rig, 1, "r9", "a9");
    rig.play_out();
    rig.pass(10_100);
    assert_eq!((rig.nudges(), rig.ended()), (7, None));
}

#[test]
fn a_silent_caller_is_handed_on_where_the_file_says_so() {
    let mut rig = answered(silence(&[THERE], Then::Transfer("desk".to_owned())), with_clips());
    for _ in 0..3 {
        rig.pass(10_100);
        rig.play_out();
    }
    assert!(matches!(rig.ended(), Some(Ended::Transferred(to)) if to.reason.contains("desk")), "{:?}", rig.ended());
}

#[test]
fn a_silent_caller_is_let_go_where_nobody_is_there_by_then() {
    let setup = || {
        let closed = Destination { name: "desk".to_owned(), when: None, open: Open::Between(Vec::new()) };
        Setup { destinations: vec![closed], ..with_clips() }
    };
    let mut rig = answered(silence(&[THERE], Then::Transfer("desk".to_owned())), setup());
    for _ in 0..3 {
        rig.pass(10_100);
        rig.play_out();
    }
    assert_eq!(rig.ended(), Some(&Ended::CallerSilent));
}

#[test]
fn without_a_sentence_at_hand_the_model_says_it_and_may_end_a_conversation_that_is_over() {
    let mut rig = answered(silence(&[THERE], Then::HangUp), with_tools());
    rig.pass(10_100);
    assert_eq!((rig.notes().len(), rig.asked()), (1, 1));
    assert!(rig.notes()[0].ends_with(&format!("Say exactly these words now: {THERE}")));
    // It has not answered yet: that is not the caller's silence.
    rig.pass(6_000);
    assert_eq!(rig.nudges(), 1);
    says(&mut rig, 1, "r2", "a2");
    rig.play_out();
    rig.pass(9_900);
    assert_eq!(rig.nudges(), 1);

    let mut rig = answered(silence(&[], Then::HangUp), with_tools());
    rig.pass(10_100);
    assert!(rig.notes()[0].contains("If the conversation has come to its end, end the call"));
    rig.response_created(1, "r2");
    rig.calls(1, "r2", "c1", "end_call");
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(100);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp), "it had said goodbye, and hangs up at last");
}

#[test]
fn a_silence_that_is_not_the_callers_nudges_nobody() {
    // A function runs.
    let mut rig = asked(with_clips());
    let policy = || silence(&[THERE], Then::HangUp);
    rig.call.cx.policy = Arc::new(policy());
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(14_000);
    assert_eq!(rig.nudges(), 0);
    rig.ran(1, "on Monday");
    // The model owes its answer.
    rig.pass(7_000);
    assert_eq!(rig.nudges(), 0);
    says(&mut rig, 1, "r2", "a2");
    // It still plays.
    rig.pass(900);
    rig.play_out();
    rig.pass(9_000);
    // They type.
    for _ in 0..8 {
        rig.caller(CallerEvent::Dtmf('1'));
        rig.pass(1_000);
    }
    assert_eq!(rig.nudges(), 0);
    rig.pass(1_000);
    says(&mut rig, 1, "r3", "a3");
    rig.play_out();
    // Nobody is there to hear them.
    rig.closed(1);
    rig.pass(9_000);
    assert_eq!((rig.nudges(), rig.ended()), (0, None));
    let conn = rig.dialled().last().copied().expect("another session");
    rig.ready(conn);
    rig.pass(9_900);
    assert_eq!(rig.nudges(), 0);
    rig.pass(200);
    assert_eq!(rig.nudges(), 1, "it is silent by now");
}

#[test]
fn a_caller_who_was_heard_by_our_ears_alone_is_not_called_silent() {
    let mut rig = answered(silence(&[THERE], Then::HangUp), with_clips());
    rig.pass(7_000);
    rig.loud(1_000);
    rig.pass(6_000);
    assert_eq!((rig.nudges(), rig.ended()), (0, None), "the server should have noticed them");
    assert!(rig.dialled().is_empty());
    rig.pass(4_000);
    assert_eq!(rig.dialled(), [2], "another one may");
}

#[test]
fn a_noisy_line_is_a_silent_one() {
    let mut rig = answered(silence(&[THERE], Then::HangUp), with_clips());
    rig.loud(10_100);
    assert_eq!(rig.nudges(), 1);
}

#[test]
fn a_goodbye_is_no_silence() {
    let mut rig = Rig::about(silence(&[THERE], Then::HangUp), with_clips());
    rig.ready(1);
    rig.start_media();
    rig.goodbye(14_000);
    rig.play_out();
    assert_eq!((rig.nudges(), rig.ended()), (0, Some(&Ended::AgentHungUp)));
}

#[test]
fn how_often_a_caller_was_nudged_outlives_a_lost_session_a_roll_and_a_fault_of_ours() {
    let policy = silence(&[THERE, HELLO], Then::HangUp);
    let mut rig = answered(policy.clone(), with_clips());
    rig.pass(10_100);
    rig.play_out();
    rig.closed(1);
    rig.pass(1_000);
    rig.ready(2);
    rig.pass(10_100);
    rig.play_out();
    assert_eq!(rig.nudges(), 2);
    let history = rig.call.history().clone();
    let mut again = Rig::of(Call::resume(rig.now, clock(), Arc::new(policy), Arc::new(with_clips()), history), rig.now);
    again.ready(3);
    again.pass(9_900);
    assert_eq!((again.nudges(), again.ended()), (0, None));
    again.pass(200);
    assert_eq!((again.nudges(), again.ended()), (0, Some(&Ended::CallerSilent)));
}

#[test]
fn a_caller_who_comes_back_in_a_further_stream_is_not_counted_as_silent_before() {
    let policy = silence(&[THERE], Then::HangUp);
    let mut rig = answered(policy.clone(), with_clips());
    for _ in 0..2 {
        rig.pass(10_100);
        rig.play_out();
    }
    rig.caller(CallerEvent::Gone);
    let history = rig.call.history().clone();
    let mut back = Rig::of(Call::resume(rig.now, clock(), Arc::new(policy), Arc::new(with_clips()), history), rig.now);
    back.ready(2);
    back.start_media();
    says(&mut back, 2, "r9", "a9");
    back.play_out();
    back.pass(10_100);
    assert_eq!((back.nudges(), back.ended()), (1, None));
}

#[test]
fn a_nudge_that_the_caller_cuts_off_is_a_conversation_again() {
    let mut rig = answered(silence(&[THERE], Then::HangUp), with_clips());
    rig.pass(10_100);
    rig.pass(300);
    rig.take();
    rig.speech_started(1, "u2");
    assert!(rig.said.iter().any(|output| matches!(output, Output::Caller(CallerCommand::Clear))));
    rig.pass(30_000);
    assert_eq!(rig.nudges(), 0, "they have the floor");
}

#[test]
fn without_the_setting_a_silent_caller_is_waited_for() {
    let mut rig = answered(Policy::default(), with_clips());
    rig.pass(120_000);
    assert_eq!((rig.nudges(), rig.notes().len(), rig.ended()), (0, 0, None));
}
