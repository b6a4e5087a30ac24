//! Whether a schema is one that servers hold an answer to word by word: only such a one may be sent as `strict`. Any other is sent as it is, and the
//! answer is checked all the same.

use serde_json::{Map, Value};

/// Keywords that are known to be taken then.
const TAKEN: [&str; 22] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "description",
    "title",
    "$defs",
    "$ref",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "default",
];

/// Whether it says of every object which fields it has, all of them, and nothing that is not taken.
pub(super) fn is_strict(schema: &Value) -> bool {
    let Some(fields) = schema.as_object() else { return false };
    fields.keys().all(|key| TAKEN.contains(&key.as_str())) && is_closed(fields) && below(fields).all(is_strict)
}

fn is_closed(fields: &Map<String, Value>) -> bool {
    let is_object =
        |kind: &Value| kind == "object" || kind.as_array().is_some_and(|all| all.contains(&"object".into()));
    if !fields.get("type").is_some_and(is_object) && !fields.contains_key("properties") {
        return true;
    }
    let required: Vec<&str> =
        fields.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let known = fields.get("properties").and_then(Value::as_object);
    fields.get("additionalProperties") == Some(&Value::Bool(false))
        && known.is_some_and(|known| known.keys().all(|name| required.contains(&name.as_str())))
}

fn below(fields: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let tables = ["properties", "$defs"].into_iter().filter_map(|name| fields.get(name)?.as_object());
    let choices = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    tables.flat_map(Map::values).chain(choices).chain(fields.get("items"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_strict_that_says_of_every_object_which_fields_it_has() {
        let closed = |more: Value| json!({ "type": "object", "properties": { "a": more }, "required": ["a"], "additionalProperties": false });
        for strict in [
            closed(json!({ "type": "string" })),
            closed(json!({ "type": "array", "items": closed(json!({ "enum": ["x", null] })) })),
            closed(json!({ "anyOf": [{ "type": "null" }, closed(json!({ "type": ["integer", "null"] }))] })),
        ] {
            assert!(is_strict(&strict), "{strict}");
        }
        for loose in [
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": {}, "required": [] }),
            json!({ "type": "object", "properties": { "a": {} }, "required": [], "additionalProperties": false }),
            closed(json!({ "type": "string", "minLength": 1 })),
            closed(json!({ "type": "object" })),
            closed(json!({ "oneOf": [] })),
            json!(true),
        ] {
            assert!(!is_strict(&loose), "{loose}");
        }
    }
}
