//! Keys that callers pressed in secret: kept in memory, filled into what a function of the client's own is asked, and masked wherever they
//! come back from there.
//!
//! A model knows them by a name alone: `{{digits:1}}` stands for the first that were entered in a call, and so on.

use std::collections::HashSet;
use std::fmt;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

/// What stands where they were.
pub const MASKED: &str = "[masked]";
/// Keys of one entry, at most.
pub(crate) const LONGEST_ENTRY: usize = 32;
/// Entries of one call that are kept: a card has three (number, date, code). The oldest is forgotten for another.
pub const MOST_KEPT: usize = 8;
/// So many digits in a row give something away: a card's first six say whose it is. Of shorter entries all of them count.
const RUN: usize = 6;
/// Shorter entries are choices: masked, they would take every such digit out of what a function answers.
const SHORTEST: usize = 3;
/// So many signs may stand between two digits, as in `4111 - 1111` or `["4","1"]`.
const MOST_BETWEEN: usize = 4;
/// Where the digits of the scripts of India and its neighbours begin, and the wide ones.
const ZEROS: [u32; 14] =
    [0x0030, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x1D7CE, 0xFF10];

/// One entry. Shown by nothing, and overwritten when it is dropped.
#[derive(PartialEq, Eq)]
pub(crate) struct Digits(String);

impl Digits {
    /// None yet. Never grows beyond what is set aside here, and so leaves no copies behind.
    pub(crate) fn new() -> Self {
        Self(String::with_capacity(LONGEST_ENTRY))
    }

    pub(crate) fn push(&mut self, key: char) {
        if self.0.len() + key.len_utf8() <= LONGEST_ENTRY {
            self.0.push(key);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In clear.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        black_box(&bytes);
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a call's caller entered in secret, each entry by its number. Cheap to clone, and nothing where nobody did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretDigits(Vec<(u32, Arc<Digits>)>);

/// A text names digits that are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotKept(pub u32);

impl SecretDigits {
    /// Those of one entry, as they are entered; for whoever tries out what becomes of them.
    #[must_use]
    pub fn entered(number: u32, keys: &str) -> Self {
        let mut digits = Digits::new();
        keys.chars().for_each(|key| digits.push(key));
        let mut all = Self::default();
        all.keep(number, digits);
        all
    }

    /// Keeps an entry.
    pub(crate) fn keep(&mut self, number: u32, digits: Digits) {
        if self.0.len() >= MOST_KEPT {
            self.0.remove(0);
        }
        self.0.push((number, Arc::new(digits)));
    }

    /// Whether nothing was entered in secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text with the digits in the places that name them; none if it names none.
    ///
    /// # Errors
    /// Which digits it names that are not kept.
    pub fn fill(&self, text: &str) -> Result<Option<String>, NotKept> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((at, number)) = place(rest) {
            let (_, digits) = self.0.iter().find(|(known, _)| *known == number).ok_or(NotKept(number))?;
            filled.push_str(&rest[..at.start]);
            filled.push_str(digits.reveal());
            rest = &rest[at.end..];
        }
        if rest.len() == text.len() {
            return Ok(None);
        }
        filled.push_str(rest);
        Ok(Some(filled))
    }

    /// A text in which the digits stand no more, nor a run of six of them, in one piece or with signs between; none if they do not.
    #[must_use]
    pub fn mask(&self, text: &str) -> Option<String> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let groups = if self.0.is_empty() { Vec::new() } else { groups(text) };
        let mut needles: Vec<(usize, HashSet<u64>)> = Vec::new();
        for (_, digits) in &self.0 {
            let values: Vec<u32> = digits.reveal().chars().filter_map(value).collect();
            let width = values.len().min(RUN);
            if width < SHORTEST {
                continue;
            }
            let runs = values.windows(width).map(|run| run.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit)));
            match needles.iter_mut().find(|(known, _)| *known == width) {
                Some((_, known)) => known.extend(runs),
                None => needles.push((width, runs.collect())),
            }
        }
        for (width, runs) in &needles {
            groups.iter().for_each(|group| look(group, *width, runs, &mut found));
        }
        cut(text, found)
    }
}

