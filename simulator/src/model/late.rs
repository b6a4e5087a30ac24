//! How late the server's own thread looks after things: a server that is too busy is no measure of a gateway.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::handle::lock;

const EVERY: Duration = Duration::from_millis(20);
/// Looks that are kept: of the last five minutes.
const KEPT: usize = 15_000;

/// By how many microseconds each look was late.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<VecDeque<u32>>);

impl Late {
    /// Looks at the clock, for ever.
    pub(super) async fn watch(&self) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = every.tick().await;
            let us = u32::try_from(Instant::now().duration_since(due).as_micros()).unwrap_or(u32::MAX);
            let mut looks = lock(&self.0);
            if looks.len() >= KEPT {
                looks.pop_front();
            }
            looks.push_back(us);
        }
    }

    /// What 99 of 100 were late at most, in milliseconds.
    pub(super) fn p99_ms(&self) -> f64 {
        let mut looks: Vec<u32> = lock(&self.0).iter().copied().collect();
        looks.sort_unstable();
        let at = (looks.len() * 99).div_ceil(100).saturating_sub(1);
        looks.get(at).map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}
