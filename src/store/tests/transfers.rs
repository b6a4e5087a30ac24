//! Where callers were handed on to, whoever asks first and however often.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use protocol::call::end::{EndCode, Ended, Transfer};
use protocol::ids::{CallSid, Secret};

use super::Db;
use crate::store::tests::{batch, media, new_call, new_client, update};
use crate::store::*;

async fn store(db: &Db) -> (Store, i64) {
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let target = EventsTarget { url: "https://crm.example/x".to_owned(), secret: Secret::new("sixteen-letters-") };
    assert!(store.set_events_target(client, Some(target)).await.unwrap());
    (store, client)
}

async fn row(store: &Store, sid: &str) -> Call {
    store.call(&CallSid::new(sid)).await.unwrap().unwrap().call
}

fn ended(sid: &str, why: &Ended) -> CallUpdate {
    let transfer = if let Ended::Transferred(transfer) = why { Some(transfer.clone()) } else { None };
    let (status, code) = (why.status().to_owned(), why.code());
    let finish = Some(Finish { at: Utc::now(), status, code, why: why.words(), transfer });
    CallUpdate { media: Some(media()), finish, ..update(sid) }
}

fn to_billing() -> Ended {
    let (reason, summary) = ("a bill".to_owned(), Some("Asha asks about bill 12.".to_owned()));
    Ended::Transferred(Transfer { reason, to: Some("billing".to_owned()), summary })
}

fn failed() -> Ended {
    Ended::ModelFailed { cause: "no session".to_owned() }
}

fn new(call: &Call, destination: &str, rings: u64) -> NewTransfer {
    NewTransfer {
        call_sid: call.call_sid.clone(),
        number: call.transfer_number(),
        ended_code: call.ended_code,
        destination: destination.to_owned(),
        reason: "the agent failed".to_owned(),
        rings: Duration::from_secs(rings),
        at: Utc::now(),
    }
}

/// Keys of the events that wait, in the order in which they are told.
async fn events(store: &Store) -> Vec<String> {
    let mut jobs = store.jobs(true, None, 1000).await.unwrap();
    jobs.sort_by_key(|job| job.id);
    jobs.into_iter().map(|job| job.key).collect()
}

#[tokio::test]
async fn a_transfer_is_told_once_before_its_calls_end_with_what_whoever_picks_up_must_know() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    store.begin_call(new_call("c1", client)).await.unwrap();
    let end = ended("c1", &to_billing());
    for _ in 0..3 {
        store.write_batch(batch(vec![end.clone()])).await.unwrap();
    }
    assert_eq!(events(&store).await, ["call.started/c1", "call.transferred/c1/1", "call.ended/c1"]);
    let jobs = store.jobs(true, None, 1000).await.unwrap();
    let told = jobs.iter().find(|job| job.key.starts_with("call.transferred")).unwrap();
    assert_eq!(told.payload["transfer"]["to"], "billing");
    assert_eq!(told.payload["transfer"]["summary"], "Asha asks about bill 12.");
    assert!(told.run_at <= Utc::now(), "before the desk's telephone rings");
    let call = row(&store, "c1").await;
    let stands = store.transfer_of_call(&call).await.unwrap().unwrap();
    assert_eq!(
        (stands.destination.as_deref(), stands.cause, stands.number),
        (Some("billing"), EndCode::Transferred, 1)
    );
    // Whoever asks where the caller goes is answered with that, whatever they would have said themselves.
    let asked = store.hand_on(new(&call, "front_desk", 45)).await.unwrap().unwrap();
    assert_eq!(asked, HandedOn { stands, decided: false });
    // Without a destination it is as it was: on record, and told with the end.
    store.begin_call(new_call("c2", client)).await.unwrap();
    let plain = Ended::Transferred(Transfer::because("wants a person".to_owned()));
    store.write_batch(batch(vec![ended("c2", &plain)])).await.unwrap();
    assert!(!events(&store).await.iter().any(|key| key.starts_with("call.transferred/c2")));
    assert_eq!(store.transfers_of_call(&row(&store, "c2").await).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_that_ask_at_once_where_a_failed_caller_goes_one_decides_and_all_are_told_the_same() {
    let db = Db::new();
    let (one, client) = store(&db).await;
    let other = db.store().await;
    one.begin_call(new_call("c1", client)).await.unwrap();
    one.write_batch(batch(vec![ended("c1", &failed())])).await.unwrap();
    let call = row(&one, "c1").await;
    let asks = (0..8).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        store.hand_on(new(&call, &format!("desk{n}"), 45))
    });
    let told: Vec<HandedOn> = join_all(asks).await.into_iter().map(|told| told.unwrap().unwrap()).collect();
    assert!(told.iter().all(|one| one.stands == told[0].stands), "{told:?}");
    assert_eq!(told.iter().filter(|one| one.decided).count(), 1, "{told:?}");
    assert_eq!(events(&one).await, ["call.started/c1", "call.transferred/c1/1", "call.ended/c1"]);
    // What was decided on another end, or before another stream, is decided anew.
    let stale = NewTransfer { ended_code: Some(EndCode::Reaped), ..new(&call, "desk", 45) };
    assert_eq!(one.hand_on(stale).await.unwrap(), None);
    let stale = NewTransfer { number: 2, ..new(&call, "desk", 45) };
    assert_eq!(one.hand_on(stale).await.unwrap(), None);
    let nobody = NewTransfer { call_sid: CallSid::new("c9"), ..new(&call, "desk", 45) };
    assert_eq!(one.hand_on(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn the_end_of_a_call_waits_while_it_rings_and_a_minute_for_what_becomes_of_it() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    let waits = async |sid: &str| (row(&store, sid).await.over_at.unwrap() - Utc::now()).num_seconds();
    for (sid, why, rings, secs) in
        [("a", to_billing(), 20, 105), ("b", to_billing(), 90, 150), ("c", failed(), 30, 90), ("d", failed(), 45, 105)]
    {
        store.begin_call(new_call(sid, client)).await.unwrap();
        store.write_batch(batch(vec![ended(sid, &why)])).await.unwrap();
        for _ in 0..2 {
            store.hand_on(new(&row(&store, sid).await, "billing", rings)).await.unwrap().unwrap();
        }
        assert!((secs - 3..=secs).contains(&waits(sid).await), "{sid}: {}", waits(sid).await);
        let jobs = store.jobs(true, None, 1000).await.unwrap();
        let told = jobs.iter().find(|job| job.key == format!("call.ended/{sid}")).unwrap().run_at;
        assert!((told - row(&store, sid).await.over_at.unwrap()).abs() < TimeDelta::seconds(1));
    }
    // What became of it is told: nobody was there, and the agent goes on.
    let resumed = FlowResumed { dial_status: Some("no-answer".to_owned()), over: false, at: Utc::now() };
    store.resume_flow(CallSid::new("b"), resumed).await.unwrap();
    assert!((57..=60).contains(&waits("b").await));
    let transfers = store.transfers_of_call(&row(&store, "b").await).await.unwrap();
    assert_eq!(transfers[0].outcome.as_deref(), Some("no-answer"));
    // A call that is over for good has no time to wait for.
    store.begin_call(new_call("e", client)).await.unwrap();
    store.write_batch(batch(vec![ended("e", &Ended::Closed)])).await.unwrap();
    store.hand_on(new(&row(&store, "e").await, "night_desk", 45)).await.unwrap().unwrap();
    assert_eq!(row(&store, "e").await.over_at, None);
}
