//! Texts from outside, with a length: what comes over a wire is kept, stored and sent on as one of these.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

/// A name from outside: of a field, a mark, an event, an account.
pub type Name = Text<128>;
/// A reason, a cause or an error, in the words of whoever is at the other end.
pub type Reason = Text<256>;

/// A text from outside, of at most `MAX` bytes and without NUL, which not every database keeps.
///
/// What was longer is cut between two characters and says so at its end: `the beginning…(60,000 bytes)`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MAX: usize> {
    text: Box<str>,
    cut: bool,
}

impl<const MAX: usize> Text<MAX> {
    /// Keeps what fits of a text.
    #[must_use]
    pub fn new(told: impl AsRef<str>) -> Self {
        let told = told.as_ref();
        let mut text = clip(told, MAX);
        if text.contains('\0') {
            // What stands for it is longer.
            let plain = super::without_nul(text.into_owned());
            text = Cow::Owned(clip_as(&plain, MAX, told.len()).into_owned());
        }
        Self { cut: told.len() > MAX, text: text.into() }
    }

    /// What is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was longer than what is kept: then it is good to be read by people, and for nothing else.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// The text if it has at most `max` bytes, else its beginning and how long it was, in `max` bytes together.
#[must_use]
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    clip_as(text, max, text.len())
}

/// As [`clip`], for a text that had `told` bytes before something was done to it.
#[must_use]
pub fn clip_as(text: &str, max: usize, told: usize) -> Cow<'_, str> {
    if text.len() <= max && told <= max {
        return Cow::Borrowed(text);
    }
    let note = format!("…({} bytes)", grouped(told));
    match max.checked_sub(note.len()) {
        Some(room) => Cow::Owned(format!("{}{note}", &text[..boundary(text, room)])),
        None => Cow::Borrowed(&text[..boundary(text, max)]),
    }
}

/// The last place between two characters that is not behind `at`.
#[must_use]
pub fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// `60000` as `60,000`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<const MAX: usize> AsRef<str> for Text<MAX> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl<const MAX: usize> From<&str> for Text<MAX> {
    fn from(told: &str) -> Self {
        Self::new(told)
    }
}

impl<const MAX: usize> From<String> for Text<MAX> {
    fn from(told: String) -> Self {
        Self::new(told)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.text.into()
    }
}

impl<const MAX: usize> PartialEq<str> for Text<MAX> {
    fn eq(&self, other: &str) -> bool {
        &*self.text == other
    }
}

impl<const MAX: usize> PartialEq<&str> for Text<MAX> {
    fn eq(&self, other: &&str) -> bool {
        &*self.text == *other
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_is_kept_as_it_came() {
        let text = Text::<64>::new("नमस्ते");
        assert_eq!((text.as_str(), text.is_cut()), ("नमस्ते", false));
        assert_eq!(Text::<4>::new("abcd"), "abcd");
        assert_eq!(Text::<8>::new("go\0ne"), "go\u{fffd}ne");
    }

    #[test]
    fn a_text_that_is_cut_says_how_long_it_was() {
        let text = Reason::new("x".repeat(100_000));
        assert!(text.ends_with("x…(100,000 bytes)"), "{text}");
        assert_eq!((text.len(), text.is_cut()), (256, true));
        assert!(Name::new("é".repeat(500)).ends_with("é…(1,000 bytes)"));
        assert!(Name::new("\0".repeat(128)).len() <= 128);
        assert_eq!(Text::<4>::new("abcdef"), "abcd", "no room to say it");
        assert_eq!(clip("😀😀", 6), "😀");
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_its_type_says(told in any::<String>(), times in 1_usize..40) {
            let told = told.repeat(times);
            let (short, long) = (Text::<20>::new(&told), Text::<200>::new(&told));
            prop_assert!(short.len() <= 20 && long.len() <= 200);
            prop_assert!(!short.contains('\0') && !long.contains('\0'));
            prop_assert_eq!(long.is_cut(), told.len() > 200);
            prop_assert_eq!(String::from(Text::<200>::new(&*long)), long.as_str(), "cut once, it stays as it is");
        }
    }
}
