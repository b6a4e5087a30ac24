//! Which call a thread works on just now, for whoever finds that the thread is stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static HERE: Arc<Busy> = Arc::default();
}

/// What one thread works on.
#[derive(Debug, Default)]
pub struct Busy(AtomicU64);

impl Busy {
    /// This thread's.
    #[must_use]
    pub fn here() -> Arc<Self> {
        HERE.with(Arc::clone)
    }

    /// The call, by the number of its place ([`crate::Switchboard::call_in_place`]); none: something else, or nothing.
    #[must_use]
    pub fn call(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }
}

/// This thread works on a call as long as this is held.
pub(crate) struct Working(());

impl Working {
    pub(crate) fn on(number: u64) -> Self {
        HERE.with(|here| here.0.store(number, Ordering::Relaxed));
        Self(())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // A thread that ends has nothing to say any more.
        let _ = HERE.try_with(|here| here.0.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_works_on_is_told_while_it_does_and_after_a_panic_nothing_is() {
        let here = Busy::here();
        assert_eq!(here.call(), None);
        let working = Working::on(7);
        assert_eq!(std::thread::scope(|scope| scope.spawn(|| here.call()).join().unwrap()), Some(7));
        drop(working);
        assert_eq!(here.call(), None);
        let panicked = std::panic::catch_unwind(|| {
            let _working = Working::on(8);
            panic!("in the middle");
        });
        assert!(panicked.is_err() && here.call().is_none());
    }
}
