//! The recording as it is told, held against what the carrier really played.

use protocol::call::recording::AudioSegment;

use super::link::Micros;
use super::tape::Tape;

/// The most that a recording may run ahead of real time: a caller's audio by its bound, the agent's by lead and way.
const AHEAD: Micros = 2_500_000;

/// A message of the agent's on the recording.
struct Piece {
    at: u64,
    samples: u64,
    content: usize,
    /// Bytes of it that are audio.
    audio: usize,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Recording {
    caller_end: u64,
    pieces: Vec<Piece>,
    /// A message that was handed to the socket and not taped yet: whose audio, and how much of it is audio.
    handed: Option<(usize, usize)>,
}

impl Recording {
    /// A message was handed to the carrier's socket.
    pub(crate) fn handed(&mut self, content: usize, audio: usize) {
        self.handed = Some((content, audio));
    }

    /// Something was taped, `since` the stream began.
    pub(crate) fn taped(&mut self, taped: &AudioSegment, since: Micros, bytes_per_ms: usize) {
        let limit = (since + AHEAD) * bytes_per_ms as u64 / 2_000;
        match taped {
            AudioSegment::Caller { at, pcm } => {
                assert!(*at >= self.caller_end, "the caller is taped over");
                self.caller_end = at + pcm.len() as u64 / 2;
                assert!(self.caller_end <= limit, "the caller is taped ahead of time");
            }
            AudioSegment::Agent { at, pcm } => {
                let samples = pcm.len() as u64 / 2;
                assert!(self.pieces.last().is_none_or(|last| last.at + last.samples <= *at), "the agent is taped over");
                assert!(at + samples <= limit, "the agent is taped ahead of time");
                let (content, audio) = self.handed.take().expect("only what was handed to the socket is taped, once");
                self.pieces.push(Piece { at: *at, samples, content, audio });
            }
            AudioSegment::AgentCut { at } => {
                while self.pieces.last().is_some_and(|last| last.at >= *at) {
                    self.pieces.pop();
                }
                let whole = self.pieces.last().is_none_or(|last| last.at + last.samples <= *at);
                assert!(whole, "a message is played whole or not at all");
            }
        }
    }

    /// A restart forgets where the agent's audio ends: whoever keeps the tape does not.
    pub(crate) fn restarted(&mut self) {
        (self.caller_end, self.pieces) = (0, Vec::new());
    }

    /// What was cut is on the recording as far as it was played, to within `bound` bytes.
    pub(crate) fn is_true(&self, tape: &Tape, bound: usize) {
        for (index, content) in tape.contents.iter().enumerate().filter(|(_, content)| content.dead) {
            let taped: usize = self.pieces.iter().filter(|piece| piece.content == index).map(|piece| piece.audio).sum();
            let played = content.played;
            assert!(taped.abs_diff(played) <= bound, "{:?}: {taped} bytes taped, {played} played", content.key);
        }
    }
}
