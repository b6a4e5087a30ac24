//! A database of the version before, with calls of every kind in it: as its program left it when it was killed.

use futures_util::future::join_all;
use protocol::call::end::EndCode;
use protocol::ids::CallSid;

use super::{BEFORE, Db};
use crate::store::tests::{neighbour, new_call, node, stream_there};
use crate::store::*;

/// The call of the fixture that waited for its stream when its gateway was killed.
const WAITED: &str = "fixture-still-waits";

async fn opened(db: &Db) -> Store {
    db.execute(BEFORE).unwrap();
    db.store().await
}

async fn calls(store: &Store) -> Vec<Call> {
    let mut calls: Vec<_> = store.recent_calls(50).await.unwrap().into_iter().map(|(call, _)| call).collect();
    calls.sort_unstable_by_key(|call| call.id);
    calls
}

/// The one that had its stream.
async fn talked(store: &Store) -> String {
    let open = calls(store).await.into_iter().find(|call| !call.is_over() && call.streams() == 1);
    open.unwrap().call_sid.as_str().to_owned()
}

async fn row(store: &Store, sid: &str) -> Call {
    store.call(&CallSid::new(sid)).await.unwrap().unwrap().call
}

#[tokio::test]
async fn what_the_version_before_left_is_read_as_it_was_meant() {
    let db = Db::new();
    let store = opened(&db).await;
    let told = calls(&store).await;
    let codes: Vec<_> = told.iter().map(|call| call.ended_code).collect();
    let said = Some(EndCode::AgentHungUp);
    let carriers = Some(EndCode::CarrierReported);
    assert_eq!(codes[..4], [said, said, Some(EndCode::NoMedia), carriers]);
    assert_eq!(codes[4..], [carriers, carriers, None, None]);
    assert!(told.iter().all(|call| call.ownership.owner.is_none()));
    let streams: Vec<_> = told.iter().map(Call::streams).collect();
    assert_eq!(streams, [1, 1, 0, 0, 0, 0, 1, 0]);
    let turns = store.call(&CallSid::new(talked(&store).await)).await.unwrap().unwrap().turns;
    assert!(!turns.is_empty());
    let recordings = join_all(told.iter().map(|call| store.recordings_of_call(&call.call_sid))).await;
    assert_eq!(recordings.into_iter().map(|of_call| of_call.unwrap().len()).sum::<usize>(), 1);
    assert!(store.verify_audit().await.unwrap().is_ok());
    assert!(!store.waiting_jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn calls_that_the_version_before_left_open_go_on_with_whoever_gets_their_stream_or_are_ended_by_their_age() {
    let db = Db::new();
    let store = opened(&db).await;
    let talked_on = talked(&store).await;
    for sid in [WAITED, &talked_on] {
        let begun = store.begin_call(new_call(sid, 1)).await.unwrap();
        assert!(matches!(begun, Begun::Elsewhere(_)), "a gateway of that version may have it: {begun:?}");
    }
    assert!(matches!(store.take_stream(stream_there(WAITED)).await.unwrap(), StreamClaim::Granted { stream: 1, .. }));
    let second = NewStream { number: Some(2), ..stream_there(&talked_on) };
    assert!(matches!(store.take_stream(second).await.unwrap(), StreamClaim::Granted { stream: 2, .. }));
    assert_eq!(row(&store, &talked_on).await.ownership.owner, Some(neighbour()));

    let db = Db::new();
    let store = opened(&db).await;
    store.renew_lease(&node(), std::time::Duration::from_secs(60)).await.unwrap();
    let talked_on = talked(&store).await;
    let began = row(&store, &talked_on).await.times.started_at;
    assert!(store.lost_calls(&node(), began, 9).await.unwrap().is_empty());
    let lost = store.lost_calls(&node(), chrono::Utc::now(), 9).await.unwrap();
    assert_eq!(store.end_lost_calls(&node(), lost).await.unwrap().len(), 2);
    assert_eq!(row(&store, &talked_on).await.ended_code, Some(EndCode::Reaped));
}
