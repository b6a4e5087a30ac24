//! SQLite has one writer at a time: there is nothing to lock.

macro_rules! skip_locked {
    ($select:expr) => {
        $select
    };
}
pub(in crate::store) use skip_locked;
