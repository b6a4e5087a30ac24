//! How long a job is tried, and how long it rests in between.

use std::time::Duration;

use protocol::backoff::Backoff;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// How long a job is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Longest pauses between attempts; each is drawn at random below.
    pub pauses: Backoff,
    /// A job older than that is not tried again.
    pub longest_age: Duration,
    /// Nor one that was tried so often.
    pub most_attempts: i32,
    /// What one attempt may take.
    pub one_attempt: Duration,
}

impl RetryPolicy {
    /// The pause after the attempt of that number: anything from nothing to the longest that is due, so that many jobs that failed
    /// together do not come back together.
    pub(super) fn pause(&self, attempts: i32) -> Duration {
        // Without randomness there is still a pause.
        let part = OsRng.try_next_u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
        self.pauses.jittered(u32::try_from(attempts).unwrap_or(1), part)
    }

    /// Whether another attempt is due to a job of that age.
    pub(super) fn lasts(&self, attempts: i32, age: Duration) -> bool {
        attempts < self.most_attempts && age < self.longest_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
        longest_age: Duration::from_secs(3600),
        most_attempts: 5,
        one_attempt: Duration::from_secs(1),
    };

    #[test]
    fn jobs_that_failed_together_do_not_come_back_together() {
        let pauses: Vec<Duration> = (0..200).map(|_| PATIENCE.pause(7)).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(60)));
        let within = |from: u64, to: u64| pauses.iter().filter(|p| (from..to).contains(&p.as_secs())).count();
        // A third of them each, give or take: one in 10^12 runs has fewer than 20 in a third.
        assert!(within(0, 20) > 20 && within(20, 40) > 20 && within(40, 61) > 20, "{pauses:?}");
    }

    #[test]
    fn patience_ends_by_count_or_by_age() {
        let hour = Duration::from_secs(3600);
        assert!(PATIENCE.lasts(4, hour / 2) && !PATIENCE.lasts(5, hour / 2) && !PATIENCE.lasts(1, hour));
    }
}
