//! Interruptions that are confirmed first: a cough costs the agent nothing, and a turn is a turn.

use proptest::prelude::*;

use super::*;
use crate::call::policy::{Confirmed, Interruptions};

const MIN: u64 = 200;

fn wishes(interruptions: Interruptions) -> Setup {
    let listening =
        Listening { interruptions, languages: vec!["hi".to_owned(), "en".to_owned()], ..Listening::default() };
    Setup { listening, ..with_tools() }
}

fn with_tools() -> Setup {
    super::tools::with_tools()
}

/// An agent that says 6 s, generated whole, of which so many ms were heard.
fn speaking(interruptions: Interruptions, heard_ms: u64) -> Rig {
    let mut rig = asked(wishes(interruptions));
    rig.response_created(1, "r1");
    rig.words(1, &key("r1", "a1"), "one two three four five six seven eight nine ten eleven twelve");
    rig.audio(1, &key("r1", "a1"), 6_000);
    rig.server(1, ServerEvent::AudioDone(key("r1", "a1")));
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.plays_out(heard_ms);
    rig.said.retain(|o| matches!(o, Output::Caller(CallerCommand::Play { .. })));
    rig
}

/// A call whose caller said something and is to be answered: somebody asked for that.
fn asked(setup: Setup) -> Rig {
    let mut rig = Rig::about(Policy::default(), setup);
    rig.ready(1);
    rig.start_media();
    rig.pass(400);
    rig.caller_turn(1, "u0");
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u0") });
    rig.transcript(1, "u0", "When are you open?");
    rig.take();
    rig
}

fn confirmed() -> Interruptions {
    Interruptions::Confirmed(Confirmed::default())
}

/// What was played, by a carrier that echoes each mark when its message ends.
impl Rig {
    pub(super) fn plays_out(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.pass(20);
            self.echo_due();
        }
    }

    /// Echoes what is played by now: all but the messages that are ahead of real time.
    fn echo_due(&mut self) {
        let ahead = self.call.lead_ms(self.now);
        let marks = self.marks();
        let due = marks.len().saturating_sub(usize::try_from(ahead.div_ceil(200)).unwrap());
        if let Some(mark) = marks[..due].last().copied() {
            self.echo(&mark);
        }
    }

    /// A sound of the caller's that the server notices after so long, and that goes on for so long: until it is over by our ears.
    fn sound(&mut self, item: &str, ms: u64, noticed_after: u64) -> u64 {
        let start = self.call.uplink.appended_ms();
        let noticed = noticed_after.min(ms);
        self.loud(noticed);
        self.pass(noticed_after - noticed);
        let audio_start_ms = Some(start.saturating_sub(300));
        assert!(start >= 300, "there is room for the padding");
        self.server(1, ServerEvent::SpeechStarted { item: ItemId::new(item), audio_start_ms });
        self.loud(ms - noticed);
        start
    }

    fn sound_over(&mut self, item: &str, start: u64, ms: u64) {
        self.pass(500);
        self.server(1, ServerEvent::SpeechStopped { item: ItemId::new(item), audio_end_ms: start + ms + 500 });
        self.server(1, ServerEvent::Committed { item: ItemId::new(item) });
    }

    fn cleared(&self) -> bool {
        self.said.iter().any(|o| matches!(o, Output::Caller(CallerCommand::Clear)))
    }

    fn deleted(&self) -> Vec<&str> {
        self.sent()
            .iter()
            .filter_map(|e| if let ClientEvent::DeleteItem { item } = e { Some(item.as_str()) } else { None })
            .collect()
    }

    fn truncated(&self) -> Vec<u64> {
        let truncated = |e: &&ClientEvent| {
            if let ClientEvent::Truncate { audio_end_ms, .. } = e { Some(*audio_end_ms) } else { None }
        };
        self.sent().iter().filter_map(truncated).collect()
    }

    /// Bytes of speech that were sent since that was asked.
    fn spoken_ms(&self) -> usize {
        self.media_ms()
    }

    fn backchannels(&self) -> Vec<Turn> {
        self.rows().into_iter().filter(|turn| turn.backchannel).collect()
    }
}

