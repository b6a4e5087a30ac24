//! What an endpoint answered, made fit for a model: whatever it is, it comes to words.

use std::time::Duration;

use protocol::call::functions::{Returned, Steer};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::outgoing::{refused_by_guard, words};

/// Bytes of an answer that are read. Of these a model is told the first 8 KiB.
pub const MOST_READ: usize = 256 * 1024;
/// Characters that a model is told of an answer that says that something is wrong.
pub(super) const MOST_OF_A_PROBLEM: usize = 1_024;
/// The key with which an answer says what is to become of the call.
const STEERS: &str = "callgate";
/// The longest name of a destination.
const LONGEST_DESTINATION: usize = 64;

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It returned.
    Returned(Returned),
    /// It did not, and another attempt may do better.
    Retry(&'static str, String),
    /// Whether it did, nobody knows.
    InDoubt(&'static str, String),
    /// It did not.
    Failed(&'static str, String),
}

/// What was read of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// As `Content-Type` has it.
    pub(crate) kind: String,
    /// There is more than is read.
    pub(crate) more: bool,
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// The request never reached anybody.
    Unreachable(String),
    /// It may have.
    Broke(String),
    /// It was not over in time.
    Late,
}

/// Reads an answer, until it is over, too long or too late.
pub(crate) async fn read(
    sent: impl Future<Output = Result<Response, reqwest::Error>>,
    until: Instant,
) -> Result<Reply, NoReply> {
    timeout_at(until, whole(sent)).await.unwrap_or(Err(NoReply::Late))
}

async fn whole(sent: impl Future<Output = Result<Response, reqwest::Error>>) -> Result<Reply, NoReply> {
    let mut response = sent.await.map_err(no_reply)?;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let mut read = Reply { status: response.status(), body: Vec::new(), kind, more: false };
    while let Some(piece) = response.chunk().await.map_err(no_reply)? {
        let room = MOST_READ - read.body.len();
        read.body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            read.more = true;
            break;
        }
    }
    Ok(read)
}

fn no_reply(error: reqwest::Error) -> NoReply {
    match refused_by_guard(&error) {
        Some(why) => NoReply::Unreachable(format!("its URL is not allowed: {why}")),
        None if error.is_connect() => NoReply::Unreachable(words(&error)),
        None if error.is_timeout() => NoReply::Late,
        None => NoReply::Broke(words(&error)),
    }
}

/// What an answer means.
pub(crate) fn meaning(read: Result<Reply, NoReply>, waited: Duration) -> Attempt {
    match read {
        Ok(read) => understood(&read),
        Err(NoReply::Unreachable(why)) => {
            Attempt::Retry("unreachable", format!("the endpoint cannot be reached: {why}"))
        }
        Err(NoReply::Broke(why)) => Attempt::InDoubt("failed", format!("the endpoint did not answer: {why}")),
        Err(NoReply::Late) => {
            Attempt::InDoubt("timed_out", format!("the endpoint did not answer within {} ms", waited.as_millis()))
        }
    }
}

