//! A text model behind the Chat Completions API, wherever it is served: one request, and what came of it.

use std::time::Duration;

use protocol::ids::Secret;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::reply::Reply;
use super::strict::is_strict;
use crate::outgoing::{ClientError, Outgoing, PrivateHosts, Times, refused_by_guard, words};

/// The usual server.
pub const OUTCOME_URL: &str = "https://api.openai.com/v1/chat/completions";
/// The usual model.
pub const OUTCOME_MODEL: &str = "gpt-5-mini";

/// Connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// One answer, whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// Bytes of a response that are read: an answer, and what some servers put beside it.
const MOST_READ: usize = 256 * 1024;
/// Tokens of an answer, what the model thinks included.
const MOST_TOKENS: u32 = 8_192;
/// How long a server that is asked too often rests, if it does not say.
const USUAL_REST: Duration = Duration::from_secs(5);

/// Which one is asked.
#[derive(Clone, Debug)]
pub struct TextModel {
    /// Of the completions.
    pub url: Url,
    /// None: it lets everybody in.
    pub key: Option<Secret>,
    /// The model, unless a client names another.
    pub model: String,
}

/// Asks it.
pub struct TextModelClient {
    told: TextModel,
    outgoing: Outgoing,
}

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) model: &'a str,
    pub(super) messages: &'a [Value],
    pub(super) schema: &'a Value,
    /// The server is to hold the answer to the schema.
    pub(super) format: bool,
}

/// What came of a request. Words are kept and shown: nothing of what a server says goes in there but names of errors.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It answered.
    Answer(Reply),
    /// It would not have the request as it is: perhaps it does not hold answers to schemas.
    FormatRefused(String),
    /// It is asked too often, and wants to be left alone for so long.
    Rest(Duration, String),
    /// Another attempt may do better.
    Later(String),
    /// None will.
    Never(String),
}

impl TextModelClient {
    /// Goes where a gateway may.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn open(told: TextModel, private: &PrivateHosts) -> Result<Self, ClientError> {
        Ok(Self { told, outgoing: Outgoing::new(private, Times { connect: CONNECT, idle: ANSWER_WITHIN })? })
    }

    pub(super) fn model(&self) -> &str {
        &self.told.model
    }

    /// Whether it answers at all: a question of a few words.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> Result<(), String> {
        let schema = json!({
            "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"], "additionalProperties": false,
        });
        let messages = [json!({ "role": "user", "content": "Answer with {\"ok\":true}." })];
        let wanted = Wanted { model: self.model(), messages: &messages, schema: &schema, format: true };
        match self.ask(&wanted).await {
            Asked::Answer(_) => Ok(()),
            Asked::FormatRefused(why) | Asked::Rest(_, why) | Asked::Later(why) | Asked::Never(why) => Err(why),
        }
    }

    pub(super) async fn ask(&self, wanted: &Wanted<'_>) -> Asked {
        let request = match self.outgoing.request(Method::POST, &self.told.url) {
            Ok(request) => request,
            Err(why) => return Asked::Never(format!("OUTCOME_URL is not allowed: {why}")),
        };
        let request = match &self.told.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let sent = request.header(CONTENT_TYPE, "application/json").timeout(ANSWER_WITHIN).body(body(wanted)).send();
        let response = match sent.await {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let (status, rest) = (response.status(), rest(&response));
        let page = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        match read(response).await {
            Err(error) => failed(&error),
            Ok(None) => Asked::Answer(junk(format!("a response of more than {MOST_READ} bytes"))),
            Ok(Some(body)) if status.is_success() && !page => understood(&body),
            Ok(Some(_)) if status.is_success() => {
                Asked::Later("the text model's server answered with a web page".to_owned())
            }
            Ok(Some(body)) => refused(status, rest, &body),
        }
    }
}

fn body(wanted: &Wanted<'_>) -> String {
    let Wanted { model, messages, schema, format } = wanted;
    let mut body = json!({ "model": model, "messages": messages, "max_completion_tokens": MOST_TOKENS });
    if *format {
        let schema = json!({ "name": "outcome", "strict": is_strict(schema), "schema": schema });
        body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
    }
    body.to_string()
}

fn failed(error: &reqwest::Error) -> Asked {
    match refused_by_guard(error) {
        Some(why) => Asked::Never(format!("OUTCOME_URL is not allowed: {why}")),
        None if error.is_timeout() => {
            Asked::Later(format!("the text model did not answer within {} s", ANSWER_WITHIN.as_secs()))
        }
        None => Asked::Later(format!("the text model cannot be asked: {}", words(error))),
    }
}

/// The body; none if it is too large.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > MOST_READ {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

/// No words of an answer, and what came in their place.
fn junk(what: String) -> Reply {
    Reply { text: String::new(), refusal: None, finish: what }
}

/// How long it wants to be left alone.
fn rest(response: &Response) -> Option<Duration> {
    let told = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    told.trim().parse().ok().map(Duration::from_secs)
}

fn understood(body: &[u8]) -> Asked {
    let Ok(told) = serde_json::from_slice::<Value>(body) else {
        return Asked::Answer(junk("a response that is no JSON".to_owned()));
    };
    for (direction, name) in [("in", "prompt_tokens"), ("out", "completion_tokens")] {
        let tokens = told["usage"][name].as_u64().unwrap_or(0).min(u64::from(u32::MAX));
        metrics::counter!("callgate_outcome_tokens_total", "direction" => direction).increment(tokens);
    }
    let choice = &told["choices"][0];
    let message = &choice["message"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let finish = match choice["finish_reason"].as_str() {
        Some(finish) => finish.chars().take(32).collect(),
        None if choice.is_object() => "stop".to_owned(),
        None => "a response without a choice".to_owned(),
    };
    Asked::Answer(Reply {
        text: text(&message["content"]).unwrap_or_default(),
        refusal: text(&message["refusal"]),
        finish,
    })
}

/// A status that is none of success. What the server says beside it may hold anything: of that the name of the error is kept.
fn refused(status: StatusCode, rest: Option<Duration>, body: &[u8]) -> Asked {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &told["error"];
    let named = [&error["code"], &error["type"], &error["param"]].into_iter().filter_map(Value::as_str);
    let plain = |name: &&str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte))
    };
    let named: Vec<&str> = named.filter(plain).collect();
    let why = match named.join(", ") {
        names if names.is_empty() => format!("the text model's server answered {status}"),
        names => format!("the text model's server answered {status} ({names})"),
    };
    match status.as_u16() {
        400 | 422 => Asked::FormatRefused(why),
        401 | 403 => Asked::Later(format!("{why}: look at OUTCOME_API_KEY")),
        404 => Asked::Later(format!("{why}: look at OUTCOME_URL and the model's name")),
        413 => Asked::Never(why),
        // It will not be better in a moment.
        429 if named.contains(&"insufficient_quota") => Asked::Later(why),
        429 => Asked::Rest(rest.unwrap_or(USUAL_REST), why),
        503 if rest.is_some() => Asked::Rest(rest.unwrap_or(USUAL_REST), why),
        _ => Asked::Later(why),
    }
}
