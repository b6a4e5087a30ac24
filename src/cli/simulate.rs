//! `simulate model` and `simulate call`.

pub(super) mod flow;
pub(super) mod text;

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use codecs::SampleRate;
use simulator::exotel::{
    AfterCall, CallPlan, CallReport, EventKind, FrameShape, HangUp, Mode, Rudeness, Say, StatusBody, Voice,
    WebhookAuth, place_call,
};
use simulator::model::{Faults, ModelOptions, ModelServer, Script};
use tokio::sync::mpsc;

use super::Failure;
use super::args::{self, AuthArgs, CallArgs, ModelArgs};

/// Serves until a signal comes.
pub(super) async fn model(args: &ModelArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let options = ModelOptions {
        seed: args.seed,
        script: Script::load(&args.script).map_err(|e| usage(&e))?,
        faults: Faults::from_flags(&args.faults).map_err(|e| usage(&e))?,
        api_key: args.api_key.clone(),
        keep_audio: false,
    };
    let addr = SocketAddr::new(args.host, args.port);
    let server = ModelServer::bind(addr, options).await.with_context(|| format!("cannot listen on {addr}"))?;
    let handle = server.handle();
    let url = format!("ws://{}/v1/realtime", server.addr());
    writeln!(screen, "The simulated model listens: REALTIME_URL={url}").map_err(anyhow::Error::from)?;
    screen.flush().map_err(anyhow::Error::from)?;
    tokio::select! {
        () = server.run() => {}
        () = crate::serve::signals() => handle.stop(),
    }
    Ok(())
}

/// Places one call and prints it; true when the agent was heard.
pub(super) async fn call(args: &CallArgs, screen: &mut impl Write) -> Result<bool, Failure> {
    let mut plan = plan(args)?;
    if let Some(flow) = args.flow.flow {
        return flow::call(plan, flow, &args.flow, screen).await;
    }
    let (observer, mut events) = mpsc::channel(256);
    plan.observer = Some(observer);
    let (report, shown) = tokio::join!(place_call(plan), async {
        while let Some(event) = events.recv().await {
            if !matches!(event.kind, EventKind::Mark | EventKind::MarkEcho) {
                writeln!(screen, "  {event}")?;
            }
        }
        std::io::Result::Ok(())
    });
    shown.map_err(anyhow::Error::from)?;
    let report = report.map_err(|error| anyhow!("{error}"))?;
    if let Some(path) = &args.out {
        report.sound.write_wav(path).with_context(|| format!("writing {}", path.display()))?;
    }
    summary(&report, screen).map_err(anyhow::Error::from)?;
    Ok(report.heard.played_ms > 0)
}

fn summary(report: &CallReport, screen: &mut impl Write) -> std::io::Result<()> {
    let first = report.first_audio_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms"));
    writeln!(screen, "\ncall {}: first audio {first}, agent heard {} ms", report.call_sid, report.heard.played_ms)?;
    for utterance in &report.utterances {
        let reply =
            utterance.reply_ms.map_or_else(|| "not answered".to_owned(), |ms| format!("answered after {ms} ms"));
        writeln!(screen, "  {}: {reply}", utterance.label)?;
    }
    for (what, times) in &report.rude {
        writeln!(screen, "  rude: {what} × {times}")?;
    }
    for fault in &report.faults {
        writeln!(screen, "  the carrier objects: {fault}")?;
    }
    writeln!(screen, "ended by {:?}, close code {:?}", report.ended_by, report.close_code)
}

fn plan(args: &CallArgs) -> Result<CallPlan, Failure> {
    let mut plan = CallPlan::new(args.gateway.clone(), &args.from, &args.to);
    plan.mode = match (args.mode, &args.media_url) {
        (args::Mode::CallStart, None) => Mode::CallStart,
        (args::Mode::Voicebot, None) => Mode::Voicebot,
        (_, Some(url)) => Mode::Media(url.clone()),
        (args::Mode::Media, None) => {
            return Err(Failure::Usage("--mode media wants --media-url, the applet's static URL".into()));
        }
    };
    plan.auth = auth(&args.auth)?;
    plan.frame = match args.frame_ms {
        20 => FrameShape::Ms20,
        100 => FrameShape::Ms100,
        0 => FrameShape::Odd,
        other => return Err(Failure::Usage(format!("--frame-ms {other}: 20 or 100, or 0 for odd sizes"))),
    };
    plan.rate = SampleRate::from_hz(args.rate)
        .ok_or_else(|| Failure::Usage(format!("--rate {}: 8000, 16000 or 24000", args.rate)))?;
    plan.seed = args.seed;
    if args.rude {
        plan.rude = Rudeness::all(args.seed);
    }
    plan.call_sid = Some(args.call_sid.clone().unwrap_or_else(fresh_sid));
    plan.script = script(args);
    plan.end = if args.listen { HangUp::Gateway } else { HangUp::Caller };
    plan.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    plan.timeout = Duration::from_secs(args.timeout_secs);
    Ok(plan)
}

/// A call of its own each time, unlike one made from the seed alone.
fn fresh_sid() -> String {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{nanos:028x}18bl")
}

fn script(args: &CallArgs) -> Vec<Say> {
    let said: Vec<Voice> = match (args.wavs.is_empty(), args.keys.is_empty()) {
        (false, _) => args.wavs.iter().cloned().map(Voice::Wav).collect(),
        (true, true) => {
            ["caller_en_hours", "caller_en_interrupt", "caller_hi_booking", "caller_en_bye"].map(Voice::clip).into()
        }
        (true, false) => ["caller_en_hours", "caller_en_bye"].map(Voice::clip).into(),
    };
    let mut steps = Vec::new();
    for (index, voice) in said.into_iter().enumerate() {
        if let Some(ms) = args.cough.filter(|_| index == 1) {
            steps.push(Say::Aside(Duration::from_millis(ms), Voice::clip("caller_cough")));
        }
        match args.barge_in {
            Some(ms) if index == 1 => steps.push(Say::BargeIn(Duration::from_millis(ms), voice)),
            _ if index == 0 && args.mode == args::Mode::CallStart => {
                steps.extend([Say::Wait(Duration::from_secs(1)), Say::Speak(voice)])
            }
            _ => steps.extend([Say::agent_finished(), Say::Speak(voice)]),
        }
        if index == 0 {
            steps.extend(args.keys.iter().flat_map(|keys| [Say::agent_finished(), Say::Type(keys.clone())]));
        }
    }
    steps.push(Say::agent_finished());
    steps
}

pub(super) fn auth(args: &AuthArgs) -> Result<WebhookAuth, Failure> {
    let basic = match &args.basic {
        None => None,
        Some(pair) => {
            let (user, password) =
                pair.split_once(':').ok_or_else(|| Failure::Usage("--basic wants USER:PASSWORD".into()))?;
            Some((user.to_owned(), password.to_owned()))
        }
    };
    Ok(WebhookAuth { signature_token: args.signature_token.clone(), key: args.key.clone(), basic })
}
