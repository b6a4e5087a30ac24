//! The service as others meet it: over loopback, with a database of its own and a simulated model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers fail the test")]

#[path = "service/commands.rs"]
mod commands;
#[path = "service/media.rs"]
mod media;
#[path = "service/operators.rs"]
mod operators;
#[path = "service/refusals.rs"]
mod refusals;
#[path = "service/reports.rs"]
mod reports;
#[path = "service/starts.rs"]
mod starts;
#[path = "support/gateway.rs"]
mod support;
