//! The recording: where what each side heard lands, and what is not on it.

use proptest::prelude::*;

use super::super::recording::AudioSegment;
use super::*;

/// Samples in a ms.
const MS: u64 = 8;

/// A live call that is recorded.
fn recorded() -> Rig {
    let mut rig = Rig::with(Policy { record: true, ..Policy::default() }, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.take();
    rig
}

/// The tape as the one who keeps it would have it.
#[derive(Debug, Default, PartialEq)]
struct Tracks {
    caller: Vec<i16>,
    agent: Vec<i16>,
}

impl Tracks {
    fn of(said: &[Output]) -> Self {
        let mut tracks = Self::default();
        for output in said {
            match output {
                Output::Heard(AudioSegment::Caller { at, pcm }) => place(&mut tracks.caller, *at, pcm),
                Output::Heard(AudioSegment::Agent { at, pcm }) => place(&mut tracks.agent, *at, pcm),
                Output::Heard(AudioSegment::AgentCut { at }) => tracks.agent.truncate(*at as usize),
                _ => {}
            }
        }
        tracks
    }
}

fn place(track: &mut Vec<i16>, at: u64, pcm: &[u8]) {
    assert!(track.len() as u64 <= at, "nothing is taped over");
    track.resize(at as usize, 0);
    track.extend(pcm.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
}

/// Stretches that are not silent, as ms from and to.
fn sounds(track: &[i16]) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for (at, _) in track.iter().enumerate().filter(|(_, sample)| **sample != 0) {
        let at = at as u64;
        match found.last_mut().filter(|(_, to)| *to == at) {
            Some((_, to)) => *to = at + 1,
            None => found.push((at, at + 1)),
        }
    }
    found.into_iter().map(|(from, to)| (from / MS, to / MS)).collect()
}

impl Rig {
    /// A loud frame of 20 ms, which the carrier says began at `sent_ms`.
    fn says(&mut self, sent_ms: Option<u64>) {
        self.caller(CallerEvent::Audio { pcm: vec![1; 320], level_dbfs: -20.0, sent_ms });
    }

    fn now_ms(&self) -> u64 {
        (self.now - self.start).as_millis() as u64
    }

    /// The model says so much at once, as models do.
    fn answer(&mut self, ms: usize) {
        self.response_created(1, "r");
        self.audio(1, &key("r", "a"), ms);
        self.server(1, ServerEvent::AudioDone(key("r", "a")));
        self.response_done(1, "r", ResponseStatus::Completed);
    }

    /// Time passes at a carrier that plays what it gets and echoes its marks `lag` after it should have been heard.
    fn plays(&mut self, ms: u64, lag: u64) {
        let (until, mut at) = (self.now + Duration::from_millis(ms), self.now);
        let mut owed = std::collections::VecDeque::new();
        let mut taken = 0;
        while self.now < until {
            for output in &self.said[taken..] {
                if let Output::Caller(CallerCommand::Play { pcm, mark: Some(mark) }) = output {
                    at = at.max(self.now) + Duration::from_millis(pcm.len() as u64 / 16);
                    owed.push_back((at + Duration::from_millis(lag), *mark));
                }
            }
            taken = self.said.len();
            self.wait(5);
            while let Some((_, mark)) = owed.pop_front_if(|(due, _)| *due <= self.now) {
                self.echo(&mark);
            }
        }
    }
}

#[test]
fn a_call_that_is_not_recorded_tapes_nothing() {
    let mut rig = Rig::live();
    rig.says(Some(0));
    rig.answer(1000);
    rig.plays(2000, 10);
    assert_eq!(Tracks::of(&rig.take()), Tracks::default());
}

#[test]
fn what_is_sent_ahead_of_real_time_is_taped_where_it_is_played() {
    let mut rig = recorded();
    rig.wait(1000);
    rig.answer(2000);
    rig.plays(3000, 0);
    let tracks = Tracks::of(&rig.take());
    assert_eq!(sounds(&tracks.agent), [(1000, 3000)], "back to back, though sent in bursts of half a second");
}

#[test]
fn a_barge_in_leaves_the_message_being_played_and_nothing_after_it() {
    let mut rig = recorded();
    rig.answer(5000);
    rig.plays(1270, 0);
    rig.speech_started(1, "c");
    rig.plays(3000, 0);
    let tracks = Tracks::of(&rig.take());
    assert_eq!(sounds(&tracks.agent), [(0, 1400)], "the seventh message of 200 ms was being played");
}

#[test]
fn a_carrier_that_is_ahead_of_our_clock_is_believed_by_its_marks() {
    let mut rig = recorded();
    rig.answer(5000);
    let marks = rig.marks();
    rig.wait(195);
    rig.echo(&marks[0]);
    rig.speech_started(1, "c");
    let tracks = Tracks::of(&rig.take());
    assert_eq!(sounds(&tracks.agent), [(0, 400)], "the second message had begun when the first was echoed");
}

#[test]
fn an_answer_that_was_heard_whole_is_not_cut() {
    let mut rig = recorded();
    rig.answer(1000);
    rig.plays(1500, 0);
    rig.speech_started(1, "c");
    assert!(!rig.take().iter().any(|output| matches!(output, Output::Heard(AudioSegment::AgentCut { .. }))));
}

#[test]
fn the_next_answer_after_a_cut_is_taped_where_it_begins() {
    let mut rig = recorded();
    rig.answer(5000);
    rig.plays(1000, 0);
    rig.caller_turn(1, "c");
    rig.plays(500, 0);
    let at = rig.now_ms();
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "b"), 400);
    rig.plays(1000, 0);
    let tracks = Tracks::of(&rig.take());
    let sounds = sounds(&tracks.agent);
    assert_eq!(sounds[1], (at, at + 400), "{sounds:?}");
}

