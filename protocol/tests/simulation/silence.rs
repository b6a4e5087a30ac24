//! A caller is spoken to after so long a silence, and let go after so many of them, never otherwise.

use super::link::Micros;
use super::scenario::Scenario;

/// See the module.
#[derive(Default)]
pub(crate) struct Silent {
    /// How long it lasts, and how often they are spoken to.
    bound: Option<(Micros, u32)>,
    /// Times that they were, since they did something last.
    nudges: u32,
    /// Since when nothing is heard.
    quiet_from: Micros,
}

impl Silent {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let bound = scenario.policy.silence.as_ref().map(|silence| {
            (u64::try_from(silence.after.as_micros()).expect("a silence of hours is none"), silence.nudges)
        });
        Self { bound, ..Self::default() }
    }

    /// They said something, or pressed a key; or what is known of them is gone.
    pub(crate) fn broken(&mut self, now: Micros) {
        (self.nudges, self.quiet_from) = (0, self.quiet_from.max(now));
    }

    /// After every step: until when anything is heard.
    pub(crate) fn watch(&mut self, now: Micros, speaks: bool, audible_end: Micros) {
        self.quiet_from = self.quiet_from.max(if speaks { now } else { audible_end.min(now) });
    }

    /// They are spoken to.
    pub(crate) fn nudged(&mut self, now: Micros, busy: bool) {
        let (after, most) = self.bound.expect("nobody wanted that");
        let silence = now - self.quiet_from;
        assert!(silence >= after && !busy, "spoken to after {silence} us; busy: {busy}");
        self.nudges += 1;
        assert!(self.nudges <= most, "spoken to {} times", self.nudges);
    }

    /// They are let go for it.
    pub(crate) fn ended(&self) {
        let (_, most) = self.bound.expect("nobody wanted that");
        assert_eq!(self.nudges, most, "they were spoken to as often as that");
    }
}
