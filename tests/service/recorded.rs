//! The recording of a call that has several streams: at one gateway, at several, at another rate.

use std::future::pending;
use std::io::Cursor;
use std::time::Duration;

use callgate::testing::{NewClient, Recording};
use codecs::SampleRate;
use codecs::ogg::Decoded;
use futures_util::join;
use protocol::call::end::EndCode;
use protocol::call::fact::Who;
use protocol::ids::CallSid;
use simulator::exotel::{CallReport, EndedBy, EventKind, HangUp, Say, Voice};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::streams::{has_left, row};
use super::support::{Gateway, Setup, answered, clinic, eventually, sid};

/// What callers say, and agents: pure tones.
const CALLER_HZ: usize = 440;
const AGENT_HZ: usize = 1_000;
/// Enough of a tone to tell its pitch, ms; and more than a click.
const PIECE: usize = 200;
const CLICK: usize = 50;
/// Both sides share a codec: less on one of them may be the other.
const LOUD: i16 = 2_500;

fn recorded() -> Setup {
    let client = NewClient { recording: true, ..clinic() };
    Setup { script: "greeting tone\nanswer tone", client, ..Setup::default() }
}

/// Another gateway, on a machine with another name: recordings are stored where their spool is.
async fn beside(first: &Gateway) -> Gateway {
    first.beside_with(Setup { set: |args| args.node_name = Some("second".to_owned()), ..recorded() }).await
}

/// A stream of a call: a tone of a second, some of the answer, and the line is gone.
async fn stream(gateway: &Gateway, sid: &str, rate: SampleRate, end: HangUp) -> CallReport {
    let mut plan = gateway.plan();
    (plan.call_sid, plan.rate, plan.end) = (Some(sid.to_owned()), rate, end);
    let tone = Say::Speak(Voice::Tone(Duration::from_secs(1)));
    plan.script = vec![Say::AgentSpeaks, tone, Say::AgentSpeaks, Say::Wait(Duration::from_secs(1))];
    let report = gateway.call(plan).await;
    assert!(answered(&report), "{report:?}");
    has_left(gateway, sid).await;
    report
}

/// One side of a recording, or of a call as the carrier heard it.
struct Side {
    samples: Vec<i16>,
    per_ms: usize,
}

/// A stretch of sound: from and to, ms, and how high it is.
type Sound = (usize, usize, usize);

impl Side {
    fn both(decoded: &Decoded) -> [Self; 2] {
        [0, 1].map(|side| Self {
            samples: decoded.samples.iter().skip(side).step_by(2).copied().collect(),
            per_ms: decoded.rate_hz as usize / 1_000,
        })
    }

    /// What is loud for at least so long. A busy machine may tear holes into what it plays: those of less than 100 ms are none.
    fn sounds(&self, least_ms: usize) -> Vec<Sound> {
        let hop = 10 * self.per_ms;
        let loud = |hop: &[i16]| hop.iter().any(|sample| sample.saturating_abs() > LOUD);
        let mut found: Vec<(usize, usize)> = Vec::new();
        for at in self.samples.chunks(hop).enumerate().filter(|(_, hop)| loud(hop)).map(|(at, _)| at) {
            match found.last_mut().filter(|(_, to)| at - *to < 10) {
                Some((_, to)) => *to = at + 1,
                None => found.push((at, at + 1)),
            }
        }
        let long = found.into_iter().filter(|(from, to)| (to - from) * 10 >= least_ms);
        long.map(|(from, to)| (from * 10, to * 10, self.hz(from * hop, to * hop))).collect()
    }

    /// How high a stretch is: by the usual length of its waves, whatever holes it has.
    fn hz(&self, from: usize, to: usize) -> usize {
        let stretch = &self.samples[from..to.min(self.samples.len())];
        let ups: Vec<usize> = (1..stretch.len()).filter(|n| stretch[n - 1] < 0 && stretch[*n] >= 0).collect();
        // Ten at a time: a wave of 1 kHz has only eight samples.
        let mut tens: Vec<usize> = ups.windows(11).map(|ups| ups[10] - ups[0]).collect();
        tens.sort_unstable();
        tens.get(tens.len() / 2).map_or(0, |ten| 10 * self.per_ms * 1_000 / ten)
    }

    fn ms(&self) -> usize {
        self.samples.len() / self.per_ms
    }
}

#[track_caller]
fn assert_pitch(sounds: &[Sound], hz: usize) {
    assert!(!sounds.is_empty());
    assert!(sounds.iter().all(|(_, _, is)| is.abs_diff(hz) < hz / 20), "{hz} Hz: {sounds:?}");
}

/// Both sides of the call as the carrier had it: what it played of the agent is as high as what the model said.
#[track_caller]
fn assert_spoke(report: &CallReport, rate: SampleRate) {
    assert_eq!(report.sound.rate, rate);
    let agent = Side { samples: report.sound.right.clone(), per_ms: rate.hz() as usize / 1_000 };
    assert_pitch(&agent.sounds(PIECE), AGENT_HZ);
    assert_eq!(report.faults, [] as [&str; 0]);
}

