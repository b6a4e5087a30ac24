//! How far what is told of callers' waits is from what both simulators' own clocks say.

use std::time::Instant;

use callgate::testing::CallWithTurns;
use codecs::level;
use protocol::call::latency::{Awaited, Latency, Part};
use simulator::exotel::{CallReport, EventKind, Say};
use simulator::model::{ModelHandle, SessionLog};
use tokio::sync::mpsc;

use crate::support::{Gateway, question};

/// As loud as a caller's last sound is, by the gateway's measure.
const LOUD_DBFS: f32 = -35.0;

/// A call, and when its media socket opened.
pub struct Placed {
    pub report: CallReport,
    opened: Instant,
}

/// One that asks so many questions.
pub async fn place(gateway: &Gateway, number: usize, questions: usize) -> Placed {
    let (observer, mut events) = mpsc::channel(1_000);
    let mut plan = gateway.plan();
    plan.from = format!("+9198{number:08}");
    plan.seed = number as u64 + 1;
    plan.observer = Some(observer);
    plan.script = vec![Say::agent_finished()];
    for _ in 0..questions {
        plan.script.extend([question(), Say::agent_finished()]);
    }
    let opens = async {
        while let Some(event) = events.recv().await {
            if event.kind == EventKind::MediaOpen {
                return Instant::now();
            }
        }
        panic!("it opens")
    };
    let (report, opened) = tokio::join!(gateway.call(plan), opens);
    Placed { report, opened }
}

/// The waits of a call for an answer to what its caller said, in order.
pub fn turns(record: &CallWithTurns) -> Vec<Latency> {
    let told = record.turns.iter().filter_map(|turn| turn.latency.as_deref());
    told.filter(|told| told.of == Awaited::Turn).cloned().collect()
}

/// When events of that kind were sent, ms since the call's media socket opened.
fn sent(session: &SessionLog, opened: Instant, kind: &str) -> Vec<f64> {
    let began = session.began.expect("it began");
    let seen = session.sent.iter().filter(|seen| seen.kind == kind);
    let at = seen.map(|seen| began + seen.at);
    at.map(|at| at.saturating_duration_since(opened).as_secs_f64() * 1_000.0).collect()
}

/// When the caller's last loud frame before that was sent, ms: its end.
fn last_sound(report: &CallReport, before_ms: f64) -> f64 {
    let frames = report.sound.left.chunks(160).enumerate();
    let loud = frames.filter(|(_, frame)| {
        let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        level::rms_dbfs(&bytes) >= LOUD_DBFS
    });
    let mut ends = loud.map(|(index, _)| (index + 1) as f64 * 20.0);
    ends.rfind(|end| *end < before_ms).expect("the caller spoke")
}

/// How far each part of each answer is from what both sides say, ms.
pub fn off(placed: &Placed, record: &CallWithTurns, model: &ModelHandle) -> Vec<(&'static str, f64)> {
    let Placed { report, opened } = placed;
    let told = turns(record);
    assert_eq!(told.len(), report.utterances.len(), "each question was answered: {told:?}");
    let of_call = |log: &SessionLog| log.items.iter().any(|item| item["id"] == told[0].item.as_str());
    let session = model.sessions().into_iter().find(of_call).expect("its session");
    let all = |kind: &str| sent(&session, *opened, kind);
    let (stopped, created) = (all("input_audio_buffer.speech_stopped"), all("response.created"));
    let deltas = all("response.output_audio.delta");
    let speaks: Vec<f64> = report
        .timeline
        .iter()
        .filter(|event| event.kind == EventKind::AgentSpeaks)
        .map(|event| event.at_ms as f64)
        .collect();
    let mut found = Vec::new();
    for ((told, stopped), said) in told.iter().zip(&stopped).zip(&report.utterances) {
        let next = |times: &[f64], since: f64| *times.iter().find(|at| **at >= since).expect("it followed");
        let created = next(&created, *stopped);
        let delta = next(&deltas, created);
        let last = last_sound(report, *stopped);
        let arrived = said.ended_ms as f64 + said.reply_ms.expect("it was answered") as f64;
        let heard = next(&speaks, arrived - 1.0);
        let mut compare = |name: &'static str, part: Option<Part>, ms: f64| {
            let ours = part.map_or(told.whole_ms(), |part| told.parts.ms(part)) as f64;
            found.push((name, (ours - ms).abs()));
        };
        compare("endpointing", Some(Part::Endpointing), stopped - last);
        compare("starting", Some(Part::Starting), created - stopped);
        compare("generating", Some(Part::Generating), delta - created);
        compare("sending", Some(Part::Sending), arrived - delta);
        compare("playing", Some(Part::Playing), heard - arrived);
        compare("whole", None, heard - last);
    }
    found
}
