//! What all threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock is poisoned only if a fold of facts panicked; what it holds is still the best there is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
