//! A caller who waits for a function is not left in silence.

use super::link::{Micros, SEC};
use super::scenario::Scenario;

/// Somebody is heard so soon after a function began, or after what was said with it; and then again after no longer silence.
const FIRST: Micros = 2_500_000;
const LONGEST: Micros = 8 * SEC;

/// See the module.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Until when it may last that the call knows that its audio was played; none: marks and sockets that it cannot rely on.
    knows_within: Option<Micros>,
    /// Functions run since then.
    since: Option<Micros>,
    /// A sentence was said in this wait.
    said: bool,
    /// Since when nothing is heard.
    quiet_from: Micros,
}

/// How a call stands after a step.
pub(crate) struct Standing {
    /// A function runs, and nothing stands in the way of a sentence.
    pub(crate) waits: bool,
    /// The caller speaks.
    pub(crate) speaks: bool,
    /// When all audio that is on its way will have been played.
    pub(crate) audible_end: Micros,
}

impl Waiting {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let reliable = scenario.habits.honest() && !scenario.reading.stalls();
        Self { knows_within: reliable.then_some(2 * scenario.carrier_way.1), ..Self::default() }
    }

    /// A sentence was begun.
    pub(crate) fn said(&mut self) {
        self.said = true;
    }

    /// The call is built anew: it knows nothing of what was said meanwhile.
    pub(crate) fn restarted(&mut self) {
        (self.since, self.said) = (None, false);
    }

    /// After every step: for how long nothing was heard in this wait.
    pub(crate) fn watch(&mut self, now: Micros, standing: &Standing) -> Micros {
        let heard_to = if standing.speaks { now } else { standing.audible_end.min(now) };
        self.quiet_from = self.quiet_from.max(heard_to);
        let Some(slack) = self.knows_within.filter(|_| standing.waits) else {
            self.restarted();
            return 0;
        };
        let since = *self.since.get_or_insert(now);
        let silence = now - self.quiet_from.max(since);
        let bound = slack + if self.said { LONGEST } else { FIRST };
        assert!(
            silence <= bound,
            "nothing is heard for {silence} us while a function runs; said before: {}",
            self.said
        );
        silence
    }
}
