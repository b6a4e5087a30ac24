//! What the pages say is so: a link leads somewhere, a page can be read in one sitting, and every command of it runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod commands;
mod page;
#[path = "../support/port.rs"]
mod port;
mod shape;
