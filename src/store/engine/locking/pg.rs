//! Rows that another transaction holds are left to it.

macro_rules! skip_locked {
    ($select:expr) => {
        $select.for_update().skip_locked()
    };
}
pub(in crate::store) use skip_locked;
