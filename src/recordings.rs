//! Recordings: what a call sounds like is spooled while it runs and encoded after it; the carrier's own are fetched; both are kept in an
//! object store.

pub mod fetch;
pub mod format;
mod hosts;
pub mod objects;
pub mod spool;

pub use hosts::RecordingHosts;
