//! What a client's settings may be, and are unless told: the same for the API and the command.

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

/// ISO 3166-1, alpha-2.
const REGIONS: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC \
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG \
    GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW \
    KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI \
    NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR \
    SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// The areas of the IANA database.
const AREAS: [&str; 11] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Etc",
    "Europe",
    "Indian",
    "Pacific",
];

/// A region as it is kept, if there is one of that name.
pub(crate) fn region(told: &str) -> Option<String> {
    let region = told.trim().to_ascii_uppercase();
    REGIONS.split(' ').any(|known| known == region).then_some(region)
}

/// Whether a text is shaped like the name of a time zone, in an area that there is. Which places there are changes every year.
pub(crate) fn is_time_zone(told: &str) -> bool {
    let is_place = |place: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        place.len() <= 32 && place.starts_with(|first: char| first.is_ascii_uppercase()) && place.bytes().all(plain)
    };
    match told.split_once('/') {
        Some((area, places)) => {
            AREAS.contains(&area) && places.split('/').count() <= 2 && places.split('/').all(is_place)
        }
        None => told == "UTC",
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
        for told in [TIME_ZONE, "UTC", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5"] {
            assert!(is_time_zone(told), "{told}");
        }
        for told in ["", "IST", "Asia", "Asia/", "asia/kolkata", "Mars/Base", "Asia/Kolkata/a/b", "+05:30", "Asia/K\0"]
        {
            assert!(!is_time_zone(told), "{told}");
        }
    }
}
