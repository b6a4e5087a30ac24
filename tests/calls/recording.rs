//! Our own recordings, held against what the simulated carrier really said and played.

use std::io::Cursor;
use std::time::Duration;

use actors::Fault;
use callgate::testing::{CallWithTurns, NewClient, Recording, RecordingStatus, Store};
use codecs::ogg::Decoded;
use protocol::ids::CallSid;
use simulator::exotel::{CallPlan, CallReport, EndedBy, EventKind, Mode, Say, Stereo, Voice, WebhookAuth, place_call};
use tokio::sync::mpsc;

use crate::process::TestProcess;
use crate::support::{Gateway, NUMBER, PATIENCE, Setup, WEBHOOK_KEY, answered, clinic, question, settled, stored};

const SID: &str = "0123456789abcdef0123456789ab18bl";
/// Hop of the level tracks, ms.
const HOP_MS: usize = 10;
/// Louder than anything a codec makes of silence.
const LOUD: f64 = 150.0;
/// Silence within speech; more divides it.
const PAUSE_MS: usize = 400;
/// Less is no speech: both sides share a codec, and where one sets in, the other has a click of it.
const CLICK_MS: usize = 50;

fn recorded() -> Setup {
    Setup { client: NewClient { recording: true, ..clinic() }, ..Setup::default() }
}

/// One side of a call as one heard it.
struct Side {
    samples: Vec<i16>,
    /// Samples in a ms.
    per_ms: usize,
}

impl Side {
    /// Loudness, hop by hop, from there on; silence where there is nothing.
    fn levels(&self, from_ms: isize, hops: usize) -> Vec<f64> {
        let sample = |at: isize| usize::try_from(at).ok().and_then(|at| self.samples.get(at)).copied().unwrap_or(0);
        let (hop, from) = ((HOP_MS * self.per_ms) as isize, from_ms * self.per_ms as isize);
        let rms = |at: isize| ((at..at + hop).map(|at| f64::from(sample(at)).powi(2)).sum::<f64>() / hop as f64).sqrt();
        (0..hops as isize).map(|n| rms(from + n * hop)).collect()
    }

    fn ms(&self) -> usize {
        self.samples.len() / self.per_ms
    }

    /// Loudness of every hop that is not silent, up to there.
    fn loud(&self, to_ms: usize) -> Vec<f64> {
        let mut levels = self.levels(0, to_ms / HOP_MS);
        levels.retain(|level| *level > LOUD);
        levels
    }

    /// When somebody speaks, ms from and to.
    fn speech(&self) -> Vec<(usize, usize)> {
        let levels = self.levels(0, self.ms() / HOP_MS);
        let mut found: Vec<(usize, usize)> = Vec::new();
        for at in (0..levels.len()).filter(|at| levels[*at] > LOUD).map(|at| at * HOP_MS) {
            match found.last_mut().filter(|(_, to)| at - *to < PAUSE_MS) {
                Some((_, to)) => *to = at + HOP_MS,
                None => found.push((at, at + HOP_MS)),
            }
        }
        found.retain(|(from, to)| to - from > CLICK_MS);
        found
    }
}

/// Both sides of a call as one heard them.
struct Heard {
    caller: Side,
    agent: Side,
}

impl Heard {
    fn of(decoded: &Decoded) -> Self {
        let side = |side: usize| Side {
            samples: decoded.samples.iter().skip(side).step_by(2).copied().collect(),
            per_ms: decoded.rate_hz as usize / 1_000,
        };
        Self { caller: side(0), agent: side(1) }
    }

    fn by_carrier(sound: &Stereo) -> Self {
        let side = |samples: &[i16]| Side { samples: samples.to_vec(), per_ms: sound.rate.hz() as usize / 1_000 };
        Self { caller: side(&sound.left), agent: side(&sound.right) }
    }

    fn ms(&self) -> usize {
        self.caller.ms()
    }
}

