//! What was seen to happen, so that a test can tell that its worlds were not idle.

use std::collections::BTreeMap;

use protocol::call::end::Ended;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    most: BTreeMap<&'static str, u64>,
    /// The end was recorded.
    pub(crate) told: bool,
    pub(crate) ended: Option<Ended>,
}

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// Keeps the greatest.
    pub(crate) fn greatest(&mut self, what: &'static str, amount: u64) {
        let most = self.most.entry(what).or_default();
        *most = amount.max(*most);
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.counts.get(what).or_else(|| self.most.get(what)).copied().unwrap_or(0)
    }

    /// Adds the figures of another call, and how it ended.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.add(what, *count);
        }
        for (what, amount) in &other.most {
            self.greatest(what, *amount);
        }
        if let Some(why) = &other.ended {
            self.add(ending(why), 1);
        }
    }
}

fn ending(why: &Ended) -> &'static str {
    match why {
        Ended::CallerHungUp { .. } => "ended: caller hung up",
        Ended::AgentHungUp => "ended: agent hung up",
        Ended::Transferred(_) => "ended: transferred",
        Ended::CallerSilent => "ended: caller silent",
        Ended::Operator => "ended: operator",
        Ended::TooLong => "ended: too long",
        Ended::NoMedia => "ended: no media",
        Ended::MediaSilent => "ended: media silent",
        Ended::ModelFailed { .. } => "ended: model failed",
        _ => "ended: otherwise",
    }
}
