//! Verdicts on records that were written by hand. Those of real calls are in `tests/calls/incidents.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::end::EndCode;
use protocol::call::fact::{Turn, Who};
use protocol::call::latency::{Awaited, Latency, Part, Parts, Settings};
use protocol::ids::CallSid;
use serde_json::{Value, json};

use super::verdict::Verdict;
use super::{of_call, of_whole};
use crate::store::tests::TempDb;
use crate::store::{
    AuditEntry, Call, CallWithTurns, Entry, Figures, Ownership, Parties, Recording, RecordingStatus, Times,
};
use crate::views::WholeCall;

const SID: &str = "0123456789abcdef0123456789ab18bl";

fn began() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_000_000, 0).unwrap()
}

fn at(ms: u64) -> DateTime<Utc> {
    began() + TimeDelta::milliseconds(ms.cast_signed())
}

/// A record that is made step by step.
struct Record(WholeCall);

impl Record {
    /// A call of 20 s that went well: the caller hung up.
    fn new() -> Self {
        let times = Times {
            started_at: began(),
            answered_at: None,
            media_at: Some(began()),
            ended_at: Some(at(20_000)),
            ended_at_source: None,
        };
        let ownership = Ownership { owner: None, generation: 1, streams: 1, asked_at: None, dial_status: None };
        let figures = Figures { duration_ms: Some(20_000), first_audio_ms: Some(300), ..Figures::default() };
        let call = Call {
            id: 1,
            call_sid: CallSid::new(SID),
            client_id: Some(1),
            parties: Parties::default(),
            entry: Some(Entry::Voicebot),
            status: "completed".to_owned(),
            carrier_status: None,
            ended_by: None,
            ended_code: None,
            ended_rank: None,
            ended_why: None,
            over_at: None,
            ownership,
            times,
            stream_sid: None,
            figures,
        };
        let found = CallWithTurns { call, client: None, turns: Vec::new() };
        let (tools, transfers, recordings, steps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let whole = WholeCall { found, tools, transfers, recordings, outcome: None, steps };
        Self(whole).ended(EndCode::CallerHungUp).step(300, "call.first-audio", "ok", json!({ "after_ms": 300 }))
    }

    fn ended(mut self, code: EndCode) -> Self {
        let call = &mut self.0.found.call;
        (call.ended_by, call.ended_code) = (Some(code.by()), Some(code));
        call.ended_why = Some("in words".to_owned());
        self
    }

    fn step(mut self, ms: u64, kind: &str, outcome: &str, payload: Value) -> Self {
        self.0.steps.push(AuditEntry {
            at: at(ms),
            kind: kind.to_owned(),
            call_sid: Some(CallSid::new(SID)),
            remote_addr: None,
            request_id: None,
            outcome: outcome.to_owned(),
            payload,
        });
        self
    }

    fn counted(self, ms: u64, what: &str, count: u64) -> Self {
        self.step(ms, "call.counted", "ok", json!({ "what": what, "count": count }))
    }

    fn turn(mut self, who: Who, from_ms: u64, heard_ms: u64, latency: Option<Latency>) -> Self {
        self.0.found.turns.push(Turn {
            index: u32::try_from(self.0.found.turns.len()).unwrap(),
            who,
            text: "words".to_owned(),
            at_ms: from_ms,
            heard_ms,
            generated_ms: heard_ms,
            interrupted: false,
            answer_ms: latency.as_ref().map(Latency::sent_ms),
            latency: latency.map(Box::new),
            clip: false,
            backchannel: false,
        });
        self
    }

    /// An answer that was waited for from then on, in such parts.
    fn answer(self, from_ms: u64, parts: &[(Part, u64)], network_ms: Option<u64>) -> Self {
        let latency = Latency {
            of: Awaited::Turn,
            item: "a".into(),
            from_ms,
            parts: Parts::new(parts.iter().copied()),
            heard: true,
            network_ms,
            carrier_echo_ms: None,
            asked: 1,
            stalled: false,
            settings: Settings { endpointing_ms: 500, semantic: false, confirmed: false },
        };
        let until = latency.until_ms();
        self.turn(Who::Caller, from_ms - 1_000, 1_000, None).turn(Who::Agent, until, 1_000, Some(latency))
    }

    fn verdict(&self) -> Verdict {
        of_whole(&self.0)
    }

    /// The places that are named, and how sure that is.
    fn told(&self) -> (Vec<&'static str>, String) {
        let told = self.verdict().to_json();
        let places = self.verdict().places().into_iter().map(super::verdict::Place::name).collect();
        (places, told["known"].as_str().unwrap().to_owned())
    }
}

/// Parts of an answer that nobody complains of.
const USUAL: [(Part, u64); 3] = [(Part::Endpointing, 520), (Part::Generating, 300), (Part::Playing, 100)];

#[track_caller]
fn is(record: &Record, places: &[&str], known: &str) {
    let (told, sure) = record.told();
    assert_eq!((told.as_slice(), sure.as_str()), (places, known), "{:#}", record.verdict().to_json());
}

#[test]
fn a_call_that_was_fine_is_said_to_have_been() {
    let record = Record::new().answer(3_000, &USUAL, Some(20));
    is(&record, &[], "yes");
    let [noticed, place, shown, _, sure] = record.verdict().lines().map(|(_, said)| said);
    assert_eq!((noticed.as_str(), place.as_str()), ("nothing: no answer was slow, and nothing was lost", "nowhere"));
    assert!(shown.contains("caller_hung_up") && sure.contains("caller_hung_up"), "{shown} {sure}");
}

#[test]
fn a_call_that_goes_on_is_judged_so_far() {
    let mut record = Record::new();
    (record.0.found.call.ended_by, record.0.found.call.ended_code) = (None, None);
    let verdict = record.verdict();
    assert!(verdict.so_far && verdict.lines()[0].1.contains("so far"), "{:?}", verdict.lines());
}

#[test]
fn an_answer_that_was_late_is_whoever_took_more_of_it_than_is_usual() {
    let late = |parts: &[(Part, u64)], network| Record::new().answer(3_000, parts, network);
    let slow = [(Part::Endpointing, 520), (Part::Starting, 200), (Part::Generating, 2_600)];
    is(&late(&slow, Some(20)), &["model"], "likely");
    is(&late(&[(Part::Endpointing, 520), (Part::Sending, 2_000)], None), &["us"], "likely");
    is(&late(&[(Part::Endpointing, 520), (Part::Playing, 2_000)], None), &["carrier"], "likely");
    is(&late(&[(Part::Endpointing, 520), (Part::Tool, 3_000)], None), &["tool"], "likely");
    let far = [(Part::Endpointing, 1_200), (Part::Starting, 900), (Part::Generating, 100)];
    is(&late(&far, Some(700)), &["network"], "likely");
    let both = [(Part::Endpointing, 520), (Part::Tool, 2_000), (Part::Generating, 1_800)];
    is(&late(&both, Some(20)), &["model", "tool"], "likely");
}

#[test]
fn an_answer_that_was_late_a_little_everywhere_is_nobodys() {
    let a_little = [(Part::Endpointing, 700), (Part::Starting, 400), (Part::Generating, 500), (Part::Playing, 500)];
    let record = Record::new().answer(3_000, &a_little, None);
    is(&record, &[], "no");
    let [noticed, place, _, look, sure] = record.verdict().lines().map(|(_, said)| said);
    assert!(noticed.contains("2.1 s") && place == "not known", "{noticed} {place}");
    assert!(look.contains("callgate calls") && sure.contains("no part of it stands out"), "{look} {sure}");
}

#[test]
fn where_no_round_trip_was_measured_neither_the_model_nor_the_network_is_blamed_for_the_way() {
    let record = Record::new().answer(3_000, &[(Part::Endpointing, 520), (Part::Starting, 2_600)], None);
    is(&record, &[], "no");
    assert!(
        record.verdict().lines()[4].1.contains("the round trip was not measured"),
        "{:?}",
        record.verdict().lines()
    );
    // What it generates is surely its own.
    is(
        &Record::new().answer(3_000, &[(Part::Endpointing, 520), (Part::Generating, 2_600)], None),
        &["model"],
        "likely",
    );
}

#[test]
fn a_thread_that_stood_still_is_ours_and_takes_the_blame_off_those_who_only_seemed_slow() {
    let slow = [(Part::Endpointing, 520), (Part::Generating, 2_600)];
    let felt = Record::new().answer(3_000, &slow, Some(20)).counted(5_500, "thread_late_ms", 1_800);
    is(&felt, &["us"], "likely");
    // Long before.
    let before = Record::new().counted(900, "thread_late_ms", 400).answer(3_000, &slow, Some(20));
    is(&before, &["model"], "likely");
    let unfelt = Record::new().counted(15_000, "thread_late_ms", 1_500);
    is(&unfelt, &["us"], "likely");
}

#[test]
fn what_the_provider_says_itself_is_told_as_sure() {
    let lost =
        |refused: Value| json!({ "cause": "answered 401", "refused": !refused.is_null(), "refused_for": refused });
    let key =
        Record::new().ended(EndCode::ModelFailed).step(500, "call.model-lost", "failed", lost(json!("unauthorized")));
    let key = key.step(19_000, "call.model-lost", "failed", lost(json!("unauthorized")));
    is(&key, &["model"], "yes");
    assert!(key.verdict().lines()[2].1.contains("does not know the key"), "{:?}", key.verdict().lines());
    let slow = [(Part::Endpointing, 520), (Part::Starting, 3_000)];
    let limit = json!({ "code": "rate_limit_exceeded" });
    let limited = Record::new().step(4_000, "call.response-failed", "failed", limit).answer(3_000, &slow, None);
    is(&limited, &["model"], "yes");
    let expired = json!({ "code": "session_expired", "message": "", "answers": null });
    let broken = json!({ "by": "session_lost" });
    let expired = Record::new().step(4_000, "call.model-error", "failed", expired);
    is(&expired.step(4_010, "call.answer-broken-off", "failed", broken), &["model"], "yes");
}

#[test]
fn a_connection_that_broke_is_nobodys_that_is_known() {
    let lost = json!({ "cause": "reset by peer", "refused": false, "refused_for": null });
    let record = Record::new().ended(EndCode::ModelFailed).step(19_000, "call.model-lost", "failed", lost);
    is(&record, &[], "no");
    assert!(
        record.verdict().lines()[4].1.contains("whether the provider or the network"),
        "{:?}",
        record.verdict().lines()
    );
}

#[test]
fn a_model_that_answers_nothing_is_deaf_and_one_that_never_came_about_is_not_called_so() {
    let silent = Record::new().ended(EndCode::ModelFailed).counted(20_000, "model_silent", 2);
    is(&silent, &[], "no");
    is(&silent.step(100, "call.model-ready", "ok", json!({ "after_ms": 90 })), &["model"], "likely");
}

#[test]
fn holes_in_the_callers_sound_are_the_carriers_and_a_few_are_no_finding() {
    is(&Record::new().counted(20_000, "caller_lost", 60), &["carrier"], "likely");
    is(&Record::new().counted(20_000, "caller_lost", 9), &[], "yes");
    let stood_still = Record::new().counted(20_000, "uplink_gap_filled", 3).counted(9_000, "thread_late_ms", 1_500);
    let (places, _) = stood_still.told();
    assert_eq!(places, ["us"], "it may have waited here: no line is blamed");
    let heard = Record::new().counted(20_000, "caller_lost", 60).verdict().lines()[3].1.clone();
    assert!(heard.contains("--listen") && heard.contains("not recorded"), "{heard}");
}

#[test]
fn two_faults_at_once_are_both_named() {
    let ran = json!({ "name": "find_order", "came_to": "ok", "status": 200, "attempts": 1, "took_ms": 4_000 });
    let slow = [(Part::Endpointing, 520), (Part::Tool, 4_000), (Part::Generating, 200)];
    let record = Record::new().step(8_000, "call.tool-run", "ok", ran).answer(3_500, &slow, None);
    let record = record.counted(20_000, "caller_lost", 80);
    is(&record, &["carrier", "tool"], "likely");
    let restarted = json!({ "actor": "CallActor", "cause": "panicked: a bug", "count": 1 });
    let full = json!({ "for_ms": 9_000, "disk_full": true });
    let record = Record::new().step(4_000, "supervisor.restart", "failed", restarted);
    let record = record.step(2_000, "call.record-waited", "failed", full);
    is(&record, &["us", "disk"], "yes");
}

#[test]
fn the_disk_and_the_database_are_told_of_though_no_caller_noticed() {
    let away = json!({ "for_ms": 9_000, "disk_full": false });
    let record = Record::new().step(2_000, "call.record-waited", "failed", away);
    is(&record, &["database"], "yes");
    assert!(record.verdict().lines()[0].1.starts_with("nothing"), "{:?}", record.verdict().lines());
    let why = json!({ "source": "own:x", "why": "nothing was recorded: No space left on device" });
    is(&Record::new().step(0, "recording.incomplete", "failed", why), &["disk"], "yes");
}

#[test]
fn ends_that_are_ours_the_carriers_and_a_settings_are() {
    for (code, place) in [
        (EndCode::GaveUp, "us"),
        (EndCode::Shutdown, "us"),
        (EndCode::Reaped, "us"),
        (EndCode::StreamLost, "carrier"),
        (EndCode::MediaSilent, "carrier"),
        (EndCode::ContextRefused, "tool"),
        (EndCode::TooLong, "setting"),
    ] {
        is(&Record::new().ended(code), &[place], "yes");
    }
    for fine in
        [EndCode::AgentHungUp, EndCode::Transferred, EndCode::Operator, EndCode::CarrierReported, EndCode::Closed]
    {
        is(&Record::new().ended(fine), &[], "yes");
    }
}

#[test]
fn who_hung_up_in_the_middle_of_a_silence_waited_for_an_answer() {
    let record = Record::new().turn(Who::Caller, 10_000, 1_000, None);
    is(&record, &[], "no");
    assert!(record.verdict().lines()[0].1.contains("for 9.0 s"), "{:?}", record.verdict().lines());
    // Of one who said goodbye nothing is owed.
    is(&Record::new().turn(Who::Caller, 18_000, 1_000, None), &[], "yes");
}

#[tokio::test]
async fn a_call_that_was_refused_is_judged_by_the_audit_log_and_an_unknown_one_is_not() {
    let db = TempDb::new();
    let store = db.store().await;
    assert_eq!(of_call(&store, &CallSid::new(SID)).await.unwrap(), None);
    let refused =
        Record::new().step(0, "webhook.voicebot", "storage_away", json!({ "refused": "the storage is away" }));
    store.append_audit(vec![refused.0.steps[1].clone()]).await.unwrap();
    let verdict = of_call(&store, &CallSid::new(SID)).await.unwrap().unwrap();
    let told = verdict.to_json();
    assert_eq!((&told["places"], &told["known"]), (&json!(["database"]), &json!("yes")), "{told:#}");
    assert!(verdict.lines()[0].1.contains("never there"), "{:?}", verdict.lines());
}

#[test]
fn what_others_say_is_told_short_and_on_one_line() {
    let long = format!("a\nb\u{1b}[2J{}", "x".repeat(10_000));
    let lost = json!({ "cause": long, "refused": true, "refused_for": "other" });
    let ran = json!({ "name": long, "came_to": "timeout", "status": null, "attempts": 1, "took_ms": 9_000 });
    let record = Record::new().ended(EndCode::ModelFailed).step(900, "call.model-lost", "failed", lost);
    let record = record.step(9_000, "call.tool-run", "failed", ran);
    for (name, line) in record.verdict().lines() {
        assert!(line.chars().count() < 1_000 && !line.contains(char::is_control), "{name}: {line}");
    }
}

#[test]
fn where_the_sound_is_is_told_and_why_there_is_none() {
    let recording = |status, url: Option<&str>, error: Option<&str>| Recording {
        id: 1,
        call_id: 1,
        source_url: "own:x".to_owned(),
        status,
        stored_url: url.map(str::to_owned),
        bytes: None,
        sha256: None,
        content_type: None,
        error: error.map(str::to_owned),
        created_at: began(),
        updated_at: began(),
    };
    let stored = recording(RecordingStatus::Stored, Some("file:///r/x.opus"), None);
    assert_eq!(super::sound(&[stored], false), "file:///r/x.opus");
    let failed = recording(RecordingStatus::Failed, None, Some("no room"));
    assert_eq!(super::sound(&[failed], false), "none of own:x: no room");
    let waits = recording(RecordingStatus::Pending, None, Some("the bucket refuses"));
    assert_eq!(super::sound(&[waits], false), "own:x waits to be stored: the bucket refuses");
    assert!(super::sound(&[], true).contains("when the call is over"));
    assert!(super::sound(&[], false).contains("--recording on"));
}
