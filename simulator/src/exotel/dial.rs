//! Dialling the media socket as Exotel does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::report::CallError;

/// The handshake must be answered within this.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A byte stream, plain or TLS.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// An open media socket.
pub(crate) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Where to dial, after Exotel has had its way with the URL.
#[derive(Clone)]
pub(crate) struct MediaTarget {
    /// Without query string and credentials.
    pub(crate) url: Url,
    /// `Basic …`, from the URL's `user:password@`.
    pub(crate) authorization: Option<String>,
    /// The query string, which arrives in `start` instead.
    pub(crate) custom_parameters: Vec<(String, String)>,
}

impl fmt::Debug for MediaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaTarget").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl MediaTarget {
    pub(crate) fn new(mut url: Url) -> Result<Self, CallError> {
        if !matches!(url.scheme(), "ws" | "wss") || !url.has_host() {
            return Err(CallError::Plan("the media URL must be ws(s)://host…".into()));
        }
        let custom_parameters = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let authorization = basic_credentials(&url);
        url.set_query(None);
        // Cannot fail: the URL has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, authorization, custom_parameters })
    }

    /// Host and port to connect to.
    pub(crate) fn address(&self) -> (&str, u16) {
        // An IPv6 host is bracketed in a URL and must not be to resolve.
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        (host, self.url.port_or_known_default().unwrap_or(80))
    }
}

fn basic_credentials(url: &Url) -> Option<String> {
    let decode = |text: &str| {
        // `a=` makes it a form of one value, which decodes percent signs; plus and ampersand are meant as they stand.
        let form = format!("a={}", text.replace('+', "%2B").replace('&', "%26"));
        url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let password = url.password().unwrap_or_default();
    (!url.username().is_empty() || !password.is_empty())
        .then(|| format!("Basic {}", STANDARD.encode(format!("{}:{}", decode(url.username()), decode(password)))))
}

/// TLS with ring and the Mozilla roots; nothing global is installed.
pub(crate) fn tls_config() -> Result<Arc<ClientConfig>, CallError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CallError::Plan(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens the media socket, once; or why it would not open. `abrupt`: dropping it resets the connection.
pub(crate) async fn dial(target: &MediaTarget, tls: &Arc<ClientConfig>, abrupt: bool) -> Result<Socket, String> {
    match timeout(HANDSHAKE, handshake(target, tls, abrupt)).await {
        Ok(opened) => opened,
        Err(_) => Err(format!("no answer within {} s", HANDSHAKE.as_secs())),
    }
}

async fn handshake(target: &MediaTarget, tls: &Arc<ClientConfig>, abrupt: bool) -> Result<Socket, String> {
    let (host, port) = target.address();
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| format!("connect: {error}"))?;
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    if abrupt {
        tcp.set_zero_linger().map_err(|error| error.to_string())?;
    }
    let wire: Box<dyn Wire> = if target.url.scheme() == "wss" {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        Box::new(TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(|error| format!("TLS: {error}"))?)
    } else {
        Box::new(tcp)
    };
    let mut request = target.url.as_str().into_client_request().map_err(|error| error.to_string())?;
    if let Some(credentials) = &target.authorization {
        let value = HeaderValue::from_str(credentials).map_err(|error| error.to_string())?;
        request.headers_mut().insert("authorization", value);
    }
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024).write_buffer_size(0);
    match client_async_with_config(request, wire, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            Err(format!("status {}: {}", response.status().as_u16(), body.chars().take(200).collect::<String>()))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_becomes_custom_parameters_and_the_credentials_a_header() {
        let url = "ws://key%40x:to+ken@host:9/exotel/media?queue=premium&sample-rate=8000".parse().unwrap();
        let target = MediaTarget::new(url).unwrap();
        assert_eq!(target.url.as_str(), "ws://host:9/exotel/media");
        assert_eq!(target.authorization, Some(format!("Basic {}", STANDARD.encode("key@x:to+ken"))));
        assert_eq!(target.custom_parameters[0], ("queue".into(), "premium".into()));
        assert_eq!(target.address(), ("host", 9));
        assert!(MediaTarget::new("http://host/".parse().unwrap()).is_err());
    }
}