#[test]
fn a_short_cough_does_not_even_pause_the_agent_and_the_conversation_does_not_know_of_it() {
    let mut rig = speaking(confirmed(), 1_000);
    let start = rig.sound("u1", 160, 200);
    rig.pass(100);
    rig.sound_over("u1", start, 160);
    assert!(!rig.cleared() && rig.asked() == 0 && rig.truncated().is_empty());
    assert_eq!(rig.deleted(), ["u1"]);
    let [cough] = rig.backchannels().try_into().unwrap();
    assert_eq!((cough.who, cough.heard_ms, cough.text.as_str()), (Who::Caller, 160, ""));
    rig.take();
    rig.transcript(1, "u1", "Thank you for watching");
    assert_eq!(rig.asked(), 0, "a late transcript is no turn");
    let [row] = rig.backchannels().try_into().unwrap();
    assert_eq!(row.text, "Thank you for watching", "and is on record");
    rig.play_out();
    assert!(
        rig.facts()
            .iter()
            .any(|fact| matches!(fact, Fact::Heard { generated_ms: 6_000, heard_ms: 6_000, whole: true, .. }))
    );
}

#[test]
fn a_longer_sound_pauses_the_agent_and_what_was_not_heard_goes_out_again_when_it_was_no_word() {
    let mut rig = speaking(confirmed(), 2_000);
    let before = rig.spoken_ms();
    rig.take();
    let start = rig.sound("u1", 240, 200);
    assert!(!rig.cleared());
    rig.loud(60);
    assert!(rig.cleared(), "at 250 ms");
    let paused: usize = rig.spoken_ms();
    rig.loud(100);
    rig.sound_over("u1", start, 400);
    assert_eq!(rig.spoken_ms(), paused, "nothing is played meanwhile");
    assert_eq!((rig.deleted().len(), rig.asked()), (0, 0), "its words decide");
    rig.take();
    rig.transcript(1, "u1", "Haan ji");
    assert_eq!((rig.deleted(), rig.asked()), (vec!["u1"], 0));
    assert!(rig.spoken_ms() >= 400, "it goes on at once: {}", rig.spoken_ms());
    let resumed_at = rig.spoken_ms();
    rig.play_out();
    let heard = rig.facts().iter().rev().find_map(|fact| match fact {
        Fact::Heard { heard_ms, .. } => Some(*heard_ms),
        _ => None,
    });
    assert_eq!(heard, Some(6_000), "not a word of it is lost");
    // Of what was out when it paused, 500 ms ahead at most, everything was said again, and nothing else.
    let again = before + paused + rig.spoken_ms() - 6_000;
    assert!((200..=800).contains(&again), "{again} ms said again, {resumed_at}");
    assert_eq!(rig.backchannels()[0].text, "Haan ji");
}

#[test]
fn words_that_are_no_listeners_or_do_not_come_are_a_turn() {
    for (text, wait) in [(Some("nahi, ruko"), 0), (None, 700)] {
        let mut rig = speaking(confirmed(), 2_000);
        let start = rig.sound("u1", 500, 200);
        rig.sound_over("u1", start, 500);
        rig.take();
        if let Some(text) = text {
            rig.transcript(1, "u1", text);
        }
        assert_eq!(rig.asked(), usize::from(wait == 0));
        rig.pass(wait);
        assert_eq!((rig.asked(), rig.truncated().len(), rig.deleted().len()), (1, 1, 0), "{text:?}");
        assert_eq!(rig.spoken_ms(), 0, "nothing of it goes on");
        let facts = rig.facts();
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Interrupted { unheard_ms, .. } if *unheard_ms > 3_000)));
    }
}

#[test]
fn a_sound_without_a_word_in_it_is_no_turn() {
    let mut rig = speaking(confirmed(), 2_000);
    let start = rig.sound("u1", 500, 200);
    rig.sound_over("u1", start, 500);
    rig.transcript(1, "u1", "");
    assert_eq!((rig.asked(), rig.deleted().len()), (0, 1));
}

#[test]
fn a_long_turn_takes_the_floor_while_the_caller_still_speaks_and_is_answered_when_it_is_an_item() {
    let mut rig = speaking(confirmed(), 2_000);
    let start = rig.sound("u1", 1_180, 200);
    assert!(rig.truncated().is_empty());
    rig.loud(60);
    assert_eq!(rig.truncated().len(), 1, "at 1.2 s");
    assert!(rig.facts().iter().any(|fact| matches!(fact, Fact::CallerSpoke { .. })));
    rig.loud(1_000);
    rig.pass(500);
    assert_eq!(rig.asked(), 0);
    rig.server(1, ServerEvent::SpeechStopped { item: ItemId::new("u1"), audio_end_ms: start + 2_240 + 500 });
    assert_eq!(rig.asked(), 0);
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
    assert_eq!(rig.asked(), 1);
    rig.transcript(1, "u1", "haan ji");
    assert_eq!(rig.deleted().len(), 0, "whatever is said in it");
}

