//! Why operations refuse: the refusals themselves, which know their status, code and words.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::exotel::webhook::FieldError;
use serde_json::{Map, Value, json};

use super::{Definitions, ERROR, Operation, answer};
use crate::http::error::Refused;

/// Why an operation may refuse, by status.
pub(super) fn of_operation(operation: &Operation) -> BTreeMap<u16, Vec<Refused>> {
    let mut all = vec![
        Refused::UnknownParameter("NAME".to_owned(), "give one of those that are listed".to_owned()),
        Refused::Operator,
        Refused::ApiOff,
        Refused::Guessing { retry_after: Duration::from_secs(1) },
        Refused::StorageAway,
    ];
    if !operation.query.is_empty() {
        all.push(malformed());
    }
    if operation.takes.is_some() {
        all.extend([
            Refused::Body("a JSON object"),
            Refused::Broken,
            Refused::Slow,
            Refused::TooLarge(0),
            Refused::NotJson,
        ]);
    }
    all.extend(operation.refusals.iter().map(|why| why()));
    let mut by_status: BTreeMap<u16, Vec<Refused>> = BTreeMap::new();
    for why in all {
        by_status.entry(why.status().as_u16()).or_default().push(why);
    }
    by_status
}

/// A value that will not do.
pub(super) fn malformed() -> Refused {
    FieldError::malformed("NAME", "is malformed, and what is wanted").into()
}

/// The answers that stand in the document once, by their code.
#[derive(Debug, Default)]
pub(super) struct Refusals(Map<String, Value>);

impl Refusals {
    /// The answer of refusals that have one status.
    pub(super) fn told(&mut self, why: &[Refused], known: &mut Definitions) -> Value {
        let [refused] = why else { return told(why, known) };
        let code = refused.code();
        self.0.entry(code).or_insert_with(|| told(why, known));
        json!({ "$ref": format!("#/components/responses/{code}") })
    }

    pub(super) fn into_json(self) -> Value {
        self.0.into()
    }
}

fn told(why: &[Refused], known: &mut Definitions) -> Value {
    let mut codes: Vec<&str> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for refused in why {
        words.push(format!("`{}`: {refused}", refused.code()));
        if !codes.contains(&refused.code()) {
            codes.push(refused.code());
        }
    }
    let mut told = answer(&words.join("\n\n"), known.of(&ERROR));
    told["x-codes"] = json!(codes);
    for refused in why {
        for header in refused.headers() {
            told["headers"][header] = json!({ "$ref": format!("#/components/headers/{header}") });
        }
    }
    told
}