fn listen(row: &Recording) -> [Side; 2] {
    let url: url::Url = row.stored_url.as_deref().unwrap_or_else(|| panic!("{row:?}")).parse().unwrap();
    let file = std::fs::read(url.to_file_path().unwrap()).unwrap();
    assert_eq!(row.bytes, Some(file.len() as i64));
    Side::both(&codecs::ogg::read(Cursor::new(file)).unwrap())
}

/// So many recordings of a call, once all are stored, in the order of their names.
async fn stored(gateway: &Gateway, sid: &str, parts: usize) -> Vec<(Recording, [Side; 2])> {
    let call = CallSid::new(sid);
    let rows = || async { gateway.running.store().recordings_of_call(&call).await.unwrap() };
    eventually("every recording is stored", || async {
        let rows = rows().await;
        // Who looks too soon is told so, and looks again.
        let is_fine = |row: &Recording| row.error.as_deref().is_none_or(|error| error == "it is being recorded");
        assert!(rows.iter().all(is_fine), "{rows:?}");
        rows.len() >= parts && rows.iter().all(|row| row.status.name() == "stored")
    })
    .await;
    let mut rows = rows().await;
    rows.sort_by(|one, other| one.source_url.cmp(&other.source_url));
    assert_eq!(rows.len(), parts, "{rows:?}");
    let shown = gateway.operate(reqwest::Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    assert_eq!(shown["recordings"].as_array().map(Vec::len), Some(parts), "{shown}");
    rows.into_iter().map(|row| (row.clone(), listen(&row))).collect()
}

fn sources(parts: &[(Recording, [Side; 2])], sid: &str) -> Vec<String> {
    parts.iter().map(|(row, _)| row.source_url.replace(sid, "SID")).collect()
}

/// When in the call the agent said more than a few words, ms: as the transcript has it.
async fn answers(gateway: &Gateway, sid: &str) -> Vec<usize> {
    let found = gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap();
    let turns = found.turns.iter().filter(|turn| turn.who == Who::Agent && turn.heard_ms >= 700);
    turns.map(|turn| usize::try_from(turn.at_ms).unwrap()).collect()
}

/// What the transcript has is where the recording has it.
#[track_caller]
fn assert_in_place(answers: &[usize], sounds: &[Sound]) {
    assert!(!answers.is_empty());
    for at in answers {
        assert!(sounds.iter().any(|(from, _, _)| from.abs_diff(*at) < 1_000), "{at} of {sounds:?}");
    }
}

/// How long the call took by its record, ms.
async fn took(gateway: &Gateway, sid: &str) -> usize {
    let times = row(gateway, sid).await.times;
    usize::try_from((times.ended_at.unwrap() - times.media_at.unwrap()).num_milliseconds()).unwrap()
}

/// The call has no stream for a while.
async fn away(time: Duration) {
    let _ = timeout(time, pending::<()>()).await;
}

#[actix_web::test]
async fn two_streams_of_a_call_are_one_recording_and_what_lies_between_is_silence() {
    let gateway = Gateway::with(recorded()).await;
    let sid = sid();
    let first = stream(&gateway, &sid, SampleRate::Hz8000, HangUp::Applet).await;
    let left = usize::try_from(first.media_ms).unwrap();
    away(Duration::from_millis(1_500)).await;
    stream(&gateway, &sid, SampleRate::Hz8000, HangUp::Caller).await;
    let parts = stored(&gateway, &sid, 1).await;
    assert_eq!(sources(&parts, &sid), ["own:SID"]);
    let [caller, agent] = &parts[0].1;
    let took = took(&gateway, &sid).await;
    assert!(caller.ms().abs_diff(took) < 300, "{} of {took} ms", caller.ms());
    let (said, heard) = (caller.sounds(PIECE), agent.sounds(PIECE));
    assert_pitch(&said, CALLER_HZ);
    assert_pitch(&heard, AGENT_HZ);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|(from, to, _)| (to - from).abs_diff(1_000) < 200), "{said:?}");
    let gap = left + 300..left + 1_300;
    let silent = |side: &Side| side.sounds(CLICK).iter().all(|(from, to, _)| *to <= gap.start || *from >= gap.end);
    assert!(silent(caller) && silent(agent), "{gap:?}: {said:?} {heard:?}");
    let answers = answers(&gateway, &sid).await;
    assert!(answers.iter().any(|at| *at > gap.end), "{answers:?}: the second stream's are on the same clock");
    assert_in_place(&answers, &agent.sounds(CLICK));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_changes_its_rate_sounds_right_and_is_recorded_in_parts_of_the_right_pitch_and_length() {
    let gateway = Gateway::with(recorded()).await;
    let sid = sid();
    let rates = [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz24000, SampleRate::Hz8000];
    for (n, rate) in rates.into_iter().enumerate() {
        let end = if n + 1 < rates.len() { HangUp::Applet } else { HangUp::Caller };
        assert_spoke(&stream(&gateway, &sid, rate, end).await, rate);
    }
    let parts = stored(&gateway, &sid, 4).await;
    assert_eq!(sources(&parts, &sid), ["own:SID", "own:SID.1-2", "own:SID.1-3", "own:SID.1-4"]);
    let (mut ended, took) = (0, took(&gateway, &sid).await);
    for ((_, [caller, agent]), rate) in parts.iter().zip(rates) {
        assert_eq!(caller.per_ms, rate.hz() as usize / 1_000);
        let (said, heard) = (caller.sounds(PIECE), agent.sounds(PIECE));
        assert_pitch(&said, CALLER_HZ);
        assert_pitch(&heard, AGENT_HZ);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!((said[0].1 - said[0].0).abs_diff(1_000) < 200, "{said:?}");
        // On the clock of the call: each part is silent until the one before it is over.
        assert!(said[0].0 >= ended && heard[0].0 >= ended, "{ended}: {said:?} {heard:?}");
        ended = caller.ms();
    }
    assert!(ended.abs_diff(took) < 300, "{ended} of {took} ms");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_goes_on_at_another_gateway_has_a_recording_of_each_on_one_clock_and_loses_none() {
    let first = Gateway::with(recorded()).await;
    let second = beside(&first).await;
    let sid = sid();
    // There, back, and there again: neither writes over what the other, or itself, has stored.
    let streams = [
        (&first, SampleRate::Hz8000, HangUp::Applet),
        (&second, SampleRate::Hz16000, HangUp::Applet),
        (&first, SampleRate::Hz8000, HangUp::Caller),
    ];
    for (gateway, rate, end) in streams {
        assert_spoke(&stream(gateway, &sid, rate, end).await, rate);
    }
    // The second one still waits for the call: it is told that the first one has it.
    second.running.switchboard().taken_over(&CallSid::new(&sid), i32::MAX);
    let parts = stored(&first, &sid, 3).await;
    assert_eq!(sources(&parts, &sid), ["own:SID", "own:SID.2", "own:SID.3"]);
    let (mut ended, mut sounds) = (0, Vec::new());
    for (row, [caller, agent]) in &parts {
        let (said, heard) = (caller.sounds(PIECE), agent.sounds(PIECE));
        assert_pitch(&said, CALLER_HZ);
        assert_pitch(&heard, AGENT_HZ);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].0 >= ended, "{} {ended}: {said:?}", row.source_url);
        sounds.extend(agent.sounds(CLICK));
        ended = caller.ms();
    }
    assert_in_place(&answers(&first, &sid).await, &sounds);
    let took = took(&first, &sid).await;
    assert!(ended.abs_diff(took) < 300, "{ended} of {took} ms");
    let mut addresses: Vec<_> = parts.iter().map(|(row, _)| row.stored_url.clone()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "each has an object of its own");
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_gateway_that_lost_its_call_and_has_not_noticed_has_a_part_of_the_recording_up_to_there() {
    let first = Gateway::with(recorded()).await;
    let second = beside(&first).await;
    let sid = sid();
    let (observer, mut events) = mpsc::channel(256);
    let mut plan = first.plan();
    (plan.call_sid, plan.observer) = (Some(sid.clone()), Some(observer));
    let tone = Say::Speak(Voice::Tone(Duration::from_secs(1)));
    // Longer than the answer takes: with that the first one writes, and learns whose the call is.
    plan.script = vec![Say::AgentSpeaks, tone, Say::AgentSpeaks, Say::Wait(Duration::from_secs(30))];
    let further = async {
        let mut spoken = false;
        while let Some(event) = events.recv().await {
            spoken |= event.kind == EventKind::CallerStops;
            if spoken && event.kind == EventKind::AgentSpeaks {
                break;
            }
        }
        stream(&second, &sid, SampleRate::Hz16000, HangUp::Caller).await
    };
    let (lost, _) = join!(first.call(plan), further);
    assert_eq!(lost.ended_by, EndedBy::Gateway, "{lost:?}");
    has_left(&first, &sid).await;
    let parts = stored(&second, &sid, 2).await;
    assert_eq!(sources(&parts, &sid), ["own:SID", "own:SID.2"]);
    let [[before, _], [after, _]] = [&parts[0].1, &parts[1].1];
    let (said, then) = (before.sounds(PIECE), after.sounds(PIECE));
    assert_pitch(&said, CALLER_HZ);
    assert_pitch(&then, CALLER_HZ);
    assert!(then[0].0 > said[0].1, "on one clock: {said:?} {then:?}");
    let took = took(&second, &sid).await;
    assert!(after.ms().abs_diff(took) < 300, "{} of {took} ms", after.ms());
    assert_eq!(row(&second, &sid).await.ended_code, Some(EndCode::CallerHungUp));
    assert_eq!(first.running.store().recent_calls(9).await.unwrap().len(), 1);
    first.stop().await;
    second.stop().await;
}
