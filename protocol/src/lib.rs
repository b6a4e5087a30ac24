//! Bytes to meaning, and every decision of a call. No IO, no clock, no runtime: time is an argument.

pub mod backoff;
pub mod call;
pub mod exotel;
pub mod ids;
pub mod realtime;
pub mod wire;
