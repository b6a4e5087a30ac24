//! What one file says of a client's agent: what callers meet, which functions it may call, and who is asked who calls.

mod file;

pub use file::{
    AgentFile, AgentSection, Answer, ContextConfig, Document, Effect, EventsConfig, Listening, McpConfig, Method,
    ToolConfig,
};
