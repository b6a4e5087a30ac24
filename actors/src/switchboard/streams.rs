//! Which stream of a call is to come, and whether one more may.

use std::time::{Duration, SystemTime};

use crate::admission::{Announced, Phase};

/// Of one call, over its whole life: the next stay of it on this node begins from the last.
#[derive(Debug)]
pub(super) struct Streams {
    /// The stream that the call waits for, or has.
    announced: Announced,
    /// The carrier asked for a further stream while this one is live: whoever brings it takes the call.
    armed: bool,
    /// Somebody spoke of the call's end for good: it will not be back.
    over: bool,
}

impl Streams {
    /// Of a call that begins, or that was here until its stream ended. `conversed`: something was said in it.
    pub(super) fn new(before: Option<&Self>, conversed: bool, now: SystemTime) -> Self {
        let stream = before.map_or(1, |before| before.announced.stream + 1);
        Self { announced: Announced { stream, since: now, conversed }, armed: false, over: false }
    }

    /// Of a call that goes on as it is on record: that stream of it is to come.
    pub(super) const fn returning(stream: u32, since: SystemTime, conversed: bool) -> Self {
        Self { announced: Announced { stream, since, conversed }, armed: false, over: false }
    }

    /// The stream that the call's URL is for. One that is asked for while the call has its stream is a further one: the carrier would not
    /// ask if it had not lost the first. Its URL is the same for as long as that opens anything, which is `life`.
    pub(super) fn announce(&mut self, phase: Phase, life: Duration, now: SystemTime) -> Announced {
        if phase == Phase::Live {
            self.armed = true;
            let age = now.duration_since(self.announced.since).unwrap_or_default();
            if age >= life {
                (self.announced.stream, self.announced.since) = (self.announced.stream + 1, now);
            }
        }
        self.announced
    }

    /// Whether a media socket may start a stream.
    pub(super) fn takes_start(&self, phase: Phase) -> bool {
        phase == Phase::Waiting || self.armed
    }

    /// Whether it may start that one.
    pub(super) fn awaits(&self, stream: u32, phase: Phase) -> bool {
        self.takes_start(phase) && self.announced.stream == stream
    }

    /// Whether the carrier asked for a further stream while this one is live.
    pub(super) const fn is_armed(&self) -> bool {
        self.armed
    }

    /// A further stream takes the call of a live one, if the carrier asked for it: once.
    pub(super) const fn disarm(&mut self) -> bool {
        std::mem::replace(&mut self.armed, false)
    }

    /// Nobody brings this call back any more.
    pub(super) const fn end_for_good(&mut self) {
        self.over = true;
    }

    /// Whether somebody said so.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a further stream of the call was asked for less than `life` ago, and is awaited, or has begun by now.
    pub(super) fn has_just_returned(&self, life: Duration, now: SystemTime) -> bool {
        self.has_returned() && now.duration_since(self.announced.since).is_ok_and(|age| age < life)
    }

    /// Whether the call was here before.
    pub(super) const fn has_returned(&self) -> bool {
        self.announced.stream > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);
    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_call_that_waits_is_asked_for_the_same_stream_again_and_again() {
        let mut streams = Streams::new(None, false, NOW);
        let first = Announced { stream: 1, since: NOW, conversed: false };
        assert_eq!(streams.announce(Phase::Waiting, LIFE, NOW), first);
        assert_eq!(streams.announce(Phase::Waiting, LIFE, NOW + LIFE * 2), first);
        assert!(streams.awaits(1, Phase::Waiting) && !streams.awaits(2, Phase::Waiting));
        assert!(!streams.is_armed() && !streams.has_returned());
        assert!(!streams.takes_start(Phase::Live), "and once it has it, for none");
    }

    #[test]
    fn a_further_stream_of_a_live_call_is_taken_once_and_only_if_it_was_asked_for() {
        let mut streams = Streams::new(None, false, NOW);
        assert!(!streams.disarm());
        assert_eq!(streams.announce(Phase::Live, LIFE, NOW + LIFE / 2).stream, 1, "its URL still opens something");
        assert!(streams.is_armed() && streams.awaits(1, Phase::Live));
        assert!(streams.disarm() && !streams.disarm() && !streams.takes_start(Phase::Live));
        let second = streams.announce(Phase::Live, LIFE, NOW + LIFE);
        assert_eq!((second.stream, second.since), (2, NOW + LIFE), "this one is too old");
    }

    #[test]
    fn a_call_that_comes_back_waits_for_another_stream_than_before() {
        let mut first = Streams::new(None, false, NOW);
        first.end_for_good();
        let mut second = Streams::new(Some(&first), true, NOW + LIFE);
        assert!(first.is_over() && !second.is_over() && second.has_returned());
        let announced = Announced { stream: 2, since: NOW + LIFE, conversed: true };
        assert_eq!(second.announce(Phase::Waiting, LIFE, NOW + LIFE), announced);
        assert!(!first.has_just_returned(LIFE, NOW) && second.has_just_returned(LIFE, NOW + LIFE));
        assert!(!second.has_just_returned(LIFE, NOW + LIFE * 2) && !second.has_just_returned(LIFE, NOW));
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_stream_of_its_own() {
        let mut streams = Streams::new(None, false, NOW + LIFE);
        assert_eq!(streams.announce(Phase::Live, LIFE, NOW).stream, 1);
    }
}
