//! When each part of a call has to be looked at again: one table, whose keys say whose they are.
//!
//! A timer belongs to one part, which alone sets and clears it, and which is told when it has expired.

use std::time::{Duration, Instant};

use super::{
    carry_on, closing, context_lookup, holding, interruption, keypad, last_words, media, patience, playout, session,
    silence, stopwatch, tools, turn, uplink,
};

/// A timer, by the part that owns it. At most one of each is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Playout(playout::Timer),
    Media(media::Timer),
    Session(session::Timer),
    Patience(patience::Timer),
    CarryOn(carry_on::Timer),
    Turn(turn::Timer),
    Interruption(interruption::Timer),
    Uplink(uplink::Timer),
    Keypad(keypad::Timer),
    Closing(closing::Timer),
    LastWords(last_words::Timer),
    Holding(holding::Timer),
    ContextLookup(context_lookup::Timer),
    Silence(silence::Timer),
    Stopwatch(stopwatch::Timer),
    /// One for each function that runs.
    Tools(tools::Timer),
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
    Interruption: interruption,
    Uplink: uplink,
    Keypad: keypad,
    Closing: closing,
    LastWords: last_words,
    Holding: holding,
    ContextLookup: context_lookup,
    Silence: silence,
    Stopwatch: stopwatch,
    Tools: tools,
}

/// The rows of the table, of the timers that there is one of each. Pacing comes first: [`Deadlines::next`] looks at it apart.
const ROWS: [Timer; 30] = [
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
    Timer::Keypad(keypad::Timer::Key),
    Timer::Keypad(keypad::Timer::Asked),
    Timer::Keypad(keypad::Timer::Whole),
    Timer::Keypad(keypad::Timer::Afterwards),
    Timer::Closing(closing::Timer::Goodbye),
    Timer::LastWords(last_words::Timer::TooLate),
    Timer::Holding(holding::Timer::Filler),
    Timer::ContextLookup(context_lookup::Timer::Late),
    Timer::Silence(silence::Timer::Nudge),
    Timer::Interruption(interruption::Timer::Pause),
    Timer::Interruption(interruption::Timer::Words),
    Timer::Interruption(interruption::Timer::Item),
    Timer::Stopwatch(stopwatch::Timer::Taken),
];

impl Timer {
    /// Its row, if it has one.
    const fn row(self) -> Option<usize> {
        Some(match self {
            Self::Playout(timer) => timer as usize,
            Self::Media(timer) => 3 + timer as usize,
            Self::Session(timer) => 6 + timer as usize,
            Self::Patience(timer) => 10 + timer as usize,
            Self::CarryOn(timer) => 14 + timer as usize,
            Self::Turn(timer) => 15 + timer as usize,
            Self::Uplink(timer) => 16 + timer as usize,
            Self::Keypad(timer) => 17 + timer as usize,
            Self::Closing(timer) => 21 + timer as usize,
            Self::LastWords(timer) => 22 + timer as usize,
            Self::Holding(timer) => 23 + timer as usize,
            Self::ContextLookup(timer) => 24 + timer as usize,
            Self::Silence(timer) => 25 + timer as usize,
            Self::Interruption(timer) => 26 + timer as usize,
            Self::Stopwatch(timer) => 29 + timer as usize,
            Self::Tools(_) => return None,
        })
    }
}

/// Pacing is served by whatever comes in first (caller audio, every 20 ms); the driver is woken only when nothing does.
/// It is harmless: there are at least `lead - chunk` of audio ahead when it is due.
const PACE_SLACK: Duration = Duration::from_millis(25);

/// When each timer expires.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    at: [Option<Instant>; ROWS.len()],
    /// As many as `tools` runs at once, which is few.
    tools: Vec<(tools::Timer, Instant)>,
}

impl Deadlines {
    pub(super) fn set(&mut self, timer: impl Into<Timer>, at: Instant) {
        match timer.into() {
            Timer::Tools(timer) => {
                self.clear(timer);
                self.tools.push((timer, at));
            }
            timer => self.fixed(timer, |row| *row = Some(at)),
        }
    }

    /// Arms a timer that is not armed yet.
    pub(super) fn set_if_unset(&mut self, timer: impl Into<Timer>, at: Instant) {
        self.fixed(timer.into(), |row| *row = row.or(Some(at)));
    }

    pub(super) fn clear(&mut self, timer: impl Into<Timer>) {
        match timer.into() {
            Timer::Tools(timer) => self.tools.retain(|(armed, _)| *armed != timer),
            timer => self.fixed(timer, |row| *row = None),
        }
    }

    fn fixed(&mut self, timer: Timer, change: impl FnOnce(&mut Option<Instant>)) {
        if let Some(row) = timer.row().and_then(|row| self.at.get_mut(row)) {
            change(row);
        }
    }

    pub(super) fn clear_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_set(&self, timer: impl Into<Timer>) -> bool {
        timer.into().row().is_some_and(|row| self.at[row].is_some())
    }

    /// When the driver has to come back if nothing else happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let (pace, others) = self.at.split_first()?;
        let tools = self.tools.iter().map(|(_, at)| *at);
        others.iter().flatten().copied().chain(pace.map(|at| at + PACE_SLACK)).chain(tools).min()
    }

    /// Takes one timer that has expired.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        if let Some(row) = self.at.iter().position(|at| at.is_some_and(|at| at <= now)) {
            self.at[row] = None;
            return Some(ROWS[row]);
        }
        let tool = self.tools.iter().position(|(_, at)| *at <= now)?;
        Some(Timer::Tools(self.tools.remove(tool).0))
    }
}

#[cfg(test)]
mod tests;
