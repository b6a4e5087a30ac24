//! `callgate demo`: one call, through the real webhooks and the real media socket, shown as it happens.

pub(super) mod crash;
mod handover;
mod keys;
mod office;
mod verdict;

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use protocol::ids::{CallSid, PhoneNumber};
use simulator::exotel::{
    AfterCall, CallPlan, CallReport, Event, EventKind, HangUp, Mode, Say, StatusBody, Voice, WebhookAuth, place_call,
};
use simulator::model::{ModelHandle, ModelOptions, ModelServer, Script, SessionLog};
use tokio::sync::mpsc;

use self::office::Office;
use self::verdict::{COUGH, Seen};
use crate::cli::transcript;
use crate::serve::{Running, start};
use crate::settings::{Settings, SettingsArgs};
use crate::store::{Agent, CallWithTurns, Client, ClientLimits, NewClient};

/// The clinic's ExoPhone and its caller.
const CLINIC: &str = "+918047112233";
const CALLER: &str = "+919876543210";
const GREETING: &str = "Hello, and thank you for calling Lotus Clinic. How can I help you today?";
const INSTRUCTIONS: &str =
    "You answer the phone of Lotus Clinic. Be brief and friendly; answer in the caller's language.";
/// The caller coughs this long after the agent began to speak.
const COUGH_AFTER: Duration = Duration::from_millis(1000);
/// The caller lets the agent speak this long before interrupting it.
const INTERRUPT_AFTER: Duration = Duration::from_millis(2600);
/// An agent that is silent for so long is not looking something up: between its words and its answer there is less.
const LOOKED_UP: Duration = Duration::from_millis(3500);
/// A step of the caller takes no longer: looking something up, and telling it.
const LONGEST_STEP: Duration = Duration::from_secs(25);
/// The demo is over by then, whatever happens.
const LONGEST: Duration = Duration::from_secs(90);
/// How long the record of the call may take to be complete.
const RECORDED_WITHIN: Duration = Duration::from_secs(5);

/// What `callgate demo` is asked for.
#[derive(Clone, Debug)]
pub(super) struct Demo {
    /// Keep serving after the call.
    pub stay: bool,
    /// Where the stereo recording of what each side heard goes.
    pub wav: PathBuf,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
}

/// Serves on embedded defaults, places the call and shows it on `screen`. True when everything was seen to happen.
///
/// # Errors
/// When the gateway cannot be started or the call not be placed.
pub(super) async fn run(demo: &Demo, screen: &mut impl Write) -> anyhow::Result<bool> {
    let folder = Folder::new()?;
    let key = format!("demo-{:016x}", rand::random::<u64>());
    let model = model().await?;
    let office = Office::start()?;
    let running = start(settings(&folder.0, demo.port, &key, &model.1)?).await?;
    let client = office.equip(running.store()).await?;
    has_fixed_sentences(&running, &client).await?;
    let sessions_before = model.0.sessions().len();
    let gateway = format!("http://{}", running.addr());
    writeln!(
        screen,
        "\nThe gateway listens on {gateway}, the model is simulated, the caller is one of Exotel's (simulated too).\n"
    )?;

    let (observer, events) = mpsc::channel(256);
    let mut plan = plan(&gateway, &key, Say::AgentFinished(LOOKED_UP))?;
    plan.patience = LONGEST_STEP;
    plan.observer = Some(observer);
    // The second caller rings meanwhile, at a gateway of its own, and is shown afterwards: nobody has to wait for both.
    let mut second = Vec::new();
    let (report, shown, handed_on) =
        tokio::join!(place_call(plan), show(events, screen), handover::run(&folder.0, &key, &mut second));
    shown?;
    let report = report.context("placing the demo's call")?;
    let record = record(&running, &report).await?;
    let sessions = model.0.sessions().split_off(sessions_before);
    transcript::print(screen, &record.turns)?;
    figures(screen, &report, &record, &sessions)?;
    report.sound.write_wav(&demo.wav).with_context(|| format!("writing {}", demo.wav.display()))?;
    writeln!(screen, "\nListen to it: {} (left: the caller, right: the agent as heard).", demo.wav.display())?;
    let mut more = handed_on?;
    screen.write_all(&second)?;
    more.extend(office.till.checks(&sessions, &folder.0));
    let seen = Seen { report: &report, record: &record, sessions: &sessions, lookups: office.asked(), handed_on: more };
    let good = verdict::show(screen, &seen)?;
    if demo.stay {
        stay(&running, &key, screen).await?;
    }
    running.stop().await?;
    office.stop().await;
    Ok(good)
}

/// Waits until the model has said what callers hear while a function runs: it is kept for all calls.
async fn has_fixed_sentences(running: &Running, client: &Client) -> anyhow::Result<()> {
    let voice = crate::clips::Voice::of(&client.agent);
    let made = async {
        while running.gateway().clips.of(&voice, [office::WAITS]).find(office::WAITS).is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(RECORDED_WITHIN, made).await.context("the fixed sentence was not made")
}

/// A folder of the demo's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("callgate-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A model that asks the clinic's system, and where it is.
async fn model() -> anyhow::Result<(ModelHandle, String)> {
    let script = Script::builtin("clinic").unwrap_or_default();
    let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), ModelOptions { script, ..ModelOptions::default() });
    let server = server.await.context("the simulated model's port")?;
    let (model, url) = (server.handle(), format!("ws://{}/v1/realtime", server.addr()));
    actix_rt::spawn(server.run());
    Ok((model, url))
}

