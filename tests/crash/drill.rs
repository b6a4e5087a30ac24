//! Calls in flows that lead back to the agent, and gateways that are killed under them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use simulator::balancer::Balancer;
use simulator::exotel::{
    Applet, CallPlan, EventKind, FlowEnd, FlowPlan, FlowReport, Mode, OnRefused, Say, Voice, WebhookAuth, place_flow,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use crate::account::WEBHOOK_KEY;
use crate::rig::{Eye, NUMBER, Rig, Row};

/// Far beyond what anything here takes: what needs it has failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub calls: usize,
    pub kills: usize,
    /// Between two kills, or longer, until every caller hears the agent again.
    pub every: Duration,
    /// Between the beginnings of two calls.
    pub ramp: Duration,
    /// Questions that a caller asks on one stream, at most.
    pub questions: usize,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub flows: Vec<FlowReport>,
    pub rows: Vec<Row>,
    /// From the kill until the last caller heard the agent again, the gateway's own start included, by kill.
    pub back_within: Vec<Duration>,
    /// `call.ended` and `call.started` that the client was told, deliveries included that were repeated.
    pub deliveries: usize,
    /// Everything that may not be.
    pub faults: Vec<String>,
}

impl Outcome {
    /// Of every stream that took a call on: from a further stream's start to the agent's first word, ms, sorted.
    pub fn first_words_ms(&self) -> Vec<u64> {
        let further = self.flows.iter().flat_map(|flow| flow.streams.iter().skip(1));
        let mut all: Vec<u64> = further.filter_map(|stream| stream.report.first_audio_ms).collect();
        all.sort_unstable();
        all
    }
}

/// A caller hears the agent on the stream that is there.
type Hears = Arc<AtomicBool>;

