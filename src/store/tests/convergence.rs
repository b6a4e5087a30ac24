//! What is told of a call comes to one row, whatever the order, however often, and by whomever.

use futures_util::future::join_all;
use proptest::prelude::*;
use protocol::call::end::Ended;
use protocol::ids::{CallSid, PhoneNumber};

use super::Db;
use crate::store::Announced;
use crate::store::tests::{at, media, neighbour, new_client, node, stream_there};
use crate::store::{Batch, Call, CallEndReport, CallUpdate, Entry, Figures, Finish, NewCall, Parties, Store};

/// One thing that is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// call-start.
    Began,
    /// A report of the carrier's.
    Report {
        status: Option<&'static str>,
        from: Option<&'static str>,
        started: Option<i64>,
        ended: Option<i64>,
        secs: Option<i64>,
        at: i64,
        stream_only: bool,
    },
    /// Another node gets the call's media, and so the call.
    OnAir,
    /// That node tells how it ended.
    Lived,
    /// The node that began it waited for the stream in vain.
    InVain,
}

const NUMBERS: [Option<&str>; 3] = [None, Some("09876543210"), Some("+91 98765-43210")];

/// How a gateway saw a call end.
fn finish(secs: i64, ended: &Ended) -> Finish {
    Finish { at: at(secs), status: ended.status().to_owned(), code: ended.code(), why: ended.words(), transfer: None }
}

async fn tell(store: &Store, sid: &str, client_id: i64, begins_from: Option<&str>, told: Told) {
    let number = |raw: Option<&str>| Parties {
        from: raw.map(|_| PhoneNumber::new("+919876543210")),
        from_raw: raw.map(PhoneNumber::new),
        ..Parties::default()
    };
    let update = CallUpdate {
        call_sid: CallSid::new(sid),
        owner: node(),
        generation: None,
        reopened: false,
        media: None,
        turns: vec![],
        steps: vec![],
        secret_keys: false,
        figures: None,
        finish: None,
    };
    let there = |update| CallUpdate { owner: neighbour(), media: Some(media()), ..update };
    if matches!(told, Told::OnAir | Told::Lived) {
        store.take_stream(stream_there(sid)).await.unwrap();
    }
    let update = match told {
        Told::Began => {
            let parties = Parties {
                to: Some(PhoneNumber::new("+918047112233")),
                to_raw: Some(PhoneNumber::new("08047112233")),
                direction: Some("incoming".to_owned()),
                ..number(begins_from)
            };
            let new = NewCall {
                call_sid: CallSid::new(sid),
                client_id,
                entry: Entry::Voicebot,
                parties,
                owner: node(),
                tells: true,
                at: at(0),
            };
            store.begin_call(new).await.unwrap();
            return;
        }
        Told::Report { status, from, started, ended, secs, at: told_at, stream_only } => {
            let report = CallEndReport {
                call_sid: CallSid::new(sid),
                lines: vec![],
                status: status.map(str::to_owned),
                // Reports of one call that differ in the caller's spelling differ before call-start only: it owns the parties.
                parties: if begins_from.is_some() { number(from) } else { number(NUMBERS[1]) },
                started_at: started.map(at),
                answered_at: secs.map(|_| at(told_at)),
                ended_at: ended.map(at),
                duration_secs: secs,
                recording: secs.map(|secs| Announced::new(format!("https://recordings.exotel.com/{secs}.mp3"))),
                at: at(told_at),
                stream_only,
            };
            store.report_call(report).await.unwrap();
            return;
        }
        Told::OnAir => there(update),
        Told::Lived => CallUpdate {
            figures: Some(Figures { duration_ms: Some(57_000), turn_count: Some(3), ..Figures::default() }),
            finish: Some(finish(59, &Ended::AgentHungUp)),
            ..there(update)
        },
        Told::InVain => CallUpdate { finish: Some(finish(60, &Ended::NoMedia)), ..update },
    };
    store.write_batch(Batch { calls: vec![update], reports: vec![] }).await.unwrap();
}

fn report(status: Option<&'static str>, at: i64) -> Told {
    Told::Report { status, from: NUMBERS[2], started: None, ended: None, secs: Some(40), at, stream_only: false }
}

/// The row of a call, and the recordings that are to be fetched for it.
async fn row(store: &Store, sid: &str) -> (Call, Vec<String>) {
    let sid = CallSid::new(sid);
    let mut call = store.call(&sid).await.unwrap().unwrap().call;
    (call.id, call.call_sid) = (0, CallSid::new(""));
    // When it was told, and how often it was asked for, differ.
    (call.over_at, call.ownership.asked_at) = (None, None);
    let recordings = store.recordings_of_call(&sid).await.unwrap();
    let mut recordings: Vec<String> = recordings.into_iter().map(|recording| recording.source_url).collect();
    recordings.sort_unstable();
    (call, recordings)
}

fn told() -> impl Strategy<Value = Told> {
    let statuses = [
        None,
        Some("ringing"),
        Some("in-progress"),
        Some("busy"),
        Some("canceled"),
        Some("completed"),
        Some("odd"),
        Some("odder"),
    ];
    let report = (
        prop::sample::select(statuses.to_vec()),
        prop::sample::select(NUMBERS.to_vec()),
        prop::option::of(-9..9_i64),
        prop::option::of(prop_oneof![4 => 50..70_i64, 1 => -20..5_i64]),
        prop::option::of(30..60_i64),
        55..80_i64,
        any::<bool>(),
    );
    let report = report.prop_map(|(status, from, started, ended, secs, at, stream_only)| Told::Report {
        status,
        from,
        started,
        ended,
        secs,
        at,
        stream_only,
    });
    prop_oneof![5 => report, 1 => Just(Told::Lived), 1 => Just(Told::OnAir), 2 => Just(Told::InVain)]
}

