//! What a carrier's socket may cost: how fast it is read, and how many events beside audio its call hears of.

use std::time::{Duration, Instant};

use crate::bucket::Bucket;

/// Events beside audio that a call takes at once, and a second: a person presses three keys a second. Those that nobody documented
/// have as many to themselves, so that they cannot take the keys' places.
const EVENTS_AT_ONCE: u32 = 20;
const EVENTS_A_SECOND: u32 = 10;
/// Messages that one socket is read at once, and a second: frames of 20 ms are 50 a second. Beyond it the socket is left alone for a
/// while, so that its worker serves the other calls, and its peer is slowed down.
const MESSAGES_AT_ONCE: u32 = 2_000;
const MESSAGES_A_SECOND: u32 = 500;
/// What counts as one message: longer ones count as several.
const MESSAGE_BYTES: usize = 4096;
/// A socket that is left alone is so for this long at least: not a timer for each message.
const SHORTEST_REST: Duration = Duration::from_millis(20);
/// How often a call is told what was dropped.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What an event is, as the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Key,
    Mark,
    /// `connected`, `start` or `clear` in mid-stream.
    Repeat,
    /// An event that nobody documented.
    Unknown,
    /// What is no event.
    Junk,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "dtmf",
            Self::Mark => "mark",
            Self::Repeat => "repeat",
            Self::Unknown => "unknown",
            Self::Junk => "junk",
        }
    }
}

/// A call's budget for everything that is not audio. The stream's end is never charged.
#[derive(Debug)]
pub(super) struct Budget {
    events: Bucket,
    oddities: Bucket,
    /// Marks that we sent and whose echo has not come: these are free.
    marks: u32,
    dropped: u32,
    told: Option<Instant>,
}

impl Budget {
    pub(super) const fn new() -> Self {
        let events = Bucket::new(EVENTS_AT_ONCE, EVENTS_A_SECOND);
        let oddities = Bucket::new(EVENTS_AT_ONCE, EVENTS_A_SECOND);
        Self { events, oddities, marks: 0, dropped: 0, told: None }
    }

    /// A mark was sent: one echo is free.
    pub(super) const fn mark_sent(&mut self) {
        self.marks = self.marks.saturating_add(1);
    }

    /// Whether an event is let through. What is not is counted.
    pub(super) fn allows(&mut self, kind: Kind, now: Instant) -> bool {
        let allowed = match kind {
            Kind::Mark if self.marks > 0 => {
                self.marks -= 1;
                true
            }
            Kind::Key | Kind::Mark | Kind::Repeat => self.events.take(now),
            Kind::Unknown | Kind::Junk => self.oddities.take(now),
        };
        if !allowed {
            self.dropped = self.dropped.saturating_add(1);
            metrics::counter!("callgate_carrier_events_dropped_total", "kind" => kind.name()).increment(1);
        }
        allowed
    }

    /// What was dropped and the call was not told yet, if it is time to tell it.
    pub(super) fn untold(&mut self, now: Instant) -> Option<u32> {
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY);
        if self.dropped == 0 || !is_due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.dropped))
    }

    /// The same at the end, whatever the time.
    pub(super) const fn rest(&mut self) -> Option<u32> {
        match std::mem::replace(&mut self.dropped, 0) {
            0 => None,
            dropped => Some(dropped),
        }
    }
}

/// How fast a socket is read.
#[derive(Debug)]
pub(super) struct Pace(Bucket);

impl Pace {
    pub(super) const fn new() -> Self {
        Self(Bucket::new(MESSAGES_AT_ONCE, MESSAGES_A_SECOND))
    }

    /// A message of so many bytes was read; says for how long none is read, if that was too many.
    pub(super) fn read(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let count = u32::try_from(1 + bytes / MESSAGE_BYTES).unwrap_or(u32::MAX);
        self.0.charge(count, now).map(|debt| debt + SHORTEST_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_at_the_keypad_is_never_too_fast() {
        let (mut budget, start) = (Budget::new(), Instant::now());
        // A card's number from a phone's memory, and then on by hand.
        assert!((0..16).all(|_| budget.allows(Kind::Key, start)));
        assert!((1..600).all(|n| budget.allows(Kind::Key, start + n * Duration::from_millis(120))));
        assert_eq!(budget.rest(), None);
    }

    #[test]
    fn a_flood_of_keys_costs_twenty_and_ten_a_second_and_says_how_many_were_dropped() {
        let (mut budget, start) = (Budget::new(), Instant::now());
        let at = |n: u32| start + n * Duration::from_micros(500);
        let allowed = (0..20_000).filter(|n| budget.allows(Kind::Key, at(*n))).count();
        assert_eq!(allowed, 20 + 99);
        assert_eq!(budget.untold(at(20_000)), Some(20_000 - 119));
        assert_eq!(budget.rest(), None);
    }

    #[test]
    fn what_nobody_documented_does_not_take_the_places_of_keys() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        for _ in 0..1000 {
            budget.allows(Kind::Unknown, now);
            budget.allows(Kind::Junk, now);
        }
        assert!(budget.allows(Kind::Key, now));
        assert_eq!(budget.rest(), Some(1980));
    }

    #[test]
    fn echoes_of_our_own_marks_are_free_and_no_others_are() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        for _ in 0..500 {
            budget.mark_sent();
        }
        assert!((0..500).all(|_| budget.allows(Kind::Mark, now)));
        assert_eq!((0..500).filter(|_| budget.allows(Kind::Mark, now)).count(), 20);
    }

    #[test]
    fn a_call_is_told_once_a_second_at_most() {
        let (mut budget, start) = (Budget::new(), Instant::now());
        for ms in 0..10_000 {
            budget.allows(Kind::Junk, start + Duration::from_millis(ms));
        }
        let told = (0..10_000).filter_map(|ms| {
            let now = start + Duration::from_millis(10_000 + ms);
            budget.allows(Kind::Junk, now);
            budget.untold(now)
        });
        assert_eq!(told.count(), 10);
    }

    #[test]
    fn audio_in_real_time_and_some_caught_up_is_read_without_a_rest() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        assert!((0..1500).all(|_| pace.read(500, start).is_none()), "30 s that came at once");
        assert!((0..30_000).all(|n| pace.read(500, start + n * Duration::from_millis(20)).is_none()));
    }

    #[test]
    fn a_flood_of_the_smallest_frames_is_read_at_the_pace_that_a_worker_bears() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        let (mut now, mut read) = (start, 0);
        while now < start + Duration::from_secs(10) {
            read += 1;
            // 10,000 a second.
            now += Duration::from_micros(100) + pace.read(1, now).unwrap_or_default();
        }
        assert!((6_000..=7_100).contains(&read), "{read} in 10 s");
    }

    #[test]
    fn long_messages_count_as_the_many_that_they_are() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let read = (0..2000).take_while(|_| pace.read(200_000, now).is_none()).count();
        assert_eq!(read, 2000 / 49);
    }
}
