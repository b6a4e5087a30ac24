use std::time::UNIX_EPOCH;

use actors::Step;
use protocol::call::end::{EndCode, Ended, EndedBy};
use protocol::call::fact::{Turn, Who};
use protocol::ids::{ItemId, Secret, StreamSid};
use protocol::realtime::event::Usage;

use super::*;
use crate::store::tests::{TempDb, WriteLock, new_call, new_client, node};
use crate::store::{CallWithTurns, EventsTarget, Tokens};

mod lost_answer;
mod streams;

pub(crate) fn rules() -> RecordRules {
    RecordRules { node: node(), ..RecordRules::default() }
}

fn pending() -> Pending {
    Pending::new(node(), "gpt-realtime-2.1".to_owned(), Prices::default())
}

/// Calls that began here.
async fn begin(store: &Store, calls: &[&str]) {
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    for sid in calls {
        store.begin_call(new_call(sid, client)).await.unwrap();
    }
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000) + Duration::from_millis(ms)
}

fn turn(index: u32, who: Who, text: &str, heard_ms: u64) -> Fact {
    let (text, answer_ms) = (text.to_owned(), None);
    Fact::Turn(Turn {
        index,
        who,
        text,
        at_ms: 0,
        heard_ms,
        generated_ms: 0,
        interrupted: false,
        answer_ms,
        latency: None,
        clip: false,
        backchannel: false,
    })
}

/// A turn of the agent's that began an answer.
fn answer(index: u32, text: &str, heard_ms: u64, answer_ms: u64) -> Fact {
    let Fact::Turn(turn) = turn(index, Who::Agent, text, heard_ms) else { unreachable!() };
    Fact::Turn(Turn { answer_ms: Some(answer_ms), ..turn })
}

fn media_started() -> Fact {
    Fact::MediaStarted { stream: StreamSid::new("s1"), rate: codecs::SampleRate::Hz8000, at_ms: 0, wall: at(0) }
}

#[tokio::test]
async fn whoever_tells_of_an_end_is_woken_once_it_is_written_and_not_before() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    let target = EventsTarget { url: "https://crm.example/".to_owned(), secret: Secret::new("hush") };
    store.set_events_target(client.id, Some(target)).await.unwrap();
    store.begin_call(new_call("c1", client.id)).await.unwrap();
    let mut woken = store.due_jobs();
    let (writer, sid) = (RecordWriter::new(store, rules(), &Handle::current()), CallSid::new("c1"));
    writer.record(&sid, at(0), &media_started());
    writer.record(&sid, at(10), &turn(0, Who::Agent, "Welcome.", 900));
    assert!(writer.flush().await);
    assert!(!woken.has_changed().unwrap(), "the call goes on");
    writer.record(&sid, at(5_000), &Fact::Ended(Ended::AgentHungUp));
    assert!(writer.flush().await);
    assert!(woken.has_changed().unwrap());
    woken.mark_unchanged();
    assert!(writer.flush().await);
    assert!(!woken.has_changed().unwrap(), "nothing is new");
}

#[tokio::test]
async fn a_call_is_as_long_as_its_caller_was_there_although_their_last_words_came_after() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    store.begin_call(new_call("c1", client.id)).await.unwrap();
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    let why = Ended::CallerHungUp { reason: None };
    writer.record(&sid, at(1_000), &media_started());
    writer.record(&sid, at(9_000), &Fact::Left(why.clone()));
    writer.record(&sid, at(10_500), &turn(0, Who::Caller, "Thanks, bye.", 900));
    writer.record(&sid, at(10_500), &Fact::Ended(why));
    assert!(writer.flush().await);
    let CallWithTurns { call, turns, .. } = store.call(&sid).await.unwrap().unwrap();
    assert_eq!((call.figures.duration_ms, turns[0].text.as_str()), (Some(8_000), "Thanks, bye."));
}