#[test]
fn a_far_carrier_is_heard_later_and_the_recording_says_so_from_the_second_answer_on() {
    let mut rig = recorded();
    rig.answer(400);
    rig.plays(1000, 150);
    rig.caller_turn(1, "c");
    let at = rig.now_ms();
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "b"), 400);
    rig.plays(1000, 150);
    let sounds = sounds(&Tracks::of(&rig.take()).agent);
    assert_eq!(sounds[0], (0, 400), "nothing is known of the way yet");
    assert!(sounds[1].0.abs_diff(at + 150) <= 5, "{sounds:?}, sent at {at}");
}

#[test]
fn frames_that_a_stalled_line_sends_at_once_lie_where_they_were_said() {
    let mut rig = recorded();
    for n in 0..10 {
        rig.wait(20);
        rig.says(Some(n * 20));
    }
    rig.wait(300);
    (10..25).for_each(|n| rig.says(Some(n * 20)));
    rig.wait(20);
    rig.says(Some(500));
    assert_eq!(sounds(&Tracks::of(&rig.take()).caller), [(0, 520)]);
}

#[test]
fn a_gap_of_the_line_is_silence() {
    let mut rig = recorded();
    for sent_ms in [Some(0), Some(20), Some(60), Some(1060)] {
        rig.now = rig.start + Duration::from_millis(sent_ms.unwrap_or_default() + 20);
        rig.says(sent_ms);
    }
    assert_eq!(sounds(&Tracks::of(&rig.take()).caller), [(0, 40), (60, 80), (1060, 1080)]);
}

#[test]
fn without_timestamps_jitter_leaves_no_holes_and_a_silent_line_does() {
    let mut rig = recorded();
    for wait in [20, 35, 5, 20, 120, 1, 1, 1, 1, 1, 20] {
        rig.wait(wait);
        rig.says(None);
    }
    let at = rig.now_ms();
    rig.wait(1000);
    rig.says(None);
    let sounds = sounds(&Tracks::of(&rig.take()).caller);
    assert_eq!(sounds, [(0, 220), (at + 980, at + 1000)]);
}

#[test]
fn timestamps_that_cannot_be_count_for_nothing() {
    let wrong: [fn(u64) -> u64; 4] = [|_| 0, |n| n * 20_000, |n| 1_000_000 - n * 20, |n| (n % 7) * 1_000_000];
    for timestamp in wrong {
        let mut rig = recorded();
        for n in 0..200 {
            rig.wait(20);
            rig.says(Some(timestamp(n)));
        }
        assert_eq!(sounds(&Tracks::of(&rig.take()).caller), [(0, 4000)], "as they came: {}", timestamp(3));
    }
}

#[test]
fn a_sender_faster_than_time_cannot_make_the_recording_longer_than_the_call() {
    let mut rig = recorded();
    rig.wait(100);
    (0..1000).for_each(|_| rig.says(None));
    let tracks = Tracks::of(&rig.take());
    assert!(tracks.caller.len() as u64 <= 2_100 * MS, "{}", tracks.caller.len());
}

