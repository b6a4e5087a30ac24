use serde_json::Value;

use crate::http::operator::api_document;

/// Every object below a value.
fn walk<'a>(value: &'a Value, look: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            look(fields);
            fields.values().for_each(|value| walk(value, look));
        }
        Value::Array(items) => items.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}

#[test]
fn the_document_of_the_api_is_the_one_in_docs() {
    let document = serde_json::to_string_pretty(&api_document()).unwrap() + "\n";
    if std::env::var_os("CALLGATE_WRITE_DOCS").is_some() {
        std::fs::write("docs/openapi.json", &document).unwrap();
    }
    let kept = std::fs::read_to_string("docs/openapi.json").unwrap_or_default();
    assert!(
        kept == document,
        "CALLGATE_WRITE_DOCS=1 cargo test --lib the_document_of_the_api writes docs/openapi.json anew"
    );
}

#[test]
fn whatever_the_document_refers_to_is_there_and_operations_have_names_of_their_own() {
    let document = api_document();
    let (mut references, mut ids) = (0, Vec::new());
    walk(&document, &mut |fields| {
        if let Some(place) = fields.get("$ref").and_then(Value::as_str) {
            references += 1;
            assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place} leads nowhere");
        }
        ids.extend(fields.get("operationId").and_then(Value::as_str));
    });
    assert!(references > 100, "{references}");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all), (19, 19), "{ids:?}");
}

#[test]
fn every_schema_of_the_document_is_one() {
    let document = api_document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::validate(schema).is_ok(), "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name} would let a field pass that nobody described");
    }
}
