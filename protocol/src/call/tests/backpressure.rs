//! A carrier that takes less than it is sent: what was not handed to its socket was not heard, and is not lost either.

use proptest::prelude::*;

use super::super::io::Control;
use super::super::tape::Taped;
use super::*;

const WORDS: &str = "We are open from nine to five on weekdays and from ten to two on Saturdays.";

/// A live call whose socket stands still and has room for so many messages. It is recorded.
fn frozen(room: usize) -> Desk {
    let mut desk = Desk::with(Policy { record: true, ..Policy::default() }, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.take();
    (desk.socket.frozen, desk.socket.room) = (true, room);
    desk
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

impl Desk {
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
            Output::Tape(Taped::Agent { pcm, .. }) => Some(pcm),
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
        let mut desk = frozen(room);
        desk.says_at_once(2_000);
        desk.pass(3_000);
        assert_eq!((desk.handed(), desk.heard_ms()), (Vec::new(), 0), "{room}");
        desk.thaw();
        desk.play_out();
        assert_eq!(desk.handed(), the_first(2_000), "nothing is missing, nothing comes twice: {room}");
        assert_eq!(desk.taped(), desk.handed(), "{room}");
        let row = desk.rows().pop().expect("a turn");
        assert_eq!((row.heard_ms, row.text.as_str(), row.interrupted), (2_000, WORDS, false), "{room}");
    }
}

#[test]
fn a_later_mark_does_not_stand_for_audio_that_was_refused() {
    let mut desk = frozen(0);
    desk.says_at_once(400);
    desk.echo(&MarkId { generation: 0, sequence: 2 });
    assert_eq!(desk.heard_ms(), 0);
    desk.thaw();
    desk.pass(200);
    let marks = desk.marks();
    desk.echo(&MarkId { generation: 0, sequence: 2 });
    assert_eq!(desk.heard_ms(), 0, "the mark of a message that never went out");
    desk.echo(&marks[0]);
    assert_eq!(desk.heard_ms(), 200);
}

#[test]
fn no_clock_takes_what_the_socket_keeps_for_heard() {
    let mut desk = frozen(usize::MAX);
    desk.says_at_once(2_000);
    desk.pass(20_000);
    assert_eq!(desk.heard_ms(), 0);
    desk.caller(CallerEvent::Gone);
    let row = desk.rows().pop().expect("a turn");
    assert_eq!((row.heard_ms, row.text.as_str(), row.interrupted), (0, "", true), "words that nobody heard");
    assert_eq!(desk.taped(), []);
}

#[test]
fn a_socket_that_is_not_read_is_no_witness_that_audio_was_played() {
    let mut desk = Desk::live();
    desk.says_at_once(400);
    assert_eq!(desk.handed(), the_first(400));
    // It was handed to the socket; since then the socket gives no frames either.
    desk.wait(9_000);
    desk.input(Input::Control(Control::HangUp(Ended::Operator)));
    assert_eq!(desk.heard_ms(), 0);
}

#[test]
fn a_short_answer_that_never_went_out_is_not_taken_for_heard_out() {
    for room in [0, 1] {
        let mut desk = frozen(room);
        desk.says_at_once(300);
        desk.pass(1_000);
        desk.caller(CallerEvent::Gone);
        let row = desk.rows().pop().expect("a turn");
        assert_eq!((row.heard_ms, row.interrupted), (0, true), "its mark is not on its way: {room}");
    }
}

#[test]
fn a_socket_that_stands_still_is_given_the_lead_and_no_more() {
    let mut desk = frozen(usize::MAX);
    desk.says_at_once(8_000);
    desk.pass(5_000);
    assert_eq!(desk.media_ms(), 400, "two messages of 200 ms within a lead of 500 ms");
    assert_eq!(desk.call.lead_ms(desk.now), 400);
    desk.thaw();
    assert_eq!(desk.media_ms(), 400, "they play now");
    desk.pass(100);
    assert_eq!(desk.media_ms(), 600);
    desk.caller(CallerEvent::Gone);
    assert_eq!(desk.counted("playout_refused"), 0);
}

#[test]
fn a_socket_that_refuses_is_asked_again_by_one_message_at_a_time() {
    let mut desk = frozen(0);
    desk.says_at_once(8_000);
    desk.wait(2_000);
    desk.input(Input::Control(Control::HangUp(Ended::Operator)));
    let refused = desk.counted("playout_refused");
    assert!((15..=22).contains(&refused), "{refused} in two seconds");
}

#[test]
fn a_barge_in_cuts_at_what_was_heard_of_what_was_sent() {
    let mut desk = frozen(usize::MAX);
    desk.thaw();
    desk.says_at_once(2_000);
    (desk.socket.frozen, desk.socket.room) = (true, 1);
    desk.pass(300);
    let marks = desk.marks();
    assert_eq!(
        (marks.len(), desk.handed()),
        (3, the_first(400)),
        "two were sent, one is on its way, the next was refused"
    );
    desk.echo(&marks[0]);
    desk.pass(2_600);
    desk.take();
    desk.speech_started(1, "u1");
    let truncate = ClientEvent::Truncate { item: ItemId::new("a1"), content_index: 0, audio_end_ms: 400 };
    assert_eq!(desk.sent(), [&truncate]);
    assert!(desk.said.contains(&Output::Caller(CallerCommand::Clear)));
    let cut = |f: &&Fact| matches!(f, Fact::Interrupted { heard_ms: 400, unheard_ms: 1600, .. });
    assert!(desk.facts().iter().any(cut), "what was refused costs as what was never heard: {:?}", desk.facts());
    desk.take();
    desk.thaw();
    desk.echo(&marks[2]);
    desk.pass(3_000);
    assert_eq!(
        (desk.media_ms(), desk.heard_ms()),
        (0, 400),
        "what was cut is not sent later, and its mark counts for nothing"
    );
    assert!(!desk.said.iter().any(|output| matches!(output, Output::Tape(Taped::Agent { .. }))));
}

#[test]
fn an_answer_counts_as_given_when_it_is_handed_on() {
    let mut desk = frozen(usize::MAX);
    desk.caller_turn(1, "u1");
    desk.pass(300);
    desk.says_at_once(1_000);
    desk.pass(700);
    assert!(!desk.facts().iter().any(|f| matches!(f, Fact::FirstAudio { .. } | Fact::PlaybackBegan { .. })));
    desk.thaw();
    let waited = |f: &&Fact| matches!(f, Fact::Answered { after_ms: 1_000.., .. });
    assert!(desk.facts().iter().any(waited), "{:?}", desk.facts());
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
        let mut desk = Desk::with(policy, GreetedBy::Carrier);
        desk.ready(1);
        desk.start_media();
        desk.take();
        desk.says_at_once(3_000);
        for (room, frozen, frames, marks) in stalls {
            (desk.socket.room, desk.socket.frozen) = (room, frozen);
            desk.drain();
            desk.pass(frames * 20);
            let handed = desk.handed();
            let handed_ms = handed.first().map_or(0, |(_, to)| usize::from(*to) / 8);
            prop_assert_eq!(&handed, &the_first(handed_ms));
            if let (Some(mark), true) = (desk.marks().last(), marks) {
                desk.echo(&mark.clone());
            }
            prop_assert!(desk.heard_ms() <= handed_ms as u64);
            prop_assert_eq!(desk.taped(), handed);
        }
        desk.thaw();
        desk.play_out();
        prop_assert_eq!(desk.handed(), the_first(3_000));
        prop_assert_eq!(desk.heard_ms(), 3_000);
    }
}
