//! SQLite's clock is the machine's.

/// A time so many seconds from now: what stands before their number, and behind it.
pub(in crate::store) const FROM_NOW: (&str, &str) = ("strftime('%Y-%m-%d %H:%M:%f', 'now', ", " || ' seconds')");