#[test]
fn a_call_that_was_rebuilt_goes_on_taping_on_the_same_clock() {
    let mut rig = recorded();
    rig.wait(1000);
    rig.says(Some(980));
    let history = rig.call.history().clone();
    let policy = Arc::new(Policy { record: true, ..Policy::default() });
    rig.call = Call::resume(rig.now, clock(), policy, Arc::new(setup(GreetedBy::Carrier)), history);
    rig.drain();
    rig.wait(500);
    rig.says(Some(1480));
    assert_eq!(sounds(&Tracks::of(&rig.take()).caller), [(980, 1000), (1480, 1500)]);
}

/// A recorded call whose actor is restarted. The `start` came late by so many ms, and so did each frame before and after the restart;
/// what is said while the call is rebuilt waits for it. Returns where it all lies.
fn restarted(start: u64, late: [u64; 2], waits: u64) -> Vec<(u64, u64)> {
    let mut rig = recorded();
    let says = |rig: &mut Rig, at: u64, arrives: u64| {
        rig.now = rig.now.max(rig.start + Duration::from_millis(arrives.saturating_sub(start)));
        rig.says(Some(at));
    };
    (0..700).step_by(20).for_each(|at| says(&mut rig, at, at + 20 + late[0]));
    let history = rig.call.history().clone();
    let policy = Arc::new(Policy { record: true, ..Policy::default() });
    rig.now = rig.start + Duration::from_millis(2_000 + waits - start);
    rig.call = Call::resume(rig.now, clock(), policy, Arc::new(setup(GreetedBy::Carrier)), history);
    rig.drain();
    (2_000..3_000).step_by(20).for_each(|at| says(&mut rig, at, at + 20 + late[1]));
    sounds(&Tracks::of(&rig.take()).caller)
}

#[test]
fn a_restart_moves_nothing_on_the_recording_whatever_was_late_before_or_after_it() {
    for (start, late, waits) in [
        (0, [0, 0], 0),
        (0, [80, 0], 0),
        (0, [0, 80], 0),
        (0, [80, 80], 300),
        (0, [240, 10], 1_500),
        (0, [1_900, 0], 0),
        (300, [0, 0], 0),
        (300, [100, 0], 200),
        (1_500, [0, 0], 0),
        (1_500, [40, 20], 1_000),
    ] {
        let placed = restarted(start, late, waits);
        assert_eq!(
            placed,
            [(0, 700), (2_000, 3_000)],
            "start late by {start}, frames by {late:?}, rebuilt after {waits} ms"
        );
    }
}

#[test]
fn a_count_that_does_not_begin_with_the_stream_tells_the_pauses_and_the_arrival_where_it_begins() {
    let mut rig = recorded();
    for sent in [0, 20, 40, 1_000, 1_020] {
        rig.now = rig.start + Duration::from_millis(sent + 20);
        rig.says(Some(sent + 1_500));
    }
    let sounds = sounds(&Tracks::of(&rig.take()).caller);
    assert_eq!(sounds, [(0, 60), (1_000, 1_040)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whenever the caller cuts in: what is on tape is what an honest carrier plays, to within one step of its clock.
    #[test]
    fn what_is_on_tape_is_what_was_played(answer in 200_usize..4000, cut in 0_u64..4500, lag in 0_u64..120) {
        let mut rig = recorded();
        rig.answer(answer);
        rig.plays(cut, lag);
        rig.speech_started(1, "c");
        rig.plays(500, lag);
        // Messages of 200 ms, begun when the clear is sent, are played to their end; the last one is shorter.
        let (whole, now) = (answer as u64, cut.div_ceil(5) * 5);
        let played = if now >= whole { whole } else { ((now / 200 + 1) * 200).min(whole.next_multiple_of(20)) };
        let tracks = Tracks::of(&rig.take());
        let taped = tracks.agent.iter().filter(|sample| **sample != 0).count() as u64 / MS;
        prop_assert_eq!(taped, played.min(whole), "cut at {} of {}", now, whole);
    }

    /// Frames of any length, late by any jitter, the first one too: with timestamps every one lies where it was said.
    #[test]
    fn a_frame_with_a_timestamp_lies_where_it_was_said_however_late_it_comes(
        frames in prop::collection::vec((10_u64..60, 0_u64..200), 1..60),
    ) {
        let mut rig = recorded();
        let (mut at, mut latest) = (0, 0);
        for (length, jitter) in frames {
            // A line delivers in order.
            latest = (at + length + jitter).max(latest);
            rig.now = rig.start + Duration::from_millis(latest);
            rig.caller(CallerEvent::Audio { pcm: vec![1; length as usize * 16], level_dbfs: -20.0, sent_ms: Some(at) });
            at += length;
        }
        prop_assert_eq!(sounds(&Tracks::of(&rig.take()).caller), [(0, at)]);
    }
}
