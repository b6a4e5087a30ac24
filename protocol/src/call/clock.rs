//! Where a call's time meets the world's.

use std::time::{Duration, Instant, SystemTime};

/// Both clocks of a process, read at one moment, when the call came to it.
///
/// A call counts by the monotonic clock. Facts hold wall time, so that they mean the same in another process; all of it is derived from
/// this one reading, so a wall clock that is set while the call lives disturbs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The monotonic clock.
    pub now: Instant,
    /// The wall clock.
    pub wall: SystemTime,
}

impl Clock {
    /// The wall time of a moment.
    #[must_use]
    pub fn wall(&self, at: Instant) -> SystemTime {
        let wall = match at.checked_duration_since(self.now) {
            Some(later) => self.wall.checked_add(later),
            None => self.wall.checked_sub(self.now.saturating_duration_since(at)),
        };
        wall.unwrap_or(self.wall)
    }

    /// The moment of a wall time; of one that this process has no moment for, when the call came to it.
    #[must_use]
    pub fn moment(&self, wall: SystemTime) -> Instant {
        let moment = match wall.duration_since(self.wall) {
            Ok(later) => self.now.checked_add(later),
            Err(earlier) => self.now.checked_sub(earlier.duration()),
        };
        moment.unwrap_or(self.now)
    }
}

/// From one wall time to a later one; nothing if it is no later.
pub(crate) fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
    fn a_moment_and_its_wall_time_are_each_others() {
        let clock = Clock { now: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000) };
        for ms in [0, 1, 250, 3_600_000] {
            let ms = Duration::from_millis(ms);
            assert_eq!(clock.wall(clock.now + ms), clock.wall + ms);
            assert_eq!(clock.moment(clock.wall(clock.now + ms)), clock.now + ms);
            assert_eq!(clock.moment(clock.wall - ms) + ms, clock.now);
        }
    }
}