/// How alike two level tracks are: 1 is the same.
fn likeness(one: &[f64], other: &[f64]) -> f64 {
    let pairs: Vec<(f64, f64)> = one.iter().copied().zip(other.iter().copied()).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let (one, other) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let covariance = sum(&|pair| (pair.0 - one) * (pair.1 - other));
    covariance / (sum(&|pair| (pair.0 - one).powi(2)) * sum(&|pair| (pair.1 - other).powi(2))).sqrt().max(1.0)
}

/// The caller's side of a recording is what the carrier sent, where its timestamps say: nothing that the machine does moves it.
#[track_caller]
fn assert_caller_in_place(heard: &Heard, carrier: &Heard) {
    let hops = heard.ms().min(carrier.ms()) / HOP_MS;
    let alike = likeness(&heard.caller.levels(0, hops), &carrier.caller.levels(0, hops));
    let (one, other) = (heard.caller.speech(), carrier.caller.speech());
    assert!(alike > 0.9, "caller: {alike:.3} alike: {one:?} and {other:?}");
}

/// How alike two level tracks are that may be stretched here and there: each hop with its best counterpart, in order.
fn warped_likeness(one: &[f64], other: &[f64]) -> f64 {
    let width = other.len() + 1;
    let mut cost = vec![f64::INFINITY; (one.len() + 1) * width];
    cost[0] = 0.0;
    for (i, a) in one.iter().enumerate() {
        for (j, b) in other.iter().enumerate() {
            let at = |i: usize, j: usize| cost[i * width + j];
            let best = at(i, j).min(at(i, j + 1)).min(at(i + 1, j));
            cost[(i + 1) * width + j + 1] = best + (a - b).abs();
        }
    }
    let (mut i, mut j, mut pairs) = (one.len(), other.len(), Vec::new());
    while i > 0 && j > 0 {
        pairs.push((one[i - 1], other[j - 1]));
        let at = |i: usize, j: usize| cost[i * width + j];
        (i, j) = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            .into_iter()
            .min_by(|a, b| at(a.0, a.1).total_cmp(&at(b.0, b.1)))
            .unwrap();
    }
    let (one, other): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    likeness(&one, &other)
}

/// The agent's side is what was played, and as much of it before each thing that the caller said. How long the silence between is, a busy
/// machine decides on both sides of the wire, each for itself; where we place what we send is tested in virtual time.
#[track_caller]
fn assert_agent_alike(heard: &Heard, carrier: &Heard, cut_ms: usize) {
    let slack = cut_ms / HOP_MS + 10;
    let (one, other) = (heard.agent.loud(heard.ms()), carrier.agent.loud(carrier.ms()));
    let (count, much) = (one.len().min(other.len()), one.len().abs_diff(other.len()));
    assert!(much <= slack + count / 10, "agent: {} and {} hops of speech", one.len(), other.len());
    let alike = warped_likeness(&one[..count], &other[..count]);
    assert!(alike > 0.9, "agent: {alike:.3} alike: {:?} and {:?}", heard.agent.speech(), carrier.agent.speech());
    for (said, _) in carrier.caller.speech() {
        let (one, other) = (heard.agent.loud(said).len(), carrier.agent.loud(said).len());
        assert!(one.abs_diff(other) <= slack + other / 10, "{one} and {other} hops of the agent before {said} ms");
    }
}

/// The recording sounds as the call did; `cut_ms` of what was sent when it was cut may be on one of them alone.
#[track_caller]
fn assert_alike(heard: &Heard, report: &CallReport, cut_ms: usize) {
    let carrier = Heard::by_carrier(&report.sound);
    assert_caller_in_place(heard, &carrier);
    assert_agent_alike(heard, &carrier, cut_ms);
}

/// It is as long as the call was by the same clock.
#[track_caller]
fn assert_as_long(heard: &Heard, record: &CallWithTurns) {
    let ms = record.call.figures.duration_ms.unwrap() as usize;
    assert!(heard.ms().abs_diff(ms) < 200, "{} of {ms} ms", heard.ms());
}

