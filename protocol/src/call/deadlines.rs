//! When each part of a call has to be looked at again: one table, whose keys say whose they are.
//!
//! A timer belongs to one part, which alone sets and clears it, and which is told when it has expired.

use std::time::{Duration, Instant};

use super::{carry_on, closing, last_words, media, patience, playout, session, turn, uplink};

/// A timer, by the part that owns it. At most one of each is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Playout(playout::Timer),
    Media(media::Timer),
    Session(session::Timer),
    Patience(patience::Timer),
    CarryOn(carry_on::Timer),
    Turn(turn::Timer),
    Uplink(uplink::Timer),
    Closing(closing::Timer),
    LastWords(last_words::Timer),
}

macro_rules! of_parts {
    ($($part:ident: $module:ident),+ $(,)?) => {
        $(impl From<$module::Timer> for Timer {
            fn from(timer: $module::Timer) -> Self {
                Self::$part(timer)
            }
        })+
    };
}

of_parts! {
    Playout: playout,
    Media: media,
    Session: session,
    Patience: patience,
    CarryOn: carry_on,
    Turn: turn,
    Uplink: uplink,
    Closing: closing,
    LastWords: last_words,
}

/// The rows of the table. Pacing comes first: [`Deadlines::next`] looks at it apart.
const ROWS: [Timer; 19] = [
    Timer::Playout(playout::Timer::Pace),
    Timer::Playout(playout::Timer::Voice),
    Timer::Playout(playout::Timer::KeepAlive),
    Timer::Media(media::Timer::Wait),
    Timer::Media(media::Timer::Silence),
    Timer::Media(media::Timer::Longest),
    Timer::Session(session::Timer::Connect),
    Timer::Session(session::Timer::ModelWait),
    Timer::Session(session::Timer::Redial),
    Timer::Session(session::Timer::Roll),
    Timer::Patience(patience::Timer::Answer),
    Timer::Patience(patience::Timer::VadMissed),
    Timer::Patience(patience::Timer::Patience),
    Timer::Patience(patience::Timer::Retry),
    Timer::CarryOn(carry_on::Timer::Notice),
    Timer::Turn(turn::Timer::Doubt),
    Timer::Uplink(uplink::Timer::Gap),
    Timer::Closing(closing::Timer::Goodbye),
    Timer::LastWords(last_words::Timer::TooLate),
];

impl Timer {
    /// Its row.
    const fn row(self) -> usize {
        match self {
            Self::Playout(timer) => timer as usize,
            Self::Media(timer) => 3 + timer as usize,
            Self::Session(timer) => 6 + timer as usize,
            Self::Patience(timer) => 10 + timer as usize,
            Self::CarryOn(timer) => 14 + timer as usize,
            Self::Turn(timer) => 15 + timer as usize,
            Self::Uplink(timer) => 16 + timer as usize,
            Self::Closing(timer) => 17 + timer as usize,
            Self::LastWords(timer) => 18 + timer as usize,
        }
    }
}

/// Pacing is served by whatever comes in first (caller audio, every 20 ms); the driver is woken only when nothing does.
/// It is harmless: there are at least `lead - chunk` of audio ahead when it is due.
const PACE_SLACK: Duration = Duration::from_millis(25);

/// When each timer expires.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    at: [Option<Instant>; ROWS.len()],
}

impl Deadlines {
    pub(super) fn set(&mut self, timer: impl Into<Timer>, at: Instant) {
        self.at[timer.into().row()] = Some(at);
    }

    /// Arms a timer that is not armed yet.
    pub(super) fn set_if_unset(&mut self, timer: impl Into<Timer>, at: Instant) {
        self.at[timer.into().row()].get_or_insert(at);
    }

    pub(super) fn clear(&mut self, timer: impl Into<Timer>) {
        self.at[timer.into().row()] = None;
    }

    pub(super) fn clear_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_set(&self, timer: impl Into<Timer>) -> bool {
        self.at[timer.into().row()].is_some()
    }

    /// When the driver has to come back if nothing else happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let (pace, others) = self.at.split_first()?;
        others.iter().flatten().copied().chain(pace.map(|at| at + PACE_SLACK)).min()
    }

    /// Takes one timer that has expired.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let row = self.at.iter().position(|at| at.is_some_and(|at| at <= now))?;
        self.at[row] = None;
        Some(ROWS[row])
    }
}

#[cfg(test)]
mod tests;
