//! `tool`: tries a function of a client's as a call would.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use protocol::call::functions::Steer;
use protocol::ids::{CallSid, PhoneNumber};
use tokio::runtime::Handle;

use super::Failure;
use super::args::{TestArgs, Tool};
use super::client::{find, open_existing_at};
use crate::agent::{OnRecord, Secrets};
use crate::cli::screen::shown;
use crate::outgoing::PrivateHosts;
use crate::settings::{SealSettings, SettingsErrors, private_hosts};
use crate::store::{AuditEntry, Store};
use crate::tools::{CallInfo, CallLog, Exchange, Runner, Toolset, exchange};

/// Characters of an answer that are shown.
const MOST_SHOWN: usize = 4_000;

/// No call's record is kept of it.
struct Nobody;

impl CallLog for Nobody {
    fn written(&self) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async { true })
    }

    fn audit(&self, _: AuditEntry) {}
}

/// What functions are run with beside any call.
pub(super) fn runner(store: &Store, private: &PrivateHosts, seal: &SealSettings) -> Result<Runner, Failure> {
    let secrets = Secrets::new(store.clone(), seal.key.as_ref(), seal.old.as_ref());
    let runner = Runner::new(store.clone(), private, Arc::new(Nobody), secrets, Handle::current());
    Ok(runner.context("no HTTP client")?)
}

/// Prints both sides and the time; false when it did not do what it is for.
pub(super) async fn run(Tool::Test(args): Tool, screen: &mut impl Write) -> Result<bool, Failure> {
    let TestArgs { client, tool, arguments, caller, .. } = &*args;
    let mut wrong = SettingsErrors::default();
    let (private, seal) = (wrong.take(private_hosts(&args.private_hosts)), wrong.take(args.seal.read()));
    let url = wrong.take(args.database.url());
    let ((private, seal), url) = wrong.or(private.zip(seal).zip(url))?;
    let store = open_existing_at(&url).await?;
    let client = find(&store, client).await?;
    let document = OnRecord::of(&store, client.clone()).await.context("reading the client's agent")?.document;
    let toolset = Toolset::alone(&client, &document);
    let Some(function) = toolset.tool(tool) else {
        let names: Vec<&str> = toolset.functions().iter().map(|function| function.tool.name.as_str()).collect();
        let there = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(anyhow!("{} has no function {}: {there}", shown(&client.name), shown(tool)).into());
    };
    let runner = runner(&store, &private, &seal)?;
    let call = CallSid::new(format!("test-{}", uuid::Uuid::now_v7().simple()));
    let info = CallInfo { caller: caller.as_deref().map(PhoneNumber::new), ..CallInfo::new(call) };
    let ran = exchange(&runner, &toolset, function, &info, 1, arguments).await;
    screen.write_all(both_sides(&ran).as_bytes()).map_err(|error| Failure::Other(error.into()))?;
    Ok(ran.result.is_ok())
}

/// What was asked and answered, for people.
fn both_sides(ran: &Exchange) -> String {
    let mut text = String::new();
    if let Some(request) = &ran.request {
        let _ = writeln!(text, "asked   {} {}", request.method, shown(request.url.as_str()));
        for (name, value) in &request.headers {
            let value =
                if value.is_sensitive() { "(as the client's file says)" } else { value.to_str().unwrap_or("?") };
            let _ = writeln!(text, "        {name}: {}", shown(value));
        }
        let _ = writeln!(text, "        {}", shown(&request.body));
    }
    if let Some((status, body)) = &ran.answer {
        let body: String = String::from_utf8_lossy(body).chars().take(MOST_SHOWN).collect();
        let _ = writeln!(text, "answer  {status} {}", shown(&body));
    }
    let times = if ran.attempts == 1 { "asked once".to_owned() } else { format!("asked {} times", ran.attempts) };
    let _ = writeln!(text, "took    {} ms, {times}", ran.took.as_millis());
    match &ran.result {
        Ok(returned) => {
            let output: String = returned.output.chars().take(MOST_SHOWN).collect();
            let _ = writeln!(text, "told    {}", shown(&output));
            match &returned.steer {
                Some(Steer::HangUp) => text.push_str("call    ends once the agent has spoken\n"),
                Some(Steer::Transfer(to)) => {
                    let _ = writeln!(text, "call    is handed on to {}", shown(to));
                }
                None => {}
            }
        }
        Err(why) => {
            let _ = writeln!(text, "failed  {}: {}", ran.outcome, shown(why));
        }
    }
    text
}