#[test]
fn what_is_still_being_generated_is_cancelled_before_the_caller_is_answered() {
    let mut rig = asked(wishes(confirmed()));
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.plays_out(600);
    let start = rig.sound("u1", 400, 200);
    rig.sound_over("u1", start, 400);
    rig.take();
    rig.transcript(1, "u1", "no");
    assert!(rig.sent().iter().any(|e| matches!(e, ClientEvent::CancelResponse { .. })));
    assert_eq!(rig.asked(), 0, "one at a time");
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.response_done(1, "r1", ResponseStatus::Cancelled);
    assert_eq!((rig.asked(), rig.spoken_ms()), (1, 0));
}

#[test]
fn with_nothing_more_to_say_yes_is_an_answer() {
    let mut rig = speaking(confirmed(), 5_200);
    let start = rig.sound("u1", 500, 100);
    rig.sound_over("u1", start, 500);
    rig.transcript(1, "u1", "haan");
    assert_eq!(rig.asked(), 1, "less than 1 s was left");
    let mut rig = speaking(confirmed(), 5_200);
    let start = rig.sound("u1", 300, 100);
    rig.sound_over("u1", start, 300);
    rig.transcript(1, "u1", "");
    assert_eq!((rig.asked(), rig.backchannels().len()), (0, 1), "a cough is no answer");
    let mut rig = speaking(confirmed(), 1_000);
    rig.play_out();
    rig.pass(400);
    rig.take();
    let start = rig.sound("u1", 240, 200);
    rig.sound_over("u1", start, 240);
    assert_eq!(rig.asked(), 1, "nothing plays");
}

#[test]
fn a_second_sound_joins_the_first() {
    let mut rig = speaking(confirmed(), 2_000);
    let start = rig.sound("u1", 400, 200);
    rig.sound_over("u1", start, 400);
    let again = rig.sound("u2", 300, 200);
    rig.transcript(1, "u1", "haan");
    rig.pass(200);
    assert_eq!((rig.deleted().len(), rig.asked()), (0, 0), "they are still speaking");
    rig.pass(300);
    rig.server(1, ServerEvent::SpeechStopped { item: ItemId::new("u2"), audio_end_ms: again + 300 + 500 });
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u2") });
    rig.transcript(1, "u2", "par suniye");
    assert_eq!((rig.asked(), rig.deleted().len()), (1, 0));
    let rows = rig.rows();
    let words: Vec<&str> =
        rows.iter().filter(|row| row.who == Who::Caller && row.index > 0).map(|row| row.text.as_str()).collect();
    assert_eq!(words, ["haan", "par suniye"]);
}

#[test]
fn a_call_whose_agent_is_not_to_be_interrupted_answers_what_was_said_when_the_agent_is_done() {
    let mut rig = speaking(Interruptions::Never, 1_000);
    let start = rig.sound("u1", 1_500, 200);
    rig.sound_over("u1", start, 1_500);
    rig.transcript(1, "u1", "And on Sundays?");
    assert!(!rig.cleared() && rig.asked() == 0);
    assert_eq!(rig.rows().iter().filter(|row| row.text == "And on Sundays?").count(), 1);
    rig.play_out();
    assert_eq!(rig.asked(), 1);
    assert!(rig.truncated().is_empty());
    // By a server that does not say that it made an item of that.
    let mut rig = speaking(Interruptions::Never, 1_000);
    let start = rig.sound("u1", 1_500, 200);
    rig.pass(500);
    rig.server(1, ServerEvent::SpeechStopped { item: ItemId::new("u1"), audio_end_ms: start + 2_000 });
    rig.play_out();
    rig.pass(600);
    assert_eq!(rig.asked(), 1);
}

