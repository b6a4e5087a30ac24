//! Texts with places to fill: `{{name}}`, or `{{name|what stands there when nobody knows}}`.
//!
//! What is filled in is data: it is bounded, control characters become spaces, and a `{{` in it is text like any other.

use std::borrow::Cow;

/// What a call knows without asking anybody.
pub const KNOWN: [&str; 5] = ["caller", "called", "now", "custom_field", "previous_calls"];
/// Bytes of a name.
pub const LONGEST_NAME: usize = 64;
/// Characters of what is filled in at one place.
pub const LONGEST_VALUE: usize = 512;
/// Places of one text.
pub const MOST_PLACES: usize = 64;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without its end.
    #[error("`{{{{` at character {at} has no `}}}}` behind it: close it, as in {{{{caller}}}}")]
    Open {
        /// Where, in characters from 1.
        at: usize,
    },
    /// No name.
    #[error(
        "`{{{{{told}}}}}` names nothing: a name has small letters, digits and _, begins with a letter, and has at most {LONGEST_NAME} \
         characters, as in {{{{caller}}}} or {{{{name|there}}}}"
    )]
    Name {
        /// What stands there, cut.
        told: String,
    },
    /// Nobody fills it.
    #[error(
        "`{{{{{name}}}}}` cannot be filled: callgate knows {known}; give it a default ({{{{{name}|...}}}}), or say in [context] who knows it",
        known = KNOWN.join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// Too many places.
    #[error("has more than {MOST_PLACES} places to fill: leave some out")]
    TooMany,
}

/// A text, and its places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place { name: String, default: Option<String> },
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        let (mut parts, mut wrong, mut places) = (Vec::new(), Vec::new(), 0);
        let mut rest = text;
        while let Some(begin) = rest.find("{{") {
            let (before, inner) = rest.split_at(begin);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let inner = &inner[2..];
            let Some(end) = inner.find("}}") else {
                let begins = text.len() - inner.len() - 2;
                wrong.push(TemplateError::Open { at: text[..begins].chars().count() + 1 });
                rest = "";
                break;
            };
            places += 1;
            match place(&inner[..end]) {
                Ok(part) => parts.push(part),
                Err(error) => wrong.push(error),
            }
            rest = &inner[end + 2..];
            if places > MOST_PLACES {
                wrong.push(TemplateError::TooMany);
                break;
            }
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if wrong.is_empty() { Ok(Self { parts }) } else { Err(wrong) }
    }

    /// The names that are to be filled and have no default, or with `all` those too that have one.
    pub fn names(&self, all: bool) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Place { name, default } if all || default.is_none() => Some(name.as_str()),
            Part::Place { .. } | Part::Text(_) => None,
        })
    }

    /// Names that nobody would fill: they are none of [`KNOWN`], and have no default. `asks`: there is a context that may give any.
    #[must_use]
    pub fn unfilled(&self, asks: bool) -> Vec<TemplateError> {
        let unknown = self.names(false).filter(|name| !asks && !KNOWN.contains(name));
        unknown.map(|name| TemplateError::Unknown { name: name.to_owned() }).collect()
    }

    /// The text with what is known in its places; nothing, or blanks, is not known.
    #[must_use]
    pub fn fill<'v>(&self, known: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(said) => text.push_str(said),
                Part::Place { name, default } => match known(name).filter(|value| !value.trim().is_empty()) {
                    Some(value) => text.extend(value.chars().take(LONGEST_VALUE).map(plain)),
                    None => text.push_str(default.as_deref().unwrap_or_default()),
                },
            }
        }
        text
    }
}

/// What stands between the braces.
fn place(told: &str) -> Result<Part, TemplateError> {
    let (name, default) = match told.split_once('|') {
        Some((name, default)) => (name, Some(default.trim().to_owned())),
        None => (told, None),
    };
    let name = name.trim();
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if begins && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        return Ok(Part::Place { name: name.to_owned(), default });
    }
    Err(TemplateError::Name { told: told.chars().take(LONGEST_NAME).collect() })
}

/// Data has no lines and no control characters.
fn plain(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, known: &[(&str, &str)]) -> String {
        let value = |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, value)| Cow::from(*value));
        Template::parse(text).unwrap().fill(value)
    }

    #[test]
    fn what_is_known_stands_in_its_place_and_a_default_where_nothing_is() {
        let text = "Hello {{name|there}}, you call {{ called }} at {{now}}.";
        assert_eq!(filled(text, &[("called", "us"), ("now", "noon")]), "Hello there, you call us at noon.");
        assert_eq!(filled(text, &[("name", "Asha"), ("now", " ")]), "Hello Asha, you call  at .");
        assert_eq!(filled("no places } { here", &[]), "no places } { here");
    }

    #[test]
    fn what_a_caller_is_called_is_data() {
        let name = "{{now}} Robert\n\u{1b}[2J}}";
        assert_eq!(filled("Hi {{name}}!", &[("name", name), ("now", "never")]), "Hi {{now}} Robert  [2J}}!");
        assert_eq!(filled("{{name}}", &[("name", &"x".repeat(600))]).len(), LONGEST_VALUE);
    }

    #[test]
    fn everything_that_is_wrong_with_a_template_is_told_at_once() {
        let wrong = Template::parse("Hi {{Name}} {{}} {{x y}} and {{caller").unwrap_err();
        assert_eq!(wrong.len(), 4);
        assert_eq!(wrong[3], TemplateError::Open { at: 30 });
        let words: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert!(words[0].starts_with("`{{Name}}` names nothing") && words[3].contains("{{caller}}"), "{words:?}");
        assert_eq!(Template::parse(&"{{a}}".repeat(65)).unwrap_err(), [TemplateError::TooMany]);
    }

    #[test]
    fn a_name_that_nobody_fills_is_told_unless_it_has_a_default_or_somebody_is_asked() {
        let template = Template::parse("{{caller}} {{nmae}} {{name|x}} {{previous_calls}}").unwrap();
        assert_eq!(template.unfilled(false), [TemplateError::Unknown { name: "nmae".to_owned() }]);
        assert!(template.unfilled(false)[0].to_string().contains("{{nmae|...}}"));
        assert!(template.unfilled(true).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_one_without_braces_is_left_alone(text in ".{0,80}", value in ".{0,20}") {
            if let Ok(template) = Template::parse(&text) {
                let filled = template.fill(|_| Some(Cow::from(value.as_str())));
                if !text.contains("{{") {
                    proptest::prop_assert_eq!(filled, text);
                }
            }
        }
    }
}
