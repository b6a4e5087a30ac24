//! The function that callers of a load test ask for: `POST /lookup` answers whatever it is asked.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::handshake::{self, Head};

/// More of a question is not read.
const MOST_BYTES: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the question and answers it.
pub(super) async fn answer(stream: &mut TcpStream, head: &Head) -> io::Result<()> {
    let length = head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0_usize);
    let mut left = length.min(MOST_BYTES).saturating_sub(head.rest.len());
    let mut bytes = [0; 4_096];
    // An answer before the end of the question would be lost with the connection.
    let read = async {
        while left > 0 {
            let most = left.min(bytes.len());
            match stream.read(&mut bytes[..most]).await? {
                0 => break,
                count => left -= count,
            }
        }
        io::Result::Ok(())
    };
    timeout(PATIENCE, read).await.unwrap_or(Ok(()))?;
    handshake::answer(stream, 200, "application/json", r#"{"found":true}"#).await
}
