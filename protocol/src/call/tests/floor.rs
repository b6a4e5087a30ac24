//! Whose turn it is: one voice at a time, and what a carrier hears of a silent agent.

use super::*;

#[test]
fn an_answer_is_heard_although_the_server_never_said_that_the_caller_stopped() {
    let mut rig = Rig::live();
    for turn in 0..3 {
        rig.speech_started(1, &format!("u{turn}"));
        rig.loud(1_000);
        rig.pass(700);
        let (response, item) = (format!("r{turn}"), format!("a{turn}"));
        rig.take();
        rig.response_created(1, &response);
        rig.audio(1, &key(&response, &item), 400);
        assert_eq!(rig.media_ms(), 400, "answer {turn}");
        assert!(!rig.sent().iter().any(|e| matches!(e, ClientEvent::CancelResponse { .. })));
        rig.response_done(1, &response, ResponseStatus::Completed);
        rig.play_out();
    }
    let turns: Vec<Turn> = rig.call.history().turns().collect();
    assert!(turns.iter().filter(|t| t.who == Who::Caller).all(|t| (900..=1_100).contains(&t.heard_ms)), "{turns:?}");
}

#[test]
fn on_a_noisy_line_such_an_answer_is_heard_once_the_server_shows_that_it_means_it() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.loud(1_000);
    rig.take();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    assert_eq!(rig.media_ms(), 0, "the caller may be speaking");
    rig.loud(500);
    assert_eq!(rig.media_ms(), 400);

    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.loud(1_000);
    rig.take();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.response_done(1, "r1", ResponseStatus::Cancelled);
    rig.loud(2_000);
    assert_eq!(rig.media_ms(), 0, "it crossed with the caller's words, and the server cancelled it");
    rig.speech_stopped(1, "u1");
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    assert_eq!(rig.media_ms(), 400);
}

#[test]
fn a_response_of_ours_that_crosses_with_the_callers_first_word_is_cancelled_by_its_id() {
    let mut rig = Rig::live();
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_500);
    rig.speech_started(1, "u1");
    rig.take();
    rig.response_created(1, "r1");
    assert_eq!(rig.sent(), [&ClientEvent::CancelResponse { response: ResponseId::new("r1") }]);
    rig.audio(1, &key("r1", "a1"), 400);
    assert_eq!(rig.media_ms(), 0);
    rig.response_done(1, "r1", ResponseStatus::Cancelled);
    rig.pass(700);
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    assert_eq!(rig.media_ms(), 400, "the next is the server's own: its turn was over");
}

#[test]
fn two_responses_at_once_are_heard_one_after_the_other_and_never_mixed() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.response_created(1, "r2");
    for _ in 0..8 {
        rig.input(Input::Model(ConnId(1), ModelEvent::Audio { key: key("r1", "a1"), pcm: vec![1; 4_000] }));
        rig.input(Input::Model(ConnId(1), ModelEvent::Audio { key: key("r2", "a2"), pcm: vec![2; 4_000] }));
    }
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(500);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    let heard: Vec<u8> = rig
        .said
        .iter()
        .filter_map(|o| if let Output::Caller(CallerCommand::Play { pcm, .. }) = o { Some(pcm) } else { None })
        .flat_map(|pcm| pcm.iter().copied().filter(|&sample| sample != 0))
        .collect();
    let changes = heard.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!((changes, heard.len()), (1, 64_000), "first the one, then the other, both whole");
    let rows = rig.rows();
    assert_eq!((rows[0].at_ms, rows[1].at_ms), (0, 2_000));
    rig.caller(CallerEvent::Gone);
    assert_eq!((rig.counted("responses_overlapped"), rig.counted("response_waited")), (0, 1));
}

#[test]
fn a_caller_who_speaks_silences_every_response_there_is() {
    let mut rig = Rig::live();
    rig.response_created(1, "out-of-band");
    rig.audio(1, &key("out-of-band", "a1"), 1_000);
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 1_000);
    rig.take();
    rig.speech_started(1, "u1");
    let cancelled = ClientEvent::CancelResponse { response: ResponseId::new("out-of-band") };
    assert!(rig.sent().contains(&&cancelled), "the server stops only the one it answers with");
    rig.audio(1, &key("out-of-band", "a1"), 1_000);
    rig.audio(1, &key("r2", "a2"), 1_000);
    rig.pass(1_000);
    assert_eq!(rig.media_ms(), 0);
    rig.error(1, "response_cancel_not_active");
    assert_eq!(rig.ended(), None);
}

#[test]
fn a_response_that_stops_coming_does_not_keep_the_next_one_waiting() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 410);
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 600);
    rig.response_done(1, "r2", ResponseStatus::Completed);
    rig.pass(2_500);
    assert_eq!(rig.media_ms(), 1_020, "both were heard, the last of the first padded");
    assert!(rig.sent().contains(&&ClientEvent::CancelResponse { response: ResponseId::new("r1") }));
    rig.take();
    rig.audio(1, &key("r1", "a1"), 400);
    rig.pass(600);
    assert_eq!(rig.media_ms(), 0, "its voice does not come back");
}

#[test]
fn a_model_that_says_too_much_is_told_to_stop_once() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..400 {
        rig.audio(1, &key("r1", "a1"), 1_000);
    }
    assert_eq!(rig.sent().iter().filter(|e| matches!(e, ClientEvent::CancelResponse { .. })).count(), 1);
}

#[test]
fn a_carrier_hears_something_of_a_silent_agent_within_four_seconds_and_then_every_eight() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.start_media();
    let (mut sent_at, mut limit) = (rig.now, 4);
    for _ in 0..90 {
        rig.take();
        rig.pass(100);
        if rig.call.poll_timeout().is_none() {
            break;
        }
        if rig.media_ms() > 0 {
            assert_eq!((rig.media_ms(), rig.marks().len()), (100, 0), "a little silence, which is nobody's");
            (sent_at, limit) = (rig.now, 8);
        }
        assert!(rig.now.duration_since(sent_at) <= Duration::from_secs(limit));
    }
    assert_eq!((limit, rig.call.history().turns().count()), (8, 0), "nothing was said, as far as anybody knows");
}

#[test]
fn silence_in_a_long_pause_is_no_part_of_what_was_heard_or_recorded() {
    let policy = Policy { record: true, ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(60_000);
    assert!((900..=1_100).contains(&rig.media_ms()), "{}", rig.media_ms());
    assert!(!rig.said.iter().any(|o| matches!(o, Output::Heard(super::super::recording::AudioSegment::Agent { .. }))));
    assert!(rig.facts().iter().all(|f| !matches!(f, Fact::FirstAudio { .. })));
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.take();
    rig.audio(1, &key("r1", "a1"), 2_000);
    assert!(rig.call.lead_ms(rig.now) <= 500);
    rig.play_out();
    assert_eq!(rig.call.history().turns().map(|t| t.heard_ms).max(), Some(2_000));
}
