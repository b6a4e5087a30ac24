//! Named timers, as a table.

use std::time::{Duration, Instant};

/// Every timer of a call. At most one of each is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The media stream has not started.
    MediaWait,
    /// The stream carries no audio.
    MediaSilence,
    /// The longest call.
    MaxCall,
    /// One connection attempt.
    Connect,
    /// No usable model.
    ModelWait,
    /// Pause before the next connection attempt.
    Redial,
    /// The model owes an answer.
    Answer,
    /// The caller spoke and the server noticed nothing.
    Deaf,
    /// The caller has waited for an answer long enough, over however many sessions.
    Patience,
    /// A failed response is asked for again.
    RetryResponse,
    /// A new session should have noticed by now that the caller goes on speaking.
    Notice,
    /// A response that the server began while the caller spoke should have been cancelled by now.
    Doubt,
    /// A response that others wait behind should have said more by now.
    Voice,
    /// The carrier was sent nothing for long.
    KeepAlive,
    /// The caller has left; their last words should be here by now.
    LastWords,
    /// The session is old.
    Roll,
    /// More audio is due to the carrier.
    Pace,
    /// Audio of a caller who is speaking stopped coming.
    UplinkGap,
    /// The goodbye should have been heard.
    Goodbye,
}

const TIMERS: [Timer; 19] = [
    Timer::MediaWait,
    Timer::MediaSilence,
    Timer::MaxCall,
    Timer::Connect,
    Timer::ModelWait,
    Timer::Redial,
    Timer::Answer,
    Timer::Deaf,
    Timer::Patience,
    Timer::RetryResponse,
    Timer::Notice,
    Timer::Doubt,
    Timer::Voice,
    Timer::KeepAlive,
    Timer::LastWords,
    Timer::Roll,
    Timer::Pace,
    Timer::UplinkGap,
    Timer::Goodbye,
];

/// Pacing is served by whatever comes in first (caller audio, every 20 ms); the driver is woken only when nothing does.
/// It is harmless: there are at least `lead - chunk` of audio ahead when it is due.
const PACE_SLACK: Duration = Duration::from_millis(25);

/// When each timer expires.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    at: [Option<Instant>; TIMERS.len()],
}

impl Deadlines {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Arms a timer that is not armed yet.
    pub(crate) fn set_if_unset(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize].get_or_insert(at);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(crate) fn clear_all(&mut self) {
        self.at = [None; TIMERS.len()];
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    /// When the driver has to come back if nothing else happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        let pace = self.at[Timer::Pace as usize].map(|at| at + PACE_SLACK);
        let others = TIMERS.iter().filter(|&&t| t != Timer::Pace).filter_map(|&t| self.at[t as usize]);
        others.chain(pace).min()
    }

    /// Takes one timer that has expired.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = TIMERS.into_iter().find(|&t| self.at[t as usize].is_some_and(|at| at <= now))?;
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn the_driver_is_woken_for_the_soonest_timer_and_late_for_pacing() {
        let t0 = Instant::now();
        let ms = |n| t0 + Duration::from_millis(n);
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.next(), None);
        deadlines.set(Timer::Pace, ms(100));
        deadlines.set(Timer::Answer, ms(300));
        assert_eq!(deadlines.next(), Some(ms(125)));
        assert_eq!(deadlines.expired(ms(99)), None);
        assert_eq!(deadlines.expired(ms(100)), Some(Timer::Pace), "whatever comes in at 100 ms serves it");
        assert_eq!(deadlines.next(), Some(ms(300)));
        assert_eq!(deadlines.expired(ms(300)), Some(Timer::Answer));
        assert_eq!(deadlines.expired(ms(300)), None);
    }
}