#[actix_rt::test]
async fn a_barge_in_is_on_the_recording_as_the_caller_heard_it() {
    let script = "greeting goodbye_en\nanswer answer_en_hours\nanswer commentary_en";
    let gateway = Gateway::with(Setup { script, ..recorded() }).await;
    let mut plan = gateway.plan();
    let over = Say::BargeIn(Duration::from_millis(2000), Voice::clip("caller_en_interrupt"));
    plan.script = vec![Say::agent_finished(), question(), over, Say::agent_finished()];
    let report = gateway.call(plan).await;
    assert_eq!(report.clears, 1);
    assert!(report.heard.cleared_ms > 0, "something was sent and never played: {:?}", report.heard);
    let record = gateway.record(&report.call_sid).await;
    let (row, decoded) = gateway.recording(&report.call_sid).await;
    assert!(row.source_url.starts_with("own:"), "{row:?}");
    let heard = Heard::of(&decoded);
    assert_as_long(&heard, &record);
    assert_alike(&heard, &report, 200);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_caller_who_hangs_up_in_the_middle_of_an_answer_heard_no_more_of_it() {
    let script = "greeting goodbye_en\nanswer answer_en_hours";
    let gateway = Gateway::with(Setup { script, ..recorded() }).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::AgentSpeaks, Say::Wait(Duration::from_millis(1500))];
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    let (_, decoded) = gateway.recording(&report.call_sid).await;
    let heard = Heard::of(&decoded);
    assert_as_long(&heard, &record);
    // What was ahead at the carrier may have been played to us by the time that we heard of the end.
    assert_alike(&heard, &report, 500);
    let asked = heard.caller.speech()[0].0;
    let said = (heard.agent.loud(heard.ms()).len() - heard.agent.loud(asked).len()) * HOP_MS;
    assert!((500..5_000).contains(&said), "{said} ms of an answer that takes 10 s");
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_wideband_call_is_recorded_at_its_own_rate() {
    let gateway = Gateway::with(recorded()).await;
    let mut plan = gateway.plan();
    plan.rate = codecs::SampleRate::Hz16000;
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    let (_, decoded) = gateway.recording(&report.call_sid).await;
    assert_eq!(decoded.rate_hz, 16_000);
    assert_alike(&Heard::of(&decoded), &report, 0);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_rude_line_is_recorded_in_place() {
    let gateway = Gateway::with(recorded()).await;
    let mut plan = gateway.plan();
    plan.rude.burst = 0.01;
    plan.rude.lost = 0.01;
    plan.rude.duplicate = 0.02;
    plan.rude.odd_frames = true;
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    let (_, decoded) = gateway.recording(&report.call_sid).await;
    let heard = Heard::of(&decoded);
    assert_as_long(&heard, &record);
    assert_alike(&heard, &report, 0);
    gateway.stop().await;
}

#[actix_rt::test]
async fn faults_of_ours_leave_one_recording_of_the_whole_call() {
    tokio::join!(is_recorded_whole(Fault::PanicCall), is_recorded_whole(Fault::PanicModel));
}

async fn is_recorded_whole(fault: Fault) {
    let gateway = Gateway::with(recorded()).await;
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let injected = async {
        let spoken = |s: &[simulator::model::SessionLog]| s.iter().map(|s| s.responses.len()).sum::<usize>() >= 2;
        assert!(gateway.model.wait_for(spoken, PATIENCE).await, "the first answer");
        while !gateway.faults.inject(&CallSid::new(SID), fault) {
            tokio::task::yield_now().await;
        }
    };
    let (report, ()) = tokio::join!(gateway.call(plan), injected);
    assert!(answered(&report), "{fault:?}: {report:?}");
    let record = gateway.record(SID).await;
    let (_, decoded) = gateway.recording(SID).await;
    let heard = Heard::of(&decoded);
    assert_as_long(&heard, &record);
    assert_alike(&heard, &report, 0);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_whose_client_does_not_want_it_is_not_recorded() {
    let gateway = Gateway::with(Setup::default()).await;
    let report = gateway.call(gateway.plan()).await;
    let record = gateway.record(&report.call_sid).await;
    assert!(gateway.running.store().recordings_of_call(&record.call.call_sid).await.unwrap().is_empty());
    assert!(!gateway.spool().exists());
    gateway.stop().await;
}

/// A gateway that is a process of its own, with the simulated model, so that it can be killed.
fn process() -> TestProcess {
    let process = TestProcess::new();
    let words = ["client", "add", "--name", "Clinic", "--number", NUMBER, "--recording", "on"];
    assert!(process.command(&words).status().unwrap().success());
    process
}

async fn store(process: &TestProcess) -> Store {
    Store::open(&process.database_url().parse().unwrap()).await.unwrap()
}

fn plan(process: &TestProcess) -> CallPlan {
    let mut plan = CallPlan::new(process.url("").parse().unwrap(), "+919876543210", NUMBER);
    plan.mode = Mode::Voicebot;
    plan.auth = WebhookAuth { key: Some(WEBHOOK_KEY.into()), ..WebhookAuth::default() };
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    plan.timeout = PATIENCE;
    plan
}

/// A call of that id whose gateway is killed in the middle of its first answer.
async fn is_killed(process: &mut TestProcess, mut plan: CallPlan) -> CallReport {
    let (observer, mut events) = mpsc::channel(256);
    plan.observer = Some(observer);
    let killed = async {
        let mut spoken = 0;
        while let Some(event) = events.recv().await {
            spoken += u32::from(event.kind == EventKind::CallerStops);
            if spoken == 1 && event.kind == EventKind::AgentSpeaks {
                return process.kill();
            }
        }
        panic!("the answer never came");
    };
    let (report, ()) = tokio::join!(place_call(plan), killed);
    let report: CallReport = report.unwrap();
    assert_eq!(report.ended_by, EndedBy::Broken, "{report:?}");
    report
}

#[actix_rt::test]
async fn a_gateway_that_is_killed_in_the_middle_of_a_call_loses_at_most_the_last_second_of_its_recording() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut process = process();
    let mut serve = process.command(&["serve"]);
    process.serve(&mut serve).await;
    let plan = plan(&process);
    let report = is_killed(&mut process, plan).await;
    process.serve(&mut serve).await;
    let (_, decoded) = stored(&store(&process).await, &report.call_sid).await;
    let (heard, carrier) = (Heard::of(&decoded), Heard::by_carrier(&report.sound));
    let lost = report.media_ms as i64 - heard.ms() as i64;
    assert!((-200..=1_000).contains(&lost), "{lost} ms of {} ms are lost", report.media_ms);
    assert_caller_in_place(&heard, &carrier);
    // The last second may be lost, and what was ahead at the carrier was played.
    assert_agent_alike(&heard, &carrier, 1_500);
}

/// All recordings of a call, once they are stored, in the order of their names.
async fn parts(store: &Store, sid: &str, count: usize) -> Vec<(Recording, Heard)> {
    let rows = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            let rows = store.recordings_of_call(&CallSid::new(sid)).await.unwrap();
            assert!(rows.len() <= count && rows.iter().all(|row| row.error.is_none()), "{rows:?}");
            if rows.len() == count && rows.iter().all(|row| row.status == RecordingStatus::Stored) {
                return rows;
            }
        }
    };
    let mut rows = tokio::time::timeout(PATIENCE, rows).await.expect("all are stored");
    rows.sort_by(|one, other| one.source_url.cmp(&other.source_url));
    let heard = |row: &Recording| {
        let url: url::Url = row.stored_url.as_deref().unwrap().parse().unwrap();
        let file = std::fs::read(url.to_file_path().unwrap()).unwrap();
        assert_eq!(row.bytes, Some(file.len() as i64), "{row:?}");
        Heard::of(&codecs::ogg::read(Cursor::new(file)).unwrap())
    };
    rows.into_iter().map(|row| (row.clone(), heard(&row))).collect()
}

