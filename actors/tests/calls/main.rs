//! Calls over real sockets: a small Realtime server, a gateway of one worker, a carrier's socket.
//!
//! Nothing sleeps to be in time: every wait is for a condition, and fails loudly when it does not come.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod carrier;
mod gateway;
mod model;

mod audio;
mod backpressure;
mod faults;
mod floods;
mod functions;
mod media;
mod moves;
mod streams;

use std::future::Future;
use std::time::Duration;

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(15);

async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// For what has no event to wait for: looks again until it holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
