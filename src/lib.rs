//! callgate: every Exotel call is a supervised actor with its own OpenAI Realtime session.

pub mod cli;
pub mod connections;
pub mod demo;
pub mod events;
pub mod fetch;
pub mod http;
pub mod jobs;
pub mod objects;
pub mod outgoing;
pub mod record;
mod screen;
pub mod serve;
pub mod settings;
mod spoken;
pub mod spool;
pub mod store;
pub mod telemetry;
mod tenant;
mod time;
pub mod token;
mod transcript;
