//! A call has one owner, whoever asks for it, and whatever comes in which order.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use proptest::prelude::*;
use protocol::call::end::{EndCode, Ended, Transfer};
use protocol::ids::{CallSid, Secret, StreamSid};

use super::Db;
use crate::store::tests::{
    batch, lose, media, neighbour, new_call, new_client, node, report, stream_there, turn, update,
};
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

/// When the end of a call is told, if it waits to be.
async fn told(store: &Store, sid: &str) -> Option<chrono::DateTime<Utc>> {
    let jobs = store.jobs(true, None, 1000).await.unwrap();
    jobs.into_iter().find(|job| job.key == format!("call.ended/{sid}")).map(|job| job.run_at)
}

fn ended(sid: &str, why: &Ended) -> CallUpdate {
    let (status, code) = (why.status().to_owned(), why.code());
    let transfer = if let Ended::Transferred(transfer) = why { Some(transfer.clone()) } else { None };
    let finish = Some(Finish { at: Utc::now(), status, code, why: why.words(), transfer });
    CallUpdate { media: Some(media()), finish, ..update(sid) }
}

fn lost_line() -> Ended {
    Ended::CallerHungUp { reason: None }
}

#[tokio::test]
async fn of_many_gateways_that_get_the_same_stream_at_once_one_has_the_call() {
    let db = Db::new();
    let (one, client) = store(&db).await;
    let other = db.store().await;
    one.begin_call(new_call("c1", client)).await.unwrap();
    let takes = (0..8).map(|n| {
        let (store, owner) = (if n % 2 == 0 { &one } else { &other }, NodeId::new(&format!("n{n}")));
        store.take_stream(NewStream { owner, ..stream_there("c1") })
    });
    let taken: Vec<StreamClaim> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        taken.iter().filter(|taken| matches!(taken, StreamClaim::Granted { generation: 2, stream: 1, .. })).count(),
        1
    );
    assert_eq!(taken.iter().filter(|taken| **taken == StreamClaim::Used).count(), 7);
    let winner = taken.iter().position(|taken| matches!(taken, StreamClaim::Granted { .. })).unwrap();
    assert_eq!(row(&one, "c1").await.ownership.owner.unwrap().name(), format!("n{winner}"));
}

#[tokio::test]
async fn whoever_lost_a_call_writes_nothing_more_of_it_and_is_told_so() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    store.begin_call(new_call("c1", client)).await.unwrap();
    let spoken = CallUpdate { media: Some(media()), turns: vec![turn(0, "Hello")], ..update("c1") };
    assert!(store.write_batch(batch(vec![spoken.clone()])).await.unwrap().is_empty());
    let second = NewStream { number: Some(2), ..stream_there("c1") };
    let StreamClaim::Granted { was, generation, stream } = store.take_stream(second).await.unwrap() else {
        panic!("not taken")
    };
    assert_eq!((was.ownership.owner, generation, stream), (Some(node()), 2, 2));
    let before = store.call(&CallSid::new("c1")).await.unwrap();
    let late = CallUpdate { turns: vec![turn(1, "late")], ..ended("c1", &Ended::AgentHungUp) };
    for generation in [None, Some(1), Some(2)] {
        let late = CallUpdate { generation, ..late.clone() };
        assert_eq!(store.write_batch(batch(vec![late])).await.unwrap(), [CallSid::new("c1")]);
    }
    // An older self of the new owner is no better.
    let stale = CallUpdate { owner: neighbour(), generation: Some(1), ..late };
    assert_eq!(store.write_batch(batch(vec![stale])).await.unwrap(), [CallSid::new("c1")]);
    assert_eq!(store.call(&CallSid::new("c1")).await.unwrap(), before);
    assert_eq!(told(&store, "c1").await, None);
}

