//! The demo's second caller: handed on to the desk, where nobody is, and back with the agent.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use serde_json::json;
use simulator::exotel::{Applet, Connect, FlowEnd, FlowPlan, FlowReport, HangUp, Person, Say, Voice, place_flow};
use simulator::model::{ModelOptions, ModelServer, Script};
use tokio::sync::mpsc;

use super::{CLINIC, GREETING, INSTRUCTIONS, RECORDED_WITHIN, settings, show};
use crate::agent::{Plan, Rules, read_json};
use crate::outgoing::PrivateHosts;
use crate::serve::{Running, start};
use crate::store::{CallTransfer, Store};

/// What its agent says and does.
const SCRIPT: &str = "
greeting greeting_en
back commentary_en
answer commentary_en + call transfer_call {\"to\":\"desk\",\"reason\":\"asks for a person\",\"summary\":\"Asks about an appointment; opening hours were told.\"}
answer goodbye_en + call end_call {}
";
/// The desk's number.
const DESK: &str = "+918047112299";
/// How long its telephone rings.
const RINGS: Duration = Duration::from_secs(2);

/// Places the call and shows it. What should have been seen, and whether it was.
pub(super) async fn run(
    folder: &Path,
    key: &str,
    screen: &mut impl Write,
) -> anyhow::Result<Vec<(&'static str, bool)>> {
    let script: Script = SCRIPT.parse().context("the script of the second call")?;
    let options = ModelOptions { script, ..ModelOptions::default() };
    let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.context("its model's port")?;
    let (model, url) = (server.handle(), format!("ws://{}/v1/realtime", server.addr()));
    actix_rt::spawn(server.run());
    let folder = folder.join("handover");
    std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
    let running = start(settings(&folder, 0, key, &url)?).await?;
    equip(running.store()).await?;
    writeln!(
        screen,
        "\nA second caller, meanwhile, asked for a person. The desk's telephone rang, and nobody was there.\n"
    )?;
    let (observer, events) = mpsc::channel(256);
    let mut plan = plan(&format!("http://{}", running.addr()), key)?;
    plan.call.observer = Some(observer);
    let (report, shown) = tokio::join!(place_flow(plan), show(events, screen));
    shown?;
    let report = report.context("placing the second call")?;
    let checks = checks(&running, &report).await?;
    running.stop().await?;
    model.stop();
    Ok(checks)
}

/// The clinic, and its desk.
async fn equip(store: &Store) -> anyhow::Result<()> {
    let file = json!({
        "name": "Lotus Clinic",
        "numbers": [CLINIC],
        "agent": { "greeting": GREETING, "instructions": INSTRUCTIONS },
        "destinations": { "desk": { "to": DESK, "when": "The caller asks for a person.", "ring_secs": 20 } },
        "failure": { "to": "desk" },
    });
    let private = PrivateHosts::default();
    let file = read_json(&file, Rules { private: &private, folder: None });
    let file = file.map_err(|mistakes| anyhow!("{mistakes:?}")).context("the desk's agent")?;
    Plan::new(store, file).await?.carry_out(store, &private).await.context("the desk's agent")?;
    Ok(())
}

fn plan(gateway: &str, key: &str) -> anyhow::Result<FlowPlan> {
    let mut call = super::plan(gateway, key, Say::agent_finished())?;
    call.script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_hours")), Say::agent_finished()];
    let script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_bye")), Say::agent_finished()];
    let further = Applet { script, end: HangUp::Gateway, ..Applet::default() };
    let persons = vec![Person::NoAnswer(RINGS)];
    Ok(FlowPlan { persons, connect: Connect::Dynamic, ..FlowPlan::resume(call, vec![further]) })
}

async fn checks(running: &Running, report: &FlowReport) -> anyhow::Result<Vec<(&'static str, bool)>> {
    let incomplete = "the record of the second call was not completed";
    anyhow::ensure!(running.switchboard().drained(RECORDED_WITHIN).await, incomplete);
    anyhow::ensure!(running.recorder().flush().await, incomplete);
    let found = running.store().call(&CallSid::new(&report.call_sid)).await?.context(incomplete)?;
    let transfers = running.store().transfers_of_call(&found.call).await?;
    let is_told = |transfer: &CallTransfer| {
        transfer.destination.as_deref() == Some("desk")
            && transfer.outcome.as_deref() == Some("no-answer")
            && transfer.summary.is_some()
    };
    let dialled: Vec<&str> = report.dialled.iter().map(|dialled| dialled.to.as_str()).collect();
    Ok(vec![
        ("the second caller was handed on, and the Connect applet told the desk's number", dialled == [DESK]),
        (
            "the summary for the desk is on record, and that nobody answered",
            transfers.len() == 1 && is_told(&transfers[0]),
        ),
        (
            "the agent spoke with the caller again, and hung up",
            report.streams.len() == 2
                && report.streams.iter().all(|stream| stream.report.heard.played_ms > 0)
                && report.ended == FlowEnd::Hangup
                && found.call.ended_code == Some(EndCode::AgentHungUp),
        ),
    ])
}
