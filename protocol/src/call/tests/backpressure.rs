//! A carrier that takes less than it is sent: what was not handed to its socket was not heard, and is not lost either.

use proptest::prelude::*;

use super::super::io::Control;
use super::super::recording::AudioSegment;
use super::*;

const WORDS: &str = "We are open from nine to five on weekdays and from ten to two on Saturdays.";

/// A live call whose socket stands still and has room for so many messages. It is recorded.
fn frozen(room: usize) -> Rig {
    let mut rig = Rig::with(Policy { record: true, ..Policy::default() }, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.take();
    (rig.socket.frozen, rig.socket.room) = (true, room);
    rig
}

/// Samples that count up, so that what is missing or out of its place shows.
fn counting(ms: usize) -> Vec<u8> {
    (1..=ms * 8).flat_map(|n| (n as u16).to_le_bytes()).collect()
}

/// Stretches of samples that count up, from and to.
fn stretches(pcm: impl IntoIterator<Item = u8>) -> Vec<(u16, u16)> {
    let bytes: Vec<u8> = pcm.into_iter().collect();
    let mut found: Vec<(u16, u16)> = Vec::new();
    for sample in bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)) {
        match found.last_mut().filter(|(_, to)| *to + 1 == sample) {
            Some((_, to)) => *to = sample,
            None => found.push((sample, sample)),
        }
    }
    found
}

/// The first so many ms, in one piece.
fn the_first(ms: usize) -> Vec<(u16, u16)> {
    stretches(counting(ms))
}

impl Rig {
    /// The model says so much at once.
    fn says_at_once(&mut self, ms: usize) {
        self.response_created(1, "r1");
        self.words(1, &key("r1", "a1"), WORDS);
        self.input(Input::Model(ConnId(1), ModelEvent::Audio { key: key("r1", "a1"), pcm: counting(ms) }));
        self.server(1, ServerEvent::AudioDone(key("r1", "a1")));
        self.response_done(1, "r1", ResponseStatus::Completed);
    }

    /// The socket moves again.
    fn thaw(&mut self) {
        (self.socket.frozen, self.socket.room) = (false, usize::MAX);
        self.drain();
    }

    /// Audio that the socket took, and did not only keep.
    fn handed(&self) -> Vec<(u16, u16)> {
        let taken = self.said.iter().filter_map(|o| match o {
            Output::Caller(CallerCommand::Play { pcm, mark: Some(_) }) => Some(pcm),
            _ => None,
        });
        let handed = taken.clone().count() - self.socket.taken.len();
        stretches(taken.take(handed).flatten().copied())
    }

    fn taped(&self) -> Vec<(u16, u16)> {
        let taped = self.said.iter().filter_map(|o| match o {
            Output::Heard(AudioSegment::Agent { pcm, .. }) => Some(pcm),
            _ => None,
        });
        stretches(taped.flatten().copied())
    }

    fn heard_ms(&self) -> u64 {
        self.call.history().turns().filter(|turn| turn.who == Who::Agent).map(|turn| turn.heard_ms).sum()
    }
}

#[test]
fn a_carrier_that_reads_again_is_played_on_from_where_it_stopped() {
    for room in [0, 1, 2, usize::MAX] {
        let mut rig = frozen(room);
        rig.says_at_once(2_000);
        rig.pass(3_000);
        assert_eq!((rig.handed(), rig.heard_ms()), (Vec::new(), 0), "{room}");
        rig.thaw();
        rig.play_out();
        assert_eq!(rig.handed(), the_first(2_000), "nothing is missing, nothing comes twice: {room}");
        assert_eq!(rig.taped(), rig.handed(), "{room}");
        let row = rig.rows().pop().expect("a turn");
        assert_eq!((row.heard_ms, row.text.as_str(), row.interrupted), (2_000, WORDS, false), "{room}");
    }
}

#[test]
fn a_later_mark_does_not_stand_for_audio_that_was_refused() {
    let mut rig = frozen(0);
    rig.says_at_once(400);
    rig.echo(&MarkId { generation: 0, sequence: 2 });
    assert_eq!(rig.heard_ms(), 0);
    rig.thaw();
    rig.pass(200);
    let marks = rig.marks();
    rig.echo(&MarkId { generation: 0, sequence: 2 });
    assert_eq!(rig.heard_ms(), 0, "the mark of a message that never went out");
    rig.echo(&marks[0]);
    assert_eq!(rig.heard_ms(), 200);
}

#[test]
fn no_clock_takes_what_the_socket_keeps_for_heard() {
    let mut rig = frozen(usize::MAX);
    rig.says_at_once(2_000);
    rig.pass(20_000);
    assert_eq!(rig.heard_ms(), 0);
    rig.caller(CallerEvent::Gone);
    let row = rig.rows().pop().expect("a turn");
    assert_eq!((row.heard_ms, row.text.as_str(), row.interrupted), (0, "", true), "words that nobody heard");
    assert_eq!(rig.taped(), []);
}

#[test]
fn a_socket_that_is_not_read_is_no_witness_that_audio_was_played() {
    let mut rig = Rig::live();
    rig.says_at_once(400);
    assert_eq!(rig.handed(), the_first(400));
    // It was handed to the socket; since then the socket gives no frames either.
    rig.wait(9_000);
    rig.input(Input::Control(Control::HangUp(Ended::Operator)));
    assert_eq!(rig.heard_ms(), 0);
}

