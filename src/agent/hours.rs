//! When an agent answers: days and times, in the client's time zone.

use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use chrono_tz::Tz;

/// Days of the week in the order of [`Weekday::num_days_from_monday`].
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// What an entry must be.
const WANTED: &str = "give days and times as in \"Mon-Fri 09:00-18:00\" or \"Sat,Sun 10:00-13:00 15:00-17:00\"";

/// Some days of the week, and times of each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningTimes {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes of the day: from, and to. What ends before it begins ends on the next day.
    times: Vec<(u16, u16)>,
}

impl OpeningTimes {
    /// Of an entry such as `Mon-Fri 09:00-18:00`.
    ///
    /// # Errors
    /// What is wrong with it, and the mend.
    pub fn parse(told: &str) -> Result<Self, String> {
        let mut parts = told.split_whitespace();
        let mut days = [false; 7];
        for listed in parts.next().unwrap_or_default().split(',') {
            let (from, to) = listed.split_once('-').unwrap_or((listed, listed));
            let (from, to) = (day(from)?, day(to)?);
            let last = if to < from { to + 7 } else { to };
            (from..=last).for_each(|index| days[index % 7] = true);
        }
        let times = parts.map(between).collect::<Result<Vec<_>, _>>()?;
        if times.is_empty() {
            return Err(format!("has no times: {WANTED}"));
        }
        Ok(Self { days, times })
    }

    /// Whether it is open at that minute of that day.
    fn holds(&self, day: Weekday, minute: u16) -> bool {
        let [today, yesterday] = [day, day.pred()].map(|day| self.days[day.num_days_from_monday() as usize]);
        self.times.iter().any(|&(from, to)| match from < to {
            true => today && (from..to).contains(&minute),
            false => today && minute >= from || yesterday && minute < to,
        })
    }
}

/// All entries of somebody's hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningHours(Vec<OpeningTimes>);

impl OpeningHours {
    /// What cannot be read of what is kept is no time at all.
    #[must_use]
    pub fn of(entries: &[String]) -> Self {
        Self(entries.iter().filter_map(|told| OpeningTimes::parse(told).ok()).collect())
    }

    /// Whether one of them says open at that time.
    #[must_use]
    pub fn hold(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&zone);
        let minute = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or_default();
        self.at(local.weekday(), minute)
    }

    fn at(&self, day: Weekday, minute: u16) -> bool {
        self.0.iter().any(|times| times.holds(day, minute))
    }
}

/// Whether one of the entries says open at that time.
pub(super) fn is_open(entries: &[String], at: DateTime<Utc>, zone: Tz) -> bool {
    OpeningHours::of(entries).hold(at, zone)
}

/// Whether there is a minute of the week at which these are open and those are not; none of those: they never are.
pub(super) fn ever_without(these: Option<&[String]>, those: &[String]) -> bool {
    let (these, those) = (these.map(OpeningHours::of), OpeningHours::of(those));
    (0..7_u8).filter_map(|day| Weekday::try_from(day).ok()).any(|day| {
        let free = |minute| !those.at(day, minute) && these.as_ref().is_none_or(|these| these.at(day, minute));
        (0..DAY).any(free)
    })
}

/// An entry as it is kept.
pub(super) fn entry(told: &str) -> Result<String, String> {
    OpeningTimes::parse(told).map(|_| told.to_owned())
}

/// A day by its name, or the first three letters of it.
fn day(told: &str) -> Result<usize, String> {
    let name = told.to_ascii_lowercase();
    let is = |day: &str| day == name || day.get(..3) == Some(name.as_str());
    DAYS.iter().position(|day| is(day)).ok_or_else(|| match told {
        "" => format!("has no days: {WANTED}"),
        told => format!("names {}, which is no day: {WANTED}", told.chars().take(20).collect::<String>()),
    })
}

/// `09:00-18:00`, in minutes.
fn between(told: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("has {}, which is no time from and to: {WANTED}", told.chars().take(20).collect::<String>());
    let (from, to) = told.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
    if from == to || from == DAY {
        return Err(format!("has {told}, which is no time at all: a whole day is 00:00-24:00"));
    }
    Ok((from, to))
}

/// `09:00`, and `24:00` for the end of a day.
fn minute(told: &str) -> Option<u16> {
    let (hours, minutes) = told.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let minute = hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok().filter(|minutes| *minutes < 60)?;
    (two(hours) && two(minutes) && minute <= DAY).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 is a Monday.
    fn open(entries: &[&str], day: u32, time: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let at = format!("2026-11-{day}T{time}:00+05:30").parse::<DateTime<Utc>>().unwrap();
        is_open(&entries, at, Tz::Asia__Kolkata)
    }

    #[test]
    fn an_agent_is_there_at_the_times_that_are_told_and_at_no_others() {
        let clinic = ["Mon-Fri 09:00-13:00 14:00-18:00", "saturday 10:00-13:00"];
        for (day, time, expected) in [
            (23, "08:59", false),
            (23, "09:00", true),
            (23, "12:59", true),
            (23, "13:00", false),
            (27, "17:59", true),
            (27, "18:00", false),
            (28, "10:00", true),
            (28, "14:00", false),
            (29, "10:00", false),
        ] {
            assert_eq!(open(&clinic, day, time), expected, "{day} {time}");
        }
        assert!(open(&["Mon-Sun 00:00-24:00"], 29, "23:59"));
    }

    #[test]
    fn what_ends_before_it_begins_ends_on_the_next_day() {
        let bar = ["Fri,Sun 22:00-02:00"];
        for (day, time, expected) in
            [(27, "21:59", false), (27, "23:00", true), (28, "01:59", true), (28, "02:00", false), (28, "23:00", false)]
        {
            assert_eq!(open(&bar, day, time), expected, "{day} {time}");
        }
        assert!(open(&bar, 23, "01:00") && open(&["Sat-Mon 09:00-10:00"], 29, "09:30"));
        assert!(!open(&["Sat-Mon 09:00-10:00"], 24, "09:30"));
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_told_with_the_mend() {
        for (told, said) in [
            ("", "has no days"),
            ("Mon-Fri", "has no times"),
            ("Mo 09:00-10:00", "names Mo, which is no day"),
            ("Mon-Fri 9-18", "has 9-18, which is no time"),
            ("Mon 9:00-10:00", "has 9:00-10:00, which is no time"),
            ("Mon 09:00-24:01", "is no time from and to"),
            ("Mon 09:60-10:00", "is no time from and to"),
            ("Mon 09:00-09:00", "a whole day is 00:00-24:00"),
            ("Mon 99999:00-10:00", "is no time"),
        ] {
            let wrong = entry(told).unwrap_err();
            assert!(wrong.contains(said), "{told}: {wrong}");
        }
    }
}
