//! Which clients have series of their own in metrics: the busiest, and all others share one.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// Clients with series of their own.
const MOST: usize = 50;
/// Clients that had some since this process began: a series is never taken back, so that a client that comes and goes costs no more.
const MOST_EVER: usize = 200;
/// Clients whose calls are counted to see who is busy.
const MOST_COUNTED: usize = 10_000;
/// What was counted longer ago counts half.
const HALVED_EVERY: Duration = Duration::from_secs(600);
/// Whoever has no series of its own.
const OTHER: &str = "other";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Busiest(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    own: HashMap<String, u32>,
    others: HashMap<String, u32>,
    ever: HashSet<String>,
    halved: Option<Instant>,
}

impl Busiest {
    /// The label of a client whose call ended, which counts.
    pub(crate) fn count(&self, client: &str, now: Instant) -> String {
        let mut counts = lock(&self.0);
        counts.age(now);
        if let Some(calls) = counts.own.get_mut(client) {
            *calls = calls.saturating_add(1);
            return client.to_owned();
        }
        if counts.own.len() < MOST {
            counts.give(client, 1);
            return client.to_owned();
        }
        counts.of_others(client)
    }

    /// The label of a client.
    pub(crate) fn label(&self, client: &str) -> String {
        let mut counts = lock(&self.0);
        if !counts.own.contains_key(client) {
            if counts.own.len() >= MOST {
                return OTHER.to_owned();
            }
            counts.give(client, 0);
        }
        client.to_owned()
    }
}

impl Counts {
    fn give(&mut self, client: &str, calls: u32) {
        self.ever.insert(client.to_owned());
        self.own.insert(client.to_owned(), calls);
    }

    /// A call of a client that has no series. One that has twice the calls of another that has some takes its place.
    fn of_others(&mut self, client: &str) -> String {
        if self.others.len() >= MOST_COUNTED && !self.others.contains_key(client) {
            return OTHER.to_owned();
        }
        let calls = self.others.entry(client.to_owned()).or_default();
        *calls = calls.saturating_add(1);
        let calls = *calls;
        let may_have = self.ever.len() < MOST_EVER || self.ever.contains(client);
        let least = self.own.iter().min_by_key(|(_, calls)| **calls);
        let idle = least.filter(|(_, least)| may_have && calls > least.saturating_mul(2)).map(|(name, _)| name.clone());
        let Some(idle) = idle else { return OTHER.to_owned() };
        if let Some(calls) = self.own.remove(&idle) {
            self.others.insert(idle, calls);
        }
        self.others.remove(client);
        self.give(client, calls);
        client.to_owned()
    }

    fn age(&mut self, now: Instant) {
        let since = *self.halved.get_or_insert(now);
        if now.saturating_duration_since(since) < HALVED_EVERY {
            return;
        }
        self.halved = Some(now);
        self.own.values_mut().for_each(|calls| *calls /= 2);
        self.others.retain(|_, calls| {
            *calls /= 2;
            *calls > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ten_thousand_clients_the_busiest_have_series_and_there_are_never_more_than_can_be_kept() {
        let (busiest, mut now) = (Busiest::default(), Instant::now());
        let mut labels = HashSet::new();
        for round in 0..20 {
            for client in 0..10_000_u32 {
                labels.insert(busiest.count(&format!("c{client}"), now));
                // Later on other clients are busy.
                if client % 500 == round % 7 {
                    labels.extend((0..40).map(|_| busiest.count(&format!("c{client}"), now)));
                }
            }
            now += HALVED_EVERY;
        }
        assert!(labels.len() <= MOST_EVER + 1, "{}", labels.len());
        assert!(labels.contains(OTHER));
        let counts = lock(&busiest.0);
        assert!(counts.own.len() <= MOST && counts.others.len() <= MOST_COUNTED);
    }

    #[test]
    fn a_client_that_becomes_busy_takes_the_series_of_one_that_is_not() {
        let (busiest, now) = (Busiest::default(), Instant::now());
        (0..MOST).for_each(|client| drop(busiest.count(&format!("c{client}"), now)));
        assert_eq!(busiest.count("new", now), OTHER);
        assert_eq!(busiest.label("new"), OTHER);
        assert_eq!((busiest.count("new", now), busiest.count("new", now)), (OTHER.to_owned(), "new".to_owned()));
        assert_eq!(busiest.label("new"), "new");
        assert_eq!(lock(&busiest.0).own.len(), MOST);
    }
}
