//! Everything that goes wrong on real lines, and some that should not, on purpose and by a seed.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::wire::Speaker;

/// How often what goes wrong. Rates are chances from 0 to 1, for each frame of caller audio unless said otherwise. The
/// default is a polite call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rudeness {
    /// Frames of odd size, whatever the plan says.
    pub odd_frames: bool,
    /// Keys spelt `streamSid`.
    pub camel_case: bool,
    /// A frame is numbered and never sent.
    pub lost: f32,
    /// A frame is sent twice, word for word.
    pub duplicate: f32,
    /// The line stalls for 5 to 25 frames, and then sends them at once.
    pub burst: f32,
    /// A frame has an odd number of bytes.
    pub odd_length: f32,
    /// A payload is not base64.
    pub bad_base64: f32,
    /// A message is not JSON.
    pub not_json: f32,
    /// A message has fields of the wrong types.
    pub wrong_types: f32,
    /// A frame of 100 KB.
    pub huge: f32,
    /// An event nobody knows.
    pub unknown_event: f32,
    /// The frame comes as a binary message.
    pub binary: f32,
    /// A second `start`.
    pub second_start: f32,
    /// What becomes of marks.
    pub marks: MarkManners,
    /// How the stream ends when the caller ends it.
    pub ending: Ending,
}

/// How badly marks are treated. Rates are chances for each mark, except where said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarkManners {
    /// Marks that a `clear` dropped are echoed all the same, all at once: some lines do.
    pub echo_cleared: bool,
    /// A mark is never echoed.
    pub lost: f32,
    /// A mark is echoed 50 to 800 ms late.
    pub late: f32,
    /// A mark nobody sent is echoed; for each frame of caller audio.
    pub invented: f32,
}

/// How the stream ends when the caller ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// `stop`, and a close frame.
    #[default]
    Stop,
    /// A close frame without a `stop`.
    NoStop,
    /// The TCP connection is dropped.
    Drop,
}

impl Rudeness {
    /// Everything at once, at rates a good gateway survives without the call suffering for it; the seed picks what holds for
    /// the whole call.
    #[must_use]
    pub fn all(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed ^ 0x0000_5275_6465);
        Self {
            odd_frames: rng.random(),
            camel_case: rng.random(),
            lost: 0.01,
            duplicate: 0.01,
            burst: 0.005,
            odd_length: 0.01,
            bad_base64: 0.01,
            not_json: 0.01,
            wrong_types: 0.01,
            huge: 0.003,
            unknown_event: 0.01,
            binary: 0.05,
            second_start: 0.005,
            marks: MarkManners { echo_cleared: rng.random(), lost: 0.05, late: 0.1, invented: 0.01 },
            ending: [Ending::Stop, Ending::NoStop, Ending::Drop][rng.random_range(0..3)],
        }
    }
}

/// A message as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
}

/// Does to each frame what the plan asks for.
#[derive(Debug)]
pub(crate) struct Line {
    rudeness: Rudeness,
    rng: SmallRng,
    held: Vec<Outgoing>,
    stalled_frames: u32,
    pub(crate) done: BTreeMap<&'static str, u64>,
}

