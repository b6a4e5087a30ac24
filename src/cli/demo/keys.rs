//! The fee: the caller types their card, and nobody but the clinic's own system gets it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use actors::lock;
use serde_json::{Value, json};
use simulator::exotel::Say;
use simulator::model::SessionLog;

/// What the caller types.
const CARD: &str = "4539578763621486";
/// So many digits of it in a row are found nowhere.
const RUN: usize = 8;

/// What the clinic's system was given.
#[derive(Clone, Default)]
pub(super) struct Till(Arc<Mutex<Vec<String>>>);

/// The caller's part.
pub(super) fn typed() -> Say {
    Say::Type(CARD.to_owned())
}

/// The function that takes the fee, at the clinic's own system.
pub(super) fn tool(url: &str) -> Value {
    json!({
        "name": "pay_fee",
        "description": "Takes the fee from the caller's card.",
        "url": url,
        "parameters": { "type": "object", "properties": { "card": { "type": "string" } }, "required": ["card"] },
    })
}

impl Till {
    /// The card is charged, and the answer repeats it, as such systems do.
    pub(super) fn charge(&self, asked: &Value) -> HttpResponse {
        let card = asked["arguments"]["card"].as_str().unwrap_or_default().to_owned();
        lock(&self.0).push(card.clone());
        HttpResponse::Ok().json(json!({ "paid": true, "card": card }))
    }

    /// What should have been seen of it; `folder` has all that the gateway wrote.
    pub(super) fn checks(&self, sessions: &[SessionLog], folder: &Path) -> [(&'static str, bool); 3] {
        let model = format!("{sessions:?}");
        let placed = model.contains("{{digits:1}}") && model.contains("[masked]");
        [
            ("the clinic's system was given the card that the caller typed", *lock(&self.0) == [CARD]),
            ("the model knows it by a name alone", placed && !has_it(model.as_bytes())),
            ("no file that the gateway wrote has it", !files_have_it(folder)),
        ]
    }
}

fn has_it(bytes: &[u8]) -> bool {
    CARD.as_bytes().windows(RUN).any(|run| bytes.windows(RUN).any(|found| found == run))
}

fn files_have_it(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => files_have_it(&path),
        false => std::fs::read(&path).is_ok_and(|bytes| has_it(&bytes)),
    })
}
