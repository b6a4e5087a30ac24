//! What becomes of phone numbers in the audit log: `AUDIT_NUMBERS`.

use protocol::exotel::normalise_number;
use serde_json::Value;

use super::size::bound;
use crate::store::AuditEntry;
use crate::tenant::REGION;

/// Fewer digits are a duration, a count or a key that was pressed.
const FEWEST: usize = 7;
/// More are no phone number.
const MOST: usize = 15;

/// How phone numbers are kept in payloads of the audit log. Keys the caller pressed are kept with [`AuditNumbers::Full`] only: they may
/// be somebody's card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditNumbers {
    /// As they came: the log can be held against the carrier's.
    #[default]
    Full,
    /// Their last two digits.
    Masked,
    /// Not at all.
    None,
}

impl AuditNumbers {
    /// An entry as it may be kept.
    pub(super) fn apply(self, mut entry: AuditEntry) -> AuditEntry {
        bound(&mut entry.payload);
        if self != Self::Full {
            // A body that could not be read may spell a number in any way. (No field is called so: names of fields have no depth.)
            if let Some(Value::String(text)) = entry.payload.pointer_mut("/body/text") {
                *text = text.replace(|character: char| character.is_numeric(), "#");
            }
            self.walk("", &mut entry.payload);
        }
        entry
    }

    fn walk(self, name: &str, value: &mut Value) {
        match value {
            Value::String(text) if name.eq_ignore_ascii_case("digits") => *text = "[keys]".to_owned(),
            // The call's id is no number, whatever it looks like.
            Value::String(_) if name.eq_ignore_ascii_case("CallSid") => {}
            Value::String(text) => *text = self.text(text),
            Value::Number(number) if self.text(&number.to_string()) != number.to_string() => {
                *value = Value::String(self.text(&number.to_string()));
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.walk(name, value)),
            Value::Object(map) => map.iter_mut().for_each(|(name, value)| self.walk(name, value)),
            _ => {}
        }
    }

    /// A text without what reads as a phone number, alone or among other words.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        // Of an address the rest is kept.
        if !text.contains('@')
            && let Some(number) = normalise_number(text, REGION)
        {
            return self.mask(&number);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
            let run = rest[at..].find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len() - at);
            let (before, digits, after) = (&rest[..at], &rest[at..at + run], &rest[at + run..]);
            out.push_str(before);
            // Digits within a word are part of an id.
            let in_word = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
            if (FEWEST..=MOST).contains(&digits.len()) && !in_word {
                out.push_str(&self.mask(digits));
            } else {
                out.push_str(digits);
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn mask(self, digits: &str) -> String {
        match self {
            Self::Full => digits.to_owned(),
            Self::Masked => format!("…{}", &digits[digits.len().saturating_sub(2)..]),
            Self::None => "[number]".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;

    fn kept(policy: AuditNumbers, payload: Value) -> Value {
        let entry = AuditEntry {
            at: Utc::now(),
            kind: "webhook.call-end".to_owned(),
            call_sid: None,
            remote_addr: None,
            request_id: None,
            outcome: "ok".to_owned(),
            payload,
        };
        policy.apply(entry).payload
    }

    fn payload() -> Value {
        json!({
            "CallSid": "12345678901234567890",
            "CallFrom": "+91 98765-43210",
            "To": "08037091588",
            "Legs[0][Number]": "sip:9876543210@pbx",
            "CustomField": "{\"phone\":\"+919876543210\",\"order\":12}",
            "Count": 9_876_543_210_u64,
            "Duration": "28",
            "StartTime": "2024-09-03 11:44:54",
            "StreamSID": "6f048d2e897a0d2d4029560f3f541947",
            "digits": "\"4111\"",
            "nested": [{ "From": "9876543210" }],
        })
    }

    #[test]
    fn numbers_are_kept_as_they_came_unless_told_otherwise() {
        assert_eq!(kept(AuditNumbers::default(), payload()), payload());
    }

    #[test]
    fn masked_numbers_keep_two_digits_and_nothing_else_changes() {
        let kept = kept(AuditNumbers::Masked, payload());
        let expected = json!({
            "CallSid": "12345678901234567890",
            "CallFrom": "…10",
            "To": "…88",
            "Legs[0][Number]": "sip:…10@pbx",
            "CustomField": "{\"phone\":\"+…10\",\"order\":12}",
            "Count": "…10",
            "Duration": "28",
            "StartTime": "2024-09-03 11:44:54",
            "StreamSID": "6f048d2e897a0d2d4029560f3f541947",
            "digits": "[keys]",
            "nested": [{ "From": "…10" }],
        });
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_body_that_could_not_be_read_keeps_none_of_its_digits() {
        let raw = || json!({ "body": { "bytes": 40, "text": "From=%2B91+98765+43210&digits=%2242%22" } });
        let expected = json!({ "body": { "bytes": 40, "text": "From=%#B##+#####+#####&digits=%####%##" } });
        assert_eq!(kept(AuditNumbers::Masked, raw()), expected);
        assert_eq!(kept(AuditNumbers::Full, raw()), raw());
    }

    #[test]
    fn no_numbers_means_none() {
        let kept = kept(AuditNumbers::None, payload()).to_string();
        assert!(!kept.contains("98765") && !kept.contains("43210") && !kept.contains("…10"), "{kept}");
        assert!(kept.contains("[number]"), "{kept}");
    }
}
