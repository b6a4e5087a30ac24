//! Our own measure of the caller's frames: where a sound begins and ends, long before the server's detector says so.

use std::time::{Duration, Instant};

/// A frame at least this loud may be a sound.
const LOUD_DBFS: f32 = -38.0;
/// It stands out of what the line sounds like otherwise by this much,
const ABOVE_NOISE_DB: f32 = 8.0;
/// and the end of a sound is where it has fallen by this much below its loudest.
const FALLS_DB: f32 = 22.0;
/// The noise of a line is followed upwards so slowly, dB a second: a voice is none.
const RISES_DB: f32 = 1.5;
/// What the noise is taken for at first.
const QUIET_LINE_DBFS: f32 = -60.0;
/// A gap this short is within one sound.
const GAP: Duration = Duration::from_millis(140);

/// See the module.
#[derive(Debug)]
pub(super) struct Measure {
    noise: f32,
    sound: Option<Heard>,
    /// The last frame was part of it.
    goes_on: bool,
}

/// A sound, as far as it was heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    began: Instant,
    ended: Instant,
    peak: f32,
}

impl Default for Measure {
    fn default() -> Self {
        Self { noise: QUIET_LINE_DBFS, sound: None, goes_on: false }
    }
}

impl Measure {
    /// A frame that ends now.
    pub(super) fn frame(&mut self, now: Instant, length: Duration, level: f32) {
        let within = self.sound.filter(|sound| now.saturating_duration_since(sound.ended) <= GAP + length);
        let fallen = within.is_some_and(|sound| level < sound.peak - FALLS_DB);
        self.goes_on = level >= LOUD_DBFS && level >= self.noise + ABOVE_NOISE_DB && !fallen;
        self.noise = if level < self.noise { level.max(-90.0) } else { self.noise + RISES_DB * length.as_secs_f32() };
        if self.goes_on {
            let began = now.checked_sub(length).unwrap_or(now);
            let sound = within.unwrap_or(Heard { began, ended: now, peak: level });
            self.sound = Some(Heard { ended: now, peak: sound.peak.max(level), ..sound });
        }
    }

    /// Whether the sound that began about then is known to have ended no later than that long after.
    pub(super) fn ended_within(&self, began: Instant, length: Duration) -> bool {
        let is_it = |sound: &Heard| sound.ended + GAP >= began;
        !self.goes_on && self.sound.filter(is_it).is_some_and(|sound| sound.ended <= began.max(sound.began) + length)
    }

    /// Whether a sound is being heard, and since when.
    pub(super) fn goes_on(&self) -> Option<Instant> {
        self.sound.filter(|_| self.goes_on).map(|sound| sound.began)
    }

    /// How long the sound was that began about then, if one was heard, and for how long it has been over.
    pub(super) fn of(&self, began: Instant, now: Instant) -> Option<(Duration, Duration)> {
        let sound = self.sound.filter(|sound| sound.ended + GAP >= began)?;
        let from = sound.began.max(began);
        Some((sound.ended.saturating_duration_since(from), now.saturating_duration_since(sound.ended)))
    }
}
