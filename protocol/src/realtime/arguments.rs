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

/// Whether they are a JSON object, or nothing at all: some models leave it away.
#[must_use]
pub fn is_object(arguments: &str) -> bool {
    arguments.trim().is_empty() || matches!(serde_json::from_str::<Value>(arguments), Ok(Value::Object(_)))
}

/// The result of a function that failed, in words.
#[must_use]
pub fn error(words: &str) -> String {
    serde_json::json!({ "error": words }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_called_with_an_object_or_nothing() {
        assert!(["{}", r#"{"a":[1]}"#, "", " "].into_iter().all(is_object));
        assert!(!["{", "[]", "null", r#"{"a":1} {"#].into_iter().any(is_object));
        assert_eq!(error("a \"b\""), r#"{"error":"a \"b\""}"#);
    }

    #[test]
    fn words_are_found_by_their_name_and_nothing_else_is_taken_for_them() {
        assert_eq!(words(r#"{"reason":"billing","x":1}"#, "reason"), Some("billing".to_owned()));
        for junk in ["", "{", "[]", "null", r#""reason""#, "{}", r#"{"reason":1}"#, r#"{"reason":null}"#] {
            assert_eq!(words(junk, "reason"), None, "{junk}");
        }
    }
}
