//! Voice activity by energy: 60 ms of speech within 80 ms begin a turn, and the session's silence ends it.

use crate::model::config::Turns;

const FRAME_MS: u64 = 20;
/// Frames looked at for the beginning of speech, and how many of them have to be loud: a click is not speech.
const ONSET_FRAMES: u32 = 4;
const ONSET_LOUD: u32 = 3;
/// Speech goes on at that much less than it takes to begin.
const HYSTERESIS_DB: f32 = 3.0;
/// Levels kept of one turn: 30 s.
const TURN_FRAMES: usize = 1_500;

/// What the VAD noticed. Times are ms of audio appended in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Heard {
    /// Speech began; back-dated by the prefix padding.
    Started { audio_start_ms: u64 },
    /// Speech ended; the closing silence included.
    Stopped { audio_start_ms: u64, audio_end_ms: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Vad {
    frames: u64,
    /// The last [`ONSET_FRAMES`]: a bit each, loud or not.
    recent: u32,
    /// Since when (back-dated ms) the caller has been speaking.
    speaking_since: Option<u64>,
    silent_ms: u64,
    levels: Vec<f32>,
}

impl Vad {
    pub(super) fn push(&mut self, level: f32, turns: &Turns) -> Option<Heard> {
        self.frames += 1;
        let now_ms = self.frames * FRAME_MS;
        let Some(audio_start_ms) = self.speaking_since else {
            self.recent = (self.recent << 1 | u32::from(level > turns.threshold_dbfs)) & ((1 << ONSET_FRAMES) - 1);
            self.remember_onset(level);
            if self.recent.count_ones() < ONSET_LOUD {
                return None;
            }
            let onset_ms = now_ms.saturating_sub(u64::from(u32::BITS - self.recent.leading_zeros()) * FRAME_MS);
            let audio_start_ms = onset_ms.saturating_sub(turns.prefix_padding_ms);
            self.speaking_since = Some(audio_start_ms);
            self.silent_ms = 0;
            return Some(Heard::Started { audio_start_ms });
        };
        if self.levels.len() < TURN_FRAMES {
            self.levels.push(level);
        }
        let silent = level <= turns.threshold_dbfs - HYSTERESIS_DB;
        self.silent_ms = if silent { self.silent_ms + FRAME_MS } else { 0 };
        if self.silent_ms < turns.silence_duration_ms.max(FRAME_MS) {
            return None;
        }
        (self.speaking_since, self.recent) = (None, 0);
        Some(Heard::Stopped { audio_start_ms, audio_end_ms: now_ms })
    }

    /// dBFS of every frame of the current or last turn.
    pub(super) fn speech(&self) -> &[f32] {
        &self.levels
    }

    /// Before speech, the levels are those of the frames that may turn out to be its beginning.
    fn remember_onset(&mut self, level: f32) {
        if self.recent == 0 || self.levels.len() >= ONSET_FRAMES as usize {
            self.levels.clear();
        }
        self.levels.push(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: Turns = Turns {
        threshold_dbfs: -38.0,
        prefix_padding_ms: 100,
        silence_duration_ms: 200,
        create_response: true,
        interrupt_response: true,
    };

    fn heard(levels: &[(f32, usize)]) -> Vec<Heard> {
        let mut vad = Vad::default();
        let levels = levels.iter().flat_map(|(level, frames)| std::iter::repeat_n(*level, *frames));
        levels.filter_map(|level| vad.push(level, &TURNS)).collect()
    }

    #[test]
    fn a_turn_is_back_dated_and_ends_after_the_silence() {
        let turn = [
            Heard::Started { audio_start_ms: 300 },
            Heard::Stopped { audio_start_ms: 300, audio_end_ms: 400 + 600 + 200 },
        ];
        assert_eq!(heard(&[(-60.0, 20), (-20.0, 30), (-60.0, 30)]), turn);
    }

    #[test]
    fn clicks_and_quiet_tones_are_not_speech() {
        assert_eq!(heard(&[(-60.0, 10), (-10.0, 2), (-60.0, 10), (-45.0, 100)]), []);
    }

    #[test]
    fn a_pause_shorter_than_the_silence_does_not_end_the_turn() {
        assert_eq!(heard(&[(-20.0, 10), (-60.0, 9), (-20.0, 10), (-60.0, 9)]).len(), 1);
    }
}