#[tokio::test]
async fn a_call_is_folded_into_its_transcript_figures_and_end() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    store.begin_call(new_call("c1", client.id)).await.unwrap();
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    let item = ItemId::new("i1");
    writer.record(&sid, at(0), &Fact::ModelDialled { attempt: 1 });
    writer.record(&sid, at(1000), &media_started());
    writer.record(&sid, at(1100), &Fact::FirstAudio { after_ms: 100 });
    writer.record(&sid, at(2000), &answer(0, "Hello", 800, 400));
    writer.record(&sid, at(3000), &turn(1, Who::Caller, "", 500));
    assert!(writer.flush().await);
    writer.record(&sid, at(4000), &answer(2, "As", 100, 900));
    writer.record(&sid, at(5000), &Fact::Heard { item: item.clone(), generated_ms: 9, heard_ms: 9, whole: true });
    writer.record(&sid, at(5000), &Fact::Interrupted { item, heard_ms: 300, unheard_ms: 700, at_ms: 4000 });
    writer.record(&sid, at(5000), &answer(2, "As I", 300, 900));
    writer.record(&sid, at(5100), &turn(1, Who::Caller, "What?", 600));
    writer.record(&sid, at(5200), &Fact::ModelDialled { attempt: 2 });
    writer.record(&sid, at(5300), &Fact::Counted { what: "caller_lost", count: 4 });
    writer.record(&sid, at(5300), &Fact::Counted { what: "late_delta", count: 9 });
    let usage = Usage { input_audio: 10, output_audio: 20, ..Usage::default() };
    writer.record(&sid, at(5400), &Fact::Usage(usage));
    writer.record(&sid, at(5500), &Fact::Usage(usage));
    writer.record(&sid, at(61_000), &Fact::Ended(Ended::AgentHungUp));
    assert!(writer.flush().await);

    let CallWithTurns { call, turns, .. } = store.call(&sid).await.unwrap().unwrap();
    assert_eq!(turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>(), ["Hello", "What?", "As I"]);
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(EndedBy::Gateway)));
    assert_eq!((call.ended_code, call.ended_rank), (Some(EndCode::AgentHungUp), Some(40)));
    assert_eq!(call.ended_why.as_deref(), Some("the agent ended the call"));
    let figures = call.figures;
    assert_eq!((figures.duration_ms, figures.first_audio_ms), (Some(60_000), Some(100)));
    assert_eq!((figures.caller_talk_ms, figures.agent_talk_ms, figures.turn_count), (Some(600), Some(1100), Some(3)));
    assert_eq!(
        (figures.answer_p50_ms, figures.answer_p95_ms, figures.answer_max_ms),
        (Some(400), Some(900), Some(900))
    );
    assert_eq!((figures.interruptions, figures.unheard_ms), (Some(1), Some(700)));
    assert_eq!((figures.model_reconnects, figures.frames_lost), (Some(1), Some(4)));
    assert_eq!(figures.tokens, Some(Tokens { input_audio: 20, output_audio: 40, ..Tokens::default() }));
    assert_eq!(figures.cost_microusd, Some(20 * 32 + 40 * 64));
    let kinds: Vec<String> = store.audit_of_call(&sid).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    let expected = [
        "model-dialled",
        "media-started",
        "first-audio",
        "interrupted",
        "model-dialled",
        "counted",
        "counted",
        "ended",
    ];
    assert_eq!(kinds, expected.map(|kind| format!("call.{kind}")));
}

#[tokio::test]
async fn a_call_that_the_carrier_ended_keeps_the_carriers_word() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    writer.record(&sid, at(0), &Fact::Ended(Ended::CallEnd { status: "no-answer".to_owned() }));
    assert!(writer.flush().await);
    let call = store.call(&sid).await.unwrap().unwrap().call;
    assert_eq!((call.status.as_str(), call.figures.duration_ms), ("no-answer", None));
    assert_eq!(call.ended_why.as_deref(), Some("the carrier reported the call as no-answer"));
}

