//! JSON Schemas of what callgate writes and takes: data beside the code that does, so that whoever changes the one sees the other. Tests
//! hold them against what is really written. (Schemas that others wrote are [`crate::schema`]'s.)

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The version of JSON Schema that all of them are in, as OpenAPI 3.1 is.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// An object of JSON.
#[derive(Debug)]
pub(crate) struct Object {
    /// As documents refer to it.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    /// What it holds, and nothing else. In groups: some objects are others with more.
    pub(crate) fields: &'static [&'static [Field]],
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
    /// It may be null.
    null: bool,
    /// It may be missing.
    optional: bool,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A time as [`crate::time::told`] writes it.
    Time,
    /// True or false.
    Flag,
    /// A whole number of these at least, and of those at most.
    Whole(Option<i64>, Option<i64>),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// This word and no other.
    Is(&'static str),
    /// Whatever somebody else put there.
    Anything,
    /// An object.
    Of(&'static Object),
    /// An object that others define.
    Named(&'static str, fn() -> Value),
    /// A list.
    List(&'static Kind),
    /// Some of these names, each with such a value.
    By(fn() -> Vec<&'static str>, &'static Kind),
    /// One or the other.
    Either(&'static [Kind]),
}

/// A number of something.
pub(crate) const COUNT: Kind = Kind::Whole(Some(0), None);

/// A field that is always there.
pub(crate) const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, null: false, optional: false }
}

/// One that is always there, and null where there is nothing to tell.
pub(crate) const fn or_null(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, null: true, optional: false }
}

/// One that need not be there.
pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, null: false, optional: true }
}

/// One that need not be there, and may be null.
pub(crate) const fn optional_or_null(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, null: true, optional: true }
}

/// The objects that a document refers to.
#[derive(Debug)]
pub(crate) struct Definitions {
    /// Where in the document they stand: `#/components/schemas/`.
    place: &'static str,
    known: BTreeMap<&'static str, Value>,
}

impl Definitions {
    pub(crate) const fn at(place: &'static str) -> Self {
        Self { place, known: BTreeMap::new() }
    }

    /// All that were referred to.
    pub(crate) fn into_json(self) -> Value {
        self.known.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<Map<_, _>>().into()
    }

    /// A reference to an object, which is defined from now on.
    pub(crate) fn of(&mut self, object: &Object) -> Value {
        if !self.known.contains_key(object.name) {
            let schema = self.object(object);
            self.known.insert(object.name, schema);
        }
        self.reference(object.name)
    }

    /// The schema of an object itself.
    pub(crate) fn object(&mut self, object: &Object) -> Value {
        let fields = || object.fields.iter().copied().flatten();
        let properties: Map<String, Value> = fields().map(|field| (field.name.to_owned(), self.field(field))).collect();
        let required: Vec<&str> = fields().filter(|field| !field.optional).map(|field| field.name).collect();
        json!({
            "type": "object",
            "description": object.about,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// The schema of a value.
    pub(crate) fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Time => json!({ "type": "string", "format": "date-time" }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Whole(least, most) => {
                let mut schema = json!({ "type": "integer" });
                for (bound, number) in [("minimum", least), ("maximum", most)] {
                    if let Some(number) = number {
                        schema[bound] = json!(number);
                    }
                }
                schema
            }
            Kind::Word(words) => json!({ "type": "string", "enum": words() }),
            Kind::Is(word) => json!({ "type": "string", "const": word }),
            Kind::Anything => json!({}),
            Kind::Of(object) => self.of(object),
            Kind::Named(name, define) => {
                self.known.entry(name).or_insert_with(define);
                self.reference(name)
            }
            Kind::List(each) => json!({ "type": "array", "items": self.value(each) }),
            Kind::By(names, each) => {
                let each = self.value(each);
                let named: Map<String, Value> =
                    names().into_iter().map(|name| (name.to_owned(), each.clone())).collect();
                json!({ "type": "object", "properties": named, "additionalProperties": false })
            }
            Kind::Either(kinds) => {
                json!({ "anyOf": kinds.iter().map(|kind| self.value(kind)).collect::<Vec<_>>() })
            }
        }
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut schema = self.value(&field.kind);
        if field.null {
            schema = or_null_too(schema);
        }
        schema["description"] = field.about.into();
        schema
    }

    fn reference(&self, name: &str) -> Value {
        json!({ "$ref": format!("{}{name}", self.place) })
    }
}

/// The schema of the same, or of null.
fn or_null_too(mut schema: Value) -> Value {
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    match schema["type"].as_str().map(str::to_owned) {
        Some(kind) => {
            schema["type"] = json!([kind, "null"]);
            schema
        }
        // Anything may be null by itself.
        None if schema == json!({}) => schema,
        None => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: Object = Object { name: "Inner", about: "Inside.", fields: &[&[field("n", COUNT, "How many.")]] };
    const OUTER: Object = Object {
        name: "Outer",
        about: "Outside.",
        fields: &[&[
            or_null("inner", Kind::Of(&INNER), "What is inside."),
            or_null("word", Kind::Word(|| vec!["a", "b"]), "Which."),
            optional("said", Kind::Anything, "What was said."),
        ]],
    };

    #[test]
    fn what_is_written_passes_and_what_is_not_described_does_not() {
        let mut known = Definitions::at("#/$defs/");
        let mut schema = known.of(&OUTER);
        schema["$defs"] = known.into_json();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for right in
            [json!({ "inner": { "n": 0 }, "word": "a" }), json!({ "inner": null, "word": null, "said": [1, null] })]
        {
            assert!(validator.is_valid(&right), "{right}");
        }
        for wrong in [
            json!({ "inner": { "n": -1 }, "word": "a" }),
            json!({ "inner": { "n": 0, "m": 0 }, "word": "a" }),
            json!({ "inner": null, "word": "c" }),
            json!({ "inner": null }),
            json!({ "inner": null, "word": null, "new": 1 }),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }
}
