//! Servers of functions (MCP over streamable HTTP): asked for their list when a file is applied, and for a function when a call wants it.
//!
//! A server's word is data: what it says of itself is bounded, what it wants of us is refused, and every wait has a deadline, since one
//! that accepts and says nothing would be waited for for ever.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actors::lock;
use protocol::call::functions::Returned;
use protocol::wire::clip;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::answer::{Attempt, MOST_OF_A_PROBLEM, MOST_READ, returned};
use crate::agent::{McpConfig, McpTool};
use crate::outgoing::{Outgoing, refused_by_guard, words};

mod http;
mod list;

#[cfg(test)]
mod tests;

pub use list::ask_servers;

use http::{Bounded, Refuses};

/// How long a server may take to say what it is.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a session that nobody uses is kept.
pub const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a name, as models are told it.
const LONGEST_NAME: usize = 64;

pub(super) type Session = RunningService<RoleClient, Refuses>;

/// One server of a client's.
pub(super) struct McpServer {
    pub(super) config: McpConfig,
    /// What it had when the file was applied.
    in_force: Vec<McpTool>,
    held: Mutex<Option<Held>>,
    /// Whoever connects; the others wait for it.
    connecting: tokio::sync::Mutex<()>,
}

/// A session that is used again.
struct Held {
    session: Arc<Session>,
    used: Instant,
}

/// The name of a server's function, as models are told it.
pub(super) fn offered_name(label: &str, name: &str) -> String {
    let fits = |char: char| if char.is_ascii_alphanumeric() || char == '_' || char == '-' { char } else { '_' };
    let all: String = format!("{label}_{name}").chars().map(fits).collect();
    clip(&all, LONGEST_NAME).into_owned()
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("label", &self.config.label).finish_non_exhaustive()
    }
}

