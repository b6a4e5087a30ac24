//! JSON Schemas: the one of the file itself, and the bounds of those that a file holds.

use serde_json::{Map, Value, json};

use super::shape::{DEEPEST_SCHEMA, FILE, Key, Kind, LONGEST_HEADER, LONGEST_SCHEMA, MOST_HEADERS, Shape};

/// Alternatives and references of one schema: what checking costs may double with each.
const MOST_BRANCHES: usize = 64;

/// Judges the schema of a function's arguments by its size; what it says is judged by who checks arguments with it.
///
/// # Errors
/// What is wrong with it, and the mend.
pub(super) fn judge(schema: &Value) -> Result<(), String> {
    if schema.to_string().len() > LONGEST_SCHEMA {
        return Err(format!("is longer than {LONGEST_SCHEMA} bytes: make it smaller"));
    }
    let (depth, branches) = (depth(schema), branches(schema));
    if depth > DEEPEST_SCHEMA {
        return Err(format!("has {depth} levels: {DEEPEST_SCHEMA} are the most"));
    }
    if branches > MOST_BRANCHES {
        return Err(format!("has {branches} alternatives and references: {MOST_BRANCHES} are the most"));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => Ok(()),
        _ => Err("must be a JSON Schema of an object: begin it with type = \"object\"".to_owned()),
    }
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(table) => table.values().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

fn branches(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(branches).sum(),
        Value::Object(table) => {
            let own = |(key, value): (&String, &Value)| match (key.as_str(), value) {
                ("anyOf" | "oneOf" | "allOf", Value::Array(list)) => list.len(),
                ("$ref" | "$dynamicRef", Value::String(_)) => 1,
                _ => 0,
            };
            table.iter().map(own).sum::<usize>() + table.values().map(branches).sum::<usize>()
        }
        _ => 0,
    }
}

/// The JSON Schema of an agent file.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = of_shape(&FILE);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A client's agent");
    schema
}

fn of_shape(shape: &Shape) -> Value {
    let known = || shape.keys.iter().filter(|key| !matches!(key.kind, Kind::Later));
    let properties: Map<String, Value> = known().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> = known().filter(|key| key.needed).map(|key| key.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn of_key(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text { most, .. } => json!({ "type": "string", "maxLength": most }),
        Kind::Flag => json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["on", "off"] }] }),
        Kind::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::OneOf(words) => json!({ "enum": words }),
        Kind::Texts { most, each, .. } => {
            json!({ "type": "array", "maxItems": most, "items": { "type": "string", "maxLength": each } })
        }
        Kind::Headers => json!({
            "type": "object",
            "maxProperties": MOST_HEADERS,
            "additionalProperties": { "type": "string", "maxLength": LONGEST_HEADER },
        }),
        Kind::Schema => json!({ "type": "object" }),
        Kind::Table(shape) => of_shape(shape),
        Kind::Tables { shape, most } => json!({ "type": "array", "maxItems": most, "items": of_shape(shape) }),
        Kind::Later => json!(false),
    };
    schema["description"] = json!(key.about);
    schema
}