#[tokio::test]
async fn what_the_database_could_not_take_is_written_once_it_can() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    // Another process holds the only write lock for longer than SQLite waits for it.
    let lock = WriteLock::take(&db);
    writer.record(&sid, at(0), &media_started());
    writer.record(&sid, at(1), &turn(0, Who::Agent, "Hello", 800));
    assert!(!writer.flush().await);
    assert!(writer.is_stuck());
    writer.record(&sid, at(2), &Fact::Ended(Ended::AgentHungUp));
    lock.release();
    assert!(writer.flush().await);
    assert!(!writer.is_stuck());
    let CallWithTurns { call, turns, .. } = store.call(&sid).await.unwrap().unwrap();
    assert_eq!((turns.len(), call.status.as_str()), (1, "completed"));
    assert_eq!(store.audit_of_call(&sid).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_given_before_the_last_writer_went_is_written() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    writer.record(&sid, at(2), &Fact::Ended(Ended::AgentHungUp));
    drop(writer);
    tokio::time::timeout(Duration::from_secs(10), async {
        while !store.call(&sid).await.unwrap().unwrap().call.is_over() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_audit_entry_is_waited_for_within_reason_and_written_when_the_database_comes_back() {
    let db = TempDb::new();
    let store = db.store().await;
    let writer = RecordWriter::new(store.clone(), rules(), &Handle::current());
    let entry = |kind: &str| AuditEntry {
        at: Utc::now(),
        kind: kind.to_owned(),
        call_sid: None,
        remote_addr: None,
        request_id: None,
        outcome: "ok".to_owned(),
        payload: serde_json::Value::Null,
    };
    assert!(writer.audit_now(entry("first"), Duration::from_secs(5)).await);
    assert_eq!(store.recent_audit(9).await.unwrap().len(), 1);
    let lock = WriteLock::take(&db);
    let asked = Instant::now();
    assert!(!writer.audit_now(entry("second"), Duration::from_millis(100)).await);
    assert!(asked.elapsed() < Duration::from_secs(2));
    writer.audit(entry("third"));
    lock.release();
    assert!(writer.flush().await);
    let kinds: Vec<String> = store.recent_audit(9).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["third", "second", "first"]);
    assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 3);
}

#[tokio::test]
async fn what_a_supervisor_did_is_audited() {
    let db = TempDb::new();
    let store = db.store().await;
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    let began = SupervisorEvent { step: Step::Start, actor: "CallActor", cause: None, count: None, fault: false };
    let again =
        SupervisorEvent { step: Step::Restart, cause: Some("panicked: x"), count: Some(1), fault: true, ..began };
    writer.supervised(&sid, at(0), &began);
    writer.supervised(&sid, at(1), &again);
    assert!(writer.flush().await);
    let audited = store.audit_of_call(&sid).await.unwrap();
    let told: Vec<_> = audited.iter().map(|entry| (entry.kind.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told, [("supervisor.start", "ok"), ("supervisor.restart", "failed")]);
    let payload = serde_json::json!({ "actor": "CallActor", "cause": "panicked: x", "count": 1 });
    assert_eq!(audited[1].payload, payload);
}

#[tokio::test]
async fn a_stray_fact_of_a_finished_call_is_not_kept_for_ever_and_changes_nothing() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let sid = CallSid::new("c1");
    let mut pending = pending();
    pending.fact(sid.clone(), Utc::now(), media_started());
    pending.fact(sid.clone(), Utc::now(), Fact::Ended(Ended::AgentHungUp));
    assert!(pending.write(&store).await);
    let before = store.call(&sid).await.unwrap();
    pending.fact(sid.clone(), Utc::now(), Fact::Counted { what: "caller_lost", count: 7 });
    pending.fact(sid.clone(), Utc::now(), Fact::Ended(Ended::Operator));
    assert!(pending.write(&store).await);
    assert_eq!(store.call(&sid).await.unwrap(), before);
    pending.fact(sid.clone(), Utc::now(), Fact::Answered { item: ItemId::new("i"), after_ms: 7 });
    assert!(pending.write(&store).await);
    assert_eq!(pending.folds(), 0);
}

#[tokio::test]
async fn more_calls_than_one_transaction_takes_are_all_written() {
    let db = TempDb::new();
    let store = db.store().await;
    let mut pending = pending();
    let calls: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
    begin(&store, &calls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for call in calls {
        pending.fact(CallSid::new(call), Utc::now(), Fact::Ended(Ended::AgentHungUp));
    }
    assert!(pending.write(&store).await);
    assert_eq!((store.recent_calls(1000).await.unwrap().len(), pending.folds()), (200, 0));
}

#[tokio::test]
async fn what_the_database_refuses_of_one_call_takes_no_other_along() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1", "c2", "c3"]).await;
    let refuses =
        "CREATE TRIGGER no_turn BEFORE INSERT ON turns WHEN NEW.text = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END";
    db.run(refuses);
    let writer = RecordWriter::new(store.clone(), rules(), &Handle::current());
    for (call, said) in [("c1", "yes"), ("c2", "no"), ("c3", "ye\0s")] {
        let sid = CallSid::new(call);
        writer.record(&sid, at(0), &turn(0, Who::Agent, said, 800));
        writer.record(&sid, at(1), &Fact::Ended(Ended::CallerHungUp { reason: Some("go\0ne".to_owned()) }));
    }
    assert!(writer.flush().await);
    for (call, kept) in [("c1", Some("yes")), ("c2", None), ("c3", Some("ye\u{fffd}s"))] {
        let found = store.call(&CallSid::new(call)).await.unwrap();
        let turns = found.as_ref().map(|found| &found.turns[..]).unwrap_or_default();
        assert_eq!(turns.first().map(|turn| turn.text.as_str()), kept, "{call}");
        let why = found.and_then(|found| found.call.ended_why);
        assert!(why.is_none_or(|why| why.contains("go\u{fffd}ne")));
    }
}
