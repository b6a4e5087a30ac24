//! One function, from the model's words to words for the model.

use std::sync::Arc;
use std::time::Duration;

use protocol::call::digits::SecretDigits;
use protocol::call::functions::Returned;
use reqwest::{Method, StatusCode};
use rmcp::model::CallToolRequestParams;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::answer::{Attempt, NoReply, Reply, meaning, read};
use super::digits;
use super::request::{CallInfo, Request, headers, of_function, of_server, sealed};
use super::runner::Runner;
use super::toolset::{By, ReadyTool, Toolset};
use crate::agent;
use crate::outgoing::Forbidden;
use crate::trace_context::SpanOf;

/// How long checking arguments may take. What is checked is bounded; the first check also compiles the schema, which a machine that is very busy
/// takes more than a second for.
const CHECKED_WITHIN: Duration = Duration::from_secs(5);
/// Before a function that only looks is asked once more.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is asked.
const MOST_ATTEMPTS: u32 = 2;

/// A function that was run.
#[derive(Debug)]
pub struct Exchange {
    /// What was asked; none when it was not.
    pub request: Option<Request>,
    /// The last answer: its status and its body, as far as it was read.
    pub answer: Option<(u16, Vec<u8>)>,
    /// How often it was asked.
    pub attempts: u32,
    /// How long it all took.
    pub took: Duration,
    /// As metrics and the audit log name what it came to.
    pub outcome: &'static str,
    /// What the model is told, and what is to become of the call; else what is wrong.
    pub result: Result<Returned, String>,
}

