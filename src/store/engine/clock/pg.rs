//! PostgreSQL's clock is the server's: one for all gateways.

/// A time so many seconds from now: what stands before their number, and behind it.
pub(in crate::store) const FROM_NOW: (&str, &str) =
    ("(timezone('utc', clock_timestamp()) + make_interval(secs => ", "))");