/// The caller, what is told of their call, two orders of it, each with repeats, and what comes first in both.
type Tellings = (Option<&'static str>, Vec<Told>, Vec<usize>, Vec<usize>, Vec<usize>);

/// What is told of one call.
fn tellings() -> impl Strategy<Value = Tellings> {
    let told = prop::collection::vec(told(), 1..5);
    (prop::sample::select(NUMBERS.to_vec()), told, prop::bool::weighted(0.8)).prop_flat_map(
        |(from, mut told, begins)| {
            // What has no beginning is known by the carrier's reports alone.
            if begins {
                told.push(Told::Began);
            } else {
                told.retain(|told| matches!(told, Told::Report { .. }));
                told.push(report(Some("busy"), 66));
            }
            // What is on air comes to an end.
            if told.iter().any(|told| matches!(told, Told::OnAir)) {
                told.push(Told::Lived);
            }
            // What came about in one order only: a call begins, another node gets it, and reports of it come behind that or not at all.
            let begun = told.iter().position(|told| matches!(told, Told::Began));
            let taken = told.iter().position(|told| matches!(told, Told::OnAir | Told::Lived));
            let waited = told.iter().any(|told| matches!(told, Told::InVain));
            let first = begun.filter(|_| taken.is_some() || waited).into_iter().chain(taken).collect::<Vec<_>>();
            let order = || {
                let first = first.clone();
                let all: Vec<usize> = (0..told.len()).collect();
                let repeats = prop::collection::vec(0..told.len(), 0..4);
                // Begun once more behind an end that may be none, a call goes on: that is no repeat.
                let began = told.iter().position(|told| matches!(told, Told::Began));
                let repeats = repeats.prop_map(move |mut repeats| {
                    repeats.retain(|told| Some(*told) != began);
                    repeats
                });
                let rest: Vec<usize> = all.into_iter().filter(|told| !first.contains(told)).collect();
                let shuffled =
                    repeats.prop_flat_map(move |repeats| Just([rest.clone(), repeats].concat()).prop_shuffle());
                shuffled.prop_map(move |order| [first.clone(), order].concat())
            };
            let (one, other) = (order(), order());
            (Just(from), Just(told), one, other, Just(first))
        },
    )
}

/// One after another or all at once, by two nodes.
#[test]
fn any_order_and_any_number_come_to_the_same_row() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = Db::new();
    let nodes = runtime.block_on(async { [db.store().await, db.store().await] });
    let client = runtime.block_on(nodes[0].add_client(new_client("+918047112233"))).unwrap().id;
    let case = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((from, told, first, second, before) in tellings())| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let [one, other, at_once] = ["a", "b", "c"].map(|call| format!("{call}{}", case.get()));
            for (sid, order) in [(&one, &first), (&other, &second)] {
                for (at, step) in order.iter().enumerate() {
                    tell(&nodes[at % 2], sid, client, from, told[*step]).await;
                }
            }
            for step in &before {
                tell(&nodes[0], &at_once, client, from, told[*step]).await;
            }
            let second_again = second[before.len()..].iter().enumerate();
            join_all(second_again.map(|(at, step)| tell(&nodes[at % 2], &at_once, client, from, told[*step]))).await;
            let expected = row(&nodes[0], &one).await;
            prop_assert_eq!(&row(&nodes[0], &other).await, &expected, "{:?} against {:?}", first, second);
            prop_assert_eq!(&row(&nodes[0], &at_once).await, &expected, "{:?} against all of it at once", first);
            Ok(())
        })?;
    });
}

#[tokio::test]
async fn what_is_told_at_the_same_time_by_two_nodes_comes_to_the_same_row() {
    let db = Db::new();
    let (one, other) = (db.store().await, db.store().await);
    let client = one.add_client(new_client("+918047112233")).await.unwrap().id;
    let all =
        [Told::Began, report(Some("in-progress"), 3), report(Some("completed"), 61), Told::InVain, report(None, 62)];
    for told in all {
        tell(&one, "alone", client, NUMBERS[1], told).await;
    }
    for round in 0..10 {
        let sid = format!("c{round}");
        tell(&one, &sid, client, NUMBERS[1], Told::Began).await;
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (store, sid) = (if n % 2 == 0 { one.clone() } else { other.clone() }, sid.clone());
                tokio::spawn(async move { tell(&store, &sid, client, NUMBERS[1], all[n % 5]).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(row(&one, &sid).await, row(&one, "alone").await, "{sid}");
    }
}

#[tokio::test]
async fn a_node_that_waited_in_vain_has_no_say_over_the_one_that_had_the_call() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let orders = [
        ("a", vec![Told::InVain, Told::Lived]),
        ("b", vec![Told::Lived, Told::InVain]),
        ("c", vec![Told::OnAir, Told::InVain, Told::Lived]),
    ];
    for (sid, order) in orders {
        tell(&store, sid, client, NUMBERS[1], Told::Began).await;
        for told in order {
            tell(&store, sid, client, NUMBERS[1], told).await;
        }
        let (call, _) = row(&store, sid).await;
        assert_eq!((call.status.as_str(), call.ended_why.as_deref()), ("completed", Some("the agent ended the call")));
    }
}
