//! People are told when calls end without a stream.

use std::time::{Duration, Instant};

/// Where so many calls of a minute, and so many per cent of them, end without a stream, people are told.
const ALARM_CALLS: u32 = 5;
const ALARM_PERCENT: u32 = 20;
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// Says so when calls end without a stream: an applet whose URL is wrong, a firewall, or somebody who takes places.
#[derive(Default)]
pub(super) struct Alarm {
    since: Option<Instant>,
    /// Calls that waited and whose streams began.
    pub(super) heard: u32,
    without: u32,
    told: bool,
}

impl Alarm {
    /// A call ended without its stream; true when people were told.
    pub(super) fn without(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= ALARM_EVERY {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.without = self.without.saturating_add(1);
        let all = self.heard.saturating_add(self.without);
        if self.told
            || self.without < ALARM_CALLS
            || self.without.saturating_mul(100) < all.saturating_mul(ALARM_PERCENT)
        {
            return false;
        }
        self.told = true;
        tracing::warn!(
            without_media = self.without,
            calls = all,
            "calls end without their media stream: is the applet's URL right, and does the carrier reach it?"
        );
        true
    }
}
