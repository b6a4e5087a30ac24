//! Exotel's times: India's clock, without a zone.

/// India is 5 h 30 min ahead of UTC, all year.
const IST_SECS: i64 = 5 * 3600 + 30 * 60;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Unix seconds of `2024-09-03 11:44:54` or `Tue, 03 Sep 2024 11:44:54` in India.
///
/// None for 1970, which Exotel sends for a time it does not know yet, and for what is no time.
pub(crate) fn unix_from_ist(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, clock) = text.rsplit_once([' ', 'T'])?;
    let (year, month, day) = match date.split_once(", ") {
        Some((_, date)) => {
            let mut parts = date.split_ascii_whitespace();
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))?;
            (digits(year, 4)?, i64::try_from(month).ok()? + 1, digits(day, 2)?)
        }
        None => {
            let mut parts = date.split('-');
            (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?)
        }
    };
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let possible = year > 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && parts.next().is_none();
    possible.then(|| days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - IST_SECS)
}

/// A number of one to so many digits, and nothing else.
fn digits(text: &str, most: usize) -> Option<i64> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
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
    use super::*;

    #[test]
    fn both_spellings_are_indias_clock() {
        // 2024-09-03 06:14:54 UTC.
        assert_eq!(unix_from_ist("2024-09-03 11:44:54"), Some(1_725_344_094));
        assert_eq!(unix_from_ist("Tue, 03 Sep 2024 11:44:54"), Some(1_725_344_094));
        assert_eq!(unix_from_ist("2024-09-03T11:44:54"), Some(1_725_344_094));
        assert_eq!(unix_from_ist("2024-02-29 05:30:00"), Some(1_709_164_800));
        assert_eq!(unix_from_ist("2000-03-01 00:00:00"), Some(951_868_800 - IST_SECS));
        assert_eq!(unix_from_ist("2100-12-31 23:59:59"), Some(4_133_980_799 - IST_SECS));
    }

    #[test]
    fn exotels_unknown_time_and_junk_are_no_times() {
        for text in [
            "1970-01-01 05:30:00",
            "",
            "null",
            "yesterday",
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-00-10 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:00:60",
            "2024-01-01",
            "2024-01-01 00:00",
            "2024-01-01 00:00:00:00",
            "+024-01-01 00:00:00",
            "Tue, 03 Foo 2024 11:44:54",
            "99999-01-01 00:00:00",
            "२०२४-01-01 00:00:00",
        ] {
            assert_eq!(unix_from_ist(text), None, "{text}");
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
