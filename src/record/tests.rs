use std::time::UNIX_EPOCH;

use protocol::call::fact::{Ended, Turn, Who};
use protocol::ids::{ItemId, StreamSid};
use protocol::realtime::event::Usage;

use super::*;
use crate::store::tests::{TempDb, WriteLock, new_call, new_client};
use crate::store::{CallWithTurns, End, Tokens};

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000) + Duration::from_millis(ms)
}

fn turn(index: u32, who: Who, text: &str, heard_ms: u64) -> Fact {
    Fact::Turn(Turn { index, who, text: text.to_owned(), at_ms: 0, heard_ms, generated_ms: 0, interrupted: false })
}

fn media_started() -> Fact {
    let at = std::time::Instant::now();
    Fact::MediaStarted { stream: StreamSid::new("s1"), rate: codecs::SampleRate::Hz8000, at }
}

#[tokio::test]
async fn a_call_is_folded_into_its_transcript_figures_and_end() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    store.begin_call(new_call("c1", client.id)).await.unwrap();
    let (writer, sid) = (RecordWriter::new(store.clone()), CallSid::new("c1"));
    let item = ItemId::new("i1");
    writer.record(&sid, at(0), &Fact::ModelDialled { attempt: 1 });
    writer.record(&sid, at(1000), &media_started());
    writer.record(&sid, at(1100), &Fact::FirstAudio { after_ms: 100 });
    writer.record(&sid, at(2000), &turn(0, Who::Agent, "Hello", 800));
    writer.record(&sid, at(3000), &turn(1, Who::Caller, "", 500));
    assert!(writer.flush().await);
    for after_ms in [400, 900, 500] {
        writer.record(&sid, at(4000), &Fact::Answered { after_ms });
    }
    writer.record(&sid, at(5000), &Fact::Heard { item: item.clone(), generated_ms: 9, heard_ms: 9 });
    writer.record(&sid, at(5000), &Fact::Interrupted { item, heard_ms: 300, unheard_ms: 700, at_ms: 4000 });
    writer.record(&sid, at(5000), &turn(2, Who::Agent, "As I", 300));
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
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(End::Gateway)));
    assert_eq!(call.ended_why.as_deref(), Some("the agent ended the call"));
    let figures = call.figures;
    assert_eq!((figures.duration_ms, figures.first_audio_ms), (Some(60_000), Some(100)));
    assert_eq!((figures.caller_talk_ms, figures.agent_talk_ms, figures.turn_count), (Some(600), Some(1100), Some(3)));
    assert_eq!(
        (figures.answer_p50_ms, figures.answer_p95_ms, figures.answer_max_ms),
        (Some(500), Some(900), Some(900))
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
    let (writer, sid) = (RecordWriter::new(store.clone()), CallSid::new("c1"));
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
    let (writer, sid) = (RecordWriter::new(store.clone()), CallSid::new("c1"));
    // Another process holds the only write lock for longer than SQLite waits for it.
    let lock = WriteLock::take(&db);
    writer.record(&sid, at(0), &media_started());
    writer.record(&sid, at(1), &turn(0, Who::Agent, "Hello", 800));
    assert!(!writer.flush().await);
    writer.record(&sid, at(2), &Fact::Ended(Ended::AgentHungUp));
    lock.release();
    assert!(writer.flush().await);
    let CallWithTurns { call, turns, .. } = store.call(&sid).await.unwrap().unwrap();
    assert_eq!((turns.len(), call.status.as_str()), (1, "completed"));
    assert_eq!(store.audit_of_call(&sid).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_given_before_the_last_writer_went_is_written() {
    let db = TempDb::new();
    let store = db.store().await;
    let (writer, sid) = (RecordWriter::new(store.clone()), CallSid::new("c1"));
    writer.record(&sid, at(2), &Fact::Ended(Ended::AgentHungUp));
    drop(writer);
    tokio::time::timeout(Duration::from_secs(10), async {
        while store.call(&sid).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_long_outage_costs_the_oldest_entries_and_no_end() {
    let mut pending = Pending::new("gpt-realtime-2.1".to_owned());
    let first = CallSid::new("first");
    pending.fact(first.clone(), Utc::now(), Fact::Ended(Ended::AgentHungUp));
    for n in 0..pending::MAX_AUDIT {
        pending.fact(CallSid::new(format!("c{n}")), Utc::now(), Fact::Dtmf { digit: '1' });
    }
    assert_eq!(pending.audit.len(), pending::MAX_AUDIT);
    assert_eq!(pending.audit[0].call_sid.as_ref(), Some(&first));
}

#[tokio::test]
async fn a_stray_fact_of_a_finished_call_is_not_kept_for_ever_and_changes_nothing() {
    let db = TempDb::new();
    let store = db.store().await;
    let sid = CallSid::new("c1");
    let mut pending = Pending::new("gpt-realtime-2.1".to_owned());
    pending.fact(sid.clone(), Utc::now(), media_started());
    pending.fact(sid.clone(), Utc::now(), Fact::Ended(Ended::AgentHungUp));
    assert!(pending.write(&store).await);
    let before = store.call(&sid).await.unwrap();
    pending.fact(sid.clone(), Utc::now(), Fact::Counted { what: "caller_lost", count: 7 });
    pending.fact(sid.clone(), Utc::now(), Fact::Ended(Ended::Operator));
    assert!(pending.write(&store).await);
    assert_eq!(store.call(&sid).await.unwrap(), before);
    pending.fact(sid.clone(), Utc::now(), Fact::Answered { after_ms: 7 });
    assert!(pending.write(&store).await);
    assert_eq!(pending.folds(), 0);
}
