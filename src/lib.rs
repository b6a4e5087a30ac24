//! callgate: every Exotel call is a supervised actor with its own OpenAI Realtime session.

mod address;
pub mod audit;
pub mod calls;
pub mod cli;
mod crypto;
pub mod http;
pub mod jobs;
pub mod notify;
pub mod outgoing;
pub mod recordings;
mod redact;
pub mod serve;
pub mod settings;
pub mod store;
pub mod telemetry;
mod tenant;
mod time;
mod write_behind;
