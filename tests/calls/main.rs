//! Whole calls, black box: a simulated Exotel rings a running gateway over loopback, a simulated Realtime server answers, and
//! the record is read from a database of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../support/account.rs"]
mod account;
mod carrier;
mod clinic;
mod clocks;
#[path = "../support/collector.rs"]
mod collector;
mod conversation;
#[path = "../support/database.rs"]
mod database;
mod faults;
mod flows;
mod functions;
mod handover;
mod hours;
mod incidents;
mod latency;
mod listening;
mod load;
mod log;
mod model;
mod on_postgres;
mod outages;
mod outcomes;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/process.rs"]
mod process;
mod recording;
mod secret_digits;
#[path = "../support/gateway.rs"]
mod support;
mod traces;
