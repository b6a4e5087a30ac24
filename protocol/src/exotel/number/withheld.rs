//! Callers who do not show their number. They are many people, and none of them is anybody's number.

use super::address::Address;

/// How carriers and exchanges call them, letters only.
pub(super) const WORDS: [&str; 26] = [
    "anonym",
    "anonymous",
    "blocked",
    "blockednumber",
    "calleridblocked",
    "calleridwithheld",
    "hidden",
    "na",
    "nil",
    "nocallerid",
    "none",
    "nonumber",
    "notavailable",
    "null",
    "numberwithheld",
    "outofarea",
    "private",
    "privatecaller",
    "privatenumber",
    "restricted",
    "unavailable",
    "undefined",
    "unknown",
    "unknowncaller",
    "unknownnumber",
    "withheld",
];

/// The same spelt on a keypad: ANONYMOUS, BLOCKED, PRIVATE, RESTRICTED, UNAVAILABLE, UNKNOWN.
const KEYPAD: [&str; 6] = ["266696687", "2562533", "7748283", "7378742833", "86282452253", "8656696"];

/// Whether a caller's number is withheld: `Anonymous`, `Restricted`, `+266696687`, `sip:anonymous@anonymous.invalid`, an empty text, …
///
/// What spells a word on a keypad is one behind a plus only: without it, it may be somebody's number.
#[must_use]
pub fn is_withheld(raw: &str) -> bool {
    let address = Address::of(raw);
    let host = address.host.trim_end_matches('.').to_ascii_lowercase();
    // RFC 3323: hosts that cannot be, and a name that says so.
    if host == "invalid" || host.ends_with(".invalid") || (address.display.len() <= 64 && is_word(address.display)) {
        return true;
    }
    let user = address.user.trim_start_matches(['(', ' ']);
    if user.len() > 64 {
        return false;
    }
    let keypad = user.strip_prefix('+').is_some_and(|digits| KEYPAD.contains(&digits));
    keypad || user.chars().all(|mark| !mark.is_alphanumeric() || mark == '0') || is_word(user)
}

fn is_word(text: &str) -> bool {
    if !text.starts_with(|first: char| !first.is_numeric() && first != '+') {
        return false;
    }
    let letters: String =
        text.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
    WORDS.binary_search(&letters.as_str()).is_ok()
}
