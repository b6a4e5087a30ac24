//! What the model asks for.

use serde_json::Value;

use super::{LONGEST_ENTRY, TERMINATOR};

/// An entry that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call) struct Ask {
    /// So many keys end it.
    pub(super) count: Option<usize>,
    /// This key ends it, and is no part of it.
    pub(super) terminator: Option<char>,
    /// The caller was told that key, and is to press it.
    told_terminator: bool,
    /// No model is told what was typed.
    pub(in crate::call) secret: bool,
}

impl Ask {
    /// What is typed without being asked for, and nobody's to know.
    pub(super) const fn nobodys() -> Self {
        Self { count: None, terminator: Some(TERMINATOR), told_terminator: false, secret: true }
    }

    /// From a function's arguments; `always` where every key is secret.
    ///
    /// # Errors
    /// What is wrong with them, for the model.
    pub(in crate::call) fn read(arguments: &str, always: bool) -> Result<Self, String> {
        let told: Value = if arguments.trim().is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_str(arguments).unwrap_or_default()
        };
        if !told.is_object() {
            return Err("the arguments are no JSON object".to_owned());
        }
        let most = LONGEST_ENTRY;
        let count = match &told["count"] {
            Value::Null => None,
            count => match count.as_u64().and_then(|count| usize::try_from(count).ok()) {
                Some(count) if (1..=most).contains(&count) => Some(count),
                _ => return Err(format!("count must be a whole number from 1 to {most}")),
            },
        };
        let (terminator, told_terminator) = match &told["terminator"] {
            Value::Null => (Some(TERMINATOR), false),
            Value::String(key) if key.is_empty() => (None, false),
            Value::String(key)
                if key.len() == 1 && key.contains(|key: char| key.is_ascii_digit() || "*#".contains(key)) =>
            {
                (key.chars().next(), true)
            }
            _ => return Err("terminator must be one key of 0 to 9, * or #, or empty for none".to_owned()),
        };
        let secret = match &told["secret"] {
            Value::Null => false,
            Value::Bool(secret) => *secret,
            _ => return Err("secret must be true or false".to_owned()),
        };
        Ok(Self { count, terminator, told_terminator, secret: secret || always })
    }

    /// Whether a caller who stops is done: nobody said how many keys there are, or which one is the last.
    pub(super) const fn ends_by_pause(&self) -> bool {
        self.count.is_none() && !self.told_terminator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_what_cannot_be_is_named() {
        let read = |told: &str| Ask::read(told, false);
        let all = Ask { count: Some(16), terminator: Some('*'), told_terminator: true, secret: true };
        assert_eq!(read(r#"{"count":16,"terminator":"*","purpose":"the card","secret":true}"#), Ok(all));
        let least = Ask { count: None, terminator: Some('#'), told_terminator: false, secret: false };
        assert_eq!((read(""), read("{}"), read(r#"{"count":null}"#)), (Ok(least), Ok(least), Ok(least)));
        assert_eq!(read(r#"{"terminator":""}"#).unwrap().terminator, None);
        assert!(Ask::read("{}", true).unwrap().secret);
        for (told, named) in [
            ("[]", "object"),
            ("{", "object"),
            (r#"{"count":0}"#, "count"),
            (r#"{"count":33}"#, "1 to 32"),
            (r#"{"count":"16"}"#, "count"),
            (r#"{"terminator":"12"}"#, "terminator"),
            (r#"{"terminator":"A"}"#, "terminator"),
            (r#"{"secret":"yes"}"#, "secret"),
        ] {
            assert!(read(told).unwrap_err().contains(named), "{told}");
        }
    }
}