/// What stands for an entry in what a model is told.
pub(crate) fn name(number: u32) -> String {
    format!("{{{{digits:{number}}}}}")
}

/// Whether a text names digits, kept or not.
#[must_use]
pub fn names_digits(text: &str) -> bool {
    place(text).is_some()
}

/// The first place of a text that names digits, and which.
fn place(text: &str) -> Option<(Range<usize>, u32)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("{{").map(|at| from + at) {
        let inside = &text[at + 2..];
        if let Some(end) = inside.find("}}")
            && let Some((what, number)) = inside[..end].split_once(':')
            && what.trim() == "digits"
            && let Ok(number) = number.trim().parse()
        {
            return Some((at..at + 2 + end + 2, number));
        }
        from = at + 1;
    }
    None
}

/// A digit of a text.
#[derive(Clone, Copy, Debug)]
struct Digit {
    value: u32,
    from: usize,
    to: usize,
}

/// The value of a digit, in whichever script.
fn value(digit: char) -> Option<u32> {
    let code = u32::from(digit);
    ZEROS.iter().map(|zero| code.wrapping_sub(*zero)).find(|value| *value < 10)
}

/// The digits of a text that stand in a row, whatever signs are between them.
fn groups(text: &str) -> Vec<Vec<Digit>> {
    let (mut groups, mut group, mut between) = (Vec::new(), Vec::new(), 0);
    for (from, char) in text.char_indices() {
        match value(char) {
            Some(value) => {
                group.push(Digit { value, from, to: from + char.len_utf8() });
                between = 0;
            }
            None => {
                between += 1;
                if char.is_alphanumeric() || between > MOST_BETWEEN {
                    groups.extend(Some(std::mem::take(&mut group)).filter(|group| group.len() >= SHORTEST));
                }
            }
        }
    }
    groups.extend(Some(group).filter(|group| group.len() >= SHORTEST));
    groups
}

/// Finds runs of that many digits. What is shorter than [`RUN`] counts where it is no part of a longer number.
fn look(group: &[Digit], width: usize, runs: &HashSet<u64>, found: &mut Vec<Range<usize>>) {
    let touches = |one: Option<&Digit>, other: Option<&Digit>| match (one, other) {
        (Some(one), Some(other)) => one.to == other.from,
        _ => false,
    };
    for at in 0..=group.len().saturating_sub(width) {
        let Some(run) = group.get(at..at + width) else { return };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        if !runs.contains(&run.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit.value))) {
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| group.get(before));
        let within = touches(before, Some(first)) || touches(Some(last), group.get(at + width));
        if width == RUN || !within {
            found.push(first.from..last.to);
        }
    }
}

