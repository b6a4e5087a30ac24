//! What a client's calls can have done, ready to run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use actors::lock;
use protocol::call::functions::{Function, FunctionAnswer, FunctionEffect};
use protocol::ids::{PhoneNumber, Secret};
use protocol::realtime::command::Tool;
use tokio::sync::{OnceCell, Semaphore};

use crate::agent::{Answer, Document, Effect, ToolConfig};
use crate::schema::Schema;
use crate::store::{Client, Store, StoreError};

/// Functions of a client that run at once, over all its calls.
pub const MOST_OF_CLIENT: usize = 64;
/// Clients whose toolsets are kept.
const MOST_TOOLSETS: usize = 10_000;

/// What the calls of one client can have done, as its document of one version says.
#[derive(Debug)]
pub struct Toolset {
    pub(super) client: i64,
    pub(super) name: String,
    pub(super) number: PhoneNumber,
    /// As they are offered to models.
    functions: Vec<Function>,
    by_name: HashMap<String, Arc<ReadyTool>>,
    /// What its requests are signed with: read when there is one to sign.
    secret: OnceCell<Option<Secret>>,
    /// Those that run now.
    pub(super) permits: Arc<Semaphore>,
}

/// A function that is an HTTP endpoint.
#[derive(Debug)]
pub struct ReadyTool {
    pub(super) config: ToolConfig,
    /// Read when it is called first: there may be many, and few calls call any.
    schema: OnceLock<Result<Schema, String>>,
}

impl ReadyTool {
    /// Of a document.
    pub(super) const fn new(config: ToolConfig) -> Self {
        Self { config, schema: OnceLock::new() }
    }

    /// Whether it may be asked again, and given up.
    pub(super) fn is_read_only(&self) -> bool {
        self.config.effect == Effect::Read
    }

    /// Whether these are arguments of it.
    ///
    /// # Errors
    /// What is wrong with them, for whoever made them.
    pub(super) fn check(&self, arguments: &serde_json::Value) -> Result<(), String> {
        match self.schema.get_or_init(|| Schema::of_arguments(&self.config.parameters)) {
            Ok(schema) => schema.check(arguments),
            Err(why) => Err(format!("the function's own schema is of no use: {why}")),
        }
    }
}

impl Toolset {
    fn new(client: &Client, document: &Document, permits: Arc<Semaphore>) -> Self {
        let functions = document.tools.iter().map(function).collect();
        let tools = document.tools.iter().map(|tool| (tool.name.clone(), Arc::new(ReadyTool::new(tool.clone()))));
        Self {
            client: client.id,
            name: client.name.clone(),
            number: client.exotel_number.clone(),
            functions,
            by_name: tools.collect(),
            secret: OnceCell::new(),
            permits,
        }
    }

    /// That of one client, to try its functions with.
    #[must_use]
    pub fn alone(client: &Client, document: &Document) -> Self {
        Self::new(client, document, Arc::new(Semaphore::new(MOST_OF_CLIENT)))
    }

    /// The functions, as a model is told of them.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The one of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<ReadyTool>> {
        self.by_name.get(name)
    }

    /// What its requests are signed with; none for a client that was never given a secret.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn secret(&self, store: &Store) -> Result<Option<&Secret>, StoreError> {
        let read = || async { Ok(store.events_target(self.client).await?.map(|target| target.secret)) };
        self.secret.get_or_try_init(read).await.map(Option::as_ref)
    }
}

pub(super) fn function(tool: &ToolConfig) -> Function {
    let ToolConfig { name, description, parameters, say_while, .. } = tool;
    Function {
        tool: Tool { name: name.clone(), description: description.clone(), parameters: parameters.to_string() },
        wait: Some(tool.timeout()),
        effect: match tool.effect {
            Effect::Read => FunctionEffect::Read,
            Effect::Write => FunctionEffect::Write,
        },
        say_while: say_while.clone(),
        answer: match tool.answer {
            Answer::Speak => FunctionAnswer::Speak,
            Answer::Silent => FunctionAnswer::Silent,
        },
    }
}

/// The toolsets of clients whose calls come in: each is made once for each version of its document.
#[derive(Debug, Default)]
pub struct Toolsets(Mutex<HashMap<i64, (i32, Arc<Toolset>)>>);

impl Toolsets {
    /// That of a client, whose document is this one.
    #[must_use]
    pub fn of(&self, client: &Client, document: &Document) -> Arc<Toolset> {
        let mut all = lock(&self.0);
        let permits = match all.get(&client.id) {
            Some((version, toolset)) if *version == client.version => return Arc::clone(toolset),
            // What runs under the version before counts.
            Some((_, toolset)) => Arc::clone(&toolset.permits),
            None => Arc::new(Semaphore::new(MOST_OF_CLIENT)),
        };
        let toolset = Arc::new(Toolset::new(client, document, permits));
        if all.len() >= MOST_TOOLSETS {
            // They are made again when they are needed.
            all.clear();
        }
        all.insert(client.id, (client.version, Arc::clone(&toolset)));
        toolset
    }
}