#[test]
fn every_turn_of_such_a_call_is_answered_once_by_our_asking() {
    for interruptions in [confirmed(), Interruptions::Never] {
        let mut rig = Rig::about(Policy::default(), wishes(interruptions));
        rig.ready(1);
        rig.start_media();
        let config = rig.sent().into_iter().find_map(|e| match e {
            ClientEvent::SessionUpdate(config) => Some(config.answers_by_itself),
            _ => None,
        });
        assert_eq!(config, Some(false));
        rig.pass(400);
        rig.caller_turn(1, "u1");
        assert_eq!(rig.asked(), 0);
        rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
        assert_eq!(rig.asked(), 1, "one hop");
        rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
        rig.response_created(1, "r1");
        rig.audio(1, &key("r1", "a1"), 400);
        rig.response_done(1, "r1", ResponseStatus::Completed);
        rig.play_out();
        assert_eq!(rig.asked(), 1);
        // A server that does not say that it made an item of the next.
        rig.caller_turn(1, "u2");
        rig.pass(600);
        assert_eq!(rig.asked(), 2);
    }
}

#[test]
fn a_server_that_answers_by_itself_all_the_same_is_heard_once() {
    let mut rig = Rig::about(Policy::default(), wishes(confirmed()));
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "own");
    assert!(rig.sent().iter().any(|e| matches!(e, ClientEvent::CancelResponse { .. })));
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
    rig.response_done(1, "own", ResponseStatus::Cancelled);
    assert_eq!(rig.asked(), 1);
}

#[test]
fn a_goodbye_that_a_cough_pauses_is_heard_out_and_then_the_call_ends() {
    let mut rig = asked(wishes(confirmed()));
    rig.goodbye(4_000);
    rig.plays_out(1_000);
    let start = rig.sound("u1", 400, 200);
    rig.sound_over("u1", start, 400);
    rig.pass(600);
    rig.transcript(1, "u1", "haan");
    assert_eq!(rig.ended(), None);
    for _ in 0..60 {
        rig.plays_out(100);
        if rig.ended().is_some() {
            break;
        }
    }
    assert_eq!(rig.ended(), Some(&Ended::AgentHungUp));
    let heard = rig.rows().into_iter().filter(|row| row.who == Who::Agent).map(|row| (row.heard_ms, row.interrupted));
    assert_eq!(heard.collect::<Vec<_>>(), [(4_000, false)]);
}

#[test]
fn a_caller_who_has_more_to_say_than_goodbye_keeps_the_call() {
    let mut rig = asked(wishes(confirmed()));
    rig.goodbye(3_000);
    rig.plays_out(1_000);
    let start = rig.sound("u1", 500, 200);
    rig.sound_over("u1", start, 500);
    rig.transcript(1, "u1", "ek minute");
    assert_eq!(rig.asked(), 1);
    rig.pass(5_000);
    assert_eq!(rig.ended(), None);
}

#[test]
fn a_session_that_is_lost_during_a_judgement_costs_neither_a_sentence_nor_a_turn() {
    // A cough: what plays plays on, and the next session goes on from there.
    let mut rig = speaking(confirmed(), 1_000);
    rig.sound("u1", 160, 160);
    rig.pass(100);
    rig.take();
    rig.closed(1);
    assert!(!rig.cleared());
    assert_eq!(rig.rows().iter().filter(|row| row.backchannel).count(), 1);
    // A turn: it is answered by the next one.
    let mut rig = speaking(confirmed(), 1_000);
    let start = rig.sound("u1", 600, 200);
    rig.sound_over("u1", start, 600);
    rig.closed(1);
    rig.take();
    rig.ready(2);
    assert_eq!(rig.asked(), 1);
}

#[test]
fn a_fault_of_ours_during_a_judgement_goes_on_with_the_answer_and_the_replay_leaves_coughs_out() {
    let mut rig = speaking(confirmed(), 1_000);
    let start = rig.sound("u1", 160, 160);
    rig.pass(100);
    rig.sound_over("u1", start, 160);
    rig.transcript(1, "u1", "hmm");
    let mut rebuilt = rig.rebuilt(wishes(confirmed()));
    rebuilt.ready(2);
    let told = rebuilt.sent().iter().filter(|e| matches!(e, ClientEvent::CreateItem(_))).count();
    let told_of_it = format!("{:?}", rebuilt.sent()).contains("hmm");
    assert!(!told_of_it && told >= 1, "{told}");
    assert_eq!(rebuilt.asked(), 1, "the rest is owed");
}

#[test]
fn what_a_caller_said_last_before_they_hung_up_is_on_record_as_a_turn() {
    let mut rig = speaking(confirmed(), 1_000);
    rig.sound("u1", 700, 200);
    rig.caller(CallerEvent::Stopped(None));
    rig.transcript(1, "u1", "Thanks, bye");
    let said: Vec<String> =
        rig.rows().into_iter().filter(|row| row.who == Who::Caller && !row.backchannel).map(|row| row.text).collect();
    assert_eq!((said, rig.asked()), (vec!["Thanks, bye".to_owned()], 0));
}