fn settings(folder: &Path, port: u16, key: &str, model: &str) -> anyhow::Result<Settings> {
    let args = SettingsArgs {
        host: "127.0.0.1".to_owned(),
        port: port.to_string(),
        database_url: format!("sqlite://{}", folder.join("demo.db").display()),
        recordings_url: format!("file://{}", folder.join("recordings").display()),
        clips_dir: folder.join("clips").display().to_string(),
        webhook_auth: "key".to_owned(),
        webhook_key: Some(key.to_owned()),
        realtime_url: model.to_owned(),
        // Where the clinic's own system is.
        private_hosts: Some("127.0.0.1".to_owned()),
        ..SettingsArgs::default()
    };
    Ok(Settings::read(&args)?)
}

fn clinic() -> NewClient {
    NewClient {
        name: "Lotus Clinic".to_owned(),
        exotel_number: PhoneNumber::new(CLINIC),
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent: Agent {
            greeting: GREETING.to_owned(),
            language: "en-IN".to_owned(),
            transcription_language: None,
            voice: None,
            instructions: INSTRUCTIONS.to_owned(),
            model: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits::default(),
        recording: false,
    }
}

/// Greeting, a question, a cough, an interruption and its answer, a turn in Hindi, goodbye: the agent hangs up.
fn plan(gateway: &str, key: &str, answered: Say) -> anyhow::Result<CallPlan> {
    let mut plan = CallPlan::new(gateway.parse().context("the gateway's URL")?, CALLER, CLINIC);
    plan.mode = Mode::Voicebot;
    plan.auth = WebhookAuth { key: Some(key.to_owned()), ..WebhookAuth::default() };
    plan.script = vec![
        Say::agent_finished(),
        Say::Speak(Voice::clip("caller_en_hours")),
        Say::Aside(COUGH_AFTER, Voice::clip(COUGH)),
        Say::BargeIn(INTERRUPT_AFTER, Voice::clip("caller_en_interrupt")),
        answered,
        Say::Speak(Voice::clip("caller_hi_booking")),
        Say::agent_finished(),
        keys::typed(),
        Say::agent_finished(),
        Say::Speak(Voice::clip("caller_en_bye")),
    ];
    plan.end = HangUp::Gateway;
    plan.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    plan.timeout = LONGEST;
    Ok(plan)
}

/// Prints what happens as it happens, without the marks: there is one for every message of audio.
async fn show(mut events: mpsc::Receiver<Event>, screen: &mut impl Write) -> std::io::Result<()> {
    while let Some(event) = events.recv().await {
        if !matches!(event.kind, EventKind::Mark | EventKind::MarkEcho) {
            writeln!(screen, "  {event}")?;
        }
    }
    Ok(())
}

/// The call as stored; the model's late words about its last turn may still be on their way.
async fn record(running: &Running, report: &CallReport) -> anyhow::Result<CallWithTurns> {
    let incomplete = "the record of the call was not completed";
    anyhow::ensure!(running.switchboard().drained(RECORDED_WITHIN).await, incomplete);
    let written = tokio::time::timeout(RECORDED_WITHIN, running.recorder().flush()).await;
    anyhow::ensure!(written.unwrap_or(false), incomplete);
    let found = running.store().call(&CallSid::new(&report.call_sid)).await?;
    found.filter(|found| found.call.is_over()).context(incomplete)
}

fn figures(
    screen: &mut impl Write,
    report: &CallReport,
    record: &CallWithTurns,
    sessions: &[SessionLog],
) -> std::io::Result<()> {
    let ms = |value: Option<i64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v} ms"));
    let figures = &record.call.figures;
    let first = report.first_audio_ms.map_or_else(|| "never".to_owned(), |v| format!("{v} ms"));
    writeln!(screen, "\nAs seen on the wire, from the caller's end of it")?;
    writeln!(screen, "  first audio after the media socket opened   {first}")?;
    for utterance in report.utterances.iter().filter(|said| !said.label.contains(COUGH)) {
        let reply = utterance.reply_ms.map_or_else(|| "no answer".to_owned(), |v| format!("{v} ms"));
        write!(screen, "  {:<43} answered after {reply}", format!("\"{}\"", utterance.label))?;
        if let Some(clear) = utterance.clear_ms.filter(|_| utterance.barge_in) {
            let silenced = utterance.silenced_ms.unwrap_or_default();
            write!(screen, "; `clear` after {clear} ms, agent silent after {silenced} ms")?;
        }
        writeln!(screen)?;
    }
    writeln!(
        screen,
        "  audio played {} ms, dropped by `clear` {} ms",
        report.heard.played_ms, report.heard.cleared_ms
    )?;
    for cut in sessions.iter().flat_map(|s| &s.truncations) {
        let taken = if cut.accepted { "taken" } else { "refused" };
        writeln!(screen, "  truncated at {} of {} ms generated ({taken})", cut.audio_end_ms, cut.generated_ms)?;
    }
    writeln!(screen, "\nAs recorded")?;
    writeln!(screen, "  status {}: {}", record.call.status, record.call.ended_why.as_deref().unwrap_or("not said"))?;
    writeln!(
        screen,
        "  first audio {}, answers p50 {} p95 {}, unheard {}, interruptions {}",
        ms(figures.first_audio_ms),
        ms(figures.answer_p50_ms),
        ms(figures.answer_p95_ms),
        ms(figures.unheard_ms),
        figures.interruptions.unwrap_or_default()
    )
}

/// Goes on serving until a signal comes, and says how to ring.
async fn stay(running: &Running, key: &str, screen: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        screen,
        "\nStill serving. From a second terminal:\n  callgate simulate call --gateway http://{} --to {CLINIC} --from {CALLER} --key {key} --mode voicebot\nCtrl-C ends it.",
        running.addr()
    )?;
    screen.flush()?;
    crate::serve::signals().await;
    Ok(())
}