fn understood(read: &Reply) -> Attempt {
    let status = read.status;
    if status.is_redirection() {
        return failed("the endpoint answered with a redirect, which is not followed");
    }
    let text = match std::str::from_utf8(&read.body) {
        _ if read.more => Err(format!("the endpoint's answer is larger than {MOST_READ} bytes")),
        Ok(text) if is_page(&read.kind, text) => {
            Err("the endpoint answered with a web page instead of data".to_owned())
        }
        Ok(text) => Ok(text.trim()),
        Err(_) => Err("the endpoint's answer is not UTF-8 text".to_owned()),
    };
    if !status.is_success() {
        let said = text.unwrap_or_default();
        let said: String = said.chars().take(MOST_OF_A_PROBLEM).collect();
        let words = format!("the endpoint answered {status}{}{said}", if said.is_empty() { "" } else { ": " });
        let again =
            [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status);
        return if again { Attempt::Retry("failed", words) } else { Attempt::Failed("failed", words) };
    }
    match text {
        Ok("") => Attempt::Returned(Returned::from("done: there is nothing to tell of it".to_owned())),
        Ok(text) => Attempt::Returned(returned(text)),
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> Attempt {
    Attempt::Failed("failed", why.to_owned())
}

fn is_page(kind: &str, text: &str) -> bool {
    let begins = text.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    kind.to_ascii_lowercase().starts_with("text/html") || begins == "<!doctype" || begins.starts_with("<html")
}

/// What a model is told, and what is to become of the call: that is not for the model.
pub(crate) fn returned(text: &str) -> Returned {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else { return text.to_owned().into() };
    let Some(steers) = fields.remove(STEERS) else { return text.to_owned().into() };
    let destination = steers["transfer"].as_str().filter(|name| (1..=LONGEST_DESTINATION).contains(&name.len()));
    let steer = match destination {
        Some(name) => Some(Steer::Transfer(name.to_owned())),
        None if steers["hang_up"] == true => Some(Steer::HangUp),
        None => None,
    };
    Returned { output: Value::Object(fields).to_string(), steer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, kind: &str, body: &[u8]) -> Attempt {
        let read =
            Reply { status: status.try_into().unwrap(), body: body.to_vec(), kind: kind.to_owned(), more: false };
        meaning(Ok(read), Duration::from_secs(15))
    }

    #[test]
    fn whatever_an_endpoint_answers_comes_to_words() {
        let json = "application/json";
        for (attempt, words) in [
            (answer(200, "text/html; charset=utf-8", b"<p>Sign in</p>"), "web page"),
            (answer(200, "", b"  <!DOCTYPE html><p>"), "web page"),
            (answer(302, "text/html", b""), "redirect"),
            (answer(200, json, b"\xff\xfe{}"), "not UTF-8"),
            (answer(500, json, b"{\"error\":\"no table\"}"), "500 Internal Server Error: {\"error\":\"no table\"}"),
            (answer(404, "text/html", b"<html><p>"), "404 Not Found"),
            (answer(422, json, &[b'x'; 90_000]), "422"),
        ] {
            let Attempt::Failed("failed", told) = attempt else { panic!("{attempt:?}") };
            assert!(told.contains(words) && told.len() < 2_000 && !told.contains("<p>"), "{told}");
        }
        let large = Reply { status: StatusCode::OK, body: vec![b'x'; MOST_READ], kind: json.to_owned(), more: true };
        assert!(matches!(understood(&large), Attempt::Failed(_, told) if told.contains("larger than")));
        for status in [502, 503, 504] {
            assert!(matches!(answer(status, json, b""), Attempt::Retry("failed", _)), "{status}");
        }
        let Attempt::Returned(done) = answer(204, "", b"") else { panic!() };
        assert!(done.output.contains("nothing to tell"));
        let Attempt::Returned(done) = answer(200, "text/plain", "  नमस्ते \n".as_bytes()) else { panic!() };
        assert_eq!((done.output.as_str(), done.steer), ("नमस्ते", None));
    }

    #[test]
    fn an_answer_steers_the_call_by_a_key_that_the_model_is_not_told() {
        for (told, output, steer) in [
            (r#"{"a":1,"callgate":{"transfer":"desk"}}"#, r#"{"a":1}"#, Some(Steer::Transfer("desk".to_owned()))),
            (r#"{"callgate":{"hang_up":true}}"#, "{}", Some(Steer::HangUp)),
            (r#"{"callgate":{"hang_up":false}}"#, "{}", None),
            (r#"{"callgate":"hang up"}"#, "{}", None),
            (r#"{"callgate":{"transfer":""}}"#, "{}", None),
            (r#"{"x":{"callgate":{"hang_up":true}}}"#, r#"{"x":{"callgate":{"hang_up":true}}}"#, None),
            (r#"["callgate"]"#, r#"["callgate"]"#, None),
            ("not {json", "not {json", None),
        ] {
            assert_eq!(returned(told), Returned { output: output.to_owned(), steer }, "{told}");
        }
    }
}
