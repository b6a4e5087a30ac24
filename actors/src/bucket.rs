//! A budget over time: so many at once, so many a second.

use std::time::{Duration, Instant};

/// A token bucket, kept as the one moment at which it will be full again.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// What one costs.
    each: Duration,
    /// What may be spent at once.
    at_once: Duration,
    full_at: Option<Instant>,
}

impl Bucket {
    /// A full one. Neither may be zero.
    pub(crate) const fn new(at_once: u32, a_second: u32) -> Self {
        let each = Duration::from_nanos(1_000_000_000 / a_second as u64);
        Self { each, at_once: each.saturating_mul(at_once), full_at: None }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.unwrap_or(now).max(now) + self.each;
        let fits = full_at.saturating_duration_since(now) <= self.at_once;
        if fits {
            self.full_at = Some(full_at);
        }
        fits
    }

    /// Takes so many, on credit if need be; says how long it takes until there are some again.
    pub(crate) fn charge(&mut self, count: u32, now: Instant) -> Option<Duration> {
        let full_at = self.full_at.unwrap_or(now).max(now) + self.each.saturating_mul(count);
        self.full_at = Some(full_at);
        full_at.saturating_duration_since(now).checked_sub(self.at_once).filter(|debt| !debt.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_at_once_comes_back_with_time() {
        let (mut bucket, start) = (Bucket::new(20, 10), Instant::now());
        assert_eq!((0..100).filter(|_| bucket.take(start)).count(), 20);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 10);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(much_later)).count(), 20, "an hour of silence saves up no more");
    }

    #[test]
    fn whoever_asks_all_the_time_gets_the_rate_and_no_more() {
        let (mut bucket, start) = (Bucket::new(20, 10), Instant::now());
        let asked = (0..60_000).filter(|ms| bucket.take(start + Duration::from_millis(*ms)));
        assert_eq!(asked.count(), 20 + 599);
    }

    #[test]
    fn a_debt_is_paid_off_before_there_is_more() {
        let (mut bucket, now) = (Bucket::new(100, 50), Instant::now());
        assert_eq!(bucket.charge(100, now), None);
        assert_eq!(bucket.charge(25, now), Some(Duration::from_millis(500)));
        assert_eq!(bucket.charge(1, now + Duration::from_secs(1)), None);
    }
}
