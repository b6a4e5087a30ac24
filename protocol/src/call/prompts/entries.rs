//! What a model is told of keys that it asked for.

use serde_json::json;

/// What asking the caller for keys is for, and what it is called with (JSON Schema).
pub(in crate::call) const COLLECT_DIGITS: (&str, &str) = (
    "Take what the caller types on the keypad. Ask them for it first, in the same response. For a card number, PIN or one-time code set \
     secret: you then get a placeholder such as {{digits:1}}, never the digits; pass it on as an argument of another function, which \
     gets the digits. Never let callers say such numbers aloud.",
    r##"{"type":"object","properties":{"count":{"type":"integer","minimum":1,"maximum":32,"description":"How many keys, if that is known."},"terminator":{"type":"string","description":"The key that ends it: # unless you say another; empty for none."},"purpose":{"type":"string","description":"What it is, in a few words."},"secret":{"type":"boolean"}},"required":["purpose","secret"],"additionalProperties":false}"##,
);
/// The result of asking for keys while others are asked for.
pub(in crate::call) const ENTRY_OPEN: &str =
    r#"{"error":"the caller is typing what was asked for before: one entry at a time, wait for its result"}"#;
/// The result of an entry that was open when its call was lost.
pub(in crate::call) const ENTRY_LOST: &str = r#"{"error":"the line was interrupted on our side and what the caller typed is lost: tell them so, and ask for all of it again"}"#;
/// Why an entry is of no use.
pub(in crate::call) const UNREADABLE_KEYS: &str = "some keys could not be read: ask for all of them again";

/// The result of an entry: the digits, or what stands for them.
pub(in crate::call) fn entry(digits: &str, count: usize) -> String {
    format!(r#"{{"digits":{},"count":{count}}}"#, json!(digits))
}

/// The result of one that did not come about.
pub(in crate::call) fn entry_failed(why: &str, count: usize) -> String {
    format!(r#"{{"error":{},"count":{count}}}"#, json!(why))
}

/// The result of one that took too long: how many keys there were.
pub(in crate::call) fn entry_timed_out(count: usize, wanted: Option<usize>) -> String {
    let wanted = wanted.map(|wanted| format!(" of {wanted}")).unwrap_or_default();
    entry_failed(
        &format!("timed out: the caller pressed {count}{wanted} keys; tell them so, and ask for all of it again"),
        count,
    )
}

/// Keys that were typed unasked, and that the model is not to know.
pub(in crate::call) fn secret_keys(name: &str, count: usize) -> String {
    format!("{name} ({count} {})", if count == 1 { "key" } else { "keys" })
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;

    #[test]
    fn a_model_is_told_how_many_keys_there_were_and_never_which() {
        assert_eq!(entry("{{digits:1}}", 16), r#"{"digits":"{{digits:1}}","count":16}"#);
        assert!(entry_timed_out(5, Some(16)).contains("5 of 16 keys"));
        assert_eq!(keys(&secret_keys("{{digits:2}}", 1)), "The caller pressed {{digits:2}} (1 key) on the keypad.");
        let schema: serde_json::Value = serde_json::from_str(COLLECT_DIGITS.1).unwrap();
        assert_eq!(schema["required"], json!(["purpose", "secret"]));
    }
}
