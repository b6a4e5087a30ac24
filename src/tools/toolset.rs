//! What a client's calls can have done, ready to run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actors::lock;
use protocol::call::functions::{Function, FunctionAnswer, FunctionEffect};
use protocol::ids::{PhoneNumber, Secret};
use protocol::realtime::command::Tool;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::mcp::{McpServer, offered_name};
use super::runner::Permits;
use crate::agent::{Answer, ContextConfig, Document, Effect, MOST_TOOLS, McpTool, ToolConfig};
use crate::schema::Schema;
use crate::store::{Client, Store, StoreError};

/// Functions of a client that run at once, over all its calls.
pub const MOST_OF_CLIENT: usize = 64;
/// How long a function of a server's may take.
const SERVER_WAITS: Duration = Duration::from_secs(15);
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
    tools: Vec<Arc<ReadyTool>>,
    /// Who is asked who calls.
    pub(super) context: Option<ContextConfig>,
    /// What its requests are signed with: read when there is one to sign.
    secret: OnceCell<Option<Secret>>,
    pub(super) permits: Permits,
}

/// A function, ready to run.
#[derive(Debug)]
pub struct ReadyTool {
    /// As it is offered to models.
    pub(super) offered: Function,
    /// How long it may take.
    pub(super) waits: Duration,
    /// Who does it.
    pub(super) by: By,
    parameters: Value,
    /// Read when it is called first: there may be many, and few calls call any.
    schema: OnceLock<Result<Schema, String>>,
}

/// Who does a function.
#[derive(Debug)]
pub(super) enum By {
    /// An HTTP endpoint.
    Endpoint(ToolConfig),
    /// An MCP server, which calls it so.
    Server(Arc<McpServer>, String),
}

impl ReadyTool {
    fn of_endpoint(config: &ToolConfig) -> Self {
        let parameters = config.parameters.clone();
        let by = By::Endpoint(config.clone());
        Self { offered: function(config), waits: config.timeout(), by, parameters, schema: OnceLock::new() }
    }

    fn of_server(server: &Arc<McpServer>, tool: &McpTool) -> Self {
        let told = Tool {
            name: offered_name(&tool.server, &tool.name),
            description: tool.description.clone(),
            parameters: tool.parameters.to_string(),
        };
        let effect = effect(server.config.effect);
        Self {
            offered: Function {
                effect,
                wait: Some(SERVER_WAITS),
                takes_digits: server.config.secret_digits,
                ..Function::new(told)
            },
            waits: SERVER_WAITS,
            by: By::Server(Arc::clone(server), tool.name.clone()),
            parameters: tool.parameters.clone(),
            schema: OnceLock::new(),
        }
    }

    /// As models call it.
    pub(super) fn name(&self) -> &str {
        &self.offered.tool.name
    }

    /// Whether it may be asked again, and given up.
    pub(super) fn is_read_only(&self) -> bool {
        self.offered.effect == FunctionEffect::Read
    }

    /// Whether these are arguments of it.
    ///
    /// # Errors
    /// What is wrong with them, for whoever made them.
    pub(super) fn check(&self, arguments: &Value) -> Result<(), String> {
        match self.schema.get_or_init(|| Schema::of_arguments(&self.parameters)) {
            Ok(schema) => schema.check(arguments),
            Err(why) => Err(format!("the function's own schema is of no use: {why}")),
        }
    }
}

impl Toolset {
    fn new(client: &Client, document: &Document, permits: Permits) -> Self {
        let tools = tools_of(document);
        Self {
            client: client.id,
            name: client.name.clone(),
            number: client.exotel_number.clone(),
            functions: tools.iter().map(|tool| tool.offered.clone()).collect(),
            tools,
            context: document.context.clone(),
            secret: OnceCell::new(),
            permits,
        }
    }

    /// That of one client, to try its functions with.
    #[must_use]
    pub fn alone(client: &Client, document: &Document) -> Self {
        Self::new(client, document, Permits::new(MOST_OF_CLIENT))
    }

    /// The functions, as a model is told of them.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The one of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<ReadyTool>> {
        self.tools.iter().find(|tool| tool.name() == name)
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

/// The functions of a document: its endpoints, and what its servers had when it was applied.
fn tools_of(document: &Document) -> Vec<Arc<ReadyTool>> {
    let mut tools: Vec<_> = document.tools.iter().map(ReadyTool::of_endpoint).map(Arc::new).collect();
    for config in &document.mcp {
        let of_it = document.mcp_tools.iter().filter(|tool| tool.server == config.label);
        let in_force: Vec<McpTool> = of_it.cloned().collect();
        let server = Arc::new(McpServer::new(config.clone(), in_force.clone()));
        for tool in &in_force {
            let tool = ReadyTool::of_server(&server, tool);
            // The file was judged: this holds against whatever is on record.
            if tools.len() < MOST_TOOLS && tools.iter().all(|known| known.name() != tool.name()) {
                tools.push(Arc::new(tool));
            }
        }
    }
    tools
}

const fn effect(effect: Effect) -> FunctionEffect {
    match effect {
        Effect::Read => FunctionEffect::Read,
        Effect::Write => FunctionEffect::Write,
    }
}

pub(super) fn function(tool: &ToolConfig) -> Function {
    let ToolConfig { name, description, parameters, say_while, .. } = tool;
    Function {
        tool: Tool { name: name.clone(), description: description.clone(), parameters: parameters.to_string() },
        wait: Some(tool.timeout()),
        effect: effect(tool.effect),
        say_while: say_while.clone(),
        answer: match tool.answer {
            Answer::Speak => FunctionAnswer::Speak,
            Answer::Silent => FunctionAnswer::Silent,
        },
        takes_digits: true,
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
            Some((_, toolset)) => toolset.permits.clone(),
            None => Permits::new(MOST_OF_CLIENT),
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
