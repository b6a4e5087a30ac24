//! The search for how many calls a target carries: doubling until it breaks, then halving what is between.

/// A search. It is told of each step whether it held, and says what to try next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The most calls that held.
    held: usize,
    /// The fewest that broke, twice running.
    broke: Option<usize>,
    /// What broke once, and is tried once more.
    doubted: Option<usize>,
    first: usize,
    most: usize,
}

/// Closer than this share of what held, the knee is found: runs differ by more.
const CLOSE: f64 = 0.05;

impl Search {
    /// A search that begins with so many calls and goes up to so many.
    #[must_use]
    pub fn new(first: usize, most: usize) -> Self {
        let most = most.max(1);
        Self { held: 0, broke: None, doubted: None, first: first.clamp(1, most), most }
    }

    /// What to try next; none once it is found.
    #[must_use]
    pub fn next(&self) -> Option<usize> {
        if self.doubted.is_some() {
            return self.doubted;
        }
        match self.broke {
            None if self.held == 0 => Some(self.first),
            None if self.held >= self.most => None,
            None => Some((self.held * 2).min(self.most)),
            Some(broke) => {
                let close = ((self.held as f64 * CLOSE) as usize).max(1);
                (broke - self.held > close).then(|| self.held.midpoint(broke))
            }
        }
    }

    /// What was tried held, or broke. One that broke is tried once more: a neighbour's noise breaks a step, and none mends one.
    pub fn tell(&mut self, calls: usize, held: bool) {
        if held {
            self.held = self.held.max(calls);
            self.doubted = None;
        } else if self.doubted.take() == Some(calls) {
            self.broke = Some(self.broke.map_or(calls, |broke| broke.min(calls)));
        } else {
            self.doubted = Some(calls);
        }
    }

    /// The most calls that held; 0 when none did.
    #[must_use]
    pub const fn knee(&self) -> usize {
        self.held
    }

    /// The fewest that broke; none when all held that were to be tried.
    #[must_use]
    pub const fn broke(&self) -> Option<usize> {
        self.broke
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a made-up gateway; what was tried.
    fn tried(search: &mut Search, mut holds: impl FnMut(usize) -> bool) -> Vec<usize> {
        let mut tried = Vec::new();
        while let Some(calls) = search.next() {
            tried.push(calls);
            assert!(tried.len() < 60, "it never ends: {tried:?}");
            search.tell(calls, holds(calls));
        }
        tried
    }

    #[test]
    fn the_knee_is_found_by_doubling_and_halving() {
        let mut search = Search::new(50, 2_000);
        let steps = tried(&mut search, |calls| calls <= 437);
        assert_eq!(steps[..6], [50, 100, 200, 400, 800, 800]);
        assert!((410..=437).contains(&search.knee()), "{}", search.knee());
        assert!(search.broke().unwrap() > 437 && steps.len() <= 16, "{steps:?}");
    }

    #[test]
    fn wherever_the_knee_is_it_is_found_closely_and_from_below() {
        for knee in 1..600 {
            for first in [1, 50, 600] {
                let mut search = Search::new(first, 600);
                tried(&mut search, |calls| calls <= knee);
                let found = search.knee();
                assert!(found <= knee && found as f64 >= knee as f64 * 0.95 - 1.0, "{found} for {knee} from {first}");
            }
        }
    }

    #[test]
    fn one_that_carries_all_that_was_to_be_tried_has_no_knee() {
        let mut search = Search::new(100, 700);
        assert_eq!(tried(&mut search, |_| true), [100, 200, 400, 700]);
        assert_eq!((search.knee(), search.broke()), (700, None));
    }

    #[test]
    fn one_that_carries_nothing_is_found_out() {
        let mut search = Search::new(100, 700);
        let steps = tried(&mut search, |_| false);
        assert_eq!((search.knee(), search.broke()), (0, Some(1)));
        assert_eq!(steps[..4], [100, 100, 50, 50]);
    }

    #[test]
    fn a_knee_at_the_first_step_is_looked_for_below_it() {
        let mut search = Search::new(100, 700);
        tried(&mut search, |calls| calls <= 60);
        assert!((57..=60).contains(&search.knee()), "{}", search.knee());
    }

    #[test]
    fn a_moment_of_noise_does_not_name_another_knee() {
        for noisy in 0..12 {
            let (mut search, mut step) = (Search::new(50, 2_000), 0);
            tried(&mut search, |calls| {
                step += 1;
                step != noisy && calls <= 437
            });
            assert!((410..=437).contains(&search.knee()), "{} with noise in step {noisy}", search.knee());
        }
    }

    #[test]
    fn what_held_is_never_above_what_broke() {
        // A gateway whose knee wanders.
        let mut random = 12_345_u64;
        for _ in 0..200 {
            let mut search = Search::new(40, 1_000);
            tried(&mut search, |calls| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                calls as u64 <= 300 + (random >> 33) % 200
            });
            assert!(search.broke().is_some_and(|broke| broke > search.knee()), "{search:?}");
        }
    }
}
