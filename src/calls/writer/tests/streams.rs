//! Calls that end and come back.

use chrono::TimeDelta;

use protocol::call::fact::ToolCall;
use protocol::call::history::{History, StoredStep};
use protocol::call::io::{ConnId, EffectId};
use protocol::ids::ResponseId;

use super::*;
use crate::store::tests::neighbour;
use crate::store::{NewStream, StreamClaim};

fn hung_up(reason: Option<&str>) -> Fact {
    Fact::Ended(Ended::CallerHungUp { reason: reason.map(str::to_owned) })
}

/// Tells facts so many seconds into a call, and writes them.
async fn tell(pending: &mut Pending, store: &Store, began: DateTime<Utc>, facts: &[(i64, Fact)]) {
    for (secs, fact) in facts {
        pending.fact(CallSid::new("c1"), began + TimeDelta::seconds(*secs), fact.clone());
    }
    assert!(pending.write(store).await);
}

#[tokio::test]
async fn a_call_that_comes_back_is_one_call_with_the_figures_of_all_its_streams() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let mut pending = pending();
    let (began, row) = (Utc::now() - TimeDelta::seconds(50), async || store.call(&CallSid::new("c1")).await.unwrap());
    let usage = Fact::Usage(Usage { input_audio: 10, ..Usage::default() });
    let first = [
        (0, media_started()),
        (1, Fact::FirstAudio { after_ms: 900 }),
        (2, turn(0, Who::Agent, "Hello", 800)),
        (3, usage.clone()),
        (10, hung_up(None)),
    ];
    tell(&mut pending, &store, began, &first).await;
    assert_eq!(row().await.unwrap().call.status, "completed");
    assert_eq!(pending.folds(), 1, "it may come back");
    tell(&mut pending, &store, began, &[(20, Fact::Resumed), (20, Fact::ModelDialled { attempt: 2 })]).await;
    let call = row().await.unwrap().call;
    assert_eq!((call.status.as_str(), call.is_over(), call.ended_why), ("in-progress", false, None));
    let second =
        [(21, media_started()), (25, turn(1, Who::Caller, "Hi", 400)), (26, usage), (30, hung_up(Some("callended")))];
    tell(&mut pending, &store, began, &second).await;
    let CallWithTurns { call, turns, .. } = row().await.unwrap();
    assert_eq!((turns.len(), call.figures.turn_count, call.figures.duration_ms), (2, Some(2), Some(30_000)));
    assert_eq!(call.times.media_at.map(|at| at.timestamp()), Some(began.timestamp()), "of the first stream");
    assert_eq!((call.figures.first_audio_ms, call.figures.model_reconnects), (Some(900), Some(1)));
    assert_eq!(call.figures.tokens, Some(Tokens { input_audio: 20, ..Tokens::default() }));
    assert_eq!(call.ended_why.as_deref(), Some("the caller's side ended the stream (callended)"));
    assert_eq!(pending.folds(), 0, "it is over");
}

#[tokio::test]
async fn a_call_that_was_expected_back_in_vain_ended_when_it_was_left() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let mut pending = pending();
    let began = Utc::now() - TimeDelta::seconds(50);
    tell(&mut pending, &store, began, &[(0, media_started()), (10, hung_up(None))]).await;
    tell(&mut pending, &store, began, &[(20, Fact::Resumed)]).await;
    tell(&mut pending, &store, began, &[(40, Fact::Ended(Ended::NoMedia))]).await;
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!((call.status.as_str(), call.figures.duration_ms), ("completed", Some(10_000)));
    assert_eq!(call.ended_why.as_deref(), Some("the carrier's socket closed"));
    assert_eq!(call.times.ended_at.map(|at| at.timestamp()), Some((began + TimeDelta::seconds(10)).timestamp()));
}

#[tokio::test]
async fn calls_that_do_not_come_back_are_let_go_of() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let mut pending = pending();
    let long_ago = Utc::now() - TimeDelta::seconds(100);
    tell(&mut pending, &store, long_ago, &[(0, media_started()), (10, hung_up(None))]).await;
    assert_eq!(pending.folds(), 0);
}

#[tokio::test]
async fn an_end_and_the_return_that_an_outage_held_up_are_written_together() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let mut pending = pending();
    let began = Utc::now() - TimeDelta::seconds(50);
    let all = [(0, media_started()), (10, hung_up(None)), (20, Fact::Resumed), (21, media_started())];
    tell(&mut pending, &store, began, &all).await;
    assert_eq!(store.call(&CallSid::new("c1")).await.unwrap().unwrap().call.status, "in-progress");
    assert_eq!(pending.folds(), 1, "it is live");
    tell(&mut pending, &store, began, &[(30, hung_up(Some("callended")))]).await;
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!((call.status.as_str(), call.figures.duration_ms, pending.folds()), ("completed", Some(30_000), 0));
}

