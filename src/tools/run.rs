//! One function, from the model's words to words for the model.

use std::sync::Arc;
use std::time::Duration;

use protocol::call::functions::Returned;
use reqwest::Method;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::answer::{Attempt, NoReply, Reply, meaning, read};
use super::request::{CallInfo, Request, headers, of_function, sealed};
use super::runner::Runner;
use super::toolset::{ReadyTool, Toolset};
use crate::agent;
use crate::outgoing::Forbidden;

/// How long checking arguments may take: it is judged beforehand, so that this is never met.
const CHECKED_WITHIN: Duration = Duration::from_secs(1);
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
    let prepared = match prepare(runner, toolset, tool, info, id, arguments).await {
        Ok(request) => {
            if !tool.is_read_only() {
                runner.write_ahead().await;
            }
            ask(runner, tool, exchange.request.insert(request), begun, (&mut exchange.attempts, &mut exchange.answer))
                .await
        }
        Err((outcome, why)) => Attempt::Failed(outcome, why),
    };
    (exchange.outcome, exchange.result) = match prepared {
        Attempt::Returned(returned) => ("ok", Ok(returned)),
        Attempt::Retry(outcome, why) | Attempt::Failed(outcome, why) => (outcome, Err(why)),
    };
    exchange.took = begun.elapsed();
    exchange
}

/// The request, if the arguments are what the function takes.
async fn prepare(
    runner: &Runner,
    toolset: &Toolset,
    tool: &Arc<ReadyTool>,
    info: &CallInfo,
    id: u32,
    arguments: &str,
) -> Result<Request, Refused> {
    let arguments: Value = serde_json::from_str(arguments)
        .map_err(|_| ("bad_arguments", "the arguments are no JSON object: call it again with one".to_owned()))?;
    let checked = Arc::clone(tool);
    let check = spawn_blocking(move || checked.check(&arguments).map(|()| arguments));
    let arguments = match timeout(CHECKED_WITHIN, check).await {
        Ok(Ok(checked)) => checked
            .map_err(|why| ("bad_arguments", format!("the arguments are not as the function takes them: {why}")))?,
        _ => return Err(("bad_arguments", "the arguments could not be checked".to_owned())),
    };
    let config = &tool.config;
    let url =
        Url::parse(&config.url).map_err(|_| ("failed", format!("its URL is not allowed: {}", Forbidden::NoUrl)))?;
    let secret = toolset.secret(&runner.store).await.map_err(|error| {
        tracing::warn!(client = toolset.client, %error, "the secret that a function's requests are signed with cannot be read");
        ("failed", "it cannot be asked just now".to_owned())
    })?;
    let opened = runner.opened(toolset, sealed(&config.headers)).await;
    let headers = headers(&config.headers, &opened).map_err(|why| ("failed", why))?;
    let to = (method(config.method), url);
    Ok(of_function(toolset, info, to, (id, &config.name, arguments), headers, secret))
}

/// Asks, and once more where that does no harm.
async fn ask(
    runner: &Runner,
    tool: &ReadyTool,
    request: &Request,
    begun: Instant,
    (attempts, answer): (&mut u32, &mut Option<(u16, Vec<u8>)>),
) -> Attempt {
    let waits = tool.config.timeout();
    let until = begun + waits;
    loop {
        *attempts += 1;
        let read = match runner.outgoing.request(request.method.clone(), &request.url) {
            Ok(builder) => {
                read(builder.headers(request.headers.clone()).body(request.body.clone()).send(), until).await
            }
            Err(why) => Err(NoReply::Unreachable(format!("its URL is not allowed: {why}"))),
        };
        if let Ok(Reply { status, body, .. }) = &read {
            *answer = Some((status.as_u16(), body.clone()));
        }
        let in_doubt = matches!(read, Err(NoReply::Broke(_) | NoReply::Late)) && !tool.is_read_only();
        let attempt = meaning(read, waits);
        let again = tool.is_read_only() && *attempts < MOST_ATTEMPTS && Instant::now() + PAUSE < until;
        match attempt {
            Attempt::Retry(..) if again => sleep(PAUSE).await,
            Attempt::Failed(outcome, why) if in_doubt => {
                return Attempt::Failed(outcome, format!("{why}; it may have been done all the same"));
            }
            attempt => return attempt,
        }
    }
}

const fn method(method: agent::Method) -> Method {
    match method {
        agent::Method::Post => Method::POST,
        agent::Method::Put => Method::PUT,
        agent::Method::Patch => Method::PATCH,
    }
}
