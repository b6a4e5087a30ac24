//! JSON Schemas: the one of the file itself, and what those must be that a file holds.

use serde_json::{Map, Value, json};

use super::shape::{FILE, Key, Kind, LONGEST_HEADER, MOST_HEADERS, Shape};
use crate::schema::Schema;

/// Judges the schema of a function's arguments.
///
/// # Errors
/// What is wrong with it, and the mend.
pub(super) fn judge(schema: &Value) -> Result<(), String> {
    Schema::of_arguments(schema).map(drop).map_err(|problem| format!("will not do: {problem}"))
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
    let properties: Map<String, Value> = shape.keys.iter().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.needed).map(|key| key.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn of_key(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text { most, .. } => json!({ "type": "string", "maxLength": most }),
        Kind::Flag => json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["on", "off"] }] }),
        Kind::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::NamedTexts { most_names, most, each, .. } => json!({
            "type": "object",
            "maxProperties": most_names,
            "additionalProperties": { "type": "array", "maxItems": most, "items": { "type": "string", "maxLength": each } },
        }),
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
        Kind::Named { shape, most, .. } => {
            json!({ "type": "object", "maxProperties": most, "additionalProperties": of_shape(shape) })
        }
    };
    schema["description"] = json!(key.about);
    schema
}