impl Line {
    pub(crate) fn new(rudeness: Rudeness, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed ^ 0x4C69_6E65);
        Self { rudeness, rng, held: Vec::new(), stalled_frames: 0, done: BTreeMap::new() }
    }

    fn happens(&mut self, what: &'static str, rate: f32) -> bool {
        // Drawn even at a rate of zero: turning one fault on must not move all the others.
        let happens = self.rng.random::<f32>() < rate;
        if happens {
            *self.done.entry(what).or_default() += 1;
        }
        happens
    }

    /// What goes out for a frame of caller audio; whether the frame itself is among it.
    pub(crate) fn frame(
        &mut self,
        speaker: &mut Speaker,
        timestamp_ms: u64,
        pcm: &[u8],
        out: &mut Vec<Outgoing>,
    ) -> bool {
        let rude = self.rudeness.clone();
        let mut messages = Vec::with_capacity(1);
        self.junk(&rude, speaker, timestamp_ms, &mut messages);
        let lost = self.happens("frames lost", rude.lost);
        let odd = self.happens("odd-length audio", rude.odd_length);
        let text = speaker.media(timestamp_ms, if odd { &pcm[..pcm.len().saturating_sub(1)] } else { pcm });
        let duplicate = self.happens("duplicate frames", rude.duplicate);
        let message = match self.happens("binary frames", rude.binary) {
            true => Outgoing::Binary(text.into_bytes()),
            false => Outgoing::Text(text),
        };
        if !lost {
            messages.extend(std::iter::repeat_n(message, 1 + usize::from(duplicate)));
        }
        let burst = self.happens("bursts", rude.burst);
        if burst && self.stalled_frames == 0 {
            self.stalled_frames = self.rng.random_range(5..=25);
        }
        self.held.append(&mut messages);
        self.stalled_frames = self.stalled_frames.saturating_sub(1);
        if self.stalled_frames == 0 {
            out.append(&mut self.held);
        }
        !lost
    }

    /// Lets go of what a stall held back.
    pub(crate) fn flush(&mut self, out: &mut Vec<Outgoing>) {
        self.stalled_frames = 0;
        out.append(&mut self.held);
    }

    fn junk(&mut self, rude: &Rudeness, speaker: &mut Speaker, timestamp_ms: u64, out: &mut Vec<Outgoing>) {
        if self.happens("bad base64", rude.bad_base64) {
            out.push(Outgoing::Text(speaker.media_payload(timestamp_ms, "@@not base64@@")));
        }
        if self.happens("not JSON", rude.not_json) {
            const JUNK: [&str; 4] = ["{\"event\":\"media\",", "", "\u{0}\u{1}\u{2}", "[[[[[[[["];
            out.push(Outgoing::Text(JUNK[self.rng.random_range(0..JUNK.len())].into()));
        }
        if self.happens("wrong types", rude.wrong_types) {
            const JUNK: [&str; 6] = [
                r#"{"event":"media","sequence_number":{},"stream_sid":7,"media":{"chunk":[],"timestamp":null,"payload":12}}"#,
                r#"{"event":"media","media":"AAAA"}"#,
                r#"{"event":["media"]}"#,
                r#"{"event":"mark","mark":[]}"#,
                r#"{"event":"dtmf","dtmf":{"digit":{"key":5}}}"#,
                "null",
            ];
            out.push(Outgoing::Text(JUNK[self.rng.random_range(0..JUNK.len())].into()));
        }
        if self.happens("100 KB frames", rude.huge) {
            out.push(Outgoing::Text(speaker.media(timestamp_ms, &vec![0; 75_000])));
        }
        if self.happens("unknown events", rude.unknown_event) {
            out.push(Outgoing::Text(r#"{"event":"silence","silence":{"ms":"40"}}"#.into()));
        }
        if self.happens("second starts", rude.second_start) {
            out.push(Outgoing::Text(speaker.start()));
        }
        if self.happens("invented marks", rude.marks.invented) {
            out.push(Outgoing::Text(speaker.mark("never-sent")));
        }
    }

    /// How late a mark is to be echoed, in ms; none: never.
    pub(crate) fn mark_delay_ms(&mut self) -> Option<u64> {
        if self.happens("marks never echoed", self.rudeness.marks.lost) {
            return None;
        }
        let late = self.happens("late marks", self.rudeness.marks.late);
        Some(if late { self.rng.random_range(50..=800) } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codecs::SampleRate;

    fn speaker() -> Speaker {
        Speaker {
            stream_sid: "s".into(),
            call_sid: "c".into(),
            account_sid: "a",
            from: String::new(),
            to: String::new(),
            rate: SampleRate::Hz8000,
            custom_parameters: Vec::new(),
            camel_case: false,
            sequence: 0,
            chunk: 0,
        }
    }

    fn run(rudeness: Rudeness, seed: u64) -> (Vec<Outgoing>, Line) {
        let (mut line, mut speaker, mut out) = (Line::new(rudeness, seed), speaker(), Vec::new());
        for frame in 0..2_000 {
            line.frame(&mut speaker, frame * 20, &[7; 320], &mut out);
        }
        line.flush(&mut out);
        (out, line)
    }

    #[test]
    fn a_polite_line_sends_each_frame_once() {
        let (out, line) = run(Rudeness::default(), 3);
        assert_eq!((out.len(), line.done.len()), (2_000, 0));
        assert_eq!(
            out[5],
            Outgoing::Text({
                let mut speaker = speaker();
                (speaker.sequence, speaker.chunk) = (5, 5);
                speaker.media(100, &[7; 320])
            })
        );
    }

    #[test]
    fn every_kind_of_rudeness_happens_and_the_seed_repeats_it() {
        let rude = Rudeness::all(9);
        let (out, line) = run(rude.clone(), 9);
        assert_eq!(line.done.len(), 12, "{:?}", line.done);
        assert_eq!(out, run(rude.clone(), 9).0);
        assert_ne!(out, run(rude, 10).0);
    }
}
