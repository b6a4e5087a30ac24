//! One spelling for the many that a phone number comes in, and who is nobody's number at all.
//!
//! What a number is, in any country, is libphonenumber's to say. What stands here is before it: which texts are looked at, what a
//! carrier puts around a number, and the spellings of ours that it does not know.

mod address;
mod usual;
mod withheld;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

pub(crate) use address::user_of;
pub use withheld::is_withheld;

/// Longest text that is looked at, in bytes: fifteen digits of three bytes each, and what may stand between them.
const LONGEST: usize = 64;

/// The E.164 form of a number as Exotel or a person may spell it, if there are such numbers. Without a country code it is one of the
/// region (two letters, ISO 3166).
///
/// For region `IN`: `+919876543210`, `919876543210`, `09876543210`, `9876543210`, `0919876543210`, landlines with their STD code,
/// toll-free numbers; spaced, dashed or bracketed, in digits of any script, with a trunk prefix behind the country code, and within a SIP
/// or telephone address. A space before the first digit is what a form makes of an unescaped `+`: it counts as one when nothing else fits.
///
/// None when it is no number: a short code, a name, letters, an extension; and for callers who are [withheld](is_withheld).
#[must_use]
pub fn normalise_number(raw: &str, region: &str) -> Option<String> {
    usual::indian(raw, region).or_else(|| looked_up(raw, region))
}

/// Whether numbers of a region can be read: it is a country, by its two letters.
#[must_use]
pub fn is_region(region: &str) -> bool {
    region_of(region).is_some()
}

/// Reads a number of a region and one of elsewhere, since the first of either takes milliseconds that no call should wait for.
pub fn warm_numbers(region: &str) {
    for number in ["09876543210", "04446971234", "18001234567", "+14155550100", "1"] {
        let _ = looked_up(number, region);
    }
}

fn region_of(region: &str) -> Option<Region> {
    let region = region.trim();
    let region: Region = region.to_ascii_uppercase().parse().ok().filter(|_| region.len() == 2)?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

fn looked_up(raw: &str, region: &str) -> Option<String> {
    if is_withheld(raw) {
        return None;
    }
    let address = address::Address::of(raw);
    let spelt = Spelt::of(address.user)?;
    let context = address.context.and_then(Spelt::of).filter(|context| context.plus);
    let region = region_of(region);
    match (spelt.plus, context) {
        // `tel:44697;phone-context=+9144`: what is missing in front.
        (false, Some(context)) => e164(&format!("+{}{}", context.digits, spelt.digits), None),
        _ => spelt.read(region).or_else(|| {
            let unescaped = raw.starts_with(' ') && !spelt.plus;
            unescaped.then(|| e164(&format!("+{}", spelt.digits), None)).flatten()
        }),
    }
}

/// Digits in ASCII, and whether a plus stood before them.
struct Spelt {
    plus: bool,
    digits: String,
}

impl Spelt {
    /// None when there is anything that a number is not spelt with: libphonenumber itself would look for a number among words.
    fn of(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let start = text.trim_start_matches(|mark: char| mark == '(' || is_space(mark));
        let (plus, rest) = match start.strip_prefix(['+', '\u{ff0b}']).or_else(|| strip_escaped_plus(start)) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let digits = match rest.is_ascii() {
            true => rest.chars().filter(char::is_ascii_digit).collect(),
            false => PHONE_NUMBER_UTIL.normalize_digits_only(rest),
        };
        let others = rest.chars().filter(|&mark| !is_between(mark)).count();
        // What was no digit to the library was none of a number's marks either.
        (others == digits.len() && (1..=20).contains(&digits.len())).then_some(Self { plus, digits })
    }

    fn read(&self, region: Option<Region>) -> Option<String> {
        let digits = self.digits.as_str();
        // In front of a trunk prefix a plus means nothing.
        if self.plus && !digits.starts_with('0') {
            return e164(&format!("+{digits}"), None);
        }
        if let Some(number) = digits.strip_prefix("00").and_then(|rest| e164(&format!("+{rest}"), None)) {
            return Some(number);
        }
        e164(digits, region).or_else(|| {
            // A trunk prefix in front of the country code, or behind it.
            let rest = digits.strip_prefix('0').unwrap_or(digits);
            let country = PHONE_NUMBER_UTIL.get_country_code_for_region(region?)?;
            rest.starts_with(&country.to_string()).then(|| e164(&format!("+{rest}"), None)).flatten()
        })
    }
}

/// As libphonenumber reads it, if it is a number that there can be.
fn e164(number: &str, region: Option<Region>) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(number, region).ok()?;
    PHONE_NUMBER_UTIL
        .is_valid_number(&number)
        .then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// `%2B`, as a SIP address may have it.
fn strip_escaped_plus(text: &str) -> Option<&str> {
    text.strip_prefix("%2B").or_else(|| text.strip_prefix("%2b"))
}

/// What may stand between digits.
fn is_between(mark: char) -> bool {
    is_space(mark)
        || matches!(mark, '-' | '.' | '(' | ')' | '/')
        || matches!(mark, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}' | '\u{ff0e}')
}

/// White space, and the marks of direction that a number brings along from an address book.
fn is_space(mark: char) -> bool {
    mark.is_whitespace() || matches!(mark, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
