//! Opening a Realtime connection: TCP, TLS, the WebSocket handshake.

mod attempt;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::call::io::ModelEvent;
use protocol::ids::Secret;
use protocol::realtime::failure::ProviderRefusal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use url::{Host, Url};

use super::websocket::{Handshake, WebSocket};
use attempt::Attempt;

/// tungstenite reads no frame: this is for nothing.
const READ_BUFFER: usize = 64;

/// An open connection.
pub(crate) type Connection = WebSocket;

/// Where the model is.
#[derive(Clone, Debug)]
pub struct ModelEndpoint {
    /// `ws://` or `wss://`, without the model.
    pub url: Url,
    /// Sent as `Authorization: Bearer`; none for servers that want none.
    pub key: Option<Secret>,
    /// Appended as `?model=`, unless the client names its own.
    pub model: String,
}

/// Where one call's model is, and how to say who we are.
#[derive(Clone)]
pub(crate) struct Target {
    url: Url,
    key: Option<Secret>,
    tls: Option<Arc<ClientConfig>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// Asking again is no use.
    #[error("{1}")]
    Refused(ProviderRefusal, String),
    /// The server answered with an error that may pass.
    #[error("the model's server answered {0}")]
    TurnedAway(StatusCode),
    /// Asking again may help.
    #[error("{0}")]
    Failed(String),
}

impl From<DialError> for ModelEvent {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Refused(refusal, words) => Self::Refused(refusal, words),
            DialError::TurnedAway(status) => Self::TurnedAway(status.as_u16(), error.to_string()),
            DialError::Failed(words) => Self::Closed(words),
        }
    }
}

impl Target {
    /// The endpoint with a call's own model, if it has one. Whatever else the URL's query says is kept.
    pub(crate) fn new(endpoint: &ModelEndpoint, model: Option<&str>, tls: Option<Arc<ClientConfig>>) -> Self {
        let mut url = endpoint.url.clone();
        if !url.query_pairs().any(|(name, _)| name == "model") {
            url.query_pairs_mut().append_pair("model", model.unwrap_or(&endpoint.model));
        }
        Self { url, key: endpoint.key.clone(), tls }
    }

    /// Opens a connection. Bounded by whoever waits for it.
    pub(crate) async fn dial(self) -> Result<Connection, DialError> {
        let attempt = Attempt::begin(&self.url);
        let dialled = self.open().await;
        attempt.came_to(dialled.as_ref().map(drop));
        dialled
    }

    async fn open(self) -> Result<Connection, DialError> {
        let request = self.request()?;
        let tcp = self.connect().await.map_err(|error| failed("cannot reach the model", &error))?;
        tcp.set_nodelay(true).map_err(|error| failed("cannot set TCP_NODELAY", &error))?;
        let socket = self.secure(tcp).await?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        match client_async_with_config(request, Handshake::new(socket), Some(config)).await {
            Ok((connection, _)) => Ok(connection.into_inner().done()),
            Err(Error::Http(response)) => Err(turned_away(response.status())),
            Err(error) => Err(failed("the model's handshake failed", &error)),
        }
    }

    /// No `OpenAI-Beta` header and no subprotocol: the server closes beta clients.
    fn request(&self) -> Result<Request, DialError> {
        let invalid = |error: &dyn std::fmt::Display| no_use(format!("the model's URL is no use: {error}"));
        let mut request = self.url.as_str().into_client_request().map_err(|error| invalid(&error))?;
        if let Some(key) = &self.key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
                .map_err(|_| no_use("the model's key cannot be sent in a header".to_owned()))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let port = self.url.port_or_known_default().unwrap_or(443);
        match self.url.host() {
            Some(Host::Domain(name)) => TcpStream::connect((name, port)).await,
            Some(Host::Ipv4(address)) => TcpStream::connect(SocketAddr::from((address, port))).await,
            Some(Host::Ipv6(address)) => TcpStream::connect(SocketAddr::from((address, port))).await,
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "the URL has no host")),
        }
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Socket, DialError> {
        if self.url.scheme() != "wss" {
            return Ok(Socket::Plain(tcp));
        }
        let tls = self.tls.clone().ok_or_else(|| no_use("TLS is not available".to_owned()))?;
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| no_use(error.to_string()))?;
        let stream = TlsConnector::from(tls).connect(name, tcp).await;
        stream.map(|stream| Socket::Tls(Box::new(stream))).map_err(|error| failed("TLS with the model failed", &error))
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> DialError {
    DialError::Failed(format!("{what}: {error}"))
}

/// Asking again is no use, and it is no word of the provider's that says so.
const fn no_use(words: String) -> DialError {
    DialError::Refused(ProviderRefusal::Other, words)
}

fn turned_away(status: StatusCode) -> DialError {
    let refusal = match status {
        StatusCode::UNAUTHORIZED => ProviderRefusal::Unauthorized,
        StatusCode::FORBIDDEN => ProviderRefusal::Forbidden,
        StatusCode::NOT_FOUND => ProviderRefusal::NotFound,
        _ => return DialError::TurnedAway(status),
    };
    DialError::Refused(refusal, format!("the model's server answered {status}"))
}

/// One TLS configuration for the node: sessions resume across calls.
pub(crate) fn client_tls() -> Option<Arc<ClientConfig>> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Why a close frame of the server came, and whether asking again may help.
pub(crate) fn closed(frame: Option<&tungstenite::protocol::CloseFrame>) -> DialError {
    match frame {
        // The application's refusal, e.g. of the beta interface.
        Some(frame) if u16::from(frame.code) == 4000 => no_use(format!("the model closed: {}", frame.reason)),
        Some(frame) => DialError::Failed(format!("the model closed ({}): {}", frame.code, frame.reason)),
        None => DialError::Failed("the model closed".to_owned()),
    }
}

/// Bytes to and from the model.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether bytes may have come, without a system call: asked before a read, which takes the thread's buffer first.
    pub(crate) fn poll_readable(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_read_ready(task)
    }

    /// Moves the socket to the reactor of the current thread. What was read and not parsed lies above it, and stays.
    pub(crate) fn rehome(&mut self) -> io::Result<()> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_mut().0,
        };
        // A second descriptor of the same socket, already non-blocking; the first goes with the old registration.
        let same = std::net::TcpStream::from(tcp.as_fd().try_clone_to_owned()?);
        *tcp = TcpStream::from_std(same)?;
        Ok(())
    }
}

macro_rules! delegate {
    ($socket:expr, $stream:ident => $body:expr) => {
        match $socket.get_mut() {
            Socket::Plain(tcp) => {
                let $stream = Pin::new(tcp);
                $body
            }
            Socket::Tls(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $body
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(task, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(task, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(task))
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(task))
    }
}

#[cfg(test)]
mod tests;
