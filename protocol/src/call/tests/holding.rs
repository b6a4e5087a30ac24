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

pub(super) fn with_words() -> Setup {
    let words = [MOMENT, STILL];
    let (hold_words, clips) = (words.map(str::to_owned).to_vec(), Arc::new(Clips::new(words.map(clip))));
    Setup { hold_words, clips, ..with_tools() }
}

fn running() -> Rig {
    let mut rig = asked(with_words());
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig
}

impl Rig {
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
fn heard(rig: &Rig) -> Vec<(String, u64)> {
    let agents = rig.rows().into_iter().filter(|turn| turn.who == Who::Agent);
    agents.map(|turn| (turn.text, turn.heard_ms)).collect()
}

#[test]
fn a_caller_who_waits_for_a_function_hears_a_sentence_soon_and_is_never_left_in_silence_for_long() {
    let mut rig = running();
    rig.pass(1_700);
    assert_eq!(rig.clips(), [""; 0]);
    rig.pass(700);
    assert_eq!(rig.clips(), [MOMENT], "within 2.5 s");
    rig.play_out();
    rig.pass(6_900);
    assert_eq!(rig.clips().len(), 1);
    rig.pass(300);
    assert_eq!(rig.clips(), [MOMENT, STILL], "8 s of silence are too long");
    rig.ran(1, "on Monday");
    rig.pass(20_000);
    assert_eq!((rig.clips().len(), rig.asked()), (2, 1), "then it is the model's turn");
}

#[test]
fn a_sentence_is_on_record_as_heard_and_no_model_is_told_of_it() {
    let mut rig = running();
    rig.pass(2_000);
    rig.play_out();
    let sentences = heard(&rig);
    assert_eq!((sentences.len(), sentences[0].0.as_str(), sentences[0].1 / 10), (1, MOMENT, 120));
    // The session is lost: what the next one is told has no such sentence, and it is still the caller who is to be answered.
    rig.closed(1);
    rig.ready(2);
    let told = format!("{:?}", rig.sent());
    assert!(told.contains("When is my appointment?") && !told.contains(MOMENT), "{told}");
    rig.ran(1, "on Monday");
    assert_eq!(rig.asked(), 1, "once it has returned");
}

#[test]
fn a_sentence_is_on_the_recording_where_it_was_played() {
    let policy = Policy { record: true, ..Policy::default() };
    let mut rig = Rig::about(policy, with_words());
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.take();
    rig.pass(2_400);
    rig.play_out();
    let heard_parts = rig.said.iter().filter_map(|output| match output {
        Output::Heard(crate::call::recording::AudioSegment::Agent { pcm, .. }) => Some(pcm.len() / 16),
        _ => None,
    });
    let ms: usize = heard_parts.sum();
    assert!((1_200..1_400).contains(&ms), "{ms} ms of it");
}

#[test]
fn a_sentence_is_no_part_of_a_conversation_that_goes_on_from_the_record() {
    let mut rig = running();
    rig.pass(2_000);
    rig.play_out();
    let turns: Vec<Turn> = rig.call.history().turns().collect();
    assert!(turns.last().is_some_and(|turn| turn.clip && turn.text == MOMENT), "{turns:?}");
    let stored = crate::call::history::StoredCall { streams: 1, turns, ..Default::default() };
    let told = format!("{:?}", History::stored(stored).replay(20, usize::MAX));
    assert!(told.contains("When is my appointment?") && !told.contains(MOMENT), "{told}");
}

#[test]
fn a_caller_who_speaks_cuts_a_sentence_off_and_nothing_is_truncated_for_it() {
    let mut rig = running();
    rig.pass(2_000);
    rig.take();
    rig.pass(400);
    rig.speech_started(1, "u2");
    assert!(rig.said.iter().any(|output| matches!(output, Output::Caller(CallerCommand::Clear))));
    assert!(!rig.sent().iter().any(|event| matches!(event, ClientEvent::Truncate { .. })));
    rig.pass(10_000);
    assert_eq!(rig.clips(), [""; 0], "they have the floor");
}

#[test]
fn nothing_is_said_into_an_answer_of_the_models() {
    let mut rig = asked(with_words());
    rig.audio(1, &key("r1", "i1"), 3_000);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(2_900);
    assert_eq!(rig.clips(), [""; 0], "it still speaks");
    rig.play_out();
    rig.pass(2_500);
    assert_eq!(rig.clips(), [MOMENT]);
    // Its answer comes in the middle of the sentence, and waits for its end.
    rig.ran(1, "on Monday");
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "i2"), 1_000);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.play_out();
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("responses_overlapped"), 0);
    let of_each: Vec<u64> = heard(&rig).into_iter().map(|(_, ms)| ms / 10).collect();
    assert_eq!(of_each, [300, 120, 100]);
}

#[test]
fn a_caller_whose_answer_is_to_be_asked_for_again_hears_a_sentence_meanwhile() {
    let mut rig = running();
    rig.ran(1, "on Monday");
    rig.response_created(1, "r2");
    let (code, message) = ("rate_limit_exceeded".to_owned(), "Please try again in 7.853s.".to_owned());
    rig.response_done(1, "r2", ResponseStatus::Failed { code, message });
    rig.pass(2_500);
    assert_eq!((rig.clips(), rig.asked()), (vec![MOMENT], 1));
    rig.play_out();
    rig.pass(5_000);
    assert_eq!(rig.asked(), 2);
}

#[test]
fn a_sentence_that_nobody_made_is_counted_and_the_call_goes_on() {
    let mut rig = asked(Setup { hold_words: vec![MOMENT.to_owned()], ..with_tools() });
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(10_000);
    assert_eq!(rig.clips(), [""; 0]);
    rig.ran(1, "on Monday");
    assert_eq!(rig.asked(), 1);
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("clip_missing"), 2);
}
