//! A call that comes when the client's agent does not answer.

use super::*;

const WORDS: &str = "We are closed until Monday.";

fn closed(greeted_by: GreetedBy, words: &str) -> Rig {
    Rig::about(Policy::default(), setup(greeted_by).closed(words.to_owned()))
}

#[test]
fn the_caller_hears_that_nobody_answers_and_the_call_ends_when_it_was_heard() {
    let mut desk = closed(GreetedBy::Model, WORDS);
    desk.ready(1);
    let said = desk.sent().into_iter().find_map(|event| match event {
        ClientEvent::CreateResponse { instructions } => instructions.clone(),
        _ => None,
    });
    assert!(said.is_some_and(|said| said.contains(WORDS) && said.contains("nothing else")));
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 3_000);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    // Said before they are there: it waits for them.
    desk.wait(5_000);
    assert_eq!(desk.ended(), None);
    desk.start_media();
    desk.pass(2_000);
    assert_eq!((desk.ended(), desk.asked()), (None, 1));
    desk.play_out();
    desk.pass(2_000);
    assert_eq!(desk.ended(), Some(&Ended::Closed));
    assert_eq!(desk.media_ms(), 3_000);
}

#[test]
fn what_the_carrier_said_before_is_all_and_no_model_is_dialled_for_it() {
    for mut desk in [closed(GreetedBy::Carrier, WORDS), closed(GreetedBy::Model, " ")] {
        assert!(desk.dialled().is_empty());
        desk.wait(10_000);
        assert_eq!(desk.ended(), None);
        desk.start_media();
        assert_eq!((desk.ended(), desk.media_ms()), (Some(&Ended::Closed), 0));
    }
}

#[test]
fn a_caller_who_speaks_into_it_is_told_once_more_and_the_call_ends() {
    let mut desk = closed(GreetedBy::Model, WORDS);
    desk.ready(1);
    desk.start_media();
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 3_000);
    desk.response_done(1, "r1", ResponseStatus::Completed);
    desk.pass(500);
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r2");
    desk.audio(1, &key("r2", "a2"), 1_000);
    assert_eq!(desk.ended(), None);
    desk.response_done(1, "r2", ResponseStatus::Completed);
    desk.play_out();
    desk.pass(2_000);
    assert_eq!(desk.ended(), Some(&Ended::Closed));
}

#[test]
fn a_model_that_cannot_be_reached_does_not_put_the_caller_through_to_anybody() {
    let mut desk = closed(GreetedBy::Model, WORDS);
    desk.start_media();
    for _ in 0..600 {
        desk.pass(100);
        if let Some(conn) = desk.dialled().last().copied() {
            desk.closed(conn);
        }
        if desk.ended().is_some() {
            break;
        }
    }
    let ended = desk.ended().cloned().unwrap();
    assert_eq!(ended, Ended::Closed);
    assert!(!ended.code().hands_on() && !ended.is_provisional());
}

#[test]
fn after_a_fault_of_ours_it_is_said_if_it_was_not_and_not_again_if_it_was() {
    let mut desk = closed(GreetedBy::Model, WORDS);
    desk.ready(1);
    desk.start_media();
    let about = setup(GreetedBy::Model).closed(WORDS.to_owned());
    let mut rebuilt = desk.rebuilt(about.clone());
    assert_eq!(rebuilt.dialled(), [2]);
    rebuilt.ready(2);
    assert_eq!(rebuilt.asked(), 1);
    rebuilt.response_created(2, "r1");
    rebuilt.audio(2, &key("r1", "a1"), 3_000);
    rebuilt.play_out();
    let again = rebuilt.rebuilt(about);
    assert_eq!((again.ended(), again.dialled().len()), (Some(&Ended::Closed), 0));
}

/// The words are at hand as a clip of two seconds.
fn with_a_clip() -> Setup {
    let clip = crate::call::clips::Clip::new(WORDS, vec![1; 2_000 * 48]).expect("it is short enough");
    let clips = Arc::new(crate::call::clips::Clips::new([clip]));
    Setup { clips, ..setup(GreetedBy::Model) }.closed(WORDS.to_owned())
}

#[test]
fn words_that_are_at_hand_are_played_and_no_model_is_dialled_for_them() {
    let mut desk = Rig::about(Policy::default(), with_a_clip());
    desk.wait(3_000);
    assert_eq!((desk.ended(), desk.dialled().len()), (None, 0));
    desk.start_media();
    // Neither words nor keys hold it up.
    desk.loud(1_000);
    desk.caller(CallerEvent::Dtmf('1'));
    assert_eq!(desk.ended(), None);
    desk.play_out();
    desk.pass(100);
    assert_eq!((desk.ended(), desk.dialled().len()), (Some(&Ended::Closed), 0));
    assert!((2_000..2_200).contains(&desk.media_ms()), "{}", desk.media_ms());
    assert_eq!(desk.rows().last().map(|turn| (turn.text.as_str(), turn.heard_ms / 100)), Some((WORDS, 20)));
}

#[test]
fn words_that_are_played_are_said_again_after_a_fault_of_ours_if_they_were_not_heard_and_else_not() {
    let mut desk = Rig::about(Policy::default(), with_a_clip());
    desk.start_media();
    let mut rebuilt = desk.rebuilt(with_a_clip());
    assert_eq!((rebuilt.ended(), rebuilt.dialled().len()), (None, 0));
    rebuilt.play_out();
    let mut again = rebuilt.rebuilt(with_a_clip());
    again.start_media();
    assert_eq!((again.ended(), again.dialled().len(), again.media_ms()), (Some(&Ended::Closed), 0, 0));
    // A carrier that echoes no mark keeps nobody.
    let mut silent = Rig::about(Policy::default(), with_a_clip());
    silent.start_media();
    silent.pass(6_000);
    assert_eq!(silent.ended(), Some(&Ended::Closed));
}
