//! JSON Schemas that others wrote: bounded before they are used, and never with a value of the caller's in their words.
//!
//! Nothing is fetched, patterns are linear, and how often one value may be looked at is counted beforehand: a schema of 2 kB that chooses
//! between the same two things at every level would keep a core busy for minutes.

use std::collections::HashMap;
use std::fmt::Write as _;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

/// Bytes of a schema.
pub const LARGEST: usize = 64 * 1024;
/// Levels of one.
pub const DEEPEST: usize = 32;
/// Subschemas that one value may be checked against, each counted as often as it is reached.
pub const MOST_STEPS: u64 = 2_000;
/// Bytes that a pattern may be compiled to.
const LARGEST_PATTERN: usize = 256 * 1024;
/// Problems that are told at once.
const MOST_TOLD: usize = 3;
/// Keywords whose values are one schema.
const ONE: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "additionalItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose values are a list of them.
const LISTS: [&str; 5] = ["anyOf", "oneOf", "allOf", "prefixItems", "items"];
/// Keywords whose values are a table of them.
const TABLES: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];

/// The schema of an object, ready to check with.
#[derive(Clone, Debug)]
pub struct Schema(Validator);

impl Schema {
    /// Reads the schema of a function's arguments.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn of_arguments(schema: &Value) -> Result<Self, String> {
        let Some(fields) = schema.as_object() else {
            return Err("a schema must be an object such as {\"type\":\"object\",\"properties\":{}}".to_owned());
        };
        if fields.get("type").and_then(Value::as_str) != Some("object") {
            return Err("a schema of arguments must say \"type\":\"object\"".to_owned());
        }
        Self::new(schema)
    }

    /// Reads any schema.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn new(schema: &Value) -> Result<Self, String> {
        if depth(schema, DEEPEST) > DEEPEST {
            return Err(format!("a schema may have {DEEPEST} levels"));
        }
        let size = schema.to_string().len();
        if size > LARGEST {
            return Err(format!("a schema may have {LARGEST} bytes, this one has {size}"));
        }
        let steps = Walk { root: schema, known: HashMap::new() }.steps(schema)?;
        if steps > MOST_STEPS {
            return Err(format!(
                "checking against it may take {steps} steps, {MOST_STEPS} are allowed: it chooses between too many things"
            ));
        }
        let options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN));
        let built = options.build(schema);
        built.map(Self).map_err(|error| format!("it is no JSON Schema: {}", place(&error.masked().to_string(), &error)))
    }

    /// Whether a value is as the schema says.
    ///
    /// # Errors
    /// Says what is not, for whoever made the value: never the value itself.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let mut words = String::new();
        let mut errors = self.0.iter_errors(value);
        for error in errors.by_ref().take(MOST_TOLD) {
            let _ = write!(words, "{}{}", if words.is_empty() { "" } else { "; " }, told(&error));
        }
        if errors.next().is_some() {
            words.push_str("; and more");
        }
        if words.is_empty() { Ok(()) } else { Err(words) }
    }
}

/// One problem: where, and what the schema wants.
fn told(error: &ValidationError<'_>) -> String {
    let words = match error.kind() {
        // Names of fields are the model's own.
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let count = unexpected.len();
            format!("{count} field{} it does not know", if count == 1 { "" } else { "s" })
        }
        ValidationErrorKind::Required { property } => format!("{} is missing", property.as_str().unwrap_or("a field")),
        _ => error.masked().to_string(),
    };
    place(&words, error)
}

fn place(words: &str, error: &ValidationError<'_>) -> String {
    let words: String = words.chars().take(200).collect();
    match error.instance_path().as_str() {
        "" => words,
        path => {
            let path: String = path.chars().take(100).collect();
            format!("{path}: {words}")
        }
    }
}

/// How deep a value is; beyond `most` it is not looked at.
fn depth(value: &Value, most: usize) -> usize {
    let below = |all: &mut dyn Iterator<Item = &Value>| all.map(|value| depth(value, most - 1)).max().unwrap_or(0);
    match value {
        Value::Array(_) | Value::Object(_) if most == 0 => 1,
        Value::Array(items) => 1 + below(&mut items.iter()),
        Value::Object(fields) => 1 + below(&mut fields.values()),
        _ => 0,
    }
}

/// Counts what checking one value may take.
struct Walk<'a> {
    root: &'a Value,
    /// What is known of references; none: it is being counted.
    known: HashMap<&'a str, Option<u64>>,
}

impl<'a> Walk<'a> {
    fn steps(&mut self, schema: &'a Value) -> Result<u64, String> {
        let Some(fields) = schema.as_object() else { return Ok(1) };
        if let Some(foreign) = ["$dynamicRef", "$recursiveRef"].into_iter().find(|name| fields.contains_key(*name)) {
            return Err(format!("{foreign} is not supported"));
        }
        let mut steps = 1_u64;
        for below in subschemas(fields) {
            steps = steps.saturating_add(self.steps(below)?);
        }
        if let Some(to) = fields.get("$ref") {
            let to = to.as_str().ok_or("a $ref must be text")?;
            steps = steps.saturating_add(self.steps_of(to)?);
        }
        Ok(steps)
    }

