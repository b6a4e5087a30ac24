//! The use cases of calls: begin, join, report, hand over, reap; and the writer of what running calls do. All of it works without HTTP.

mod admission;
mod admissions;
mod begin;
mod connect;
mod destinations;
mod handover;
mod join;
mod known;
mod lease;
mod parties;
mod rates;
mod reap;
mod refused;
mod report;
mod route;
pub mod token;
pub mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actors::Switchboard;

pub use admissions::{Admissions, Arrival};
pub use begin::{Answered, How, StreamUrls};
pub use handover::{Handover, Next};
pub use join::Awaited;
pub(crate) use join::MediaAdmissions;
pub use lease::{LEASE, Lease};
pub(crate) use parties::parties;
pub use reap::Reaper;
pub use refused::Refused;

/// The use cases, over the live calls of this node and the record of all.
#[derive(Clone)]
pub struct Calls {
    admissions: Arc<Admissions>,
    switchboard: Switchboard,
    urls: StreamUrls,
}