#[test]
fn a_short_answer_that_never_went_out_is_not_taken_for_heard_out() {
    for room in [0, 1] {
        let mut rig = frozen(room);
        rig.says_at_once(300);
        rig.pass(1_000);
        rig.caller(CallerEvent::Gone);
        let row = rig.rows().pop().expect("a turn");
        assert_eq!((row.heard_ms, row.interrupted), (0, true), "its mark is not on its way: {room}");
    }
}

#[test]
fn a_socket_that_stands_still_is_given_the_lead_and_no_more() {
    let mut rig = frozen(usize::MAX);
    rig.says_at_once(8_000);
    rig.pass(5_000);
    assert_eq!(rig.media_ms(), 400, "two messages of 200 ms within a lead of 500 ms");
    assert_eq!(rig.call.lead_ms(rig.now), 400);
    rig.thaw();
    assert_eq!(rig.media_ms(), 400, "they play now");
    rig.pass(100);
    assert_eq!(rig.media_ms(), 600);
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("playout_refused"), 0);
}

#[test]
fn a_socket_that_refuses_is_asked_again_by_one_message_at_a_time() {
    let mut rig = frozen(0);
    rig.says_at_once(8_000);
    rig.wait(2_000);
    rig.input(Input::Control(Control::HangUp(Ended::Operator)));
    let refused = rig.counted("playout_refused");
    assert!((15..=22).contains(&refused), "{refused} in two seconds");
}

#[test]
fn a_barge_in_cuts_at_what_was_heard_of_what_was_sent() {
    let mut rig = frozen(usize::MAX);
    rig.thaw();
    rig.says_at_once(2_000);
    (rig.socket.frozen, rig.socket.room) = (true, 1);
    rig.pass(300);
    let marks = rig.marks();
    assert_eq!(
        (marks.len(), rig.handed()),
        (3, the_first(400)),
        "two were sent, one is on its way, the next was refused"
    );
    rig.echo(&marks[0]);
    rig.pass(2_600);
    rig.take();
    rig.speech_started(1, "u1");
    let truncate = ClientEvent::Truncate { item: ItemId::new("a1"), content_index: 0, audio_end_ms: 400 };
    assert_eq!(rig.sent(), [&truncate]);
    assert!(rig.said.contains(&Output::Caller(CallerCommand::Clear)));
    let cut = |f: &&Fact| matches!(f, Fact::Interrupted { heard_ms: 400, unheard_ms: 1600, .. });
    assert!(rig.facts().iter().any(cut), "what was refused costs as what was never heard: {:?}", rig.facts());
    rig.take();
    rig.thaw();
    rig.echo(&marks[2]);
    rig.pass(3_000);
    assert_eq!(
        (rig.media_ms(), rig.heard_ms()),
        (0, 400),
        "what was cut is not sent later, and its mark counts for nothing"
    );
    assert!(!rig.said.iter().any(|output| matches!(output, Output::Heard(AudioSegment::Agent { .. }))));
}

#[test]
fn an_answer_counts_as_given_when_it_is_handed_on() {
    let mut rig = frozen(usize::MAX);
    rig.caller_turn(1, "u1");
    rig.pass(300);
    rig.says_at_once(1_000);
    rig.pass(700);
    assert!(!rig.facts().iter().any(|f| matches!(f, Fact::FirstAudio { .. } | Fact::PlaybackBegan { .. })));
    rig.thaw();
    let waited = |f: &&Fact| matches!(f, Fact::Answered { after_ms: 1_000.., .. });
    assert!(rig.facts().iter().any(waited), "{:?}", rig.facts());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However a socket stalls and refuses: it is given the answer in order, whole in the end, and nothing counts as heard that it was not.
    #[test]
    fn a_socket_that_stalls_at_will_gets_all_of_it_in_order(
        chunk in prop::sample::select(vec![20_u32, 100, 200]),
        stalls in prop::collection::vec((0_usize..4, any::<bool>(), 1_u64..40, any::<bool>()), 1..30),
    ) {
        let policy = Policy { chunk_ms: chunk, record: true, ..Policy::default() };
        let mut rig = Rig::with(policy, GreetedBy::Carrier);
        rig.ready(1);
        rig.start_media();
        rig.take();
        rig.says_at_once(3_000);
        for (room, frozen, frames, marks) in stalls {
            (rig.socket.room, rig.socket.frozen) = (room, frozen);
            rig.drain();
            rig.pass(frames * 20);
            let handed = rig.handed();
            let handed_ms = handed.first().map_or(0, |(_, to)| usize::from(*to) / 8);
            prop_assert_eq!(&handed, &the_first(handed_ms));
            if let (Some(mark), true) = (rig.marks().last(), marks) {
                rig.echo(&mark.clone());
            }
            prop_assert!(rig.heard_ms() <= handed_ms as u64);
            prop_assert_eq!(rig.taped(), handed);
        }
        rig.thaw();
        rig.play_out();
        prop_assert_eq!(rig.handed(), the_first(3_000));
        prop_assert_eq!(rig.heard_ms(), 3_000);
    }
}
