//! The drivers: one `CallActor` a call, its two legs, and the switchboard that admits, finds, drains and supervises.

mod api;

pub use api::{Admission, Admitted, FrontDesk, Limits, MediaEntry, ModelEndpoint, Phase, Recorder, Refusal};
