//! A scan over JSON of the plainest shape, for the two messages that carry audio: it finds fields without parsing the rest.
//!
//! Every method answers none for what it does not know, escapes in a string included: the caller then takes the full parser, which
//! also is what refuses bad JSON. A scan may take text that the full parser would refuse (a control character in a string).

/// What is left to scan.
pub(crate) struct Scan<'a>(&'a str);

/// A plain value.
#[derive(Clone, Copy)]
pub(crate) enum Plain<'a> {
    /// A string without escapes.
    Text(&'a str),
    /// A number, a flag or `null`, as spelt.
    Bare(&'a str),
}

impl<'a> Scan<'a> {
    /// Begins before an object.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Enters an object.
    pub(crate) fn open(&mut self) -> Option<()> {
        self.token('{')
    }

    /// The name of the next field.
    pub(crate) fn name(&mut self) -> Option<&'a str> {
        self.0 = self.0.trim_ascii_start();
        let name = self.string()?;
        self.token(':')?;
        self.0 = self.0.trim_ascii_start();
        Some(name)
    }

    /// The value of the field that was named, if it is neither an object nor an array.
    pub(crate) fn value(&mut self) -> Option<Plain<'a>> {
        if self.0.starts_with('"') {
            return self.string().map(Plain::Text);
        }
        let end =
            self.0.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'-' | b'+'))?;
        let (bare, after) = self.0.split_at(end);
        let known = matches!(bare, "null" | "true" | "false")
            || bare.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        self.0 = after;
        known.then_some(Plain::Bare(bare))
    }

    /// Whether another field follows in the object, or else leaves it.
    pub(crate) fn more(&mut self) -> Option<bool> {
        match self.token(',') {
            Some(()) => Some(true),
            None => self.token('}').map(|()| false),
        }
    }

    /// Succeeds when nothing is left.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.trim_ascii_start().is_empty().then_some(())
    }

    fn token(&mut self, token: char) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let body = self.0.strip_prefix('"')?;
        let (string, after) = body.split_at(memchr::memchr2(b'"', b'\\', body.as_bytes())?);
        self.0 = after.strip_prefix('"')?;
        Some(string)
    }
}

impl<'a> Plain<'a> {
    /// The string, if it is one.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bare(_) => None,
        }
    }

    /// The count that it is or spells, if any.
    pub(crate) fn count(self) -> Option<u64> {
        match self {
            Self::Text(spelt) | Self::Bare(spelt) => super::leading_count(spelt),
        }
    }
}