#[test]
fn keys_pressed_during_a_judgement_are_answered_and_a_cough_does_not_bring_the_old_answer_back() {
    let mut rig = speaking(confirmed(), 1_000);
    let start = rig.sound("u1", 300, 200);
    rig.caller(CallerEvent::Dtmf('5'));
    rig.caller(CallerEvent::Dtmf('#'));
    assert_eq!(rig.asked(), 1);
    rig.take();
    rig.sound_over("u1", start, 300);
    rig.transcript(1, "u1", "hmm");
    assert_eq!(rig.spoken_ms(), 0);
}

#[test]
fn audio_that_was_on_its_way_to_the_socket_when_playback_paused_goes_out_again_in_its_order() {
    let mut rig = speaking(confirmed(), 1_000);
    rig.socket.frozen = true;
    let start = rig.sound("u1", 500, 200);
    rig.sound_over("u1", start, 500);
    rig.transcript(1, "u1", "haan");
    rig.socket.frozen = false;
    rig.pass(20);
    rig.play_out();
    let heard = rig
        .facts()
        .iter()
        .rev()
        .find_map(|fact| if let Fact::Heard { heard_ms, .. } = fact { Some(*heard_ms) } else { None });
    assert_eq!(heard, Some(6_000));
}

#[test]
fn a_server_that_does_not_say_that_a_sound_is_over_leaves_nobody_in_silence() {
    let mut rig = speaking(confirmed(), 1_000);
    rig.sound("u1", 400, 200);
    rig.take();
    rig.pass(4_000);
    assert_eq!(rig.asked(), 1, "without words it is a turn");
    let mut rig = speaking(confirmed(), 1_000);
    rig.sound("u1", MIN - 40, 160);
    rig.take();
    rig.pass(4_000);
    assert_eq!((rig.asked(), rig.backchannels().len()), (0, 1), "a cough by our own measure");
}

#[test]
fn a_fixed_sentence_pauses_and_goes_on_as_any_other() {
    let words = super::holding::with_words();
    let mut rig = asked(Setup { listening: wishes(confirmed()).listening, ..words });
    rig.response_created(1, "r1");
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.plays_out(2_100);
    let start = rig.sound("u1", 160, 160);
    rig.pass(100);
    rig.sound_over("u1", start, 160);
    rig.play_out();
    // What the clip is resampled by begins with 2.75 ms of silence.
    let clip = |rig: &Rig| rig.rows().into_iter().find(|row| row.clip).map(|row| row.heard_ms);
    assert_eq!((clip(&rig), rig.asked(), rig.truncated().len()), (Some(1_202), 0, 0));
}

proptest! {
    /// Whatever is coughed into it and whenever, by a carrier whose echoes come late or at once, every word is heard in the end, and the
    /// ledger says so: never more than was sent, nothing twice.
    #[test]
    fn an_answer_that_is_paused_again_and_again_is_heard_to_its_end(
        sounds in proptest::collection::vec((100_u64..1_500, 160_u64..1_000, 100_u64..300, any::<bool>()), 0..6),
        first_ms in 0_u64..3_000,
    ) {
        let mut rig = speaking(confirmed(), first_ms / 20 * 20);
        for (index, (pause, length, noticed, frozen)) in sounds.into_iter().enumerate() {
            let (item, length, noticed) = (format!("u{}", index + 1), length / 20 * 20, noticed / 20 * 20);
            rig.plays_out(pause / 20 * 20);
            if rig.call.playout.remaining(rig.now) < Duration::from_millis(2_500) {
                break;
            }
            rig.socket.frozen = frozen;
            let start = rig.sound(&item, length, noticed);
            rig.socket.frozen = false;
            rig.pass(20);
            rig.sound_over(&item, start, length);
            rig.transcript(1, &item, "haan");
        }
        rig.play_out();
        let heard: Vec<u64> = rig.facts().iter().filter_map(|fact| match fact {
            Fact::Heard { heard_ms, generated_ms, .. } => {
                assert!(heard_ms <= generated_ms);
                Some(*heard_ms)
            }
            _ => None,
        }).collect();
        prop_assert!(heard.is_sorted(), "{:?}", heard);
        prop_assert_eq!(heard.last(), Some(&6_000));
        prop_assert_eq!((rig.truncated().len(), rig.asked()), (0, 0));
    }
}
