//! What clients are told, as the document has it: requests that the gateway makes.

use serde_json::{Map, Value, json};

use super::{Definitions, Object};
use crate::notify::EVENTS;

const HEADERS: [(&str, &str, bool); 4] = [
    ("Callgate-Event-Id", "The event's id", true),
    ("Callgate-Timestamp", "When it was signed, Unix seconds", true),
    ("Callgate-Signature", "`v1=` and the HMAC-SHA256 of `timestamp.body` under the client's secret, in hex", true),
    ("traceparent", "The call's trace, where calls are traced", false),
];

/// By the type of the event.
pub(super) fn webhooks(known: &mut Definitions) -> Value {
    let parameters: Vec<Value> = HEADERS
        .iter()
        .map(|(name, about, required)| {
            json!({ "name": name, "in": "header", "required": required, "description": about, "schema": { "type": "string" } })
        })
        .collect();
    let webhook = |(what, event): (&str, &Object)| {
        let content = json!({ "application/json": { "schema": known.of(event) } });
        let post = json!({
            "operationId": event.name,
            "summary": event.about,
            "description": "POSTed to the client's `events_url`. It may come twice, with the same id.",
            "security": [],
            "parameters": parameters,
            "requestBody": { "required": true, "content": content },
            "responses": {
                "2XX": { "description": "It is taken as heard." },
                "410": { "description": "It is not told again." },
                "default": { "description": "It is told again, for a day." },
            },
        });
        (what.to_owned(), json!({ "post": post }))
    };
    EVENTS.into_iter().map(webhook).collect::<Map<_, _>>().into()
}
