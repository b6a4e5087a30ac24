//! What all threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, poisoned or not: what a panic left behind it is still the best there is.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
