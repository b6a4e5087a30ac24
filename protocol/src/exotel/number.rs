//! One spelling for the many that a phone number comes in.

/// The E.164 form of a number as Exotel or a person may spell it.
///
/// For region `IN`: `+919876543210`, `919876543210`, `09876543210`, `9876543210`, landlines with their STD code
/// (`04446971234`), toll-free numbers (`18001234567`), spaced, dashed or bracketed. For any other region only numbers with
/// their country code, behind `+` or `00`, since trunk prefixes and lengths differ by country. A space before the first digit
/// is what a form makes of an unescaped `+`: it counts as one when nothing else fits.
///
/// None when it is no number: a SIP address, `anonymous`, a short code.
#[must_use]
pub fn normalise_number(raw: &str, region: &str) -> Option<String> {
    let (plus, digits) = digits(raw)?;
    if plus {
        return international(&digits);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return international(rest);
    }
    let national = if region.eq_ignore_ascii_case("IN") { indian(&digits, &["", "0", "91", "910"]) } else { None };
    national.or_else(|| raw.starts_with(' ').then(|| international(&digits)).flatten())
}

/// Who is named by a SIP or telephone address: the user, without what stands around it. None for a text that is no such address.
pub(crate) fn user_of(text: &str) -> Option<&str> {
    // Behind a display name the address stands in `<>`.
    let inner = text.rfind('<').map_or(text, |at| &text[at + 1..]).trim_start();
    let (scheme, rest) = inner.split_once(':')?;
    if !["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let address = &rest[..rest.find(['>', '?', '"']).unwrap_or(rest.len())];
    let user = address.split_once('@').map_or(address, |(user, _)| user);
    // Its parameters, or a password.
    Some(user[..user.find([';', ':']).unwrap_or(user.len())].trim())
}

/// The digits, and whether a plus stood before them. None when there is anything that a number is not spelt with.
fn digits(raw: &str) -> Option<(bool, String)> {
    let raw = raw.trim().trim_matches('"').trim();
    let raw = raw.strip_prefix("tel:").unwrap_or(raw);
    let (plus, rest) = match raw.trim_start_matches(['(', ' ']).strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, raw),
    };
    let mut digits = String::with_capacity(16);
    for character in rest.chars() {
        match character {
            '0'..='9' => digits.push(character),
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' => {}
            other if other.is_whitespace() => {}
            _ => return None,
        }
    }
    (1..=20).contains(&digits.len()).then_some((plus, digits))
}

/// A number that begins with its country code.
fn international(digits: &str) -> Option<String> {
    if let Some(rest) = digits.strip_prefix("91") {
        return indian(rest, &["", "0"]);
    }
    ((8..=15).contains(&digits.len()) && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

/// A number of India behind one of the prefixes. Some write the trunk prefix behind the country code.
fn indian(digits: &str, prefixes: &[&str]) -> Option<String> {
    let national = |digits: &&str| match digits.len() {
        10 => !digits.starts_with('0'),
        11 => digits.starts_with("1800") || digits.starts_with("1860"),
        _ => false,
    };
    let number = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix).filter(national))?;
    Some(format!("+91{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_number_is_one_number() {
        for raw in [
            "+919876543210",
            "919876543210",
            "09876543210",
            "9876543210",
            "00919876543210",
            "+91 98765 43210",
            "+91-98765-43210",
            "098765 43210",
            "(0) 98765.43210",
            " 919876543210",
            "+91 0 98765 43210",
            "(+91) 98765 43210",
            "910 98765 43210",
            "\"09876543210\"",
            "tel:+919876543210",
            "+91\u{a0}98765\u{2011}43210",
        ] {
            assert_eq!(normalise_number(raw, "IN").as_deref(), Some("+919876543210"), "{raw}");
        }
        for raw in ["04446971234", "4446971234", "+914446971234", "914446971234", "044-4697 1234"] {
            assert_eq!(normalise_number(raw, "in").as_deref(), Some("+914446971234"), "{raw}");
        }
        for raw in ["18001234567", "1800 123 4567", "018001234567", "+9118001234567"] {
            assert_eq!(normalise_number(raw, "IN").as_deref(), Some("+9118001234567"), "{raw}");
        }
    }

    #[test]
    fn a_mobile_number_that_begins_with_91_keeps_its_digits() {
        assert_eq!(normalise_number("9123456789", "IN").as_deref(), Some("+919123456789"));
        assert_eq!(normalise_number("09123456789", "IN").as_deref(), Some("+919123456789"));
    }

    #[test]
    fn foreign_numbers_need_their_country_code() {
        assert_eq!(normalise_number("+1 415 555 0100", "IN").as_deref(), Some("+14155550100"));
        assert_eq!(normalise_number("0014155550100", "IN").as_deref(), Some("+14155550100"));
        assert_eq!(normalise_number(" 14155550100", "IN").as_deref(), Some("+14155550100"));
        assert_eq!(normalise_number("+6591234567", "SG").as_deref(), Some("+6591234567"));
        assert_eq!(normalise_number(" 6591234567", "SG").as_deref(), Some("+6591234567"));
        assert_eq!(normalise_number("91234567", "SG"), None);
        assert_eq!(normalise_number("09876543210", "SG"), None);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for raw in [
            "",
            " ",
            "+",
            "null",
            "anonymous",
            "sip:bot@example.in",
            "123",
            "0",
            "00",
            "+0987654321",
            "98765432101",
            "++919876543210",
            "+91987654321",
            "९८७६५४३२१०",
            "12345678901234567890123",
            "+1234567890123456",
        ] {
            assert_eq!(normalise_number(raw, "IN"), None, "{raw}");
        }
    }
}
