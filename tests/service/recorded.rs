//! The recording of a call that has several streams: at one gateway, at several, at another rate.

use std::future::pending;
use std::io::Cursor;
use std::time::Duration;

use callgate::testing::{NewClient, Recording};
use codecs::SampleRate;
use codecs::ogg::Decoded;
use protocol::call::fact::Who;
use protocol::ids::CallSid;
use simulator::exotel::{CallReport, HangUp, Say, Voice};
use tokio::time::timeout;

use super::streams::{has_left, row};
use super::support::{Gateway, Setup, answered, clinic, eventually, sid};

/// What callers say, and agents: pure tones.
const CALLER_HZ: usize = 440;
const AGENT_HZ: usize = 1_000;
const LOUD: i16 = 300;

fn recorded() -> Setup {
    let client = NewClient { recording: true, ..clinic() };
    Setup { script: "greeting tone\nanswer tone", client, ..Setup::default() }
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

    /// What is louder than a codec's noise, for at least 300 ms.
    fn sounds(&self) -> Vec<Sound> {
        let hop = 10 * self.per_ms;
        let loud = |hop: &[i16]| hop.iter().any(|sample| sample.saturating_abs() > LOUD);
        let mut found: Vec<(usize, usize)> = Vec::new();
        for at in self.samples.chunks(hop).enumerate().filter(|(_, hop)| loud(hop)).map(|(at, _)| at) {
            match found.last_mut().filter(|(_, to)| at - *to < 10) {
                Some((_, to)) => *to = at + 1,
                None => found.push((at, at + 1)),
            }
        }
        let long = found.into_iter().filter(|(from, to)| to - from >= 30);
        long.map(|(from, to)| (from * 10, to * 10, self.hz(from * hop + hop, to * hop - hop))).collect()
    }

    /// How often a stretch of samples goes up through zero in a second.
    fn hz(&self, from: usize, to: usize) -> usize {
        let stretch = &self.samples[from..to.min(self.samples.len())];
        // The first and the last crossing have whole waves between them: a pause within the stretch would count as a lower tone.
        let ups: Vec<usize> = (1..stretch.len()).filter(|n| stretch[n - 1] < 0 && stretch[*n] >= 0).collect();
        let waves = ups.len().saturating_sub(1);
        waves * self.per_ms * 1_000 / (ups.last().unwrap_or(&0) - ups.first().unwrap_or(&0)).max(1)
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
    assert_pitch(&agent.sounds(), AGENT_HZ);
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
        assert!(rows.iter().all(|row| row.error.is_none()), "{rows:?}");
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
    let turns = found.turns.iter().filter(|turn| turn.who == Who::Agent && turn.heard_ms >= 400);
    turns.map(|turn| usize::try_from(turn.at_ms).unwrap()).collect()
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
    let (said, heard) = (caller.sounds(), agent.sounds());
    assert_pitch(&said, CALLER_HZ);
    assert_pitch(&heard, AGENT_HZ);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|(from, to, _)| (to - from).abs_diff(1_000) < 100), "{said:?}");
    let gap = left + 300..left + 1_300;
    let silent = |sounds: &[Sound]| sounds.iter().all(|(from, to, _)| *to <= gap.start || *from >= gap.end);
    assert!(silent(&said) && silent(&heard), "{gap:?}: {said:?} {heard:?}");
    let answers: Vec<usize> = answers(&gateway, &sid).await.into_iter().filter(|at| *at > gap.end).collect();
    assert!(!answers.is_empty(), "the transcript has the second stream's words on the same clock");
    for at in answers {
        assert!(heard.iter().any(|(from, _, _)| from.abs_diff(at) < 400), "{at} of {heard:?}");
    }
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
        let (said, heard) = (caller.sounds(), agent.sounds());
        assert_pitch(&said, CALLER_HZ);
        assert_pitch(&heard, AGENT_HZ);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!((said[0].1 - said[0].0).abs_diff(1_000) < 100, "{said:?}");
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
    let second = first.beside_with(recorded()).await;
    let sid = sid();
    // There, back, and there again: neither writes over what the other, or itself, has stored.
    for (gateway, end) in [(&first, HangUp::Applet), (&second, HangUp::Applet), (&first, HangUp::Caller)] {
        stream(gateway, &sid, SampleRate::Hz8000, end).await;
    }
    // The second one still waits for the call: it is told that the first one has it.
    second.running.switchboard().taken_over(&CallSid::new(&sid), i32::MAX);
    let parts = stored(&first, &sid, 3).await;
    assert_eq!(sources(&parts, &sid), ["own:SID", "own:SID.2", "own:SID.3"]);
    let answers = answers(&first, &sid).await;
    let mut ended = 0;
    for (row, [caller, agent]) in &parts {
        let (said, heard) = (caller.sounds(), agent.sounds());
        assert_pitch(&said, CALLER_HZ);
        assert_pitch(&heard, AGENT_HZ);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].0 >= ended, "{} {ended}: {said:?}", row.source_url);
        for (from, _, _) in heard {
            assert!(answers.iter().any(|at| at.abs_diff(from) < 400), "{from} of {answers:?}");
        }
        ended = caller.ms();
    }
    let took = took(&first, &sid).await;
    assert!(ended.abs_diff(took) < 300, "{ended} of {took} ms");
    let mut addresses: Vec<_> = parts.iter().map(|(row, _)| row.stored_url.clone()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "each has an object of its own");
    first.stop().await;
    second.stop().await;
}
