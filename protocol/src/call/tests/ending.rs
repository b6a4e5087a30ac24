//! What becomes of the caller's last words.

use super::*;

/// A call whose caller said something that is not text yet.
fn just_said() -> Rig {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.loud(2_000);
    rig.pass(500);
    rig.speech_stopped(1, "u1");
    rig.take();
    rig
}

fn hang_up(rig: &mut Rig) {
    rig.caller(CallerEvent::Stopped(Some("callended".to_owned())));
}

#[test]
fn the_last_words_of_a_caller_who_hangs_up_are_on_record_although_they_became_text_later() {
    let mut rig = just_said();
    hang_up(&mut rig);
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Close)), "the line is let go at once");
    assert_eq!(rig.ended(), None, "and the model is not");
    rig.wait(700);
    rig.transcript(1, "u1", "Thanks, bye.");
    assert_eq!(rig.ended(), Some(&Ended::CallerHungUp { reason: Some("callended".to_owned()) }));
    let rows = rig.rows();
    assert_eq!((rows.len(), rows[0].text.as_str()), (1, "Thanks, bye."));
    assert!((1_950..=2_050).contains(&rows[0].heard_ms), "their time counts: {rows:?}");
    let (left, ended) = (
        rig.said.iter().position(|o| matches!(o, Output::Record(Fact::Left(_)))),
        rig.said.iter().position(|o| matches!(o, Output::Record(Fact::Ended(_)))),
    );
    let words = rig.said.iter().rposition(|o| matches!(o, Output::Record(Fact::Turn(_))));
    assert!(left < words && words < ended, "the record is whole when its end is told");
}

#[test]
fn last_words_that_never_become_text_are_waited_for_two_seconds_and_leave_a_turn_without_words() {
    let mut rig = just_said();
    hang_up(&mut rig);
    rig.wait(1_950);
    assert_eq!(rig.ended(), None);
    rig.wait(60);
    assert!(rig.ended().is_some());
    let rows = rig.rows();
    assert_eq!((rows.len(), rows[0].text.as_str()), (1, ""));
    assert!(rows[0].heard_ms >= 1_950);
    assert_eq!(rig.call.poll_timeout(), None);
}

#[test]
fn whoever_hangs_up_in_the_middle_of_a_word_has_their_turn_and_its_words_on_record() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.loud(1_500);
    rig.take();
    rig.caller(CallerEvent::Gone);
    assert!(rig.appended_ms() >= 1_000, "the server sees the end of a turn by the silence after it");
    rig.response_created(1, "r1");
    let cancel = ClientEvent::CancelResponse { response: ResponseId::new("r1") };
    assert!(rig.sent().contains(&&cancel), "nobody is there to hear an answer");
    rig.transcript(1, "u1", "Okay thank you");
    assert!(rig.ended().is_some());
    let rows = rig.rows();
    assert_eq!(rows[0].text, "Okay thank you");
    assert!((1_400..=1_550).contains(&rows[0].heard_ms), "{rows:?}");
}

#[test]
fn two_turns_that_are_not_text_yet_are_both_waited_for() {
    let mut rig = just_said();
    rig.speech_started(1, "u2");
    rig.speech_stopped(1, "u2");
    hang_up(&mut rig);
    rig.transcript(1, "u2", "And bye.");
    assert_eq!(rig.ended(), None);
    rig.transcript(1, "u1", "Thanks.");
    assert!(rig.ended().is_some());
    let texts: Vec<String> = rig.rows().into_iter().map(|turn| turn.text).collect();
    assert_eq!(texts, ["Thanks.", "And bye."]);
}

