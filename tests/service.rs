//! The service as others meet it: over loopback, with a database of its own and a simulated model. Once for each database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test's helpers fail the test, and say what they measured"
)]

#[path = "support/account.rs"]
mod account;
#[path = "service/bucket.rs"]
mod bucket;
#[path = "service/commands.rs"]
mod commands;
#[path = "service/config.rs"]
mod config;
#[path = "support/database.rs"]
mod database;
#[path = "../protocol/tests/worst_texts/linear.rs"]
mod linear;
#[path = "service/load_files.rs"]
mod load_files;
#[path = "service/on_postgres.rs"]
mod on_postgres;
#[path = "service/on_sqlite.rs"]
mod on_sqlite;
#[path = "service/operating.rs"]
mod operating;
#[path = "service/outgoing.rs"]
mod outgoing;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "support/s3.rs"]
mod s3;
#[path = "support/gateway.rs"]
mod support;
#[path = "../protocol/tests/worst_texts/table.rs"]
mod table;
#[path = "service/tools.rs"]
mod tools;
#[path = "service/worst.rs"]
mod worst;
#[path = "support/worst_readers.rs"]
mod worst_readers;
