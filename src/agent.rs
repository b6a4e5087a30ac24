//! What one file says of a client's agent: what callers meet, which functions it may call, and who is asked who calls.
//!
//! A file is read by its shape (`shape`, `read`), then judged as a whole (`sense`). What stands is the columns of the client's row and one
//! document beside them (`record`); whoever puts a file on record saw a version of that, and meets a newer one if it was changed meanwhile.

mod apply;
mod documents;
mod file;
mod hours;
mod node;
mod outcome;
mod read;
mod record;
mod schema;
mod secrets;
mod sense;
mod shape;
mod silence;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

pub use apply::{ApplyError, Change, Plan};
pub use documents::Documents;
pub use file::{
    AgentFile, AgentSection, Answer, ContextConfig, Destination, Document, Effect, EventsConfig, Listening, McpConfig,
    McpTool, Method, SecretKeys, ToolConfig,
};
pub use hours::OpeningHours;
pub use outcome::OutcomeConfig;
pub use read::Mistake;
pub use record::OnRecord;
pub use schema::json_schema;
pub use secrets::{SecretError, Secrets};
pub use sense::{Rules, read_bounded, read_json, read_toml};
pub use shape::{LONGEST_FILE, MOST_TOOLS};
pub use silence::SilenceConfig;
pub use tokens::{TokenError, client_of, new_token};
pub use words::Field;

/// Mistakes of one file that are told.
const MOST_MISTAKES: usize = 100;

/// Warns of clients whose rows name functions of an earlier version: those were never called, and are dropped once a file is applied.
///
/// # Errors
/// When the database fails.
pub async fn warn_of_old_tools(store: &crate::store::Store) -> Result<(), crate::store::StoreError> {
    for client in store.clients_with_old_tools().await? {
        tracing::warn!(
            client = %client,
            "this client's row names functions as an earlier version kept them: they are not called, and dropped when its agent is applied; \
             write them as [[tools]] of its file (`callgate client export`)"
        );
    }
    Ok(())
}
