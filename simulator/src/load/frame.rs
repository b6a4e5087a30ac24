//! WebSocket frames by hand: as little as a client needs.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::open::Refused;
use crate::exotel::MediaTarget;

/// The longest message taken.
const MOST_BYTES: usize = 1 << 20;
/// The longest answer to a handshake taken.
const MOST_HEAD: usize = 16 * 1024;
/// How long the body of a refusal may take.
const REFUSAL: Duration = Duration::from_secs(2);

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Appends a whole frame. A zero mask key is legal, and costs nothing.
pub(super) fn encode(out: &mut Vec<u8>, opcode: u8, body: &[u8]) {
    out.push(0x80 | opcode);
    match body.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(body);
}

/// What stands at the head of received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A whole frame: opcode, where its body lies, and how many bytes it takes in all.
    Frame { opcode: u8, body: std::ops::Range<usize> },
    /// Part of one.
    Partial,
    /// Something no server may send: masked, fragmented, or too long.
    Wrong(&'static str),
}

/// Finds the first frame. Fragments are refused: nobody sends media in fragments.
pub(super) fn decode(bytes: &[u8]) -> Head {
    let [first, second, rest @ ..] = bytes else { return Head::Partial };
    if first & 0x80 == 0 || first & 0x0f == 0 {
        return Head::Wrong("a fragmented message");
    }
    if second & 0x80 != 0 {
        return Head::Wrong("a masked frame");
    }
    let (length, head) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Head::Partial,
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Head::Partial,
        },
        length => (u64::from(length), 2),
    };
    if length > MOST_BYTES as u64 {
        return Head::Wrong("a message of more than 1 MiB");
    }
    let body = head..head + length as usize;
    if bytes.len() < body.end { Head::Partial } else { Head::Frame { opcode: first & 0x0f, body } }
}

/// Connects and upgrades; bytes that came behind the answer are returned with the connection.
pub(super) async fn connect(target: &MediaTarget) -> Result<(TcpStream, Vec<u8>), Refused> {
    if target.url.scheme() != "ws" {
        return Err("only plain ws:// sockets can be loaded".into());
    }
    let (host, port) = target.address();
    let mut tcp = TcpStream::connect((host, port)).await.map_err(|error| format!("connect: {error}"))?;
    tcp.set_nodelay(true)?;
    let authorization =
        target.authorization.as_ref().map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{authorization}\r\n",
        target.url.path()
    );
    tcp.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(4 * 1024);
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = answer.split_off(end + 4);
            let head = String::from_utf8_lossy(&answer);
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
            return match status {
                101 => Ok((tcp, rest)),
                status => Err(Refused::answered("handshake:", status, &body(&mut tcp, rest, length(&head)).await)),
            };
        }
        match tcp.read_buf(&mut answer).await {
            Ok(1..) if answer.len() < MOST_HEAD => {}
            Ok(_) => return Err("handshake: no answer".into()),
            Err(error) => return Err(format!("handshake: {error}").into()),
        }
    }
}

/// How long a refusal's body is, as its head says.
fn length(head: &str) -> usize {
    let named = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    };
    head.lines().find_map(named).unwrap_or(0)
}

/// The rest of a refusal's body; what there is of it when the other side does not send all.
async fn body(tcp: &mut TcpStream, mut bytes: Vec<u8>, length: usize) -> String {
    let read = async {
        while bytes.len() < length.min(MOST_HEAD) && tcp.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {}
    };
    // A status without a reason is still an answer.
    let _ = timeout(REFUSAL, read).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_any_length_are_found_once_whole() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut bytes = Vec::new();
            encode(&mut bytes, TEXT, &vec![7; length]);
            // As a server would send it: without a mask.
            bytes[1] &= 0x7f;
            let key = bytes.len() - length - 4;
            bytes.drain(key..key + 4);
            assert_eq!(decode(&bytes), Head::Frame { opcode: TEXT, body: key..key + length });
            assert_eq!(decode(&bytes[..bytes.len() - 1]), Head::Partial);
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bytes in [[0x01, 0x00].as_slice(), &[0x81, 0x80, 0, 0, 0, 0], &[0x82, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(matches!(decode(bytes), Head::Wrong(_)), "{bytes:?}");
        }
    }
}
