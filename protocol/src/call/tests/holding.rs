//! A caller who waits for a function hears fixed sentences.

use super::tools::{asked, with_tools};
use super::*;
use crate::call::clips::{Clip, Clips};

const MOMENT: &str = "One moment, please.";
const STILL: &str = "I am still looking.";

/// Of 1.2 s.
fn clip(words: &str) -> Clip {
    Clip::new(words, vec![1; 1_200 * 48]).expect("it is short enough")
}

fn with_words() -> Setup {
    let words = [MOMENT, STILL];
    let (hold_words, clips) = (words.map(str::to_owned).to_vec(), Arc::new(Clips::new(words.map(clip))));
    Setup { hold_words, clips, ..with_tools() }
}

fn running() -> Desk {
    let mut desk = asked(with_words());
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk
}

impl Desk {
    /// The sentences that were begun.
    fn clips(&self) -> Vec<&str> {
        let words = self.said.iter().filter_map(|output| match output {
            Output::Record(Fact::ClipBegan { words, .. }) => Some(words.as_str()),
            _ => None,
        });
        words.collect()
    }
}

/// The agent's turns as they are on record: words, and how much of them was heard.
fn heard(desk: &Desk) -> Vec<(String, u64)> {
    let agents = desk.rows().into_iter().filter(|turn| turn.who == Who::Agent);
    agents.map(|turn| (turn.text, turn.heard_ms)).collect()
}

#[test]
fn a_caller_who_waits_for_a_function_hears_a_sentence_soon_and_is_never_left_in_silence_for_long() {
    let mut desk = running();
    desk.pass(1_700);
    assert_eq!(desk.clips(), [""; 0]);
    desk.pass(700);
    assert_eq!(desk.clips(), [MOMENT], "within 2.5 s");
    desk.play_out();
    desk.pass(6_900);
    assert_eq!(desk.clips().len(), 1);
    desk.pass(300);
    assert_eq!(desk.clips(), [MOMENT, STILL], "8 s of silence are too long");
    desk.ran(1, "on Monday");
    desk.pass(20_000);
    assert_eq!((desk.clips().len(), desk.asked()), (2, 1), "then it is the model's turn");
}

#[test]
fn a_sentence_is_on_record_as_heard_and_no_model_is_told_of_it() {
    let mut desk = running();
    desk.pass(2_000);
    desk.play_out();
    let sentences = heard(&desk);
    assert_eq!((sentences.len(), sentences[0].0.as_str(), sentences[0].1 / 10), (1, MOMENT, 120));
    // The session is lost: what the next one is told has no such sentence, and it is still the caller who is to be answered.
    desk.closed(1);
    desk.ready(2);
    let told = format!("{:?}", desk.sent());
    assert!(told.contains("When is my appointment?") && !told.contains(MOMENT), "{told}");
    desk.ran(1, "on Monday");
    assert_eq!(desk.asked(), 1, "once it has returned");
}

#[test]
fn a_caller_who_speaks_cuts_a_sentence_off_and_nothing_is_truncated_for_it() {
    let mut desk = running();
    desk.pass(2_000);
    desk.take();
    desk.pass(400);
    desk.speech_started(1, "u2");
    assert!(desk.said.iter().any(|output| matches!(output, Output::Caller(CallerCommand::Clear))));
    assert!(!desk.sent().iter().any(|event| matches!(event, ClientEvent::Truncate { .. })));
    desk.pass(10_000);
    assert_eq!(desk.clips(), [""; 0], "they have the floor");
}

#[test]
fn nothing_is_said_into_an_answer_of_the_models() {
    let mut desk = asked(with_words());
    desk.audio(1, &key("r1", "i1"), 3_000);
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(2_900);
    assert_eq!(desk.clips(), [""; 0], "it still speaks");
    desk.play_out();
    desk.pass(2_500);
    assert_eq!(desk.clips(), [MOMENT]);
    // Its answer comes in the middle of the sentence, and waits for its end.
    desk.ran(1, "on Monday");
    desk.response_created(1, "r2");
    desk.audio(1, &key("r2", "i2"), 1_000);
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.play_out();
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("responses_overlapped"), 0);
    let of_each: Vec<u64> = heard(&desk).into_iter().map(|(_, ms)| ms / 10).collect();
    assert_eq!(of_each, [300, 120, 100]);
}

#[test]
fn a_caller_whose_answer_is_to_be_asked_for_again_hears_a_sentence_meanwhile() {
    let mut desk = running();
    desk.ran(1, "on Monday");
    desk.response_created(1, "r2");
    let (code, message) = ("rate_limit_exceeded".to_owned(), "Please try again in 7.853s.".to_owned());
    desk.response_done(1, "r2", ResponseStatus::Failed { code, message });
    desk.pass(2_500);
    assert_eq!((desk.clips(), desk.asked()), (vec![MOMENT], 1));
    desk.play_out();
    desk.pass(5_000);
    assert_eq!(desk.asked(), 2);
}

#[test]
fn a_sentence_that_nobody_made_is_counted_and_the_call_goes_on() {
    let mut desk = asked(Setup { hold_words: vec![MOMENT.to_owned()], ..with_tools() });
    desk.calls(1, "r1", "c1", "look_up");
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(10_000);
    assert_eq!(desk.clips(), [""; 0]);
    desk.ran(1, "on Monday");
    assert_eq!(desk.asked(), 1);
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("clip_missing"), 2);
}
