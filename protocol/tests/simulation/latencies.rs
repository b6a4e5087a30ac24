//! How long callers waited, as it was told.

use std::collections::{HashMap, HashSet};

use protocol::call::latency::{Latency, Part};
use protocol::ids::ItemId;

use super::tally::Tally;

/// See the module.
#[derive(Default)]
pub(crate) struct Latencies {
    told: HashSet<(ItemId, u64)>,
    /// Answers whose first message was on its way when their actor went, and with it what it knew of them.
    lost: HashSet<ItemId>,
}

impl Latencies {
    /// A fault of ours: what was sent and not heard yet is heard by nobody who knows when it was waited for.
    pub(crate) fn restarted(&mut self, answers: &HashMap<ItemId, u64>) {
        let told = |item: &&ItemId| self.told.iter().any(|(told, _)| told == *item);
        self.lost.extend(answers.keys().filter(|item| !told(item)).cloned());
    }

    pub(crate) fn was_lost(&self, item: &ItemId) -> bool {
        self.lost.contains(item)
    }

    /// One is told, then: once, of what has been, and its parts are the whole.
    pub(crate) fn told(&mut self, latency: &Latency, now_ms: u64, tally: &mut Tally) {
        let Latency { item, from_ms, parts, heard, .. } = latency;
        assert!(self.told.insert((item.clone(), *from_ms)), "{item} ends two waits: {latency:?}");
        let spans: Vec<_> = parts.spans().collect();
        let end = spans.iter().fold(0, |end, (part, at, ms)| {
            assert_eq!(*at, end, "{part:?} follows what was before it");
            end + ms
        });
        assert_eq!(end, latency.whole_ms(), "{latency:?}");
        assert!(latency.until_ms() <= now_ms, "{now_ms}: {latency:?} is over");
        assert!(*heard || parts.ms(Part::Playing) == 0, "nobody knows when it was heard: {latency:?}");
        tally.add("latencies", 1);
        tally.add("latencies heard", u64::from(*heard));
        tally.greatest("longest latency ms", end);
        for (part, ms) in parts.iter().filter(|(_, ms)| *ms > 0) {
            tally.add(part.name(), ms);
        }
    }
}
