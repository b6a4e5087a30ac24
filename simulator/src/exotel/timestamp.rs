//! Dates as Exotel writes them: Indian time without a zone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Indian Standard Time is 5:30 h ahead of UTC all year.
const IST: Duration = Duration::from_secs(19_800);

/// A moment of Indian time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndianTime {
    seconds: u64,
}

impl IndianTime {
    pub(crate) fn now() -> Self {
        Self::at(SystemTime::now())
    }

    pub(crate) fn at(time: SystemTime) -> Self {
        Self { seconds: (time.duration_since(UNIX_EPOCH).unwrap_or_default() + IST).as_secs() }
    }

    /// Year, month from 1, day from 1, by the civil-from-days algorithm on years that begin in March.
    fn date(self) -> (u64, u64, u64) {
        let days = self.seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        (year_of_era + era * 400 + u64::from(month <= 2), month, day)
    }

    fn clock(self) -> String {
        let second = self.seconds % 86_400;
        format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
    }

    /// `2026-08-25 12:07:09`.
    pub(crate) fn plain(self) -> String {
        let (year, month, day) = self.date();
        format!("{year}-{month:02}-{day:02} {}", self.clock())
    }

    /// `Tue, 25 Aug 2026 12:07:08`.
    pub(crate) fn long(self) -> String {
        let (year, month, day) = self.date();
        let weekday = DAYS[(self.seconds / 86_400 % 7) as usize];
        format!("{weekday}, {day:02} {} {year} {}", MONTHS[(month - 1) as usize], self.clock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_exotel_writes_them() {
        let capture = IndianTime::at(UNIX_EPOCH + Duration::from_secs(1_787_639_828));
        assert_eq!(capture.long(), "Tue, 25 Aug 2026 12:07:08");
        assert_eq!(capture.plain(), "2026-08-25 12:07:08");
        let leap_day = IndianTime::at(UNIX_EPOCH + Duration::from_secs(1_709_164_800));
        assert_eq!(leap_day.plain(), "2024-02-29 05:30:00");
    }
}
