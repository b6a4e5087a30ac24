//! A server that is far away: whatever is said takes its time, both ways.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Pieces that are on their way at once, each way; a sender that has more out waits.
const ON_THE_WAY: usize = 1024;
/// Read at once.
const PIECE: usize = 16 << 10;

/// The server's end of a connection whose client is so far away, each way.
pub(super) async fn away(client: TcpStream, delay: Duration) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (server, accepted) = tokio::try_join!(TcpStream::connect(listener.local_addr()?), listener.accept())?;
    let (near, _) = accepted;
    server.set_nodelay(true)?;
    near.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), near.into_split());
    tokio::spawn(carry(from_client, to_server, delay));
    tokio::spawn(carry(from_server, to_client, delay));
    Ok(server)
}

/// One way. Ends with either end.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let reads = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(bytes @ 1..) = from.read(&mut piece).await {
            if sender.send((Instant::now() + delay, piece[..bytes].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let writes = async move {
        while let Some((at, piece)) = pieces.recv().await {
            sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        // Dropping it closes this way.
    };
    tokio::join!(reads, writes);
}
