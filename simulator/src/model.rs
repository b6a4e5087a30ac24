//! A simulated OpenAI Realtime server on a real socket, as rude as the real one, and seedable.
//!
//! It hears speech in what is appended, answers by a [`script::Script`] with recorded speech five times faster than it
//! plays, refuses what the real server refuses, and goes wrong as [`faults::Faults`] tell it to. Beside the WebSocket at
//! `/v1/realtime?model=…` its port answers `GET /healthz`, `GET /measurements` (which audio came and went when, of
//! the sessions whose audio begins with the number of a load test's call) and `POST /faults?mute&slow-ms=300`, by which what goes
//! wrong is changed while it runs; without any, nothing does. `POST /lookup` is the function that callers of a load test ask for.

mod config;
mod connection;
mod conversation;
mod far;
pub mod faults;
mod format;
pub mod handle;
mod handshake;
mod input;
mod late;
mod lookup;
mod render;
pub mod script;
mod session;
mod tap;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::TcpListener;

pub use faults::{FAULT_NAMES, FailResponse, FaultError, Faults, Transcripts};
use handle::Shared;
pub use handle::{Appended, ModelHandle, ResponseLog, Seen, SessionLog, Truncation};
pub use script::{Script, ScriptError};

/// Callers of a load test from this number on ask for what the script's `asked` does.
pub(crate) const TOOL_CALLERS: u16 = 0xc000;
/// How long to wait when the system has no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a simulated server is like. The default is a demo's.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Of everything that varies: ids, sizes of deltas, latencies, when transcripts come.
    pub seed: u64,
    /// What the model says.
    pub script: Script,
    /// What goes wrong.
    pub faults: Faults,
    /// The only key that is let in; none: everybody is, with or without a key.
    pub api_key: Option<String>,
    /// Keep the callers' audio for [`ModelHandle::take_audio`].
    pub keep_audio: bool,
}

/// A bound server that does not serve yet.
#[derive(Debug)]
pub struct ModelServer {
    listener: TcpListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl ModelServer {
    /// Binds the address; port 0 is any free one.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(addr: SocketAddr, options: ModelOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, shared: Arc::new(Shared::new(options)) })
    }

    /// The address that was bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A handle for while it runs.
    #[must_use]
    pub fn handle(&self) -> ModelHandle {
        ModelHandle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until [`ModelHandle::stop`]. Every connection is a task of the runtime this runs in.
    pub async fn run(self) {
        let mut control = self.shared.control.subscribe();
        let next_number = Arc::new(AtomicU64::new(0));
        let accept = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        // Frames are small and wanted at once; without it they are late, not lost.
                        let _ = stream.set_nodelay(true);
                        let (shared, next_number) = (Arc::clone(&self.shared), Arc::clone(&next_number));
                        tokio::spawn(connection::serve(stream, shared, next_number));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = self.shared.late.watch() => {}
            _ = control.wait_for(|control| control.stop) => {}
        }
    }
}