#[actix_rt::test]
async fn a_call_that_goes_on_after_its_gateway_was_killed_has_a_recording_of_each_life_and_each_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut process = process();
    let mut serve = process.command(&["serve"]);
    process.serve(&mut serve).await;
    let mut plan = plan(&process);
    plan.call_sid = Some(SID.into());
    let first = is_killed(&mut process, plan.clone()).await;
    process.serve(&mut serve).await;
    // What is left of the first is stored, and gone from the spool, before the second begins.
    let store = store(&process).await;
    parts(&store, SID, 1).await;
    plan.script = vec![Say::AgentSpeaks, question(), Say::AgentSpeaks, Say::Wait(Duration::from_millis(500))];
    let second = place_call(plan).await.unwrap();
    assert!(answered(&second), "{second:?}");
    let both = parts(&store, SID, 2).await;
    let sources = [&both[0].0, &both[1].0].map(|row| row.source_url.as_str());
    assert_eq!(sources, [format!("own:{SID}"), format!("own:{SID}.2")]);
    let (before, after) = (&both[0].1, &both[1].1);
    let lost = first.media_ms as i64 - before.ms() as i64;
    assert!((-200..=1_000).contains(&lost), "{lost} ms of {} ms are lost", first.media_ms);
    assert_caller_in_place(before, &Heard::by_carrier(&first.sound));
    let said = after.caller.speech();
    assert!(said[0].0 > before.ms(), "silent until its own stream: {said:?} after {} ms", before.ms());
    let ended = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            let found = store.call(&CallSid::new(SID)).await.unwrap().unwrap();
            if found.call.is_over() {
                return found;
            }
        }
    };
    let record = tokio::time::timeout(PATIENCE, ended).await.expect("the call is over");
    let took = (record.call.times.ended_at.unwrap() - record.call.times.media_at.unwrap()).num_milliseconds();
    assert!((after.ms() as i64 - took).abs() < 300, "{} of {took} ms", after.ms());
    // And nothing of it again at the next start.
    process.kill();
    process.serve(&mut serve).await;
    assert_eq!(std::fs::read_dir(process.folder().join("spool")).unwrap().count(), 0);
    assert_eq!(parts(&store, SID, 2).await.iter().map(|part| part.0.clone()).collect::<Vec<_>>(), {
        both.into_iter().map(|part| part.0).collect::<Vec<_>>()
    });
}