/// What came of a request that could not be made.
type Refused = (&'static str, String);

/// Calls a function of a client's: `id` numbers what that call has had done, `arguments` are as the model wrote them.
pub async fn exchange(
    runner: &Runner,
    toolset: &Toolset,
    tool: &Arc<ReadyTool>,
    info: &CallInfo,
    id: u32,
    arguments: &str,
) -> Exchange {
    let begun = Instant::now();
    let mut exchange = Exchange {
        request: None,
        answer: None,
        attempts: 0,
        took: Duration::ZERO,
        outcome: "ok",
        result: Err(String::new()),
    };
    let came_to = match prepare(runner, toolset, tool, info, id, arguments).await {
        Ok(prepared) => {
            if !tool.is_read_only() {
                runner.write_ahead().await;
            }
            ask(runner, tool, (&prepared, &info.digits), begun, &mut exchange).await
        }
        Err((outcome, why)) => Attempt::Failed(outcome, why),
    };
    (exchange.outcome, exchange.result) = match came_to {
        Attempt::Returned(returned) => ("ok", Ok(returned)),
        Attempt::InDoubt(outcome, why) if !tool.is_read_only() => {
            (outcome, Err(format!("{why}; it may have been done all the same")))
        }
        Attempt::InDoubt(outcome, why) | Attempt::Retry(outcome, why) | Attempt::Failed(outcome, why) => {
            (outcome, Err(why))
        }
    };
    exchange.took = begun.elapsed();
    exchange
}

/// What is asked.
struct Prepared {
    request: Request,
    /// What an MCP server is asked.
    params: Option<CallToolRequestParams>,
}

/// What is asked, if the arguments are what the function takes.
async fn prepare(
    runner: &Runner,
    toolset: &Toolset,
    tool: &Arc<ReadyTool>,
    info: &CallInfo,
    id: u32,
    arguments: &str,
) -> Result<Prepared, Refused> {
    let arguments: Map<String, Value> = serde_json::from_str(arguments)
        .map_err(|_| ("bad_arguments", "the arguments are no JSON object: call it again with one".to_owned()))?;
    let arguments = digits::filled(arguments, &info.digits, tool.offered.takes_digits);
    let arguments = checked(tool, arguments.map_err(|why| ("bad_arguments", why))?).await?;
    let (url, told) = match &tool.by {
        By::Endpoint(config) => (&config.url, &config.headers),
        By::Server(server, _) => (&server.config.url, &server.config.headers),
    };
    let url = Url::parse(url).map_err(|_| ("failed", format!("its URL is not allowed: {}", Forbidden::NoUrl)))?;
    let opened = runner.opened(Some(toolset.client), sealed(told)).await;
    let headers = headers(told, &opened).map_err(|why| ("failed", why))?;
    let traceparent = runner.traceparent(&info.call_sid, SpanOf::Tool(id.into()));
    let config = match &tool.by {
        By::Endpoint(config) => config,
        By::Server(_, name) => {
            let (params, body) = of_server(info, (id, traceparent), name, arguments);
            let request = Request { method: Method::POST, url, body, headers };
            return Ok(Prepared { request, params: Some(params) });
        }
    };
    let secret = toolset.secret(&runner.store).await.map_err(|error| {
        tracing::warn!(client = toolset.client, %error, "the secret that a function's requests are signed with cannot be read");
        ("failed", "it cannot be asked just now".to_owned())
    })?;
    let to = (method(config.method), url);
    let asked = (id, config.name.as_str(), Value::Object(arguments));
    let request = of_function(toolset, info, to, asked, headers, secret).traced(traceparent);
    Ok(Prepared { request, params: None })
}

/// The arguments, if they are as the function's schema says: off the call's thread, with a deadline.
async fn checked(tool: &Arc<ReadyTool>, arguments: Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    let (tool, told) = (Arc::clone(tool), Value::Object(arguments.clone()));
    let check = spawn_blocking(move || tool.check(&told));
    match timeout(CHECKED_WITHIN, check).await {
        Ok(Ok(Ok(()))) => Ok(arguments),
        Ok(Ok(Err(why))) => Err(("bad_arguments", format!("the arguments are not as the function takes them: {why}"))),
        _ => Err(("bad_arguments", "the arguments could not be checked".to_owned())),
    }
}

/// Asks, and once more where that does no harm.
async fn ask(
    runner: &Runner,
    tool: &ReadyTool,
    (prepared, digits): (&Prepared, &SecretDigits),
    begun: Instant,
    exchange: &mut Exchange,
) -> Attempt {
    exchange.request = Some(prepared.request.clone());
    let until = begun + tool.waits;
    loop {
        exchange.attempts += 1;
        let attempt = match (&tool.by, &prepared.params) {
            (By::Server(server, _), Some(params)) => {
                let times = (until, tool.waits);
                let attempt = server.call(&runner.outgoing, &prepared.request.headers, params.clone(), times).await;
                let attempt = digits::masked_attempt(attempt, digits);
                if let Attempt::Returned(returned) = &attempt {
                    exchange.answer = Some((StatusCode::OK.as_u16(), returned.output.clone().into_bytes()));
                }
                attempt
            }
            _ => {
                let reply = request(runner, &prepared.request, until).await;
                let reply = reply.map(|reply| Reply { body: digits::masked_body(reply.body, digits), ..reply });
                if let Ok(Reply { status, body, .. }) = &reply {
                    exchange.answer = Some((status.as_u16(), body.clone()));
                }
                digits::masked_attempt(meaning(reply, tool.waits), digits)
            }
        };
        let again = tool.is_read_only() && exchange.attempts < MOST_ATTEMPTS && Instant::now() + PAUSE < until;
        match attempt {
            Attempt::Retry(..) if again => sleep(PAUSE).await,
            attempt => return attempt,
        }
    }
}

/// Sends one request, if it may be sent, and reads the answer.
pub(super) async fn request(runner: &Runner, request: &Request, until: Instant) -> Result<Reply, NoReply> {
    let Request { method, url, body, headers } = request;
    match runner.outgoing.request(method.clone(), url) {
        Ok(builder) => read(builder.headers(headers.clone()).body(body.clone()).send(), until).await,
        Err(why) => Err(NoReply::Unreachable(format!("its URL is not allowed: {why}"))),
    }
}

const fn method(method: agent::Method) -> Method {
    match method {
        agent::Method::Post => Method::POST,
        agent::Method::Put => Method::PUT,
        agent::Method::Patch => Method::PATCH,
    }
}
