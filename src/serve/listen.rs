//! Where the gateway listens.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use tokio::net::{TcpSocket, lookup_host};

/// Connections that may wait to be accepted: a node takes thousands of calls, and they can come at once.
const BACKLOG: u32 = 2048;

/// Binds the first address of a host that can be bound. `name` is the setting, for whoever has to mend it.
pub(super) async fn bind(name: &str, host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = None;
    for addr in lookup_host((bare, port)).await.with_context(|| format!("{name} {host} is no address"))? {
        match listen(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable));
    Err(error).with_context(|| format!("cannot listen on {host}:{port}"))
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)?.into_std()
}
