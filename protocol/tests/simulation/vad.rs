//! The server's voice detection: it measures in the audio it gets, never by a clock.

use super::link::{MS, Micros};

/// So much voice begins a turn.
const BEGINS: Micros = 100 * MS;

/// See the module.
pub(crate) struct Vad {
    closing_silence: Micros,
    appended: Micros,
    voice: Micros,
    silence: Micros,
    speaking: bool,
    /// Where the voice began.
    from: Micros,
}

/// What a piece of audio was to the detector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Began,
    Ended,
}

impl Vad {
    pub(crate) fn new(closing_silence: Micros) -> Self {
        Self { closing_silence, appended: 0, voice: 0, silence: 0, speaking: false, from: 0 }
    }

    pub(crate) fn appended(&self) -> Micros {
        self.appended
    }

    /// Whether there is or was a voice a moment ago.
    pub(crate) fn is_heard(&self) -> bool {
        self.speaking || self.voice > 0
    }

    /// Where what was told of last began.
    pub(crate) fn from(&self) -> Micros {
        self.from
    }

    pub(crate) fn hear(&mut self, micros: Micros, voiced: bool) -> Heard {
        self.appended += micros;
        if voiced {
            if self.voice == 0 {
                self.from = self.appended - micros;
            }
            self.silence = 0;
            self.voice += micros;
            if !self.speaking && self.voice >= BEGINS {
                self.speaking = true;
                return Heard::Began;
            }
        } else {
            self.silence += micros;
            if self.speaking && self.silence >= self.closing_silence {
                (self.speaking, self.voice) = (false, 0);
                return Heard::Ended;
            }
            if !self.speaking && self.silence >= 200 * MS {
                self.voice = 0;
            }
        }
        Heard::Nothing
    }
}
