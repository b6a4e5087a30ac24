//! Whether the thread of a call's actors was late: one timer a thread looks after it, for all calls that are there and for whoever else asks.
//!
//! A thread that something blocks, or that its host does not run, serves none of its calls meanwhile, and nothing in those calls can tell
//! that from a peer that is slow. What was missed is counted here, and each call puts it on record with the next thing that happens to it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a thread looks after itself.
pub const BEAT: Duration = Duration::from_millis(100);
/// Less than that late is a busy moment.
const LATE: Duration = Duration::from_millis(200);

thread_local! {
    static HERE: RefCell<Weak<Lag>> = const { RefCell::new(Weak::new()) };
}

/// How late this thread was so far, ms. Kept while calls hold it.
#[derive(Debug, Default)]
pub(crate) struct Lag(Cell<u64>);

impl Lag {
    /// This thread's. Whoever is the first to ask starts the timer.
    pub(crate) fn here() -> Rc<Self> {
        HERE.with_borrow_mut(|here| {
            here.upgrade().unwrap_or_else(|| {
                let lag = Rc::<Self>::default();
                *here = Rc::downgrade(&lag);
                actix_rt::spawn(beats(Rc::downgrade(&lag)));
                lag
            })
        })
    }

    /// What was missed since `seen`, which is brought up to date.
    pub(crate) fn since(&self, seen: &mut u64) -> u64 {
        let now = self.0.get();
        now - std::mem::replace(seen, now)
    }

    /// What was missed so far.
    pub(crate) fn so_far(&self) -> u64 {
        self.0.get()
    }

    fn beat(&self, late: Duration) {
        if late >= LATE {
            self.0.set(self.0.get() + u64::try_from(late.as_millis()).unwrap_or(0));
        }
    }
}

/// Looks after this thread for as long as it runs, and says by how much each beat came late.
pub fn watch_thread(mut beat: impl FnMut(Duration) + 'static) {
    let lag = Rc::<Lag>::default();
    HERE.with_borrow_mut(|here| *here = Rc::downgrade(&lag));
    actix_rt::spawn(async move {
        let mut every = beats_every();
        loop {
            let late = every.tick().await.elapsed();
            lag.beat(late);
            beat(late);
        }
    });
}

/// Where nobody else looks after the thread: ends with its last call.
async fn beats(lag: Weak<Lag>) {
    let mut every = beats_every();
    loop {
        let due = every.tick().await;
        let Some(lag) = lag.upgrade() else { return };
        lag.beat(due.elapsed());
    }
}

fn beats_every() -> Interval {
    let mut every = interval(BEAT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_moment_is_no_lag_and_each_call_is_told_of_each_once() {
        let (lag, mut one, mut other) = (Lag::default(), 0, 0);
        lag.beat(Duration::from_millis(199));
        assert_eq!(lag.since(&mut one), 0);
        lag.beat(Duration::from_millis(1_400));
        assert_eq!((lag.since(&mut one), lag.since(&mut one)), (1_400, 0));
        lag.beat(Duration::from_millis(300));
        assert_eq!((lag.since(&mut one), lag.since(&mut other)), (300, 1_700));
    }

    #[actix_rt::test]
    async fn the_calls_of_a_thread_share_one_timer_which_ends_with_them() {
        let (one, other) = (Lag::here(), Lag::here());
        assert!(Rc::ptr_eq(&one, &other));
        drop((one, other));
        assert!(HERE.with_borrow(|here| here.upgrade().is_none()));
    }

    #[actix_rt::test]
    async fn the_calls_of_a_thread_that_is_watched_have_its_timer() {
        watch_thread(|_| ());
        let (one, other) = (Lag::here(), Lag::here());
        assert!(Rc::ptr_eq(&one, &other));
        drop((one, other));
        assert!(HERE.with_borrow(|here| here.upgrade().is_some()), "it stays for the next");
    }
}