/// A function that is called, and does not return.
fn asked_for_the_hours() -> Fact {
    Fact::ToolCalled(ToolCall {
        id: EffectId(1),
        conn: ConnId(1),
        response: ResponseId::new("r1"),
        call_id: "k1".to_owned(),
        name: "hours".to_owned(),
        arguments: "{}".to_owned(),
        at_ms: 4_000,
        wait_ms: Some(15_000),
    })
}

#[tokio::test]
async fn a_call_whose_gateway_died_goes_on_at_another_from_its_record_and_nothing_is_counted_twice() {
    let db = TempDb::new();
    let store = db.store().await;
    begin(&store, &["c1"]).await;
    let (mut here, began) = (pending(), Utc::now() - TimeDelta::seconds(50));
    let usage = Fact::Usage(Usage { input_audio: 10, ..Usage::default() });
    let cut = |ms| Fact::Interrupted { item: ItemId::new("a"), heard_ms: 1, unheard_ms: ms, at_ms: 5_000 };
    let first = [
        (0, Fact::ModelDialled { attempt: 1 }),
        (0, media_started()),
        (1, Fact::FirstAudio { after_ms: 900 }),
        (2, cut(300)),
        (3, usage.clone()),
        (3, Fact::Counted { what: "caller_lost", count: 2 }),
        (3, answer(0, "Hello", 800, 700)),
        (3, turn(1, Who::Caller, "Hi", 400)),
        (4, asked_for_the_hours()),
        (5, Fact::KeysEntered { keys: "42".to_owned() }),
    ];
    tell(&mut here, &store, began, &first).await;
    // It dies. Another has the next stream.
    let stream = NewStream {
        call_sid: CallSid::new("c1"),
        number: None,
        stream: StreamSid::new("s2"),
        owner: neighbour(),
        at: Utc::now(),
    };
    let claim = store.take_stream(stream).await.unwrap();
    let StreamClaim::Granted { was, generation, .. } = claim else { panic!("not granted") };
    let stored = store.stored_history(&was).await.unwrap();
    assert_eq!((stored.turns.len(), stored.dials), (2, 1));
    assert!(
        matches!(&stored.steps[..], [StoredStep::Keys { keys, at_ms: 5_000 }, StoredStep::Tool { result: None, .. }]
        if keys == "42")
    );
    let waits = stored.turns.iter().collect();
    let history = History::stored(stored);
    assert_eq!(history.effects(), 1, "the next function is another one");
    assert_eq!(history.turns().next().and_then(|turn| turn.answer_ms), Some(700));
    let mut there = Pending::new(neighbour(), "gpt-realtime-2.1".to_owned(), Prices::default());
    there.owns(CallSid::new("c1"), &Held::found(&was, generation, waits));
    let second = [
        (20, Fact::ModelDialled { attempt: 2 }),
        (20, media_started()),
        (21, cut(100)),
        (22, usage),
        (22, Fact::Counted { what: "caller_lost", count: 1 }),
        (23, answer(2, "Sorry", 600, 500)),
        (23, answer(0, "Hello", 800, 700)),
        (30, hung_up(Some("callended"))),
    ];
    tell(&mut there, &store, began, &second).await;
    let CallWithTurns { call, turns, .. } = store.call(&CallSid::new("c1")).await.unwrap().unwrap();
    let figures = call.figures;
    assert_eq!((turns.len(), figures.turn_count), (3, Some(3)));
    assert_eq!((figures.caller_talk_ms, figures.agent_talk_ms), (Some(400), Some(1_400)));
    assert_eq!((figures.interruptions, figures.unheard_ms, figures.frames_lost), (Some(2), Some(400), Some(3)));
    assert_eq!((figures.first_audio_ms, figures.answer_max_ms), (Some(900), Some(700)));
    assert_eq!((figures.answer_p50_ms, figures.answer_p95_ms), (Some(500), Some(700)), "of all streams");
    assert_eq!((figures.model_reconnects, figures.duration_ms), (Some(1), Some(30_000)));
    assert_eq!(figures.tokens, Some(Tokens { input_audio: 20, ..Tokens::default() }));
    // The old one, should it live, writes nothing more.
    tell(&mut here, &store, began, &[(31, turn(2, Who::Agent, "From the dead", 1))]).await;
    assert_eq!(here.take_superseded().len(), 1);
    assert_eq!(store.call(&CallSid::new("c1")).await.unwrap().unwrap().turns[2].text, "Sorry");
}
