//! A phone call as a pure state machine.

pub mod fact;
pub mod io;
pub mod policy;
