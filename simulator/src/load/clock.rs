//! The load's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Microseconds since the load began, and what they are in Unix time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    zero: Instant,
    pub(super) unix_zero_us: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { zero: Instant::now(), unix_zero_us: unix_us() }
    }

    pub(super) fn now_us(self) -> u64 {
        self.zero.elapsed().as_micros() as u64
    }

    /// Turns Unix times into times of this clock; what was before its start is at its start. The two may have drifted since
    /// then, for the one is slewed.
    pub(super) fn unix_to_local(self) -> impl Fn(u64) -> u64 {
        let (now, unix) = (self.now_us(), unix_us().saturating_sub(self.unix_zero_us));
        let pace = if unix > 0 { now as f64 / unix as f64 } else { 1.0 };
        move |unix_us| (unix_us.saturating_sub(self.unix_zero_us) as f64 * pace) as u64
    }

    pub(super) fn at_ms(self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }
}

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}
