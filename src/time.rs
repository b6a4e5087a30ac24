//! The one form in which times leave the gateway: RFC 3339 in UTC, to the microsecond, as the databases keep them.

use chrono::{DateTime, SecondsFormat, Utc};

/// `2026-11-25T18:16:00.269606Z`, always as long: such texts sort as the times do.
pub(crate) fn told(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The same of a time that may not be known.
pub(crate) fn maybe_told(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_one_form() {
        for (at, expected) in [
            (DateTime::from_timestamp(1_764_000_000, 0), "2025-11-24T16:00:00.000000Z"),
            (DateTime::from_timestamp(1_764_000_000, 269_606_999), "2025-11-24T16:00:00.269606Z"),
        ] {
            assert_eq!(maybe_told(at).as_deref(), Some(expected));
        }
        assert_eq!(maybe_told(None), None);
    }
}
