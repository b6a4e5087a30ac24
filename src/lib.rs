//! callgate: every Exotel call is a supervised actor with its own OpenAI Realtime session.
//!
//! The library is for the binary, which runs [`main`]. Everything else is the inside; [`testing`] shows tests and benches their part of it.

#![allow(rustdoc::private_intra_doc_links, reason = "the inside is read in its source")]
#![allow(unreachable_pub, reason = "what a room shows its siblings is `pub`; what leaves the crate is below")]

mod address;
mod agent;
mod audit;
mod calls;
mod cli;
mod clips;
mod crypto;
mod http;
mod jobs;
mod json_schema;
mod notify;
mod outcomes;
mod outgoing;
mod priority;
mod rate;
mod recordings;
mod redact;
mod schema;
mod serve;
mod settings;
mod store;
mod telemetry;
mod tenant;
mod time;
mod tools;
mod trace_context;
mod traces;
mod views;
mod why;
mod write_behind;

pub use cli::main;

/// What tests and benches ask for, and nobody else.
pub mod testing {
    pub use crate::agent::{
        AgentFile, AgentSection, Answer, ContextConfig, Document, Documents, Effect, EventsConfig, Listening,
        McpConfig, Method, Secrets, ToolConfig, new_token,
    };
    pub use crate::audit::AuditNumbers;
    pub use crate::calls::token::TokenKey;
    pub use crate::http::address::client_address;
    pub use crate::http::auth::{AuthMethod, Authenticator, Credentials};
    pub use crate::http::connections::files::raise_limit;
    pub use crate::http::{body, here, routes};
    pub use crate::recordings::format::FileType;
    pub use crate::recordings::objects::{Objects, RecordingTarget};
    pub use crate::recordings::spool::encode_now;
    pub use crate::serve::{Running, start, start_with_faults};
    pub use crate::settings::{Settings, SettingsArgs};
    pub use crate::store::{
        Agent, AuditEntry, Call, CallEndReport, CallWithTurns, Client, ClientChanges, ClientLimits, Entry,
        EventsTarget, JobStatus, NewClient, Ownership, Parties, Recording, RecordingStatus, Store,
    };
}
