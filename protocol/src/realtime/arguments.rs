//! What a model calls a function with.

use serde_json::Value;

/// The words under a name in a function's arguments, which are JSON as the model wrote it: none when it is no object, or there are none.
#[must_use]
pub fn words(arguments: &str, name: &str) -> Option<String> {
    match serde_json::from_str::<Value>(arguments).ok()?.get_mut(name)?.take() {
        Value::String(words) => Some(words),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_their_name_and_nothing_else_is_taken_for_them() {
        assert_eq!(words(r#"{"reason":"billing","x":1}"#, "reason"), Some("billing".to_owned()));
        for junk in ["", "{", "[]", "null", r#""reason""#, "{}", r#"{"reason":1}"#, r#"{"reason":null}"#] {
            assert_eq!(words(junk, "reason"), None, "{junk}");
        }
    }
}