#[tokio::test]
async fn the_same_webhook_at_another_gateway_leaves_a_live_call_where_it_is() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    store.begin_call(new_call("c1", client)).await.unwrap();
    let there = NewCall { owner: neighbour(), ..new_call("c1", client) };
    let before = row(&store, "c1").await;
    assert!(matches!(store.begin_call(there.clone()).await.unwrap(), Begun::Elsewhere(_)));
    assert_eq!(row(&store, "c1").await, before);
    store.write_batch(batch(vec![CallUpdate { media: Some(media()), ..update("c1") }])).await.unwrap();
    let Begun::Elsewhere(asked) = store.begin_call(there.clone()).await.unwrap() else { panic!("not elsewhere") };
    assert_eq!((asked.ownership.asked_at, asked.ownership.generation), (Some(there.at), 1), "a further stream");
    let Begun::Elsewhere(again) =
        store.begin_call(NewCall { at: there.at + TimeDelta::seconds(5), ..there }).await.unwrap()
    else {
        panic!("not elsewhere")
    };
    assert_eq!(again.ownership.asked_at, asked.ownership.asked_at, "the same URL once more");
    assert!(matches!(store.begin_call(new_call("c1", client)).await.unwrap(), Begun::Ours(_)));
}

#[tokio::test]
async fn a_call_that_ended_for_a_while_goes_on_with_whoever_asks_until_its_client_is_told() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    let there = |sid: &str| NewCall { owner: neighbour(), at: Utc::now(), ..new_call(sid, client) };
    for sid in ["back", "late", "told", "certain", "carrier"] {
        store.begin_call(new_call(sid, client)).await.unwrap();
        let why = if sid == "certain" { Ended::AgentHungUp } else { lost_line() };
        store.write_batch(batch(vec![ended(sid, &why)])).await.unwrap();
        let call = row(&store, sid).await;
        assert_eq!(told(&store, sid).await.filter(|_| sid != "certain"), call.over_at, "{sid}");
    }
    let Begun::Returned { .. } = store.begin_call(there("back")).await.unwrap() else { panic!("over") };
    let back = row(&store, "back").await;
    assert_eq!((back.is_over(), back.over_at, told(&store, "back").await), (false, None, None));
    assert_eq!((back.ownership.owner, back.ownership.generation), (Some(neighbour()), 2));

    db.execute("UPDATE calls SET over_at = '2026-01-01 00:00:00' WHERE call_sid = 'late'").unwrap();
    db.execute("UPDATE jobs SET status = 'done', attempts = 1 WHERE key = 'call.ended/told'").unwrap();
    store.report_call(CallEndReport { at: Utc::now(), ..report("carrier", "completed") }).await.unwrap();
    for sid in ["late", "told", "certain", "carrier"] {
        let before = row(&store, sid).await;
        assert!(matches!(store.begin_call(there(sid)).await.unwrap(), Begun::Over(_)), "{sid}");
        let second = NewStream { number: Some(2), at: Utc::now(), ..stream_there(sid) };
        assert_eq!(store.take_stream(second).await.unwrap(), StreamClaim::Over, "{sid}");
        assert_eq!(row(&store, sid).await.ownership, before.ownership);
    }
}

#[tokio::test]
async fn a_caller_who_was_handed_on_has_as_long_as_it_rings_and_a_minute_to_come_back() {
    let db = Db::new();
    let (store, client) = store(&db).await;
    for (sid, why, secs) in
        [("a", Ended::Transferred(Transfer::because("billing".to_owned())), 105), ("b", lost_line(), 60)]
    {
        store.begin_call(new_call(sid, client)).await.unwrap();
        let before = Utc::now();
        store.write_batch(batch(vec![ended(sid, &why)])).await.unwrap();
        let waits = row(&store, sid).await.over_at.unwrap() - before;
        assert!((waits - TimeDelta::seconds(secs)).num_milliseconds().abs() < 5_000, "{sid}: {waits}");
    }
}

/// One thing that happens to a call.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Take(usize, Option<u32>),
    Speak(usize),
    End(usize, bool),
    Report(bool),
    Reap,
}

fn step() -> impl Strategy<Value = Step> {
    let gateway = || 0..3_usize;
    prop_oneof![
        3 => gateway().prop_map(Step::Begin),
        3 => (gateway(), prop::option::of(1..4_u32)).prop_map(|(gateway, number)| Step::Take(gateway, number)),
        3 => gateway().prop_map(Step::Speak),
        2 => (gateway(), prop::bool::weighted(0.2)).prop_map(|(gateway, certain)| Step::End(gateway, certain)),
        1 => prop::bool::weighted(0.2).prop_map(Step::Report),
        1 => Just(Step::Reap),
    ]
}

