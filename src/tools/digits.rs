//! What a caller typed in secret, on its way to a function of the client's own and back: filled into what is asked, and masked in whatever
//! is answered, before anybody else sees it.

use protocol::call::digits::{MASKED, NotKept, SecretDigits, names_digits};
use protocol::call::functions::{Returned, Steer};
use serde_json::{Map, Value};

use super::answer::Attempt;

/// Arguments with the digits where they are named.
///
/// # Errors
/// What the model is told instead: it never quotes any.
pub(super) fn filled(
    mut arguments: Map<String, Value>,
    digits: &SecretDigits,
    takes_digits: bool,
) -> Result<Map<String, Value>, String> {
    let mut all = arguments.values_mut().collect::<Vec<_>>();
    while let Some(value) = all.pop() {
        match value {
            Value::String(text) if names_digits(text) => {
                if !takes_digits {
                    return Err(
                        "this function may not be given what the caller typed in secret: use one that may, or go on \
                                without"
                            .to_owned(),
                    );
                }
                match digits.fill(text) {
                    Ok(Some(filled)) => *text = filled,
                    Ok(None) => {}
                    Err(NotKept(number)) => {
                        return Err(format!(
                            "{{{{digits:{number}}}}} is not known, or not any more: ask the caller to type it again, with \
                             collect_digits"
                        ));
                    }
                }
            }
            Value::Array(list) => all.extend(list),
            Value::Object(table) => all.extend(table.values_mut()),
            _ => {}
        }
    }
    Ok(arguments)
}

/// A text that came back, without them. Of JSON it is still JSON, unless it has them in pieces.
pub(super) fn masked(text: String, digits: &SecretDigits) -> String {
    if digits.is_empty() {
        return text;
    }
    let data = |value: &Value| value.is_object() || value.is_array();
    let mut value = serde_json::from_str::<Value>(&text).ok().filter(data).unwrap_or_default();
    let text = if walk(&mut value, digits) { value.to_string() } else { text };
    digits.mask(&text).unwrap_or(text)
}

/// The same for the body of an answer; what is no text is told nobody.
pub(super) fn masked_body(body: Vec<u8>, digits: &SecretDigits) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(text) => masked(text, digits).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// What an attempt came to, without them.
pub(super) fn masked_attempt(attempt: Attempt, digits: &SecretDigits) -> Attempt {
    if digits.is_empty() {
        return attempt;
    }
    let clean = |text| masked(text, digits);
    match attempt {
        Attempt::Returned(Returned { output, steer }) => {
            let steer = steer.map(|steer| match steer {
                Steer::Transfer(name) => Steer::Transfer(clean(name)),
                steer @ Steer::HangUp => steer,
            });
            Attempt::Returned(Returned { output: clean(output), steer })
        }
        Attempt::Retry(outcome, why) => Attempt::Retry(outcome, clean(why)),
        Attempt::InDoubt(outcome, why) => Attempt::InDoubt(outcome, clean(why)),
        Attempt::Failed(outcome, why) => Attempt::Failed(outcome, clean(why)),
    }
}

/// Masks what a value holds. Whether there was anything.
fn walk(value: &mut Value, digits: &SecretDigits) -> bool {
    match value {
        Value::String(text) => digits.mask(text).is_some_and(|clean| {
            *text = clean;
            true
        }),
        Value::Number(number) => {
            let has = digits.mask(&number.to_string()).is_some();
            if has {
                *value = MASKED.into();
            }
            has
        }
        Value::Array(list) => list.iter_mut().fold(false, |found, value| walk(value, digits) | found),
        Value::Object(table) => {
            let found = table.values_mut().fold(false, |found, value| walk(value, digits) | found);
            let named = table.keys().any(|name| digits.mask(name).is_some());
            if named {
                let fields = std::mem::take(table).into_iter();
                *table = fields.map(|(name, value)| (digits.mask(&name).unwrap_or(name), value)).collect();
            }
            found | named
        }
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CARD: &str = "4539578763621486";

    fn card() -> SecretDigits {
        SecretDigits::entered(1, CARD)
    }

    fn told(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn digits_are_filled_in_at_any_depth_and_refused_in_words() {
        let asked = json!({ "card": { "number": "{{digits:1}}" }, "notes": ["no. {{digits:1}}", 7] });
        let filled_in = filled(told(asked.clone()), &card(), true).unwrap();
        assert_eq!(
            Value::Object(filled_in),
            json!({ "card": { "number": CARD }, "notes": [format!("no. {CARD}"), 7] })
        );
        let refused = filled(told(asked.clone()), &card(), false).unwrap_err();
        assert!(refused.contains("may not be given") && !refused.contains("4539"), "{refused}");
        let unknown = filled(told(json!({ "a": "{{digits:9}}" })), &card(), true).unwrap_err();
        assert!(unknown.contains("{{digits:9}}") && unknown.contains("collect_digits"), "{unknown}");
        let nothing = told(json!({ "a": "{{name}}" }));
        assert_eq!(filled(nothing.clone(), &SecretDigits::default(), false), Ok(nothing));
    }

    #[test]
    fn what_an_endpoint_repeats_is_masked_however_it_stands_and_json_stays_json() {
        for (text, clean) in [
            (json!({ "card": CARD, "ok": true }).to_string(), json!({ "card": "[masked]", "ok": true })),
            (r#"{"card":4539578763621486}"#.to_owned(), json!({ "card": "[masked]" })),
            (r#"{"card":"4539 5787-6362 1486"}"#.to_owned(), json!({ "card": "[masked]" })),
            (r#"{"card":"\u0034539578763621486"}"#.to_owned(), json!({ "card": "[masked]" })),
            (
                r#"{"n4539578763621486":[{"deep":4539578763621486.0}]}"#.to_owned(),
                json!({ "n[masked]": [{ "deep": "[masked]" }] }),
            ),
            (r#"{"first":"453957","last":"1486"}"#.to_owned(), json!({ "first": "[masked]", "last": "1486" })),
        ] {
            let masked = masked(text.clone(), &card());
            assert_eq!(serde_json::from_str::<Value>(&masked).unwrap(), clean, "{text}");
        }
        let pieces = masked(r#"{"digits":["4539","5787","6362","1486"]}"#.to_owned(), &card());
        assert!(!pieces.contains("5787") && !pieces.contains("6362"), "{pieces}");
        assert_eq!(masked(format!("paid by {CARD}"), &card()), "paid by [masked]");
        let untouched = r#"{ "b":1,  "a": 12345678 }"#;
        assert_eq!(masked(untouched.to_owned(), &card()), untouched);
        assert_eq!(masked_body(vec![0xff, b'4'], &card()), [0xff, b'4']);
    }

    #[test]
    fn an_attempt_is_masked_in_its_words_and_in_where_it_steers_the_call() {
        let steer = Some(Steer::Transfer(format!("desk {CARD}")));
        let returned = Attempt::Returned(Returned { output: CARD.to_owned(), steer });
        let clean =
            Returned { output: "[masked]".to_owned(), steer: Some(Steer::Transfer("desk [masked]".to_owned())) };
        assert_eq!(masked_attempt(returned, &card()), Attempt::Returned(clean));
        let failed = masked_attempt(Attempt::Failed("failed", format!("no such card: {CARD}")), &card());
        assert_eq!(failed, Attempt::Failed("failed", "no such card: [masked]".to_owned()));
    }
}
