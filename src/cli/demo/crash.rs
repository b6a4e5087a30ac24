//! `callgate demo --fault crash`: two gateways on one database; the one that has the call is killed in the middle of the agent's
//! answer, and the call goes on at the other.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use protocol::call::fact::Who;
use protocol::ids::CallSid;
use simulator::balancer::Balancer;
use simulator::exotel::{
    Applet, Event, EventKind, FlowEnd, FlowPlan, FlowReport, HangUp, OnRefused, Say, Voice, place_flow,
};
use simulator::model::{ModelOptions, ModelServer, SessionLog};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use super::{Folder, RECORDED_WITHIN, clinic};
use crate::cli::transcript;
use crate::store::{CallWithTurns, Store};

/// So the simulated model apologises.
const SORRY: &str = "I am sorry";
/// How long a gateway may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// From the further stream's start to the agent's first word.
const BACK_WITHIN_MS: u64 = 3_000;
/// The agent has been speaking for that long when its gateway is killed.
const INTO_THE_ANSWER: Duration = Duration::from_millis(1_500);

/// Plays it on `screen`. True when everything was seen to happen.
///
/// # Errors
/// When a gateway cannot be started or the call not be placed.
pub(in crate::cli) async fn run(screen: &mut impl Write) -> anyhow::Result<bool> {
    let folder = Folder::new()?;
    let key = format!("demo-{:016x}", rand::random::<u64>());
    let database = format!("sqlite://{}", folder.0.join("demo.db").display());
    let store = Store::open(&database.parse()?).await?;
    store.add_client(clinic()).await.context("adding the demo's client")?;
    let model = ModelServer::bind(loopback(), ModelOptions::default()).await.context("the simulated model")?;
    let (handle, url) = (model.handle(), format!("ws://{}/v1/realtime", model.addr()));
    let model = tokio::spawn(model.run());
    let settings = [("DATABASE_URL", database.as_str()), ("WEBHOOK_KEY", &key), ("REALTIME_URL", &url)];
    let first = Gateway::start("a", &folder.0, &settings).await?;
    let second = Gateway::start("b", &folder.0, &settings).await?;
    let balancer = Balancer::bind(loopback(), vec![first.address, second.address]).await?.failover();
    let address = balancer.address()?;
    let balancer = tokio::spawn(balancer.run());
    writeln!(
        screen,
        "\nTwo gateways, A (process {}) and B (process {}), have one database and one simulated model. A balancer stands \
         before them at {address}.\nThe caller is one of Exotel's, simulated too, in a flow that leads back to the agent \
         (docs/flows.md). A has the call.\n",
        first.child.id(),
        second.child.id()
    )?;

    let (observer, events) = mpsc::channel(256);
    let (played, shown) = tokio::join!(place_flow(plan(address, &key, observer)?), show(events, first, screen));
    shown?;
    let report = played.context("placing the demo's call")?;
    let record = record(&store, &report.call_sid).await?;
    let rows = store.recent_calls(10).await?.len();
    writeln!(screen, "\nThe transcript, over both gateways")?;
    transcript::print(screen, &record.turns)?;
    let good = verdict(screen, &report, &record, rows, &handle.sessions())?;
    handle.stop();
    balancer.abort();
    model.abort();
    Ok(good)
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A gateway in a process of its own. It is killed as it is dropped.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    async fn start(name: &str, folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        // Free a moment ago: nobody else is likely to take it by now.
        let address = std::net::TcpListener::bind(loopback())?.local_addr()?;
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .current_dir(&folder)
            .env_clear()
            .envs(settings.iter().copied())
            .env("HOST", "127.0.0.1")
            .env("PORT", address.port().to_string())
            .env("NODE_NAME", name)
            .env("WEBHOOK_AUTH", "key")
            .env("RECORDINGS_URL", format!("file://{}", folder.join("recordings").display()))
            .env("SPOOL_DIR", folder.join("spool"))
            .env("CLIPS_DIR", folder.join("clips"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting a gateway")?;
        let gateway = Self { child, address };
        let listens = async {
            let mut look = interval(Duration::from_millis(50));
            while TcpStream::connect(address).await.is_err() {
                look.tick().await;
            }
        };
        timeout(STARTS_WITHIN, listens).await.context("a gateway does not start")?;
        Ok(gateway)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that is gone already is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plan(gateway: SocketAddr, key: &str, observer: mpsc::Sender<Event>) -> anyhow::Result<FlowPlan> {
    let mut call = super::plan(&format!("http://{gateway}"), key, Say::agent_finished())?;
    call.script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_hours")), Say::agent_finished()];
    call.observer = Some(observer);
    let script = vec![
        Say::agent_finished(),
        Say::Speak(Voice::clip("caller_en_interrupt")),
        Say::agent_finished(),
        Say::Speak(Voice::clip("caller_hi_booking")),
        Say::agent_finished(),
        Say::Speak(Voice::clip("caller_en_bye")),
    ];
    let further = Applet { script, end: HangUp::Gateway, ..Applet::default() };
    Ok(FlowPlan { on_refused: OnRefused::Retry, ..FlowPlan::resume(call, vec![further.clone(), further]) })
}

/// Prints what happens, and kills the gateway in the middle of the agent's second turn.
async fn show(mut events: mpsc::Receiver<Event>, first: Gateway, screen: &mut impl Write) -> std::io::Result<()> {
    let mut first = Some(first);
    let (mut turns, mut kill_at) = (0, None);
    loop {
        let event = match kill_at {
            None => events.recv().await,
            Some(at) => match tokio::time::timeout_at(at, events.recv()).await {
                Ok(event) => event,
                Err(_) => {
                    kill_at = None;
                    first = None;
                    writeln!(
                        screen,
                        "\n  ****  gateway A is killed (kill -9) in the middle of the agent's answer  ****\n"
                    )?;
                    continue;
                }
            },
        };
        let Some(event) = event else { return Ok(()) };
        if event.kind == EventKind::AgentSpeaks {
            turns += 1;
            if turns == 2 && first.is_some() {
                kill_at = Some(tokio::time::Instant::now() + INTO_THE_ANSWER);
            }
        }
        if !matches!(event.kind, EventKind::Mark | EventKind::MarkEcho) {
            writeln!(screen, "  {event}")?;
        }
    }
}

/// The call as stored, once it is over.
async fn record(store: &Store, sid: &str) -> anyhow::Result<CallWithTurns> {
    let over = async {
        let mut look = interval(Duration::from_millis(50));
        loop {
            look.tick().await;
            let found = store.call(&CallSid::new(sid)).await?;
            if let Some(found) = found.filter(|found| found.call.is_over()) {
                return anyhow::Ok(found);
            }
        }
    };
    timeout(RECORDED_WITHIN, over).await.context("the record of the call was not completed")?
}

fn verdict(
    screen: &mut impl Write,
    report: &FlowReport,
    record: &CallWithTurns,
    rows: usize,
    sessions: &[SessionLog],
) -> std::io::Result<bool> {
    let further = report.streams.get(1);
    let back_ms = further.and_then(|stream| stream.report.first_audio_ms);
    let said = |who| record.turns.iter().filter(|turn| turn.who == who && !turn.text.is_empty()).count();
    let checks = [
        ("the agent was heard before the crash", report.streams.first().is_some_and(|s| s.report.heard.played_ms > 0)),
        (
            "the flow led back: B said that the conversation goes on, and gave a further stream",
            report.answers("passthru/resume").first() == Some(&200) && further.is_some_and(|s| s.failed.is_none()),
        ),
        ("the agent was heard within 3 s of that stream's start", back_ms.is_some_and(|ms| ms <= BACK_WITHIN_MS)),
        (
            "the model at B was told what had been said",
            sessions.len() >= 2 && sessions.last().is_some_and(|session| session.items.len() >= 3),
        ),
        (
            "the agent said that it was sorry, and answered what the caller had asked",
            record.turns.iter().any(|turn| turn.who == Who::Agent && turn.text.starts_with(SORRY)),
        ),
        (
            "the conversation went on: the caller's next question was answered",
            further.is_some_and(|s| s.report.utterances.first().is_some_and(|u| u.reply_ms.is_some())),
        ),
        ("the transcript is of both gateways", said(Who::Caller) >= 3 && said(Who::Agent) >= 3),
        ("it is one call with one row", rows == 1),
        ("the flow came to its end", report.ended == FlowEnd::Hangup && record.call.is_over()),
    ];
    let back = back_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms"));
    writeln!(screen, "\nFrom the further stream's start to the agent's first word: {back}\n\nVerdict")?;
    let mut good = true;
    for (what, seen) in checks {
        good &= seen;
        writeln!(screen, "  {}  {what}", if seen { "ok  " } else { "FAIL" })?;
    }
    writeln!(
        screen,
        "\n{}",
        if good { "The call survived its gateway." } else { "The call did not survive its gateway." }
    )?;
    Ok(good)
}