/// A gateway writes what it knows of a call: whether it may, is told by what the row said before.
async fn write(store: &Store, before: &Call, known: &(NodeId, Option<i32>), what: CallUpdate) -> bool {
    let (owner, generation) = (known.0.clone(), known.1);
    let ours = before.ownership.owner.as_ref() == Some(&owner) && Some(before.ownership.generation) == generation;
    let lost = store.write_batch(batch(vec![CallUpdate { owner, generation, ..what }])).await.unwrap();
    assert_eq!(lost.is_empty(), ours, "{known:?} of {before:?}");
    ours
}

#[test]
fn whatever_happens_a_call_has_one_owner_and_its_generation_only_grows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = Db::new();
    let (store, client) = runtime.block_on(store(&db));
    let case = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..16))| {
        case.set(case.get() + 1);
        let sid = format!("c{}", case.get());
        // What each gateway knows: the generation under which it has the call, or had it.
        let mut known: Vec<(NodeId, Option<i32>)> = ["a", "b", "c"].map(|name| (NodeId::new(name), None)).to_vec();
        runtime.block_on(async {
            store.begin_call(NewCall { owner: known[0].0.clone(), at: Utc::now(), ..new_call(&sid, client) }).await.unwrap();
            known[0].1 = Some(1);
            for step in steps {
                let before = row(&store, &sid).await;
                match step {
                    Step::Begin(n) => {
                        let new = NewCall { owner: known[n].0.clone(), at: Utc::now(), ..new_call(&sid, client) };
                        match store.begin_call(new).await.unwrap() {
                            Begun::New(_) => panic!("it had begun"),
                            Begun::Ours(_) => assert_eq!(before.ownership.owner.as_ref(), Some(&known[n].0)),
                            Begun::Returned { call, was } => {
                                assert_eq!(was, before.ownership, "as it was before it went on");
                                known[n].1 = Some(call.ownership.generation);
                            }
                            Begun::Elsewhere(_) => assert_ne!(before.ownership.owner.as_ref(), Some(&known[n].0)),
                            Begun::Over(call) => assert!(call.is_over_for_good(Utc::now())),
                        }
                    }
                    Step::Take(n, number) => {
                        let stream = StreamSid::new("s");
                        let new = NewStream { call_sid: CallSid::new(&sid), number, stream, owner: known[n].0.clone(), at: Utc::now() };
                        if let StreamClaim::Granted { generation, .. } = store.take_stream(new).await.unwrap() {
                            known[n].1 = Some(generation);
                        }
                    }
                    Step::Speak(n) => {
                        let said = CallUpdate { turns: vec![turn(0, &format!("{n}"))], ..update(&sid) };
                        write(&store, &before, &known[n], said).await;
                    }
                    Step::End(n, certain) => {
                        let why = if certain { Ended::AgentHungUp } else { lost_line() };
                        let end = CallUpdate { media: None, ..ended(&sid, &why) };
                        if write(&store, &before, &known[n], end).await {
                            assert!(row(&store, &sid).await.is_over());
                        }
                    }
                    Step::Report(certain) => {
                        let status = if certain { "completed" } else { "canceled" };
                        let told = CallEndReport { stream_only: !certain, at: Utc::now(), ..report(&sid, status) };
                        store.report_call(told).await.unwrap();
                    }
                    Step::Reap => drop(lose(&store, &[CallSid::new(&sid)]).await),
                }
                let after = row(&store, &sid).await;
                assert!(after.ownership.generation >= before.ownership.generation);
                if after.ownership.owner != before.ownership.owner {
                    assert_eq!(after.ownership.generation, before.ownership.generation + 1, "{step:?}");
                }
                let over = after.ended_code.filter(|_| after.is_over()).is_some_and(EndCode::is_provisional);
                assert_eq!(after.over_at.is_some(), over, "{step:?} {after:?}");
            }
        });
    });
}
