//! What a client's settings may be, and are unless told: the same for the API and the command.

use chrono_tz::{TZ_VARIANTS, Tz};
use protocol::exotel::is_region;

pub(crate) mod voice;

/// Language of a new client.
pub(crate) const LANGUAGE: &str = "en-IN";
/// Time zone of a new client.
pub(crate) const TIME_ZONE: &str = "Asia/Kolkata";
/// Region of a new client, and of its number when that has no country code.
pub(crate) const REGION: &str = "IN";
/// Instructions of a new client.
pub(crate) const INSTRUCTIONS: &str =
    "You answer the phone. Be brief, friendly and helpful; answer in the caller's language.";

/// What a language must be.
pub(crate) const LANGUAGE_WANTED: &str = "a BCP 47 tag such as en-IN or hi-IN";
/// What a region must be.
pub(crate) const REGION_WANTED: &str = "a country in two letters (ISO 3166), such as IN";
/// What a time zone must be.
pub(crate) const TIME_ZONE_WANTED: &str = "a name of the IANA database such as Asia/Kolkata, or UTC";

/// Names of zones are no longer; whatever is, is not compared with them.
const LONGEST_ZONE: usize = 40;
/// So alike are two names, of 1, that one may be a slip of the pen for the other.
const ALIKE: f64 = 0.85;

/// A region as it is kept, if numbers of it can be read.
pub(crate) fn region(told: &str) -> Option<String> {
    let region = told.trim().to_ascii_uppercase();
    is_region(&region).then_some(region)
}

/// The name of a time zone that there is.
///
/// # Errors
/// Says what would be right: the name that was meant, if that can be seen.
pub(crate) fn time_zone(told: &str) -> Result<String, String> {
    // Names without an area are abbreviations (`EST`), or of long ago (`Cuba`): what they mean is not clear enough.
    let is_named = |name: &str| name == "UTC" || name.contains('/');
    if is_named(told) && told.parse::<Tz>().is_ok() {
        return Ok(told.to_owned());
    }
    let meant = told.trim().to_ascii_lowercase().replace(' ', "_");
    if meant.len() <= 4 && meant.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(format!("an abbreviation may mean several zones: give {TIME_ZONE_WANTED}"));
    }
    let likeness = |name: &str| {
        let name = name.to_ascii_lowercase();
        // `Kolkata` alone is meant well, too.
        let place = name.rsplit('/').next().unwrap_or_default();
        strsim::jaro_winkler(&name, &meant).max(strsim::jaro_winkler(place, &meant))
    };
    let near = || {
        let names = TZ_VARIANTS.iter().map(|zone| zone.name()).filter(|name| is_named(name));
        let nearest = names.map(|name| (likeness(name), name)).max_by(|one, other| one.0.total_cmp(&other.0));
        nearest.filter(|(likeness, _)| *likeness > ALIKE)
    };
    match if meant.len() <= LONGEST_ZONE { near() } else { None } {
        Some((_, name)) => Err(format!("there is no such zone: is it {name}?")),
        None => Err(format!("there is no such zone: give {TIME_ZONE_WANTED}")),
    }
}

/// Whether a text is shaped like a BCP 47 tag.
pub(crate) fn is_language(told: &str) -> bool {
    let mut parts = told.split('-');
    let primary = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    primary && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_time_zones_that_there_are_not_are_told_from_those_that_there_are() {
        assert_eq!(region(" sg "), Some("SG".to_owned()));
        assert_eq!(region(REGION), Some(REGION.to_owned()));
        for told in ["", "XX", "India", "I", "IN SG", "N I"] {
            assert_eq!(region(told), None, "{told}");
        }
        for told in [TIME_ZONE, "UTC", "Asia/Calcutta", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert_eq!(time_zone(told).as_deref(), Ok(told));
        }
    }

    #[test]
    fn a_time_zone_that_there_is_not_is_refused_with_the_one_that_was_meant() {
        for (told, meant) in [
            ("Asia/Kolkatta", "Asia/Kolkata"),
            ("asia/kolkata", "Asia/Kolkata"),
            ("Asia/Kolkata ", "Asia/Kolkata"),
            ("Kolkata", "Asia/Kolkata"),
            ("Europe/Londn", "Europe/London"),
            ("America/New York", "America/New_York"),
            ("Singapur", "Asia/Singapore"),
        ] {
            let words = time_zone(told).unwrap_err();
            assert!(words.contains(meant), "{told}: {words}");
        }
        for told in ["", "IST", "EST", "PST", "+05:30", "Mars/Base", "Asia", "Asia/K\0", &"x/".repeat(30_000)] {
            let words = time_zone(told).unwrap_err();
            assert!(words.contains("Asia/Kolkata") || words.contains("is it "), "{told}: {words}");
            assert!(words.len() < 200);
        }
    }
}
