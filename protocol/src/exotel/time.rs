//! Exotel's times: India's clock where no zone is told, in the spellings of its webhooks, of mail and of ISO 8601.

/// India is 5 h 30 min ahead of UTC, all year.
const IST_SECS: i64 = 5 * 3600 + 30 * 60;
/// No place is further ahead of UTC, or behind it.
const FURTHEST_SECS: i64 = 14 * 3600;
/// Longest text that is looked at, in bytes.
const LONGEST: usize = 64;
/// 1971: Exotel sends 1970 for a time that it does not know yet.
const EARLIEST: i64 = 365 * 86_400;
/// The year 9999.
const LATEST: i64 = 253_402_300_799;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Unix seconds of a time as a webhook may tell it, fractions left out: `2024-09-03 11:44:54` and `Tue, 03 Sep 2024 11:44:54` in India;
/// the same behind a `T`, with a fraction, and with a zone (`Z`, `GMT`, `IST`, `+05:30`, `+0530`, a form's ` 05:30`); seconds or milliseconds
/// since 1970.
///
/// None for 1970, and for what is no time.
pub(crate) fn unix_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let at = match since_1970(text) {
        Some(at) => at,
        None => {
            let (local, ahead) = zoned(text)?;
            local_secs(local)? - ahead
        }
    };
    (EARLIEST..=LATEST).contains(&at).then_some(at)
}

/// Seconds of ten digits, milliseconds of thirteen, microseconds of sixteen.
fn since_1970(text: &str) -> Option<i64> {
    let whole = text.split_once('.').map_or(Some(text), |(whole, rest)| is_digits(rest).then_some(whole))?;
    let divisor = match whole.len() {
        9 | 10 => 1,
        12 | 13 => 1_000,
        15 | 16 => 1_000_000,
        _ => return None,
    };
    digits(whole, 16).map(|count| count / divisor)
}

/// A time without its zone, and how far that is ahead of UTC, s.
fn zoned(text: &str) -> Option<(&str, i64)> {
    if let Some(local) =
        text.strip_suffix(['Z', 'z']).filter(|local| local.ends_with(|last: char| last.is_ascii_digit()))
    {
        return Some((local, 0));
    }
    // What stands behind the time of day.
    let colon = text.find(':')?;
    let Some(at) = text[colon..].find(['+', '-', '\u{2212}', ' ']).map(|at| colon + at) else {
        return Some((text, IST_SECS));
    };
    let (local, zone) = text.split_at(at);
    let zone = zone.trim();
    let ahead = match zone.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "UT" | "Z" => 0,
        "IST" => IST_SECS,
        _ => offset(zone)?,
    };
    Some((local, ahead))
}

/// `+05:30`, `-0800`, `+05`. A form makes a space, which is gone here, of an unescaped plus.
fn offset(zone: &str) -> Option<i64> {
    let (sign, told) = match zone.strip_prefix(['-', '\u{2212}']) {
        Some(told) => (-1, told),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = match told.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (digits(hours, 2)?, digits(minutes, 2)?),
        Some(_) => return None,
        None if told.len() == 4 && told.is_ascii() => (digits(&told[..2], 2)?, digits(&told[2..], 2)?),
        None => (digits(told, 2)?, 0),
    };
    let ahead = sign * (hours * 3600 + minutes * 60);
    (minutes < 60 && ahead.abs() <= FURTHEST_SECS).then_some(ahead)
}

