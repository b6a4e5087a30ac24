//! What stands before several gateways in production, in small: one address, and every connection goes to the next gateway
//! that takes it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A gateway that does not take a connection within this is passed over.
const CONNECT: Duration = Duration::from_secs(1);
/// Connections carried at once; what comes then waits to be accepted.
const MOST_CONNECTIONS: usize = 4_096;

/// A balancer of TCP connections. It stops when it is dropped.
#[derive(Debug)]
pub struct Balancer {
    listener: TcpListener,
    gateways: Arc<[SocketAddr]>,
    /// Connections take turns; else the first gateway that is there takes all.
    in_turn: bool,
}

impl Balancer {
    /// Listens there for those gateways.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, gateways: Vec<SocketAddr>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, gateways: gateways.into(), in_turn: true })
    }

    /// A gateway takes connections only while those before it take none.
    #[must_use]
    pub fn failover(self) -> Self {
        Self { in_turn: false, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the operating system has it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Carries connections until it is dropped, and every connection with it.
    pub async fn run(self) {
        let mut turn = 0;
        let mut carried = JoinSet::new();
        loop {
            while carried.len() >= MOST_CONNECTIONS {
                carried.join_next().await;
            }
            tokio::select! {
                accepted = self.listener.accept() => {
                    if let Ok((inbound, _)) = accepted {
                        carried.spawn(carry(inbound, Arc::clone(&self.gateways), turn));
                        turn = turn.wrapping_add(usize::from(self.in_turn));
                    }
                }
                Some(_) = carried.join_next() => {}
            }
        }
    }
}

/// Carries one connection to its end. Where no gateway takes it, it is closed.
async fn carry(mut inbound: TcpStream, gateways: Arc<[SocketAddr]>, first: usize) {
    for step in 0..gateways.len() {
        let gateway = gateways[first.wrapping_add(step) % gateways.len()];
        if let Ok(Ok(mut outbound)) = timeout(CONNECT, TcpStream::connect(gateway)).await {
            let _ = (inbound.set_nodelay(true), outbound.set_nodelay(true));
            // However it ended: both ends are closed, and see it.
            let _ = copy_bidirectional(&mut inbound, &mut outbound).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn gateway(says: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serves = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                socket.write_all(says).await.unwrap();
            }
        });
        (address, serves)
    }

    async fn heard(balancer: SocketAddr) -> String {
        let mut text = String::new();
        TcpStream::connect(balancer).await.unwrap().read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn connections_go_to_one_gateway_after_the_other_and_past_one_that_is_dead() {
        let ((one, _one), (two, serves_two)) = (gateway(b"1").await, gateway(b"2").await);
        let balancer = Balancer::bind("127.0.0.1:0".parse().unwrap(), vec![one, two]).await.unwrap();
        let address = balancer.address().unwrap();
        tokio::spawn(balancer.run());
        assert_eq!([heard(address).await, heard(address).await, heard(address).await], ["1", "2", "1"]);
        serves_two.abort();
        let _ = serves_two.await;
        assert_eq!([heard(address).await, heard(address).await, heard(address).await], ["1", "1", "1"]);
    }
}
