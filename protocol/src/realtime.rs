//! The Realtime protocol (GA) as a client speaks it.

pub mod arguments;
pub mod command;
pub mod event;
pub mod event_id;
pub mod failure;
pub mod models;