/// Seconds from 1970 to a date and a time of day, both of one clock.
fn local_secs(text: &str) -> Option<i64> {
    let (date, clock) = text.rsplit_once([' ', 'T', 't'])?;
    let date = date.trim();
    // The day of the week may stand before it.
    let date = date.split_once(',').map_or(date, |(_, date)| date.trim());
    let (year, month, day) = match date.contains(' ') {
        true => {
            let mut parts = date.split_ascii_whitespace();
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))?;
            (digits(year, 4)?, i64::try_from(month).ok()? + 1, digits(day, 2).filter(|_| parts.next().is_none())?)
        }
        false => {
            let mut parts = date.split('-');
            let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
            (digits(year, 4)?, digits(month, 2)?, digits(day, 2).filter(|_| parts.next().is_none())?)
        }
    };
    let clock = clock.split_once(['.', ',']).map_or(Some(clock), |(clock, rest)| is_digits(rest).then_some(clock))?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let possible = (1971..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && parts.next().is_none();
    possible.then(|| days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// A number of one to so many digits, and nothing else.
fn digits(text: &str, most: usize) -> Option<i64> {
    (text.len() <= most && is_digits(text)).then(|| text.parse().ok()).flatten()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, by counting years from March so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_without_a_zone_is_indias_clock() {
        // 2024-09-03 06:14:54 UTC.
        for told in [
            "2024-09-03 11:44:54",
            "Tue, 03 Sep 2024 11:44:54",
            "Tue, 3 Sep 2024 11:44:54",
            "03 Sep 2024 11:44:54",
            "2024-09-03T11:44:54",
            "2024-09-03t11:44:54.999",
            "2024-09-03 11:44:54,5",
        ] {
            assert_eq!(unix_time(told), Some(1_725_344_094), "{told}");
        }
        assert_eq!(unix_time("2024-02-29 05:30:00"), Some(1_709_164_800));
        assert_eq!(unix_time("2000-03-01 00:00:00"), Some(951_868_800 - IST_SECS));
        assert_eq!(unix_time("2100-12-31 23:59:59"), Some(4_133_980_799 - IST_SECS));
    }

    #[test]
    fn a_time_with_a_zone_is_read_by_it() {
        for told in [
            "2024-09-03T06:14:54Z",
            "2024-09-03 06:14:54Z",
            "2024-09-03T06:14:54.123456Z",
            "2024-09-03T06:14:54z",
            "2024-09-03T11:44:54+05:30",
            "2024-09-03T11:44:54.5+05:30",
            "2024-09-03T11:44:54 05:30",
            "2024-09-03 11:44:54 +05:30",
            "2024-09-03 11:44:54 +0530",
            "2024-09-03T11:44:54+0530",
            "2024-09-03T02:14:54-04",
            "2024-09-03T02:14:54\u{2212}04:00",
            "2024-09-02T22:14:54-08:00",
            "2024-09-03 06:14:54 UTC",
            "2024-09-03 11:44:54 IST",
            "Tue, 03 Sep 2024 06:14:54 GMT",
            "Tue, 03 Sep 2024 06:14:54 +0000",
            "Tue, 03 Sep 2024 11:44:54 +0530",
            "3 Sep 2024 06:14:54 -0000",
            "1725344094",
            "1725344094.25",
            "1725344094123",
            "1725344094123456",
        ] {
            assert_eq!(unix_time(told), Some(1_725_344_094), "{told}");
        }
    }

    #[test]
    fn exotels_unknown_time_and_junk_are_no_times() {
        for text in [
            "1970-01-01 05:30:00",
            "1970-01-01T00:00:00Z",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "0",
            "000000000",
            "0000000000",
            "",
            "null",
            "yesterday",
            "09876543210",
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-00-10 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:00:60",
            "2024-01-01",
            "2024-01-01 00:00",
            "2024-01-01 00:00:00:00",
            "2024-01-01-01 00:00:00",
            "2024-01-01T00:00:00+15:00",
            "2024-01-01T00:00:00+05:3",
            "2024-01-01T00:00:00+05:60",
            "2024-01-01T00:00:00 PST",
            "2024-01-01T00:00:00ZZ",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00.x",
            "+024-01-01 00:00:00",
            "Tue, 03 Foo 2024 11:44:54",
            "99999-01-01 00:00:00",
            "२०२४-01-01 00:00:00",
        ] {
            assert_eq!(unix_time(text), None, "{text}");
        }
        assert_eq!(unix_time(&format!("2024-01-01 00:00:00.{}", "0".repeat(60_000))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in any::<String>(), shaped in "[0-9T :.,+Z-]{0,40}") {
            for told in [text, shaped] {
                prop_assert!(unix_time(&told).is_none_or(|at| (EARLIEST..=LATEST).contains(&at)));
            }
        }
    }

    #[test]
    fn days_count_up_without_gaps_over_four_centuries() {
        let mut expected = days_since_1970(1971, 1, 1);
        assert_eq!(expected, 365);
        for year in 1971..2372 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_since_1970(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }
}
