//! What servers have: asked when a file is applied, and in force until it is applied again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::wire::{clip, without_nul};
use rmcp::model::PaginatedRequestParams;
use serde_json::Value;
use tokio::time::timeout;

use super::{LONGEST_NAME, Session, connect, offered_name, shown};
use crate::agent::{MOST_TOOLS, McpConfig, McpTool, Plan};
use crate::schema::Schema;
use crate::tools::answer::Attempt;
use crate::tools::request::{headers, sealed};
use crate::tools::runner::Runner;

/// Pages of a list that are read.
pub const MOST_PAGES: usize = 16;
/// Functions of a list that are looked at.
const MOST_LOOKED_AT: usize = 1_000;
/// Bytes of a server's own name for a function.
const LONGEST_OWN_NAME: usize = 256;
/// Bytes of a description, as models are told it.
const LONGEST_DESCRIPTION: usize = 1_024;
/// Bytes of the schemas of all of a client's servers.
pub const MOST_BYTES: usize = 256 * 1024;
/// How long a server may take to say what it has.
const LISTED: Duration = Duration::from_secs(10);

/// Asks the servers of a file that is to be applied for what they have: that is in force then. Says what is not offered, and why.
pub async fn ask_servers(runner: &Arc<Runner>, plan: &mut Plan) -> Vec<String> {
    let client = plan.stands().map(|stands| stands.client.id);
    let asked = plan.servers().iter().cloned().map(|config| {
        let (runner, served_by) = (Arc::clone(runner), runner.runtime.clone());
        served_by.spawn(async move {
            let listed = ask(&runner, client, &config).await;
            (config, listed)
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut offer = Offer::beside(plan.functions());
    for server in asked {
        // One that panicked has nothing.
        let Ok((config, listed)) = server.await else { continue };
        match listed {
            Ok(tools) => offer.take_all(&config, tools),
            Err(why) => {
                let known = plan.known_of(&config);
                let stays =
                    if known.is_empty() { "none of its tools is offered" } else { "what it had before stays in force" };
                offer.left_out.push(format!("mcp {}: {why}: {stays}, until the file is applied again", config.label));
                known.into_iter().for_each(|tool| offer.take(tool));
            }
        }
    }
    plan.offers(offer.tools);
    offer.left_out
}

async fn ask(runner: &Runner, client: Option<i64>, config: &McpConfig) -> Result<Vec<McpTool>, String> {
    let opened = runner.opened(client, sealed(&config.headers)).await;
    let headers = headers(&config.headers, &opened)?;
    match connect(config, &runner.outgoing, &headers).await {
        Ok(session) => all(&session, config).await,
        Err(Attempt::Retry(_, why) | Attempt::Failed(_, why) | Attempt::InDoubt(_, why)) => Err(why),
        Err(Attempt::Returned(_)) => Ok(Vec::new()),
    }
}

/// All that a server has and the file allows.
async fn all(session: &Session, config: &McpConfig) -> Result<Vec<McpTool>, String> {
    let late = |_| Err(format!("its server did not tell its functions within {} s", LISTED.as_secs()));
    timeout(LISTED, pages(session, config)).await.unwrap_or_else(late)
}

async fn pages(session: &Session, config: &McpConfig) -> Result<Vec<McpTool>, String> {
    let (mut tools, mut cursor, mut looked_at) = (Vec::new(), None, 0);
    for _ in 0..MOST_PAGES {
        let page = cursor.map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
        let page = session.list_tools(page).await;
        let page = page.map_err(|error| match super::problem(&error) {
            Attempt::Retry(_, why) | Attempt::Failed(_, why) | Attempt::InDoubt(_, why) => why,
            Attempt::Returned(_) => String::new(),
        })?;
        looked_at += page.tools.len();
        if looked_at > MOST_LOOKED_AT {
            return Err(format!("its server tells of more than {MOST_LOOKED_AT} functions"));
        }
        let is_allowed =
            |name: &str| config.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == name));
        tools.extend(page.tools.into_iter().filter(|tool| is_allowed(&tool.name)).map(|tool| McpTool {
            server: config.label.clone(),
            name: tool.name.to_string(),
            description: without_nul(
                clip(tool.description.as_deref().unwrap_or_default(), LONGEST_DESCRIPTION).into_owned(),
            ),
            parameters: Value::Object((*tool.input_schema).clone()),
        }));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
    Err(format!("its server's list has more than {MOST_PAGES} pages"))
}

/// Warns when what a server has is not what is in force.
pub(super) async fn tell_changes(session: &Session, config: &McpConfig, in_force: &[McpTool]) {
    let Ok(now) = all(session, config).await else { return };
    let changed = changed(in_force, &now);
    if changed.is_empty() {
        return;
    }
    metrics::counter!("callgate_mcp_changed_total").increment(1);
    let names = changed.join(", ");
    tracing::warn!(
        server = %config.label,
        functions = %names,
        "an MCP server has changed its functions since the client's file was applied: what it had then stays in force until it is applied again"
    );
}

/// Those in force that are gone, or are told of otherwise. What is new was never offered.
fn changed(in_force: &[McpTool], now: &[McpTool]) -> Vec<String> {
    let differs = |tool: &&McpTool| now.iter().find(|one| one.name == tool.name) != Some(*tool);
    in_force.iter().filter(differs).map(|tool| shown(&tool.name)).collect()
}

/// What is offered of all servers of a client.
struct Offer {
    tools: Vec<McpTool>,
    left_out: Vec<String>,
    /// As models are told them, those of endpoints too.
    names: HashSet<String>,
    bytes: usize,
}

impl Offer {
    fn beside<'a>(functions: impl Iterator<Item = &'a str>) -> Self {
        Self { tools: Vec::new(), left_out: Vec::new(), names: functions.map(str::to_owned).collect(), bytes: 0 }
    }

    fn take_all(&mut self, config: &McpConfig, tools: Vec<McpTool>) {
        for name in config.allowed.iter().flatten().filter(|name| tools.iter().all(|tool| tool.name != **name)) {
            self.left_out.push(format!("mcp {}: it has no tool {name}, which is allowed", config.label));
        }
        tools.into_iter().for_each(|tool| self.take(tool));
    }

    fn take(&mut self, tool: McpTool) {
        match self.judge(&tool) {
            Ok((name, bytes)) => {
                self.names.insert(name);
                self.bytes += bytes;
                self.tools.push(tool);
            }
            // As many as are looked at would be told, of a server that has nothing else.
            Err(why) if self.left_out.len() < 2 * MOST_TOOLS => {
                let name: String = shown(&tool.name).chars().take(LONGEST_NAME).collect();
                self.left_out.push(format!("mcp {}: its tool {name} is not offered: {why}", tool.server));
            }
            Err(_) => {}
        }
    }

    /// What it is called, and how much there is to tell of it; else why it is not offered.
    fn judge(&self, tool: &McpTool) -> Result<(String, usize), String> {
        if tool.name.is_empty() || tool.name.len() > LONGEST_OWN_NAME || tool.name.contains('\0') {
            return Err("its name is empty, or too long".to_owned());
        }
        if self.names.len() >= MOST_TOOLS {
            return Err(format!("a client has {MOST_TOOLS} tools at most (say which in `allowed`)"));
        }
        Schema::of_arguments(&tool.parameters)?;
        let bytes = tool.parameters.to_string().len();
        if self.bytes + bytes > MOST_BYTES {
            return Err(format!("the schemas of all servers have more than {MOST_BYTES} bytes"));
        }
        let name = offered_name(&tool.server, &tool.name);
        if self.names.contains(&name) {
            return Err(format!("another is called {name} already"));
        }
        Ok((name, bytes))
    }
}