#[actix_rt::test]
async fn a_full_disk_costs_the_recording_in_words_and_not_the_call() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut process = process();
    let spool = process.folder().join("spool");
    // A disk of its own that is soon full, in a namespace of its own: nothing is left mounted.
    let mounted = format!("mount -t tmpfs -o size=96k tmpfs {} && exec \"$@\"", spool.display());
    let words = ["-Urm", "sh", "-c", &mounted, "sh"];
    if !process.through("unshare", &words).arg("true").status().is_ok_and(|status| status.success()) {
        return eprintln!("not run: this machine lets nobody mount a small disk");
    }
    let mut serve = process.through("unshare", &words);
    serve.args([env!("CARGO_BIN_EXE_callgate"), "serve"]);
    process.serve(&mut serve).await;
    let mut plan = plan(&process);
    // Three seconds fill it.
    plan.script = vec![Say::agent_finished(), question(), Say::AgentSpeaks];
    let report = place_call(plan).await.unwrap();
    assert_eq!(report.ended_by, EndedBy::Caller, "{report:?}");
    assert!(answered(&report), "the call went on: {report:?}");
    let row = settled(&store(&process).await, &report.call_sid).await;
    assert_eq!(row.status.name(), "failed");
    let why = row.error.unwrap();
    assert!(why.contains("nothing was recorded from second"), "{why}");
    let metrics = process.get("/metrics").await.unwrap();
    assert!(metrics.contains("callgate_recordings_failed_total{at=\""), "{metrics}");
}
