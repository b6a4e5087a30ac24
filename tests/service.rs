//! The service as others meet it: over loopback, with a database of its own and a simulated model.

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
