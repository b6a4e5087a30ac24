//! The audit log: what is written to it, with nothing in it that must not be, and how it gets to the database.

pub(crate) mod facts;
mod late;
mod numbers;
mod secrets;
mod size;
pub(crate) mod writer;

pub use late::LateAudit;
pub use numbers::AuditNumbers;
pub use secrets::Secrets;
pub(crate) use size::bound_refused;
