//! What the API answers against its document: every answer that a test gets is looked at.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// As it is served: another test holds the two together.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap());

/// A schema of the document, ready to check with.
static READY: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// An operation of the document.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub path: &'static str,
    /// In lower case.
    pub method: &'static str,
    /// What the document says of it.
    pub told: &'static Value,
}

/// What a reference leads to.
pub fn resolved(told: &'static Value) -> &'static Value {
    let place = told["$ref"].as_str().map(|place| place.trim_start_matches('#'));
    place.map_or(told, |place| DOCUMENT.pointer(place).unwrap())
}

/// All operations, path by path.
pub fn operations() -> impl Iterator<Item = Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, told)| Operation { path, method, told })
    })
}

impl Operation {
    pub fn id(self) -> &'static str {
        self.told["operationId"].as_str().unwrap()
    }

    /// Whether it takes a client's own token.
    pub fn is_for_clients(self) -> bool {
        self.told["security"].as_array().unwrap().iter().any(|security| security.get("client").is_some())
    }

    /// Whether a path is one of it.
    pub fn is_at(self, path: &str) -> bool {
        let (wanted, parts) = (self.path.split('/'), path.trim_end_matches('/').split('/'));
        wanted.clone().count() == parts.clone().count()
            && wanted.zip(parts).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
    }

    /// What it says of a status, if it does.
    pub fn response(self, status: u16) -> Option<&'static Value> {
        self.told["responses"].get(status.to_string()).map(resolved)
    }
}

/// Fails where an answer of the API is none that its document has at that path.
#[track_caller]
pub fn check_answer(path: &str, status: u16, body: &str) {
    if !path.starts_with("/api/v1/") || body.is_empty() {
        return;
    }
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: {status}, and no JSON: {body}"));
    let here: Vec<Operation> = operations().filter(|operation| operation.is_at(path)).collect();
    let responses = &DOCUMENT["components"]["responses"];
    // A listener that has not the operators' paths answers as to any other.
    let elsewhere = (here.is_empty() || status == 404).then_some(&responses["not_found"]);
    let other_method = (status == 405).then_some(&responses["method_not_allowed"]);
    let told = here.iter().filter_map(|operation| operation.response(status));
    let told: Vec<&Value> = told.chain(elsewhere).chain(other_method).collect();
    let problems: Vec<String> = told.iter().filter_map(|told| problem(told, &body)).collect();
    assert!(problems.len() < told.len(), "{path}: {status} is not in the document, or not so: {problems:?}: {body:#}");
}

/// What was wrong with events that tests heard: whoever hears one cannot fail the test by itself.
static WRONG_EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Looks at an event as its receiver heard it.
pub fn check_event(event: &Value) {
    let what = event["type"].as_str().unwrap_or_default();
    let place = format!("{}/docs/events/{what}.json", env!("CARGO_MANIFEST_DIR"));
    let problem = match std::fs::read_to_string(place) {
        Ok(schema) => problem_of(&serde_json::from_str(&schema).unwrap(), event),
        Err(_) => Some("nobody described it".to_owned()),
    };
    if let Some(problem) = problem {
        WRONG_EVENTS.lock().unwrap().push(format!("{what}: {problem}: {event:#}"));
    }
}

/// Fails where an event was not as its schema says.
#[track_caller]
pub fn events_were_right() {
    let wrong = WRONG_EVENTS.lock().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is wrong with an answer, as a response of the document has it.
fn problem(response: &Value, body: &Value) -> Option<String> {
    let codes = response["x-codes"].as_array();
    let code = &body["error"]["code"];
    if codes.is_some_and(|codes| !codes.contains(code)) {
        return Some(format!("the code {code} is none of {codes:?}"));
    }
    problem_of(&response["content"]["application/json"]["schema"], body)
}

/// What is wrong with a value, as a schema of the document has it.
pub fn problem_of(schema: &Value, value: &Value) -> Option<String> {
    let ready = {
        let mut ready = READY.lock().unwrap();
        ready.entry(schema.to_string()).or_insert_with(|| Arc::new(validator(schema))).clone()
    };
    let problems: Vec<String> =
        ready.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

fn validator(schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = json!({ "schemas": DOCUMENT["components"]["schemas"] });
    let options = jsonschema::options().offline().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.build(&whole).unwrap()
}
