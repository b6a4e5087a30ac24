//! What a call wants done beside talking: functions of its client's, which are HTTP endpoints.
//!
//! A call says what it wants and how long it waits ([`CallEffects`] is its side here); who asks, signs, bounds, counts and writes down is this
//! room. Whatever comes back is words for a model. It runs on the runtime of the background, never on a call's arbiter.

use std::sync::Arc;
use std::time::Duration;

use actors::Effects;
use protocol::call::functions::Function;
use protocol::ids::PhoneNumber;

use crate::agent::{ContextConfig, Document, Documents};
use crate::store::{Client, StoreError};

mod answer;
mod context;
mod digits;
mod effects;
mod labels;
mod mcp;
mod request;
mod run;
mod runner;
mod toolset;

#[cfg(test)]
mod tests;

pub use mcp::ask_servers;
pub use request::CallInfo;
pub use run::{Exchange, exchange};
pub use runner::{CallLog, Runner};
pub use toolset::Toolset;

use context::Known;
use effects::CallEffects;
use toolset::Toolsets;

/// What gives each call its functions.
pub struct Tools {
    runner: Arc<Runner>,
    toolsets: Toolsets,
    documents: Documents,
    known: Known,
}

/// What a call can have done: what its model is told of, and who does it.
#[derive(Clone, Debug, Default)]
pub struct CallTools {
    /// The functions.
    pub functions: Vec<Function>,
    /// How long its beginning waits for the client's word of who calls; none: nobody is asked.
    pub context: Option<Duration>,
    /// None where nothing can be done.
    pub effects: Option<Arc<dyn Effects>>,
    /// The client's document, which they are from.
    pub document: Arc<Document>,
}

impl Tools {
    /// With what functions are run with.
    #[must_use]
    pub fn new(runner: Arc<Runner>) -> Self {
        let documents = Documents::new(runner.store.clone());
        Self { runner, toolsets: Toolsets::default(), documents, known: Known::default() }
    }

    /// What there is of a client's agent beside its row, which was read just now.
    ///
    /// # Errors
    /// When it has to be read, and the database fails.
    pub async fn document(&self, client: &Client) -> Result<Arc<Document>, StoreError> {
        self.documents.of(client).await
    }

    /// All numbers of a client whose row was read just now.
    ///
    /// # Errors
    /// When they have to be read, and the database fails.
    pub async fn lines(&self, client: &Client) -> Result<Arc<[PhoneNumber]>, StoreError> {
        self.documents.lines(client).await
    }

    /// What a call can have done of a client's whose row was read just now.
    ///
    /// # Errors
    /// When the client's document has to be read, and the database fails.
    pub async fn of_call(&self, client: &Client, info: CallInfo) -> Result<CallTools, StoreError> {
        let document = self.documents.of(client).await?;
        let toolset = self.toolsets.of(client, &document);
        let context = toolset.context.as_ref().map(ContextConfig::deadline);
        if toolset.functions().is_empty() && context.is_none() {
            return Ok(CallTools { document, ..CallTools::default() });
        }
        let known = self.known.of(&info.call_sid);
        let effects = CallEffects::new(Arc::clone(&self.runner), Arc::clone(&toolset), info, known);
        let effects: Arc<dyn Effects> = Arc::new(effects);
        Ok(CallTools { functions: toolset.functions().to_vec(), context, effects: Some(effects), document })
    }
}