    /// Those of what a reference points to.
    fn steps_of(&mut self, to: &'a str) -> Result<u64, String> {
        let shown = || to.chars().take(64).collect::<String>();
        match self.known.get(to) {
            Some(Some(steps)) => return Ok(*steps),
            Some(None) => return Err(format!("$ref {} leads back to itself", shown())),
            None => {}
        }
        let pointer = to.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let target = pointer.and_then(|pointer| self.root.pointer(pointer));
        let target = target.ok_or_else(|| format!("$ref {} points to nothing within the schema", shown()))?;
        self.known.insert(to, None);
        let steps = self.steps(target)?;
        self.known.insert(to, Some(steps));
        Ok(steps)
    }
}

/// The schemas of which a schema is made, but for definitions.
fn subschemas(fields: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let ones = ONE.into_iter().filter_map(|name| fields.get(name)).filter(|below| below.is_object());
    let lists = LISTS.into_iter().filter_map(|name| fields.get(name)).filter_map(Value::as_array).flatten();
    let tables = TABLES.into_iter().filter_map(|name| fields.get(name)).filter_map(Value::as_object);
    ones.chain(lists).chain(tables.flat_map(Map::values))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn refused(schema: &Value) -> String {
        let begun = Instant::now();
        let words = Schema::of_arguments(schema).unwrap_err();
        assert!(begun.elapsed().as_secs() < 2 && words.len() < 500, "{words}");
        words
    }

    /// Levels of choices between the same two things.
    fn forked(levels: usize) -> Value {
        let mut defs = Map::new();
        for level in 0..levels {
            let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
            defs.insert(format!("l{level}"), json!({ "anyOf": [next, next] }));
        }
        defs.insert(format!("l{levels}"), json!({ "type": "integer" }));
        json!({ "type": "object", "$defs": defs, "properties": { "x": { "$ref": "#/$defs/l0" } } })
    }

    #[test]
    fn what_does_not_pass_a_schema_is_told_without_its_values() {
        let schema = Schema::of_arguments(&json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "maxLength": 5 },
                "day": { "type": "string", "format": "date" },
                "count": { "type": "integer", "minimum": 1 },
                "kind": { "enum": ["a", "b"] },
            },
            "required": ["name"],
            "additionalProperties": false,
        }))
        .unwrap();
        assert_eq!(schema.check(&json!({ "name": "Asha", "day": "2026-11-26", "count": 3, "kind": "b" })), Ok(()));
        for (value, place) in [
            (json!({}), "name is missing"),
            (json!({ "name": "4111111111111111" }), "/name: "),
            (json!({ "name": 4111111111111111_u64 }), "/name: "),
            (json!({ "name": "A", "day": "4111111111111111" }), "/day: "),
            (json!({ "name": "A", "count": -4111111111111111_i64 }), "/count: "),
            (json!({ "name": "A", "kind": "4111111111111111" }), "/kind: "),
            (json!({ "name": "A", "4111111111111111": 1 }), "1 field it does not know"),
            (json!(["4111111111111111"]), "type"),
        ] {
            let words = schema.check(&value).unwrap_err();
            assert!(words.contains(place) && !words.contains("4111111111111111"), "{value}: {words}");
        }
    }

    #[test]
    fn a_schema_that_is_none_or_would_take_too_long_is_refused_in_words() {
        let object = |more: Value| {
            let mut schema = json!({ "type": "object" });
            schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            schema
        };
        for (schema, words) in [
            (json!("x"), "must be an object"),
            (json!({}), "\"type\":\"object\""),
            (json!({ "type": "array" }), "\"type\":\"object\""),
            (object(json!({ "properties": { "x": { "type": "strin" } } })), "no JSON Schema"),
            (object(json!({ "properties": 3 })), "no JSON Schema"),
            (object(json!({ "$ref": "#/$defs/none" })), "points to nothing"),
            (object(json!({ "$ref": "https://example.com/schema.json" })), "points to nothing"),
            (object(json!({ "$ref": "file:///etc/passwd" })), "points to nothing"),
            (object(json!({ "properties": { "x": { "$ref": "#" } } })), "leads back to itself"),
            (object(json!({ "properties": { "x": { "pattern": "(a+)+(?=b)" } } })), "no JSON Schema"),
            (object(json!({ "properties": { "x": { "pattern": "a{1000}{1000}" } } })), "no JSON Schema"),
            (object(json!({ "description": "x".repeat(LARGEST) })), "bytes"),
            (forked(30), "steps"),
            (forked(25), "steps"),
        ] {
            let told = refused(&schema);
            assert!(told.contains(words), "{told}");
        }
        let mut deep = json!({ "type": "object" });
        for _ in 0..200 {
            deep = object(json!({ "properties": { "x": deep } }));
        }
        assert!(refused(&deep).contains("levels"));
        assert!(Schema::of_arguments(&forked(5)).is_ok());
    }
}
