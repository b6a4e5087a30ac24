//! The opening handshake, by hand: it has to refuse, stall, and tell plain HTTP from WebSockets.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const HEAD_BYTES: usize = 16 * 1_024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The head of an HTTP request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// What was read beyond the head.
    pub(super) rest: Vec<u8>,
}

impl Head {
    /// Reads a request's head; an error if there is none in time.
    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let read = async {
            let mut bytes = Vec::with_capacity(1_024);
            loop {
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    let rest = bytes.split_off(end + 4);
                    return Self::parse(&bytes, rest).ok_or(io::ErrorKind::InvalidData.into());
                }
                if bytes.len() > HEAD_BYTES {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        };
        tokio::time::timeout(HEAD_TIMEOUT, read).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn parse(head: &[u8], rest: Vec<u8>) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.lines();
        let mut request = lines.next()?.split(' ');
        let (method, target) = (request.next()?.to_owned(), request.next()?.to_owned());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect();
        Some(Self { method, target, headers, rest })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The key of a WebSocket upgrade, if this is one.
    pub(super) fn websocket_key(&self) -> Option<&str> {
        let upgrade = self.header("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
        let version = self.header("sec-websocket-version") == Some("13");
        self.header("sec-websocket-key").filter(|_| upgrade && version && self.method == "GET")
    }
}

/// Accepts the upgrade.
pub(super) async fn accept(stream: &mut TcpStream, head: &Head, key: &str) -> io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let offered = head.header("sec-websocket-protocol").unwrap_or_default();
    let protocol = if offered.split(',').any(|protocol| protocol.trim() == "realtime") {
        "Sec-WebSocket-Protocol: realtime\r\n"
    } else {
        ""
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

/// Answers with an error, as the real server's JSON.
pub(super) async fn refuse(stream: &mut TcpStream, status: u16, code: &str, message: &str) -> io::Result<()> {
    let error = serde_json::json!({"type": "invalid_request_error", "code": code, "message": message, "param": null});
    answer(stream, status, "application/json", &serde_json::json!({"error": error}).to_string()).await
}

/// Answers a plain request, and closes.
pub(super) async fn answer(stream: &mut TcpStream, status: u16, content_type: &str, body: &str) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
