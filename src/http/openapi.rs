//! OpenAPI 3.1 of `/api/v1`. Each operation stands as data here, and beside its handler in the table that is served
//! ([`super::operator::PLACES`]): what is not described is not served. What answers hold is described where they are written
//! ([`crate::views`], [`crate::why`], [`crate::notify`]); refusals tell their status and code themselves.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::error::Refused;
use crate::json_schema::{COUNT, DIALECT, Definitions, Field, Kind, Object, field, optional};

mod refusals;
mod webhooks;

pub(super) mod agents;
pub(super) mod calls;
pub(super) mod clients;

use refusals::Refusals;

/// Where a document keeps what it refers to.
const SCHEMAS: &str = "#/components/schemas/";

const ABOUT: &str = "Clients, their agents, and what became of calls. Errors are `{\"error\":{\"code\",\"message\",\"field\"?}}`: \
    decide on the status and the code, the message is for people. Each answer has an `X-Request-Id`. Other methods are \
    `method_not_allowed`, other paths `not_found`. Objects have the fields that are listed here and no others in this version; a \
    later one may add some, so take those that you know and leave the rest.";

/// What one method does at one path.
#[derive(Debug)]
pub(super) struct Operation {
    /// As generated clients call it.
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) who: Who,
    /// Parameters of the query string.
    pub(super) query: &'static [Field],
    /// The body that it takes.
    pub(super) takes: Option<Kind>,
    /// What it answers with when it is done, and with which status.
    pub(super) gives: (u16, Kind),
    /// Why it may refuse, beside what is the same for all.
    pub(super) refusals: &'static [fn() -> Refused],
}

/// Whose token it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// `ADMIN_TOKEN`.
    Operator,
    /// That, or a client's: then what is the client's is all that there is.
    Reader,
}

/// The document itself.
pub(super) static DOCUMENT: Operation = Operation {
    id: "getOpenApi",
    about: "This document",
    who: Who::Reader,
    query: &[],
    takes: None,
    gives: (200, Kind::Anything),
    refusals: &[],
};

pub(super) const ERROR: Object = Object {
    name: "Error",
    about: "Why a request was refused.",
    fields: &[&[field("error", Kind::Of(&PROBLEM), "What was wrong.")]],
};

const PROBLEM: Object = Object {
    name: "Problem",
    about: "What was wrong with a request.",
    fields: &[&[
        field("code", Kind::Text, "For programs; those of each answer stand beside it."),
        field("message", Kind::Text, "For people; no program should read it."),
        optional("field", Kind::Text, "The field or parameter at fault."),
        optional("mistakes", Kind::List(&Kind::Of(&MISTAKE)), "Of an agent: all that is wrong with it."),
    ]],
};

const MISTAKE: Object = Object {
    name: "Mistake",
    about: "Something that is wrong with an agent.",
    fields: &[&[
        field("key", Kind::Text, "Where: `tools[0].url`; empty for the agent as a whole."),
        field("problem", Kind::Text, "What is wrong, and the mend."),
    ]],
};

/// The document of what is served.
pub(super) fn document<'a>(served: impl IntoIterator<Item = (&'static str, &'a Method, &'static Operation)>) -> Value {
    let (mut known, mut refusals) = (Definitions::at(SCHEMAS), Refusals::default());
    let mut paths: Map<String, Value> = Map::new();
    for (path, method, operation) in served {
        let place = paths.entry(path).or_insert_with(|| json!({ "parameters": path_parameters(path) }));
        place[method.as_str().to_ascii_lowercase()] = operation_json(operation, &mut known, &mut refusals);
    }
    for place in paths.values_mut().filter_map(Value::as_object_mut) {
        place.retain(|_, told| told != &json!([]));
    }
    // Of no operation: other paths and other methods.
    for other in [Refused::NoRoute, Refused::Method("GET".into())] {
        refusals.told(&[other], &mut known);
    }
    let webhooks = webhooks::webhooks(&mut known);
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "callgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The gateway, where operators reach it" }],
        "security": security(Who::Operator),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": known.into_json(),
            "responses": refusals.into_json(),
            "headers": headers(),
            "securitySchemes": {
                "operator": { "type": "http", "scheme": "bearer", "description": "`ADMIN_TOKEN`" },
                "client": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of a client's own (`callgate client token create`): it reads what is that client's, and for it \
                        nothing else is there",
                },
            },
        },
    })
}

fn operation_json(operation: &Operation, known: &mut Definitions, refusals: &mut Refusals) -> Value {
    let (status, kind) = &operation.gives;
    let mut done = answer("Done", known.value(kind));
    if *status == 201 {
        done["headers"]["Location"] = json!({ "$ref": "#/components/headers/Location" });
    }
    let mut responses = Map::from_iter([(status.to_string(), done)]);
    for (status, why) in refusals::of_operation(operation) {
        responses.insert(status.to_string(), refusals.told(&why, known));
    }
    let parameters: Vec<Value> = operation.query.iter().map(|field| query_parameter(field, known)).collect();
    let mut json = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "parameters": parameters,
        "security": security(operation.who),
        "responses": responses,
    });
    if let Some(kind) = &operation.takes {
        let content = json!({ "application/json": { "schema": known.value(kind) } });
        json["requestBody"] = json!({ "required": true, "content": content });
    }
    json
}

fn security(who: Who) -> Value {
    match who {
        Who::Operator => json!([{ "operator": [] }]),
        Who::Reader => json!([{ "operator": [] }, { "client": [] }]),
    }
}

/// Parameters of a path are the same for all of its methods.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let about = match name {
            "sid" => "Exotel's CallSid",
            _ => "A client's id, or a number of its own in any spelling",
        };
        json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": "string" } })
    };
    names.map(parameter).collect()
}

fn query_parameter(field: &Field, known: &mut Definitions) -> Value {
    let schema = known.value(&field.kind);
    json!({ "name": field.name, "in": "query", "description": field.about, "schema": schema })
}

/// An answer in JSON.
fn answer(about: &str, schema: Value) -> Value {
    json!({
        "description": about,
        "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
        "content": { "application/json": { "schema": schema } },
    })
}

fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "schema": schema });
    let text = || json!({ "type": "string" });
    let mut known = Definitions::at(SCHEMAS);
    json!({
        "X-Request-Id": header("The request's own, or one that it was given: logs and the audit log have it", text()),
        "Location": header("Where it is from now on", text()),
        "Allow": header("The methods that there are", text()),
        "WWW-Authenticate": header("`Bearer`", text()),
        "Retry-After": header("Seconds after which another attempt makes sense", known.value(&COUNT)),
    })
}

#[cfg(test)]
mod tests;
