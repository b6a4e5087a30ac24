//! The short way for what nearly every call has: a ten-digit number of India, spelt as Exotel does.

/// The number, if it is ten digits that begin with 6 to 9 behind `+91`, `91`, `0` or nothing: to libphonenumber every one of them is
/// valid (a test holds both against each other). It answers in nanoseconds, where the library takes some 15 us.
pub(super) fn indian(raw: &str, region: &str) -> Option<String> {
    let digits = match raw.strip_prefix("+91") {
        Some(digits) => digits,
        None if !region.eq_ignore_ascii_case("IN") => return None,
        None => match raw.len() {
            10 => raw,
            11 => raw.strip_prefix('0')?,
            12 => raw.strip_prefix("91")?,
            _ => return None,
        },
    };
    let usual = digits.len() == 10
        && digits.starts_with(['6', '7', '8', '9'])
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    usual.then(|| format!("+91{digits}"))
}
