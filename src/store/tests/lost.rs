//! Calls that no gateway has any more.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use protocol::call::end::{EndCode, EndedBy};
use protocol::ids::{CallSid, Secret};

use super::Db;
use crate::store::tests::{
    at, batch, finish, lose, media, neighbour, new_call, new_client, node, report, turn, update,
};
use crate::store::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A store whose client is told of its calls.
async fn store(db: &Db) -> (Store, i64) {
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let target = EventsTarget { url: "https://crm.example/x".to_owned(), secret: Secret::new("sixteen-letters-") };
    assert!(store.set_events_target(client, Some(target)).await.unwrap());
    (store, client)
}

fn sids(range: std::ops::Range<usize>) -> Vec<CallSid> {
    range.map(|n| CallSid::new(format!("c{n}"))).collect()
}

async fn told_ends(store: &Store) -> usize {
    let jobs = store.jobs(true, None, 100).await.unwrap();
    jobs.iter().filter(|job| job.payload["type"] == CALL_ENDED).count()
}

#[tokio::test]
async fn of_calls_that_the_version_before_may_have_only_old_ones_are_looked_for() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    for (sid, secs) in [("old", 0), ("older", -60), ("over", -60), ("young", 60)] {
        store.begin_call(NewCall { at: at(secs), ..new_call(sid, client) }).await.unwrap();
    }
    store.report_call(report("over", "completed")).await.unwrap();
    // Somebody else's, of which the carrier tells us all the same.
    store.report_call(CallEndReport { at: at(-60), ..report("foreign", "ringing") }).await.unwrap();
    db.execute("UPDATE calls SET owner = NULL, generation = 2").unwrap();
    let found = async |limit| store.lost_calls(&neighbour(), at(30), limit).await.unwrap();
    let old = |sid| LostCall { call_sid: CallSid::new(sid), generation: 2, owner: None };
    assert_eq!(found(10).await, [old("older"), old("old")]);
    assert_eq!(found(1).await, [old("older")]);
    // What a gateway has itself, it knows by itself, until nobody can have it any more.
    db.execute(&format!("UPDATE calls SET owner = '{}'", neighbour())).unwrap();
    assert_eq!(found(10).await.len(), 2);
}

#[tokio::test]
async fn the_calls_of_a_gateway_are_lost_once_its_lease_ran_out_or_was_given_back() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    store.begin_call(new_call("c1", client)).await.unwrap();
    let lost = async || store.lost_calls(&neighbour(), at(0), 10).await.unwrap();
    assert!(!store.renew_lease(&node(), MINUTE).await.unwrap(), "its first");
    assert!(store.renew_lease(&node(), MINUTE).await.unwrap());
    assert!(lost().await.is_empty());
    assert!(store.renew_lease(&node(), Duration::ZERO).await.unwrap());
    let c1 = LostCall { call_sid: CallSid::new("c1"), generation: 1, owner: Some(node()) };
    assert_eq!(lost().await, std::slice::from_ref(&c1));
    assert!(!store.renew_lease(&node(), MINUTE).await.unwrap(), "it had run out");
    assert!(lost().await.is_empty());
    store.give_lease_back(&node()).await.unwrap();
    assert_eq!(lost().await, std::slice::from_ref(&c1));
    // Whoever has no lease itself ends nothing; nor does whoever looked before the owner was back, or another had the call.
    assert!(store.end_lost_calls(&neighbour(), vec![c1.clone()]).await.unwrap().is_empty());
    store.renew_lease(&neighbour(), MINUTE).await.unwrap();
    store.renew_lease(&node(), MINUTE).await.unwrap();
    assert!(store.end_lost_calls(&neighbour(), vec![c1.clone()]).await.unwrap().is_empty());
    store.give_lease_back(&node()).await.unwrap();
    let newer = LostCall { generation: 2, ..c1.clone() };
    assert!(store.end_lost_calls(&neighbour(), vec![newer]).await.unwrap().is_empty());
    assert_eq!(store.end_lost_calls(&neighbour(), vec![c1]).await.unwrap().len(), 1);
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert!(!call.is_over_for_good(Utc::now()), "it may come back");
    let jobs = store.jobs(true, None, 10).await.unwrap();
    let told = jobs.iter().find(|job| job.payload["type"] == CALL_ENDED).unwrap();
    assert_eq!(Some(told.run_at), call.over_at, "its client is told when it cannot any more");
}

#[tokio::test]
async fn gateways_that_are_long_gone_are_forgotten_unless_they_left_a_call() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    store.begin_call(new_call("c1", client)).await.unwrap();
    for node in [node(), neighbour(), NodeId::new("third")] {
        store.renew_lease(&node, MINUTE).await.unwrap();
    }
    assert_eq!(store.forget_nodes().await.unwrap(), 0);
    db.execute("UPDATE nodes SET lease_until = '2026-01-01 00:00:00' WHERE name <> 'third'").unwrap();
    assert_eq!(store.forget_nodes().await.unwrap(), 1);
    lose(&store, &sids(1..2)).await;
    assert_eq!(store.forget_nodes().await.unwrap(), 1);
}