/// Runs it.
pub async fn drill(binary: &Path, scale: Scale) -> Outcome {
    let mut rig = Rig::start(binary, scale.calls).await;
    let gateways = [0, 1].map(|nth: usize| rig.gateways[nth].process.address().parse().unwrap());
    let balancer = Balancer::bind(([127, 0, 0, 1], 0).into(), gateways.to_vec()).await.unwrap();
    let url = format!("http://{}", balancer.address().unwrap());
    let carrying = tokio::spawn(balancer.run());
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let watching = Eye::open(&rig.database).await.watch(Arc::clone(&seen));

    let over = Arc::<AtomicBool>::default();
    let (mut placed, mut hearing) = (JoinSet::new(), Vec::new());
    let mut ramp = interval(scale.ramp);
    for nth in 0..scale.calls {
        ramp.tick().await;
        let hears = Hears::default();
        placed.spawn(place(plan(&url, nth, scale, &over), Arc::clone(&hears)));
        hearing.push(hears);
    }
    let mut outcome = Outcome::default();
    kill(&mut rig, scale, &hearing, &mut outcome).await;
    over.store(true, Ordering::Relaxed);
    outcome.flows = placed.join_all().await;
    judge_flows(&mut outcome);
    judge_record(&rig, scale.calls, &mut outcome).await;
    watching.abort();
    outcome.faults.append(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
    carrying.abort();
    outcome
}

fn plan(url: &str, nth: usize, scale: Scale, over: &Arc<AtomicBool>) -> FlowPlan {
    let mut call = CallPlan::new(url.parse().unwrap(), format!("+9198765{nth:05}"), NUMBER);
    call.mode = Mode::Voicebot;
    call.auth = WebhookAuth { key: Some(WEBHOOK_KEY.to_owned()), ..WebhookAuth::default() };
    call.seed = nth as u64 + 1;
    call.timeout = PATIENCE + scale.every * (2 * scale.kills as u32 + 2) + scale.ramp * scale.calls as u32;
    let round = [Say::agent_finished(), Say::Speak(Voice::clip("caller_en_hours"))];
    let mut script = vec![round; scale.questions].concat();
    script.extend([Say::agent_finished(), Say::Until(Arc::clone(over))]);
    call.script = script.clone();
    let further = Applet { script, ..Applet::default() };
    FlowPlan { on_refused: OnRefused::Retry, ..FlowPlan::resume(call, vec![further; scale.kills + 1]) }
}

async fn place(mut plan: FlowPlan, hears: Hears) -> FlowReport {
    let (observer, mut events) = mpsc::channel(1_000);
    plan.call.observer = Some(observer);
    let heard = async {
        while let Some(event) = events.recv().await {
            match event.kind {
                EventKind::AgentSpeaks => hears.store(true, Ordering::Relaxed),
                EventKind::MediaClosed => hears.store(false, Ordering::Relaxed),
                _ => {}
            }
        }
    };
    tokio::join!(place_flow(plan), heard).0.unwrap()
}

/// Kills one gateway after the other, each once every caller hears the agent.
async fn kill(rig: &mut Rig, scale: Scale, hearing: &[Hears], outcome: &mut Outcome) {
    all_hear(hearing, 0, outcome).await;
    let mut turn = interval(scale.every);
    turn.tick().await;
    for nth in 1..=scale.kills {
        turn.tick().await;
        let live = rig.live().await;
        if live != hearing.len() {
            outcome.faults.push(format!("before kill {nth} the gateways count {live} live calls of {}", hearing.len()));
        }
        let killed = Instant::now();
        rig.kill(nth - 1).await;
        all_hear(hearing, nth, outcome).await;
        outcome.back_within.push(killed.elapsed());
    }
}

async fn all_hear(hearing: &[Hears], nth: usize, outcome: &mut Outcome) {
    let deaf = || hearing.iter().filter(|hears| !hears.load(Ordering::Relaxed)).count();
    let heard = async {
        let mut look = interval(Duration::from_millis(20));
        while deaf() > 0 {
            look.tick().await;
        }
    };
    if timeout(PATIENCE, heard).await.is_err() {
        outcome.faults.push(format!("{} callers do not hear the agent after kill {nth}", deaf()));
    }
}

/// Every call went on at every further applet that its flow came to, to the end that the caller made.
fn judge_flows(outcome: &mut Outcome) {
    for flow in &outcome.flows {
        let silent =
            flow.streams.iter().filter(|stream| stream.failed.is_none() && stream.report.heard.played_ms == 0).count();
        let answered = |stream: &simulator::exotel::Stream| {
            stream.failed.is_none() && stream.report.utterances.iter().any(|said| said.reply_ms.is_some())
        };
        if flow.ended != FlowEnd::Caller || silent > 0 || !flow.streams.last().is_some_and(answered) {
            let log: Vec<String> = flow.timeline.iter().rev().take(40).map(ToString::to_string).collect();
            outcome.faults.push(format!(
                "{}: ended by {:?}, {silent} of {} streams silent\n  {}",
                flow.call_sid,
                flow.ended,
                flow.streams.len(),
                log.into_iter().rev().collect::<Vec<_>>().join("\n  ")
            ));
        }
    }
}

/// One row of each call, written by one owner after another, and one end that its client is told.
async fn judge_record(rig: &Rig, calls: usize, outcome: &mut Outcome) {
    let eye = Eye::open(&rig.database).await;
    let settled = async {
        let mut look = interval(Duration::from_millis(100));
        loop {
            look.tick().await;
            let rows = eye.rows().await;
            if rows.iter().all(|row| row.ended.is_some() && row.waiting == 0) && rig.told("call.ended").len() >= calls {
                return;
            }
        }
    };
    if timeout(PATIENCE, settled).await.is_err() {
        outcome.faults.push("not every call has ended and is told to have".to_owned());
    }
    outcome.rows = eye.rows().await;
    let (mut faults, mut sids) = (Vec::new(), HashSet::new());
    for flow in &outcome.flows {
        let streams = flow.streams.iter().filter(|stream| stream.failed.is_none()).count();
        let rows: Vec<&Row> = outcome.rows.iter().filter(|row| row.call_sid == flow.call_sid).collect();
        let good = |row: &Row| {
            let written = row.turn_count.is_some_and(|count| i64::from(count) == row.turns) && row.turns > 0;
            let owned = row.streams as usize == streams && row.generation >= row.streams && row.owner.is_some();
            row.ended.as_deref() == Some("caller_hung_up") && written && owned
        };
        if rows.len() != 1 || !good(rows[0]) {
            faults.push(format!("{} had {streams} streams, and its rows are {rows:?}", flow.call_sid));
        }
        sids.insert(flow.call_sid.clone());
    }
    if outcome.rows.len() != calls || sids.len() != calls {
        faults.push(format!("{} rows of {} calls", outcome.rows.len(), sids.len()));
    }
    for kind in ["call.started", "call.ended"] {
        let told = rig.told(kind);
        outcome.deliveries += told.values().map(Vec::len).sum::<usize>();
        for sid in &sids {
            let ids: HashSet<&String> = told.get(sid).into_iter().flatten().collect();
            if ids.len() != 1 {
                faults.push(format!("{sid}: {} events {kind}", ids.len()));
            }
        }
    }
    let live = rig.live().await;
    if live > 0 {
        faults.push(format!("{live} calls are still counted as live"));
    }
    if !rig.gateways[0].command(&["audit", "verify"]).status().unwrap().success() {
        faults.push("the audit log's chain is broken".to_owned());
    }
    outcome.faults.append(&mut faults);
}
