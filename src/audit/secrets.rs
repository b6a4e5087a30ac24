//! Our own secrets, kept out of the audit log wherever in an entry they stand: a carrier repeats the URL that it was given, a provider
//! the key that it did not like.

use std::fmt;
use std::sync::Arc;

use protocol::ids::Secret;
use serde_json::{Map, Value};
use url::form_urlencoded::byte_serialize;

use crate::store::AuditEntry;

/// Shorter ones would be found in every other word.
const LEAST: usize = 4;
const REDACTED: &str = "[redacted]";

/// What must not be written down.
#[derive(Clone, Default)]
pub struct Secrets(Arc<[String]>);

impl Secrets {
    /// Those of a configuration, as they are and as they stand in a URL.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = Option<&'a Secret>>) -> Self {
        let mut known: Vec<String> = Vec::new();
        for secret in secrets.into_iter().flatten().map(Secret::reveal).filter(|secret| secret.len() >= LEAST) {
            known.extend([secret.to_owned(), byte_serialize(secret.as_bytes()).collect()]);
        }
        known.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        known.dedup();
        Self(known.into())
    }

    /// An entry as it may be kept.
    pub(crate) fn out_of(&self, mut entry: AuditEntry) -> AuditEntry {
        self.walk(&mut entry.payload);
        entry
    }

    fn walk(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(clean) = self.cleaned(text) {
                    *text = clean;
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.walk(value)),
            Value::Object(map) => {
                map.iter_mut().for_each(|(_, value)| self.walk(value));
                if map.keys().any(|name| self.cleaned(name).is_some()) {
                    let named = std::mem::take(map).into_iter();
                    *map =
                        named.map(|(name, value)| (self.cleaned(&name).unwrap_or(name), value)).collect::<Map<_, _>>();
                }
            }
            // A secret of digits alone may come as a number.
            Value::Number(number) if self.cleaned(&number.to_string()).is_some() => *value = REDACTED.into(),
            _ => {}
        }
    }

    /// A text without them; none when there are none in it.
    fn cleaned(&self, text: &str) -> Option<String> {
        let mut clean: Option<String> = None;
        for secret in self.0.iter() {
            let known = clean.as_deref().unwrap_or(text);
            if known.contains(secret.as_str()) {
                clean = Some(known.replace(secret.as_str(), REDACTED));
            }
        }
        clean
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_kept_out_of_an_entry_wherever_it_stands() {
        let [key, token] = ["hook key/+1234567", "5550001112223334"].map(Secret::new);
        let secrets = Secrets::new([Some(&key), None, Some(&token), Some(&Secret::new("abc"))]);
        let mut payload = json!({
            "CustomField": "my hook key/+1234567!",
            "Passthru": "https://x.example/?k=hook+key%2F%2B1234567&x=1",
            "token-5550001112223334": [1, "5550001112223334", { "deep": 5_550_001_112_223_334_u64 }],
            "words": "abc stays", "number": 7,
        });
        secrets.walk(&mut payload);
        assert_eq!(
            payload,
            json!({
                "CustomField": "my [redacted]!",
                "Passthru": "https://x.example/?k=[redacted]&x=1",
                "token-[redacted]": [1, "[redacted]", { "deep": "[redacted]" }],
                "words": "abc stays", "number": 7,
            })
        );
        assert_eq!(format!("{secrets:?}"), "3 secrets");
    }
}