#[test]
fn a_turn_whose_transcript_failed_is_on_record_and_is_not_waited_for() {
    let mut rig = just_said();
    let failed =
        |item: &str| ServerEvent::InputTranscriptFailed { item: ItemId::new(item), error: ServerError::default() };
    rig.server(1, failed("u1"));
    assert_eq!(rig.rows().len(), 1, "at once");
    hang_up(&mut rig);
    assert!(rig.ended().is_some());

    let mut rig = just_said();
    hang_up(&mut rig);
    rig.server(1, failed("u1"));
    assert!(rig.ended().is_some(), "it failed while it was waited for");
}

#[test]
fn whatever_ends_a_call_the_last_words_of_its_caller_are_kept() {
    for why in [Ended::Operator, Ended::CallEnd { status: "completed".to_owned() }] {
        let mut rig = just_said();
        rig.input(Input::Control(super::super::io::Control::HangUp(why.clone())));
        // The carrier's own account of the end follows on its heels.
        let status = "completed".to_owned();
        rig.input(Input::Control(super::super::io::Control::HangUp(Ended::CallEnd { status })));
        assert_eq!(rig.ended(), None);
        rig.transcript(1, "u1", "Hello?");
        assert_eq!((rig.ended(), rig.rows()[0].text.as_str()), (Some(&why), "Hello?"));
    }
    let mut rig = just_said();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 600);
    rig.calls(1, "r1", "c1", "end_call");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    assert_eq!(rig.ended(), None, "the goodbye was heard, the caller's own is not text yet");
    rig.transcript(1, "u1", "Bye.");
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
}

#[test]
fn a_gateway_that_stops_and_a_model_that_fails_wait_for_no_last_words() {
    let mut rig = just_said();
    rig.input(Input::Control(super::super::io::Control::HangUp(Ended::Shutdown)));
    assert_eq!(rig.ended(), Some(&Ended::Shutdown));
    let mut rig = just_said();
    hang_up(&mut rig);
    rig.input(Input::Control(super::super::io::Control::HangUp(Ended::Shutdown)));
    assert!(matches!(rig.ended(), Some(Ended::CallerHungUp { .. })), "the reason that it had");
    let mut rig = just_said();
    hang_up(&mut rig);
    rig.closed(1);
    assert!(rig.ended().is_some());
    let mut rig = just_said();
    rig.error(1, "insufficient_quota");
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { .. })));
    assert_eq!(rig.rows().len(), 1, "the turn is on record");
}

#[test]
fn a_call_without_anything_to_wait_for_ends_at_once() {
    let mut rig = just_said();
    rig.transcript(1, "u1", "Thanks, bye.");
    hang_up(&mut rig);
    assert!(rig.ended().is_some());

    let policy = Policy { transcription_model: None, ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    hang_up(&mut rig);
    assert!(rig.ended().is_some(), "nobody makes text of it");
    assert_eq!(rig.rows().len(), 1);
}

#[test]
fn a_call_that_is_rebuilt_while_it_waits_for_last_words_ends_as_it_was_to() {
    let mut history = History::default();
    history.apply(&media_started(just_said().start));
    history.apply(&Fact::CallerSpoke { item: ItemId::new("u1"), at_ms: 10 });
    history.apply(&Fact::Left(Ended::AgentHungUp));
    let rig = just_said();
    let call =
        Call::resume(rig.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Carrier)), history);
    let rig = Rig::of(call, rig.now);
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
    assert_eq!((rig.dialled().len(), rig.rows().len()), (0, 1));
}

#[test]
fn an_answer_that_a_hang_up_cuts_is_on_record_as_cut() {
    let mut rig = Rig::live();
    let long = key("r1", "a1");
    rig.response_created(1, "r1");
    rig.words(1, &long, "We are open from nine to five on weekdays, and from ten to two on Saturdays.");
    rig.audio(1, &long, 5_000);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(1_000);
    let marks = rig.marks();
    rig.echo(&marks[3]);
    hang_up(&mut rig);
    let rows = rig.rows();
    assert_eq!((rows[0].interrupted, rows[0].heard_ms, rows[0].generated_ms), (true, 800, 5_000));
    assert_eq!(rows[0].text, "We are open");
}