impl McpServer {
    pub(super) fn new(config: McpConfig, in_force: Vec<McpTool>) -> Self {
        Self { config, in_force, held: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Calls a function of it, once.
    pub(super) async fn call(
        self: &Arc<Self>,
        outgoing: &Outgoing,
        headers: &HeaderMap,
        params: CallToolRequestParams,
        (until, waits): (Instant, Duration),
    ) -> Attempt {
        let late = || format!("its server did not answer within {} ms", waits.as_millis());
        let session = match timeout_at(until, self.session(outgoing, headers)).await {
            Ok(Ok(session)) => session,
            Ok(Err(attempt)) => return attempt,
            Err(_) => return Attempt::Failed("timed_out", late()),
        };
        match timeout_at(until, session.call_tool_once(params)).await {
            Ok(Ok(CallToolResponse::Complete(result))) => understood(&result),
            Ok(Ok(_)) => failed("its server wants more than arguments, which nobody here can give"),
            Ok(Err(ServiceError::McpError(error))) => failed(&format!("its server refused: {}", shown(&error.message))),
            Ok(Err(error)) => {
                self.forget(&session);
                problem(&error)
            }
            Err(_) => {
                // Whether it lives, nobody knows: the next call finds out.
                self.forget(&session);
                Attempt::InDoubt("timed_out", late())
            }
        }
    }

    /// A session that was used lately, or a new one.
    async fn session(self: &Arc<Self>, outgoing: &Outgoing, headers: &HeaderMap) -> Result<Arc<Session>, Attempt> {
        if let Some(session) = self.used_lately() {
            return Ok(session);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(session) = self.used_lately() {
            return Ok(session);
        }
        let session = Arc::new(connect(&self.config, outgoing, headers).await?);
        *lock(&self.held) = Some(Held { session: Arc::clone(&session), used: Instant::now() });
        tokio::spawn(look_after(Arc::downgrade(self), Arc::downgrade(&session)));
        Ok(session)
    }

    fn used_lately(&self) -> Option<Arc<Session>> {
        let mut held = lock(&self.held);
        let held = held.as_mut().filter(|held| held.used.elapsed() < IDLE && !held.session.is_closed())?;
        held.used = Instant::now();
        Some(Arc::clone(&held.session))
    }

    fn forget(&self, session: &Arc<Session>) {
        lock(&self.held).take_if(|held| Arc::ptr_eq(&held.session, session));
    }
}

/// Tells what the server has changed since its file was applied, and ends its session when nobody uses it any more.
async fn look_after(server: Weak<McpServer>, session: Weak<Session>) {
    if let (Some(server), Some(session)) = (server.upgrade(), session.upgrade()) {
        list::tell_changes(&session, &server.config, &server.in_force).await;
    }
    loop {
        sleep(IDLE).await;
        let (Some(server), Some(session)) = (server.upgrade(), session.upgrade()) else { return };
        let idle = lock(&server.held).as_ref().is_none_or(|held| held.used.elapsed() >= IDLE);
        if idle {
            return server.forget(&session);
        }
    }
}

/// A session with a server that was not talked to before.
async fn connect(config: &McpConfig, outgoing: &Outgoing, headers: &HeaderMap) -> Result<Session, Attempt> {
    let forbidden = |why: String| Attempt::Failed("unreachable", format!("its URL is not allowed: {why}"));
    let url = Url::parse(&config.url).map_err(|_| forbidden("it is no URL".to_owned()))?;
    let client = outgoing.client(&url).map_err(|why| forbidden(why.to_string()))?;
    let own = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut settings = StreamableHttpClientTransportConfig::with_uri(url.as_str()).custom_headers(own);
    settings.max_json_response_size = MOST_READ;
    settings.max_sse_event_size = MOST_READ;
    settings.max_error_response_size = MOST_OF_A_PROBLEM;
    settings.reinit_on_expired_session = false;
    let transport = StreamableHttpClientTransport::with_client(Bounded(client.clone()), settings);
    match timeout(CONNECT, rmcp::serve_client(Refuses, transport)).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(ClientInitializeError::JsonRpcError(error))) => {
            Err(failed(&format!("its server refused: {}", shown(&error.message))))
        }
        Ok(Err(ClientInitializeError::TransportError { error, .. })) => Err(broke(error.error.as_ref())),
        Ok(Err(_)) => Err(failed("what answers there is no MCP server that this version can talk to")),
        Err(_) => Err(Attempt::Retry("timed_out", format!("its server says nothing within {} s", CONNECT.as_secs()))),
    }
}

fn failed(why: &str) -> Attempt {
    Attempt::Failed("failed", why.to_owned())
}

/// Why a session that was there came to nothing.
fn problem(error: &ServiceError) -> Attempt {
    match error {
        ServiceError::TransportSend(error) => broke(error.error.as_ref()),
        _ => {
            let why = format!("its server broke the connection off, or answered more than {MOST_READ} bytes");
            Attempt::InDoubt("failed", why)
        }
    }
}

/// What is wrong with HTTP. Never its own words: they hold the URL, and whatever the server said.
fn broke(error: &(dyn Error + 'static)) -> Attempt {
    let mut causes = std::iter::successors(Some(error), |&error: &&(dyn Error + 'static)| error.source());
    let cause = causes.find_map(|error| error.downcast_ref::<StreamableHttpError<reqwest::Error>>());
    let Some(cause) = cause else {
        return Attempt::InDoubt("failed", "its server broke the connection off".to_owned());
    };
    match cause {
        StreamableHttpError::Client(error) => match refused_by_guard(error) {
            Some(why) => Attempt::Failed("unreachable", format!("its URL is not allowed: {why}")),
            None if error.is_connect() => {
                Attempt::Retry("unreachable", format!("its server cannot be reached: {}", words(error)))
            }
            None => Attempt::InDoubt("failed", format!("its server did not answer: {}", words(error))),
        },
        StreamableHttpError::HttpStatus(error) => {
            let why = format!("its server answered HTTP {}", error.status);
            let again = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
            if again.iter().any(|status| *status == error.status) {
                Attempt::Retry("failed", why)
            } else {
                Attempt::Failed("failed", why)
            }
        }
        StreamableHttpError::SessionExpired => {
            Attempt::Retry("failed", "its server had ended the session, and did nothing: call it again".to_owned())
        }
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => {
            failed("its server wants other credentials: see its headers in the client's file")
        }
        StreamableHttpError::ReservedHeaderConflict(name) => {
            failed(&format!("its header {name} is not the client's to set"))
        }
        StreamableHttpError::ResponseBodyTooLarge { .. } => {
            failed(&format!("its server's answer is larger than {MOST_READ} bytes"))
        }
        StreamableHttpError::UnexpectedContentType(_)
        | StreamableHttpError::UnexpectedServerResponse(_)
        | StreamableHttpError::Deserialize(_) => failed("what its server answered is not MCP"),
        _ => Attempt::InDoubt("failed", "its server broke the answer off".to_owned()),
    }
}

/// Words of others, and not too many of them.
fn shown(words: &str) -> String {
    words.chars().filter(|char| !char.is_control()).take(MOST_OF_A_PROBLEM).collect()
}

/// What a result means.
fn understood(result: &CallToolResult) -> Attempt {
    let texts = result.content.iter().map(|block| match block {
        ContentBlock::Text(text) => text.text.as_str(),
        _ => "[something that is no text]",
    });
    let text = match &result.structured_content {
        Some(value) if !value.is_null() => value.to_string(),
        _ => texts.collect::<Vec<_>>().join("\n"),
    };
    if result.is_error == Some(true) {
        return failed(&shown(&text));
    }
    match text.trim() {
        "" => Attempt::Returned(Returned::from("done: there is nothing to tell of it".to_owned())),
        text => Attempt::Returned(returned(text)),
    }
}
