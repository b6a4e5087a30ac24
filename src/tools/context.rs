//! A client is asked who calls, while the model is dialled. How long the call waits is its own affair: what is said later is told it too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use actors::lock;
use protocol::call::functions::CallContext;
use protocol::ids::CallSid;
use protocol::wire::{clip, without_nul};
use reqwest::Method;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use super::answer::{Attempt, meaning};
use super::request::{CallInfo, headers, of_context, sealed};
use super::run::request;
use super::runner::Runner;
use super::toolset::Toolset;
use crate::agent::ContextConfig;
use crate::outgoing::Forbidden;
use crate::tenant::is_language;
use crate::tenant::voice::unlisted_voice;
use crate::trace_context::SpanOf;

/// How long an answer is taken, whatever the call waits.
pub const LATEST: Duration = Duration::from_secs(10);
/// Variables that are taken of one answer.
pub const MOST_VARIABLES: usize = 64;
/// Bytes of a variable's name.
const LONGEST_NAME: usize = 64;
/// Characters of a value.
const LONGEST_VALUE: usize = 512;
/// Bytes of all values together; of the instructions that are added, as many.
pub const MOST_BYTES: usize = 8 * 1024;
/// Characters of a refusal's reason.
const LONGEST_REASON: usize = 256;

/// What the client said of one call: none, as long as it has not.
pub(super) type Variables = OnceLock<BTreeMap<String, String>>;

/// What clients said of calls that are here or may come back: a call is asked about once, and its functions are told it on a further
/// stream too.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<CallSid, Weak<Variables>>>);

impl Known {
    /// That of a call: the same as long as anybody has it.
    pub(super) fn of(&self, call: &CallSid) -> Arc<Variables> {
        let mut all = lock(&self.0);
        if let Some(known) = all.get(call).and_then(Weak::upgrade) {
            return known;
        }
        if all.len() == all.capacity() {
            all.retain(|_, known| known.strong_count() > 0);
        }
        let known = Arc::default();
        all.insert(call.clone(), Arc::downgrade(&known));
        known
    }
}

/// Asks, and says what was answered; else how it went, and what is wrong.
pub(super) async fn ask(
    runner: &Runner,
    toolset: &Toolset,
    info: &CallInfo,
    config: &ContextConfig,
) -> Result<CallContext, (&'static str, String)> {
    let until = Instant::now() + LATEST;
    let bad = |why: String| ("failed", why);
    let url = Url::parse(&config.url).map_err(|_| bad(format!("its URL is not allowed: {}", Forbidden::NoUrl)))?;
    let secret = toolset.secret(&runner.store).await.map_err(|error| bad(error.to_string()))?;
    let opened = runner.opened(Some(toolset.client), sealed(&config.headers)).await;
    let headers = headers(&config.headers, &opened).map_err(bad)?;
    let asked = of_context(toolset, info, (Method::POST, url), headers, secret);
    let asked = asked.traced(runner.traceparent(&info.call_sid, SpanOf::Context));
    let reply = request(runner, &asked, until).await;
    if reply.as_ref().is_ok_and(|reply| reply.status.is_success() && reply.body.is_empty()) {
        return Ok(CallContext::default());
    }
    match meaning(reply, LATEST) {
        Attempt::Returned(returned) => understood(&returned.output).map_err(bad),
        Attempt::Retry(outcome, why) | Attempt::Failed(outcome, why) | Attempt::InDoubt(outcome, why) => {
            Err((outcome, why))
        }
    }
}

/// What an answer says of the call: data, bounded; what is not as it should be is left out.
fn understood(told: &str) -> Result<CallContext, String> {
    let Ok(Value::Object(told)) = serde_json::from_str(told) else {
        return Err("the answer is no JSON object".to_owned());
    };
    let text = |name: &str, most: usize| {
        let text = told.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())?;
        Some(without_nul(clip(text, most).into_owned()))
    };
    let refuse = match told.get("refuse") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(why) => Some(why["reason"].as_str().unwrap_or("not said").chars().take(LONGEST_REASON).collect()),
    };
    Ok(CallContext {
        variables: told.get("variables").and_then(Value::as_object).map(variables).unwrap_or_default(),
        instructions: text("instructions", MOST_BYTES),
        language: text("language", LONGEST_NAME).filter(|language| is_language(language)),
        voice: text("voice", LONGEST_NAME).and_then(|voice| unlisted_voice(&voice)),
        refuse,
    })
}

fn variables(told: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut left = MOST_BYTES;
    let mut kept = BTreeMap::new();
    let mut left_out = 0_u64;
    for (name, value) in told {
        let value = match value {
            Value::String(text) => text.chars().take(LONGEST_VALUE).collect(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                left_out += 1;
                continue;
            }
        };
        let fits = kept.len() < MOST_VARIABLES && name.len() <= LONGEST_NAME && value.len() <= left;
        if fits {
            left -= value.len();
            kept.insert(name.clone(), without_nul(value));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        metrics::counter!("callgate_context_left_out_total").increment(left_out);
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_client_said_of_a_call_is_known_as_long_as_the_call_may_come_back() {
        let (known, call) = (Known::default(), CallSid::new("c1"));
        let here = known.of(&call);
        here.set(BTreeMap::from([("name".to_owned(), "Asha".to_owned())])).unwrap();
        assert_eq!(known.of(&call).get().unwrap()["name"], "Asha");
        assert!(known.of(&CallSid::new("c2")).get().is_none());
        drop(here);
        assert!(known.of(&call).get().is_none());
        for call in 0..10_000 {
            drop(known.of(&CallSid::new(format!("d{call}"))));
        }
        assert!(lock(&known.0).len() < 1_000, "calls that are gone are forgotten");
    }

    #[test]
    fn what_a_client_says_of_a_call_is_data_and_bounded() {
        let many: Map<String, Value> = (0..300).map(|at| (format!("v{at:03}"), json!("x".repeat(2_000)))).collect();
        let known = understood(&json!({ "variables": many }).to_string()).unwrap();
        assert!(known.variables.len() == 16 && known.variables.values().all(|value| value.len() == 512), "{known:?}");
        let told = json!({
            "variables": { "name": "Asha {{now}}", "orders": 3, "vip": true, "list": [1], "none": null },
            "instructions": "x".repeat(20_000), "language": "hi-IN", "voice": "marin",
        });
        let known = understood(&told.to_string()).unwrap();
        let variables: Vec<_> = known.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables, [("name", "Asha {{now}}"), ("orders", "3"), ("vip", "true")]);
        assert_eq!(known.instructions.map(|text| text.len()), Some(MOST_BYTES));
        assert_eq!((known.language.as_deref(), known.voice.as_deref()), (Some("hi-IN"), Some("marin")));
        assert_eq!(understood(r#"{"language":"hi IN; drop","refuse":false}"#), Ok(CallContext::default()));
        let refused = understood(r#"{"refuse":{"reason":"owes us"}}"#).unwrap();
        assert_eq!(refused.refuse.as_deref(), Some("owes us"));
        for odd in ["[]", "", "done", "<html>"] {
            assert!(understood(odd).is_err(), "{odd}");
        }
    }
}
