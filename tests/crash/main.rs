//! The short form of the drill of `make drill` in which gateways are killed: outcomes only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../support/account.rs"]
mod account;
#[path = "../support/database.rs"]
mod database;
mod drill;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/process.rs"]
mod process;
mod rig;

use std::path::Path;
use std::time::Duration;

use drill::Scale;

mod on_postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_go_on_whichever_gateway_is_killed_and_each_is_on_record_and_told_once() {
        let short = Duration::from_millis(100);
        let scale = Scale { calls: 12, kills: 2, every: short, ramp: short, questions: 1 };
        let outcome = drill::drill(Path::new(env!("CARGO_BIN_EXE_callgate")), scale).await;
        assert!(outcome.faults.is_empty(), "{}", outcome.faults.join("\n"));
        // Whoever was not at the first was at the second.
        assert!(outcome.first_words_ms().len() >= scale.calls, "{:?}", outcome.first_words_ms());
    }
}
