//! `simulate call --flow` and `simulate balancer`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use simulator::balancer::Balancer;
use simulator::exotel::{
    Applet, CallPlan, Connect, Ending, EventKind, FlowPlan, FlowReport, HangUp, Person, Say, Voice, place_flow,
};
use tokio::sync::mpsc;

use crate::cli::Failure;
use crate::cli::args::{BalancerArgs, Dial, Flow, FlowArgs};

/// Voicebot applets behind the first.
const FURTHER_APPLETS: usize = 3;
/// How long a person's phone rings, and how long the person talks.
const RINGING: Duration = Duration::from_secs(3);

/// Carries connections until a signal comes.
pub(in crate::cli) async fn balancer(args: &BalancerArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let bound = Balancer::bind(args.listen, args.gateways.clone()).await;
    let balancer = bound.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = balancer.address().map_err(anyhow::Error::from)?;
    writeln!(screen, "The balancer listens on {address}").map_err(anyhow::Error::from)?;
    screen.flush().map_err(anyhow::Error::from)?;
    tokio::select! {
        () = balancer.run() => {}
        () = crate::serve::signals() => {}
    }
    Ok(())
}

/// Places one call through a flow and prints it; true when the agent was heard on every stream.
pub(super) async fn call(
    mut call: CallPlan,
    flow: Flow,
    args: &FlowArgs,
    screen: &mut impl Write,
) -> Result<bool, Failure> {
    let (observer, mut events) = mpsc::channel(256);
    call.observer = Some(observer);
    if args.lose_stream {
        (call.end, call.rude.ending) = (HangUp::Caller, Ending::Drop);
    }
    let script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_bye")), Say::agent_finished()];
    let further = Applet { script, end: call.end, rate: call.rate, ..Applet::default() };
    let person = match args.dial {
        Dial::Completed => Person::Answers(RINGING, RINGING),
        Dial::NoAnswer => Person::NoAnswer(RINGING),
        Dial::Busy => Person::Busy,
    };
    let plan = FlowPlan {
        flow: flow.into(),
        persons: vec![person; FURTHER_APPLETS],
        on_refused: args.on_refused.into(),
        connect: if args.connect { Connect::Dynamic } else { Connect::Static },
        ..FlowPlan::resume(call, vec![further; FURTHER_APPLETS])
    };
    let (report, shown) = tokio::join!(place_flow(plan), async {
        while let Some(event) = events.recv().await {
            if !matches!(event.kind, EventKind::Mark | EventKind::MarkEcho) {
                writeln!(screen, "  {event}")?;
            }
        }
        std::io::Result::Ok(())
    });
    shown.map_err(anyhow::Error::from)?;
    let report = report.context("the flow")?;
    summary(&report, screen).map_err(anyhow::Error::from)?;
    Ok(!report.streams.is_empty() && report.streams.iter().all(|stream| stream.report.heard.played_ms > 0))
}

fn summary(report: &FlowReport, screen: &mut impl Write) -> std::io::Result<()> {
    writeln!(screen, "\ncall {}: {} streams, ended by {:?}", report.call_sid, report.streams.len(), report.ended)?;
    for (nth, stream) in (1..).zip(&report.streams) {
        let heard = stream.report.heard.played_ms;
        match (&stream.failed, stream.report.first_audio_ms) {
            (Some(why), _) => writeln!(screen, "  stream {nth}: {why}")?,
            (None, None) => writeln!(screen, "  stream {nth}: the agent was not heard")?,
            (None, Some(ms)) => writeln!(screen, "  stream {nth}: first audio {ms} ms, agent heard {heard} ms")?,
        }
    }
    Ok(())
}
