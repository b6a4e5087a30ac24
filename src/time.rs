//! The one form in which times leave the gateway: RFC 3339 in UTC, to the microsecond, as the databases keep them.

use chrono::{DateTime, Duration, NaiveDate, SecondsFormat, Utc};

/// `2026-11-25T18:16:00.269606Z`, always as long: such texts sort as the times do.
pub(crate) fn told(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The same of a time that may not be known.
pub(crate) fn maybe_told(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(told)
}

/// The forms in which a time may be given.
pub(crate) const FORMS: &str =
    "a time such as 2026-11-22T10:00:00Z, a day such as 2026-11-22, or how long ago: 90s, 15m, 2h, 3d";

/// RFC 3339, a day in UTC, or how long before `now`.
pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let whole = || DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    whole().or_else(day).or_else(|| now.checked_sub_signed(length(text)?))
}

/// `90s`, `15m`, `2h`, `3d`.
fn length(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u32 = count.parse().ok()?;
    let of: fn(i64) -> Option<Duration> = match unit {
        "s" => Duration::try_seconds,
        "m" => Duration::try_minutes,
        "h" => Duration::try_hours,
        "d" => Duration::try_days,
        _ => return None,
    };
    of(count.into())
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

    #[test]
    fn a_time_can_be_given_as_it_is_told_as_a_day_or_as_how_long_ago() {
        let now = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        for (text, told_as) in [
            ("2025-11-24T15:59:00Z", "2025-11-24T15:59:00.000000Z"),
            ("2025-11-24T21:29:00.5+05:30", "2025-11-24T15:59:00.500000Z"),
            ("2025-11-24", "2025-11-24T00:00:00.000000Z"),
            ("90s", "2025-11-24T15:58:30.000000Z"),
            ("15m", "2025-11-24T15:45:00.000000Z"),
            ("2h", "2025-11-24T14:00:00.000000Z"),
            ("3d", "2025-11-21T16:00:00.000000Z"),
        ] {
            assert_eq!(read(text, now).map(told).as_deref(), Some(told_as), "{text}");
        }
        for junk in ["", "h", "-2h", "2", "2w", "yesterday", "2h30m", "99999999999d", "4294967295d", "२h", "2025-13-01"]
        {
            assert_eq!(read(junk, now), None, "{junk}");
        }
    }
}
