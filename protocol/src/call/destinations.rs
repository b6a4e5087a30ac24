//! Where a caller may be handed on to: who that is, whether somebody is there, and what the model is told of it.

use std::time::Instant;

use serde_json::{Value, json};

use super::end::Transfer;
use crate::realtime::arguments;
use crate::realtime::command::Tool;
use crate::wire::clip;

/// Bytes of a reason that are kept.
const LONGEST_REASON: usize = 1024;
/// Bytes of a summary that are kept.
const LONGEST_SUMMARY: usize = 4096;
/// Bytes of a name that is told back.
const LONGEST_NAME: usize = 64;

/// Somebody who picks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// As the model says it.
    pub name: String,
    /// What it is for.
    pub when: Option<String>,
    /// When somebody is there.
    pub open: Open,
}

/// When somebody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// At any time.
    Always,
    /// From one time to another.
    Between(Vec<(Instant, Instant)>),
    /// Never: an agent answers that number.
    IsAgent,
}

impl Destination {
    fn is_open(&self, now: Instant) -> bool {
        match &self.open {
            Open::Always => true,
            Open::Between(times) => times.iter().any(|(from, to)| (*from..*to).contains(&now)),
            Open::IsAgent => false,
        }
    }
}

/// What handing the call on is for, and what it is called with, as it is at that time.
pub(super) fn tool(name: &str, destinations: &[Destination], now: Instant) -> Tool {
    let (open, closed): (Vec<&Destination>, Vec<&Destination>) = destinations.iter().partition(|to| to.is_open(now));
    let mut description = "Hand the caller on to somebody. Tell the caller first, in the same response.".to_owned();
    for Destination { name, when, .. } in &open {
        description += &format!("\n{name}: {}", when.as_deref().unwrap_or("when the caller asks for it"));
    }
    if !closed.is_empty() {
        description += &format!("\nNobody is there now: {}.", names(&closed));
    }
    let mut to = json!({ "type": "string", "description": "Who takes the caller." });
    if !open.is_empty() {
        to["enum"] = open.iter().map(|to| Value::from(&*to.name)).collect();
    }
    let text = |about: &str| json!({ "type": "string", "description": about });
    let parameters = json!({
        "type": "object",
        "properties": {
            "to": to,
            "reason": text("Why, in a few words."),
            "summary": text("What whoever picks up must know: who calls, what they want, what was found out and done."),
        },
        "required": ["to", "reason", "summary"],
        "additionalProperties": false,
    });
    Tool { name: name.to_owned(), description, parameters: parameters.to_string() }
}

/// The transfer that a model asks for.
///
/// # Errors
/// Why there is none, as the result of its call.
pub(super) fn asked_for(destinations: &[Destination], arguments: &str, now: Instant) -> Result<Transfer, String> {
    let text = |name: &str, most: usize| arguments::words(arguments, name).map(|text| clip(&text, most).into_owned());
    let reason = text("reason", LONGEST_REASON).unwrap_or_else(|| "not said".to_owned());
    if destinations.is_empty() {
        return Ok(Transfer::because(reason));
    }
    let to = arguments::words(arguments, "to").unwrap_or_default();
    let to = to_open(destinations, &to, now).map_err(|why| arguments::error(&format!("not handed on: {why}")))?;
    Ok(Transfer { reason, to: Some(to), summary: text("summary", LONGEST_SUMMARY) })
}

/// A transfer that the model did not ask for.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn sent_to(destinations: &[Destination], to: &str, now: Instant, because: &str) -> Result<Transfer, String> {
    let because = Transfer::because(format!("{because}: to {}", clip(to, LONGEST_NAME)));
    if destinations.is_empty() {
        return Ok(because);
    }
    Ok(Transfer { to: Some(to_open(destinations, to, now)?), ..because })
}

fn to_open(destinations: &[Destination], told: &str, now: Instant) -> Result<String, String> {
    let open: Vec<&Destination> = destinations.iter().filter(|to| to.is_open(now)).collect();
    let instead = || match open.is_empty() {
        true => "nobody is there at this time: tell the caller, and help as well as you can".to_owned(),
        false => format!("open now: {}", names(&open)),
    };
    match destinations.iter().find(|to| to.name == told) {
        Some(to) if to.is_open(now) => Ok(to.name.clone()),
        Some(to) if to.open == Open::IsAgent => {
            Err(format!("{} leads back to an agent on this line, not to a person; {}", to.name, instead()))
        }
        Some(to) => Err(format!("{} is closed at this time; {}", to.name, instead())),
        None => Err(format!("there is no destination `{}`; {}", clip(told, LONGEST_NAME), instead())),
    }
}

fn names(of: &[&Destination]) -> String {
    of.iter().map(|to| to.name.as_str()).collect::<Vec<_>>().join(", ")
}
