//! OpenTelemetry: a trace a call, told to a collector by OTLP over HTTP once the call is over.
//!
//! Nothing is measured here. What a call left on record (its row, its turns, its steps in the audit log) is read by a job when it cannot
//! come back any more, and made into spans; the job is written with the call's end, so that a trace is made once, by whichever gateway is
//! there. Spans wait in memory, within bounds, for one request at a time. No call waits for any of it, and none knows whether the
//! collector lives.

mod answers;
mod events;
mod export;
mod exporter;
mod otlp;
mod span;
mod step;
mod tools;
mod tree;

#[cfg(test)]
mod tests;

pub use export::Traces;
pub use exporter::{Exporter, Exporting, TraceTarget};
