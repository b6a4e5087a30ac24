//! How much encoding may take: it follows what waits, and gives way to live calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use codecs::opus::Coder;

/// Seconds of audio that wait from which rests are short, a second thread helps, and the faster coder is taken.
const SHORT_RESTS: u64 = 300;
const TWO_THREADS: u64 = 3_600;
const FASTER: u64 = 36_000;
/// The rest after each block of a third of a millisecond's work. The thread runs when nothing else wants to; with rests it does not take all that
/// live calls leave free either, caches included.
const LONG: Duration = Duration::from_millis(1);
const SHORT: Duration = Duration::from_micros(300);
/// While threads that serve are late by more than `LATE`, encoding all but stands still, whatever waits.
const GIVE_WAY: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(20);

/// How late the threads that serve were of late: a peak that is forgotten within a second or two. Clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct EventLoopLag(Arc<AtomicU64>);

impl EventLoopLag {
    /// A thread was so late; each tells ten times a second.
    pub fn note(&self, late: Duration) {
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let peak = |before: u64| Some(late.max(before - before / 4));
        // It always has one.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, peak);
    }

    fn peak(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// How encoding goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// After each block.
    pub(super) rest: Duration,
    /// For recordings that begin to be encoded.
    pub(super) coder: Coder,
    /// Whether a second thread helps.
    pub(super) two: bool,
}

impl Pace {
    /// With so many seconds of audio that wait.
    pub(super) fn of(waiting_secs: u64, lag: &EventLoopLag) -> Self {
        let late = lag.peak() > LATE;
        let rest = match waiting_secs {
            _ if late => GIVE_WAY,
            ..SHORT_RESTS => LONG,
            _ => SHORT,
        };
        let coder = if waiting_secs < FASTER { Coder::Silk } else { Coder::Celt };
        Self { rest, coder, two: waiting_secs >= TWO_THREADS && !late }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_waits_the_more_encoding_takes() {
        let lag = EventLoopLag::default();
        let pace = |secs| {
            let Pace { rest, coder, two } = Pace::of(secs, &lag);
            (rest, coder, two)
        };
        assert_eq!(pace(0), (LONG, Coder::Silk, false));
        assert_eq!(pace(600), (SHORT, Coder::Silk, false));
        assert_eq!(pace(10_000), (SHORT, Coder::Silk, true));
        assert_eq!(pace(100_000), (SHORT, Coder::Celt, true));
    }

    #[test]
    fn encoding_gives_way_while_live_calls_are_late_whatever_waits_and_goes_on_when_they_are_not() {
        let lag = EventLoopLag::default();
        lag.note(Duration::from_millis(60));
        assert_eq!(Pace::of(100_000, &lag), Pace { rest: GIVE_WAY, coder: Coder::Celt, two: false });
        lag.note(Duration::from_millis(1));
        assert_eq!(Pace::of(0, &lag).rest, GIVE_WAY, "a moment ago one was");
        (0..10).for_each(|_| lag.note(Duration::from_millis(1)));
        assert_eq!(Pace::of(100_000, &lag).rest, SHORT);
    }
}
