//! Calls: how one is written down while it runs, and what becomes of those whose gateway died.

mod lease;
mod reap;
pub mod token;
pub mod writer;

pub use lease::{LEASE, Lease};
pub use reap::Reaper;