#[tokio::test]
async fn two_nodes_that_end_the_same_calls_at_once_tell_of_each_once() {
    let db = Db::new();
    let (one, client) = store(&db).await;
    let other = db.store().await;
    let calls = sids(0..12);
    for call in &calls {
        one.begin_call(new_call(call.as_str(), client)).await.unwrap();
    }
    let third = NodeId::new("third");
    for node in [&neighbour(), &third] {
        one.renew_lease(node, MINUTE).await.unwrap();
    }
    let lost = one.lost_calls(&third, at(0), 100).await.unwrap();
    let backwards: Vec<LostCall> = lost.iter().rev().cloned().collect();
    let theirs = neighbour();
    let (here, there) =
        tokio::join!(one.end_lost_calls(&third, lost.clone()), other.end_lost_calls(&theirs, backwards));
    assert_eq!(here.unwrap().len() + there.unwrap().len(), calls.len());
    assert!(one.end_lost_calls(&third, lost).await.unwrap().is_empty());
    assert_eq!(told_ends(&one).await, calls.len());
    let entries = one.recent_audit(100).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.kind == "call.lost").count(), calls.len());
    assert!(one.verify_audit().await.unwrap().is_ok());
    assert!(one.lost_calls(&third, at(60), 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn such_a_call_failed_when_it_was_last_heard_of_and_keeps_its_figures() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    let figures = Some(Figures { turn_count: Some(2), ..Figures::default() });
    store.begin_call(new_call("c0", client)).await.unwrap();
    let turns = vec![turn(0, "Hello."), turn(1, "Yes?")];
    let spoken = CallUpdate { media: Some(media()), turns, figures, ..update("c0") };
    store.write_batch(batch(vec![spoken])).await.unwrap();
    let before = store.call(&CallSid::new("c0")).await.unwrap().unwrap();
    assert_eq!(lose(&store, &sids(0..1)).await, sids(0..1));
    let after = store.call(&CallSid::new("c0")).await.unwrap().unwrap();
    assert_eq!((&after.turns, &after.call.figures), (&before.turns, &before.call.figures));
    let call = after.call;
    assert_eq!((call.status.as_str(), call.ended_by), ("failed", Some(EndedBy::Reaper)));
    assert!(call.ended_why.unwrap().contains("nobody told of the end"));
    // The last turn began 100 ms into the media stream and was heard for 900.
    assert_eq!(call.times.ended_at, Some(at(2) + TimeDelta::milliseconds(1000)));
}

/// One account of a call that comes late.
async fn tell(store: &Store, sid: &str, account: usize) {
    let media = Some(media());
    let in_vain = Finish { code: EndCode::NoMedia, ..finish("failed", "").unwrap() };
    let passed_on = Finish { code: EndCode::CarrierReported, ..finish("busy", "").unwrap() };
    let told = match account {
        0 => return drop(store.report_call(report(sid, "completed")).await.unwrap()),
        1 => CallUpdate { finish: finish("completed", "the caller hung up"), ..update(sid) },
        2 => CallUpdate { media, finish: finish("completed", "the caller hung up"), ..update(sid) },
        3 => CallUpdate { finish: Some(in_vain), ..update(sid) },
        4 => CallUpdate { finish: Some(passed_on), ..update(sid) },
        // A stream that came after all goes on.
        _ => CallUpdate { media, ..update(sid) },
    };
    store.write_batch(batch(vec![told])).await.unwrap();
}

#[tokio::test]
async fn a_late_account_of_the_end_wins_and_the_client_is_told_once() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    for account in 0..6 {
        let [lost, plain, early] = ["lost", "plain", "early"].map(|name| format!("{name}{account}"));
        for sid in [&lost, &plain, &early] {
            store.begin_call(new_call(sid, client)).await.unwrap();
        }
        assert_eq!(lose(&store, &[CallSid::new(&lost)]).await.len(), 1);
        // A report of what is no end changes nothing.
        let on_the_way = CallEndReport { ended_at: None, ..report(&lost, "in-progress") };
        assert_eq!(store.report_call(on_the_way.clone()).await.unwrap().ended_by, Some(EndedBy::Reaper));
        for sid in [&lost, &plain, &early] {
            store.report_call(CallEndReport { call_sid: CallSid::new(sid), ..on_the_way.clone() }).await.unwrap();
            tell(&store, sid, account).await;
        }
        let swept = lose(&store, &[CallSid::new(&early)]).await;
        assert_eq!(swept.len(), usize::from(account == 5), "what has an end is left alone");
        let row = async |sid: &str| {
            let mut call = store.call(&CallSid::new(sid)).await.unwrap().unwrap().call;
            (call.id, call.call_sid, call.over_at) = (0, CallSid::new(""), None);
            call
        };
        assert_eq!(row(&lost).await, row(&plain).await, "{account}");
        if account < 5 {
            assert_eq!(row(&early).await, row(&plain).await, "{account}");
        }
    }
    let jobs = store.jobs(true, None, 100).await.unwrap();
    let ends: Vec<&str> = jobs.iter().filter(|job| job.payload["type"] == CALL_ENDED).map(|job| &*job.key).collect();
    assert_eq!(ends.iter().filter(|key| key.contains("/lost")).count(), 5, "what goes on has not ended: {ends:?}");
}