/// The text without these parts.
fn cut(text: &str, mut found: Vec<Range<usize>>) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let (mut masked, mut kept_from, mut parts) = (String::with_capacity(text.len()), 0, found.into_iter().peekable());
    while let Some(mut part) = parts.next() {
        while let Some(next) = parts.next_if(|next| next.start <= part.end) {
            part.end = part.end.max(next.end);
        }
        masked.push_str(&text[kept_from..part.start]);
        masked.push_str(MASKED);
        kept_from = part.end;
    }
    masked.push_str(&text[kept_from..]);
    Some(masked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CARD: &str = "4539578763621486";

    fn card() -> SecretDigits {
        SecretDigits::entered(1, CARD)
    }

    #[test]
    fn digits_are_filled_in_where_they_are_named_and_nowhere_else() {
        let mut all = card();
        all.0.extend(SecretDigits::entered(2, "0927").0);
        for (text, filled) in [
            ("{{digits:1}}", Ok(Some(CARD))),
            ("no. {{ digits: 1 }}, {{digits:2}}!", Ok(Some("no. 4539578763621486, 0927!"))),
            ("{{{digits:2}}}", Ok(Some("{0927}"))),
            ("{{name}} {digits:1} {{digits}} {{digits:x}} {{digits:-1}} {{", Ok(None)),
            ("{{digits:1}}{{digits:9}}", Err(NotKept(9))),
            ("{{digits:99999999999}}", Ok(None)),
        ] {
            assert_eq!(
                all.fill(text).map(|text| text.as_deref().map(str::to_owned)),
                filled.map(|told| told.map(str::to_owned)),
                "{text}"
            );
        }
        assert_eq!(SecretDigits::default().fill("{{digits:1}}"), Err(NotKept(1)));
        assert!(names_digits(&name(7)) && !names_digits("{{name}}"));
    }

    #[test]
    fn whatever_repeats_the_digits_is_masked() {
        let card = card();
        for (text, masked) in [
            ("paid with 4539578763621486.", "paid with [masked]."),
            ("4539 5787 6362 1486 / 4539-5787-6362-1486", "[masked] / [masked]"),
            (r#"{"a":["4539","5787","6362","1486"]}"#, r#"{"a":["[masked]"]}"#),
            ("453957 and 1486", "[masked] and 1486"),
            ("४५३९५७८७६३६२१४८६, ４５３９５７８７６３６２１４８６", "[masked], [masked]"),
            ("x9453957876362148699", "x9[masked]99"),
            ("45395 78763x62148", "[masked]x62148"),
        ] {
            assert_eq!(card.mask(text).as_deref(), Some(masked), "{text}");
        }
        for text in ["", "45395 and 78763", "1234567812345678", "45a39b57", "the order 987654"] {
            assert_eq!(card.mask(text), None, "{text}");
        }
        assert_eq!(SecretDigits::default().mask(CARD), None);
    }

    #[test]
    fn short_entries_are_masked_where_they_stand_alone_and_choices_are_not() {
        let code = SecretDigits::entered(1, "927");
        assert_eq!(code.mask("code 927, order 19270, 9-2-7").as_deref(), Some("code [masked], order 19270, [masked]"));
        let pin = SecretDigits::entered(1, "00482");
        assert_eq!(pin.mask("PIN 00482!").as_deref(), Some("PIN [masked]!"));
        assert_eq!(SecretDigits::entered(1, "12").mask("12"), None);
        assert_eq!(SecretDigits::entered(1, "1*2#3").mask("123"), Some(MASKED.to_owned()));
    }

    #[test]
    fn what_was_entered_is_shown_by_nothing_and_the_oldest_is_forgotten() {
        let mut all = card();
        assert!(!format!("{all:?}").contains("4539") && format!("{all:?}").contains("redacted"));
        for number in 2..=9 {
            all.0.extend(SecretDigits::entered(number, "1").0);
            let last = all.0.pop().unwrap();
            all.keep(last.0, Arc::into_inner(last.1).unwrap());
        }
        assert_eq!((all.0.len(), all.fill(&name(1))), (MOST_KEPT, Err(NotKept(1))));
    }

    proptest! {
        #[test]
        fn no_run_of_six_digits_is_left_and_what_is_left_is_what_was_there(
            before in r#"[0-9a-z ,."\[\]]{0,12}"#, sign in "[ -]?", from in 0_usize..10, to in 6_usize..16, after in r#"[0-9a-z ,."]{0,12}"#,
        ) {
            let run: Vec<String> = CARD[from..(from + 6).max(to)].chars().map(String::from).collect();
            let text = format!("{before}{}{after}", run.join(&sign));
            let masked = card().mask(&text).unwrap();
            let digits: String = masked.chars().filter(char::is_ascii_digit).collect();
            prop_assert!(card().mask(&masked).is_none() && digits.len() + 6 <= text.chars().filter(char::is_ascii_digit).count());
        }
    }
}
