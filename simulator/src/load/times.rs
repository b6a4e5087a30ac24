//! Distributions of times.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longer times are kept as this long: a minute.
const LONGEST_US: u64 = 60_000_000;

/// Times in microseconds, each to three digits; as JSON the pairs of a time and how often it came.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Times(Option<Histogram<u64>>);

impl Times {
    pub(super) fn record(&mut self, us: u64) {
        self.record_n(us, 1);
    }

    fn record_n(&mut self, us: u64, times: u64) {
        if self.0.is_none() {
            self.0 = Histogram::new_with_bounds(1, LONGEST_US, 3).ok();
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record_n(us.max(1), times);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// So many of 100 are at most this, in milliseconds.
    #[must_use]
    pub fn at_percent(&self, percent: f64) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_quantile(percent / 100.0) as f64 / 1_000.0)
    }

    /// Of these times; none of no times.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        let at = |percent| self.at_percent(percent);
        Some(Percentiles {
            count: self.count(),
            p50_ms: at(50.0)?,
            p90_ms: at(90.0)?,
            p99_ms: at(99.0)?,
            p99_9_ms: at(99.9)?,
            max_ms: at(100.0)?,
        })
    }
}

impl FromIterator<u64> for Times {
    fn from_iter<I: IntoIterator<Item = u64>>(us: I) -> Self {
        let mut times = Self::default();
        us.into_iter().for_each(|us| times.record(us));
        times
    }
}

impl From<Vec<(u64, u64)>> for Times {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut times = Self::default();
        pairs.into_iter().filter(|(_, count)| *count > 0).for_each(|(us, count)| times.record_n(us, count));
        times
    }
}

impl From<Times> for Vec<(u64, u64)> {
    fn from(times: Times) -> Self {
        let recorded = times.0.iter().flat_map(Histogram::iter_recorded);
        recorded.map(|value| (value.value_iterated_to(), value.count_at_value())).collect()
    }
}

/// A distribution in short, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Percentiles {
    /// Times measured.
    pub count: u64,
    /// Half are at most this.
    pub p50_ms: f64,
    /// Nine of ten are at most this.
    pub p90_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// 999 of 1,000 are at most this.
    pub p99_9_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_times_to_three_digits() {
        let times: Times = (1..=1_000).map(|at| at * 100).collect();
        let Percentiles { count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms } = times.percentiles().unwrap();
        assert_eq!(count, 1_000);
        for (measured, exact) in [(p50_ms, 50.0), (p90_ms, 90.0), (p99_ms, 99.0), (p99_9_ms, 99.9), (max_ms, 100.0)] {
            assert!((measured / exact - 1.0_f64).abs() < 0.002, "{measured} for {exact}");
        }
        assert_eq!(Times::default().percentiles(), None);
    }

    #[test]
    fn a_distribution_is_the_same_when_it_is_read_back() {
        let times: Times = [0, 1, 90, 90, 12_345, 7_000_000, 999_000_000].into_iter().collect();
        let read: Times = serde_json::from_str(&serde_json::to_string(&times).unwrap()).unwrap();
        assert_eq!(read, times);
        assert!(read.percentiles().unwrap().max_ms >= 60_000.0, "what is beyond a minute is kept as a minute");
        assert_eq!(serde_json::to_string(&Times::default()).unwrap(), "[]");
    }
}
