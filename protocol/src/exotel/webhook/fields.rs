//! The fields of one webhook, whatever their encoding.

use std::fmt;

use serde_json::{Map, Value};

use super::FieldError;
use super::redact::{REDACTED, redact, redact_cut};
use crate::ids::PhoneNumber;
use crate::wire::{Text, boundary, clip_as, without_nul};

/// Fields beyond so many are left out: a bound on what a body can make us hold.
const MOST_FIELDS: usize = 1000;
/// Longest name of a field, in bytes: a longer one is cut, and one that nesting makes longer is left out, since nesting multiplies names.
const LONGEST_NAME: usize = 128;
/// Bytes of a field's value that the audit log keeps.
pub const KEPT_VALUE: usize = 2048;
/// Bytes beyond them in which a secret may end.
const SECRET: usize = 512;

/// Decoded names and values in the order they came; a name may come more than once.
///
/// `Debug` shows names only: values hold numbers and secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a query string or an `application/x-www-form-urlencoded` body. Every text is one: bad escapes stay as they are,
    /// bytes that are not UTF-8 become replacement characters.
    #[must_use]
    pub fn from_urlencoded(body: &[u8]) -> Self {
        let mut fields = Self::default();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            fields.push(decode(&pair[..split]), decode(pair.get(split + 1..).unwrap_or_default()));
        }
        fields
    }

    /// Reads a JSON object; what is nested is flattened to the names forms have: `Legs[0][Status]`, `Stream[Status]`.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn from_json(body: &[u8]) -> Result<Self, FieldError> {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(map)) => {
                let mut fields = Self::default();
                for (name, value) in &map {
                    fields.flatten(name, value);
                }
                Ok(fields)
            }
            Ok(_) => Err(FieldError::body("is JSON but no object: send an object of fields")),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                Err(FieldError::body(format!("is not JSON (line {line}, column {column}): send an object of fields")))
            }
        }
    }

    /// Adds a field that was decoded elsewhere (a part of a multipart body). NUL, which not every database keeps, becomes a
    /// replacement character, like whatever else is no text.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        if self.0.len() < MOST_FIELDS {
            let mut name = name.into();
            name.truncate(boundary(&name, LONGEST_NAME));
            self.0.push((name, without_nul(value.into())));
        }
    }

    /// The first value of that name. Case and underscores in names do not matter; empty and `null` are no value; `digits` comes
    /// without the literal double quotes that Exotel puts around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let quoted = same_name(name, "digits");
        self.0
            .iter()
            .filter(|(known, _)| same_name(known, name))
            .map(|(_, value)| if quoted { value.trim_matches('"') } else { value.as_str() })
            .find(|value| !value.trim().is_empty() && !value.trim().eq_ignore_ascii_case("null"))
    }

    /// The first of those names that has a value.
    #[must_use]
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The value of that name, as much of it as anybody needs.
    #[must_use]
    pub fn text<const MAX: usize>(&self, name: &str) -> Option<Text<MAX>> {
        self.get(name).map(Text::new)
    }

    /// The first of those names that has a value, as a phone number.
    #[must_use]
    pub fn number(&self, names: &[&str]) -> Option<PhoneNumber> {
        self.first(names).map(PhoneNumber::new)
    }

    /// All names and values, as they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields as they came, for the audit log: a name that came more than once has an array. Without secrets: the values of `key`,
    /// `digits` and `CustomField` are redacted, and in a URL credentials and all that is behind the `?`. Values are cut to 2 KiB, and then say how long they were.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (name, value) in &self.0 {
            let value = Value::String(if is_secret(name, value) { REDACTED.to_owned() } else { kept(value) });
            match map.get_mut(name) {
                None => {
                    map.insert(name.clone(), value);
                }
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        Value::Object(map)
    }

    fn flatten(&mut self, name: &str, value: &Value) {
        if name.len() > LONGEST_NAME || self.0.len() >= MOST_FIELDS {
            return;
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.flatten(&format!("{name}[{key}]"), value)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, value)| self.flatten(&format!("{name}[{index}]"), value));
            }
            Value::String(text) => self.push(name, text),
            // Numbers, flags and `null`, as a form would spell them.
            plain => self.push(name, plain.to_string()),
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A value as the audit log keeps it: cut before anything is looked for in it.
fn kept(value: &str) -> String {
    let beginning = &value[..boundary(value, KEPT_VALUE + SECRET)];
    let is_whole = beginning.len() == value.len();
    let redacted = if is_whole { redact(beginning) } else { redact_cut(beginning) };
    let told = if value.len() > KEPT_VALUE { value.len() } else { redacted.len() };
    clip_as(&redacted, KEPT_VALUE, told).into_owned()
}

/// Fields whose values are nobody's to read: our key, what a caller pressed, what whoever placed the call wrote on it.
const SECRET_FIELDS: [&str; 3] = ["key", "digits", "CustomField"];

/// Whether there is something in a field that is not kept; its name may be one within another (`Stream[digits]`).
fn is_secret(name: &str, value: &str) -> bool {
    let own = name.rsplit('[').next().unwrap_or(name).trim_end_matches(']');
    !value.trim().is_empty() && SECRET_FIELDS.iter().any(|secret| same_name(own, secret))
}

fn same_name(one: &str, other: &str) -> bool {
    plain(one).eq(plain(other))
}

fn plain(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
}

/// Decodes `+` and `%XX`.
fn decode(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some(&byte) = encoded.get(at) {
        let escaped = match (byte, encoded.get(at + 1), encoded.get(at + 2)) {
            (b'%', Some(high), Some(low)) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
