//! What holds on every database.

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use protocol::call::end::EndedBy;
use protocol::call::fact::ToolCall;
use protocol::call::history::StoredStep;
use protocol::call::io::{ConnId, EffectId};
use protocol::ids::{CallSid, PhoneNumber, ResponseId, StreamSid};
use serde_json::json;

use super::{ALL, Backend, Conn, Db, SHAPE};
use crate::store::tests::{at, batch, finish, media, new_call, new_client, report, turn, update};
use crate::store::*;

#[tokio::test]
async fn the_same_call_begun_many_times_at_once_is_one_row_and_new_once() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.begin_call(new_call("c1", client.id)).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(matches!(task.await.unwrap(), Begun::New(_)));
    }
    assert_eq!(new, 1);
    assert_eq!(store.recent_calls(10).await.unwrap().len(), 1);
}

/// Every order of a beginning, reports and our own account of the end, some of them twice.
#[tokio::test]
async fn a_call_told_in_any_order_comes_to_the_same_row() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..4 {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                (0..4).filter(|n| !order.contains(n)).map(|n| [order.clone(), vec![n]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    // Only who has a call tells of its end, and nobody has one that did not begin.
    let place = |order: &[usize], step| order.iter().position(|one| *one == step);
    orders.retain(|order| place(order, 0) < place(order, 3));
    assert_eq!(orders.len(), 12);
    let mut seen: Option<Call> = None;
    for (number, order) in orders.iter().enumerate() {
        let sid = format!("c{number}");
        for step in order.iter().chain(&order[..2]) {
            match step {
                0 => drop(store.begin_call(new_call(&sid, client.id)).await.unwrap()),
                1 => drop(store.report_call(report(&sid, "in-progress")).await.unwrap()),
                2 => drop(store.report_call(report(&sid, "completed")).await.unwrap()),
                _ => {
                    let ours = CallUpdate { finish: finish("failed", "the model failed: gone"), ..update(&sid) };
                    store.write_batch(batch(vec![ours])).await.unwrap();
                }
            }
        }
        let CallWithTurns { mut call, client, .. } = store.call(&CallSid::new(&sid)).await.unwrap().unwrap();
        assert_eq!((call.status.as_str(), client.as_deref()), ("failed", Some("Acme")), "{order:?}");
        assert_eq!(call.ended_by, Some(EndedBy::Gateway));
        assert_eq!((call.times.started_at, call.figures.duration_ms), (at(0), Some(59_000)));
        assert_eq!(call.parties.to, Some(PhoneNumber::new("+918047112233")));
        (call.id, call.call_sid) = (0, CallSid::new(""));
        assert_eq!(seen.get_or_insert(call.clone()), &call, "{order:?}");
    }
}

#[tokio::test]
async fn a_call_whose_end_is_told_first_begins_as_new_and_over() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    let told = store.report_call(report("c1", "no-answer")).await.unwrap();
    assert!(told.is_over() && told.entry.is_none());
    let Begun::New(call) = store.begin_call(new_call("c1", client.id)).await.unwrap() else { panic!("not new") };
    assert!(call.is_over());
    assert_eq!((call.status.as_str(), call.figures.duration_ms), ("no-answer", Some(59_000)));
    assert!(matches!(store.begin_call(new_call("c1", client.id)).await.unwrap(), Begun::Over(_)));
}

#[tokio::test]
async fn of_several_reports_the_most_final_status_counts() {
    let db = Db::new();
    let store = db.store().await;
    for (sid, statuses) in [("a", ["ringing", "completed", "busy"]), ("b", ["busy", "completed", "in-progress"])] {
        for status in statuses {
            store.report_call(report(sid, status)).await.unwrap();
        }
        let call = store.call(&CallSid::new(sid)).await.unwrap().unwrap().call;
        assert_eq!((call.status.as_str(), call.carrier_status.as_deref()), ("completed", Some("completed")), "{sid}");
    }
    let call = store.report_call(report("c", "teleported")).await.unwrap();
    assert_eq!((call.status.as_str(), call.is_over()), ("in-progress", false));
    assert_eq!(call.carrier_status.as_deref(), Some("teleported"));
    assert_eq!(store.report_call(report("c", "busy")).await.unwrap().status, "busy");
}

#[tokio::test]
async fn what_happened_between_the_turns_is_had_back_with_them() {
    let db = Db::new();
    let store = db.store().await;
    let acme = store.add_client(new_client("+918047112233")).await.unwrap();
    store.begin_call(new_call("c1", acme.id)).await.unwrap();
    let call = ToolCall {
        id: EffectId(1),
        conn: ConnId(0),
        response: ResponseId::new(""),
        call_id: "k1".to_owned(),
        name: "hours".to_owned(),
        arguments: "{}".to_owned(),
        at_ms: 50,
        wait_ms: Some(15_000),
    };
    let keys = StoredStep::Keys { keys: "42".to_owned(), at_ms: 40 };
    let called = |result: Option<&str>| StoredStep::Tool { call: call.clone(), result: result.map(str::to_owned) };
    let steps = vec![called(None), keys.clone()];
    let first = CallUpdate { media: Some(media()), turns: vec![turn(0, "Hello")], steps, ..update("c1") };
    let returned = CallUpdate { steps: vec![called(Some("nine to five"))], ..update("c1") };
    store.write_batch(batch(vec![first])).await.unwrap();
    let row = async || store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!(store.stored_history(&row().await).await.unwrap().steps, [called(None), keys.clone()]);
    store.write_batch(batch(vec![returned])).await.unwrap();
    let stored = store.stored_history(&row().await).await.unwrap();
    assert_eq!(stored.steps, [called(Some("nine to five")), keys], "one row a function");
    assert_eq!((stored.turns, stored.streams), (vec![turn(0, "Hello")], 1));
    assert_eq!(stored.started, Some(at(2).into()));
}

#[tokio::test]
async fn a_batch_writes_media_turns_figures_and_the_first_end() {
    let db = Db::new();
    let store = db.store().await;
    let acme = store.add_client(new_client("+918047112233")).await.unwrap();
    store.begin_call(new_call("c1", acme.id)).await.unwrap();
    let tokens = Tokens { input_audio: 7, ..Tokens::default() };
    let figures = Figures { turn_count: Some(2), tokens: Some(tokens), cost_microusd: Some(5), ..Figures::default() };
    let whole = CallUpdate {
        media: Some(media()),
        turns: vec![turn(0, "Hello"), turn(1, "Hi")],
        figures: Some(figures.clone()),
        finish: finish("completed", "the agent ended the call"),
        ..update("c1")
    };
    store.write_batch(batch(vec![whole])).await.unwrap();
    let late = CallUpdate {
        turns: vec![turn(1, "Hi there"), turn(2, "How")],
        figures: Some(Figures::default()),
        finish: finish("failed", "something else"),
        ..update("c1")
    };
    store.write_batch(batch(vec![late])).await.unwrap();
    let CallWithTurns { call, turns, client } = store.call(&CallSid::new("c1")).await.unwrap().unwrap();
    assert_eq!(turns, [turn(0, "Hello"), turn(1, "Hi there"), turn(2, "How")]);
    assert_eq!((call.status.as_str(), call.ended_why.as_deref()), ("completed", Some("the agent ended the call")));
    assert_eq!((call.times.media_at, call.stream_sid), (Some(at(2)), Some(StreamSid::new("s1"))));
    assert_eq!((call.figures, client.as_deref()), (figures, Some("Acme")));
}

#[tokio::test]
async fn a_number_belongs_to_one_client() {
    let db = Db::new();
    let store = db.store().await;
    let first = store.add_client(new_client("+918047112233")).await.unwrap();
    let taken = store.add_client(new_client("+918047112233")).await.unwrap_err();
    assert!(matches!(&taken, StoreError::Taken { id, .. } if *id == first.id), "{taken}");
    assert!(!taken.to_string().contains("8047112233"), "{taken}");
    let second = store.add_client(new_client("+918047112234")).await.unwrap();
    let move_it = ClientChanges { exotel_number: Some(PhoneNumber::new("+918047112233")), ..ClientChanges::default() };
    assert!(matches!(store.change_client(second.id, move_it).await.unwrap_err(), StoreError::Taken { .. }));
    assert_eq!(store.clients().await.unwrap().len(), 2);
}

#[tokio::test]
async fn changes_touch_only_what_they_name() {
    let db = Db::new();
    let store = db.store().await;
    let before = store.add_client(new_client("+918047112233")).await.unwrap();
    let changes = ClientChanges {
        active: Some(false),
        voice: Some(None),
        max_call_secs: Some(Some(60)),
        ..ClientChanges::default()
    };
    let after = store.change_client(before.id, changes).await.unwrap().unwrap();
    let agent = Agent { voice: None, ..before.agent.clone() };
    let limits = ClientLimits { max_call_secs: Some(60), ..before.limits };
    let version = before.version + 1;
    assert_eq!(after, Client { active: false, agent, limits, version, updated_at: after.updated_at, ..before });
    assert_eq!(store.client_by_number(&PhoneNumber::new("+918047112233")).await.unwrap(), Some(after));
    assert_eq!(store.change_client(99, ClientChanges::default()).await.unwrap(), None);
}

#[tokio::test]
async fn gateways_that_open_a_new_database_at_once_all_find_it_migrated() {
    let db = Db::new();
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let url = db.url();
            tokio::spawn(async move { Store::open(&url).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn the_audit_log_can_only_grow() {
    let db = Db::new();
    let store = db.store().await;
    let entry = AuditEntry {
        at: at(0),
        kind: "webhook.call-start".to_owned(),
        call_sid: Some(CallSid::new("c1")),
        remote_addr: Some("203.0.113.7".to_owned()),
        request_id: None,
        outcome: "401".to_owned(),
        payload: json!({ "CallFrom": "09876543210" }),
    };
    store.append_audit(vec![entry.clone()]).await.unwrap();
    assert_eq!(store.audit_of_call(&CallSid::new("c1")).await.unwrap(), std::slice::from_ref(&entry));
    assert!(!format!("{entry:?}").contains("9876543210"));
    for statement in ["DELETE FROM audit_log", "UPDATE audit_log SET outcome = 'ok'"] {
        let refused = db.execute(statement).unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone_and_said_to_be() {
    let db = Db::new();
    drop(db.store().await);
    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')").unwrap();
    let error = Store::open(&db.url()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("29991231235959") && words.contains("run that newer version"), "{words}");
    db.execute("SELECT 1 FROM calls").unwrap();
}

/// Every migration there is, also those that come after this test.
#[test]
fn each_migration_goes_up_down_and_up_again() {
    let db = Db::new();
    let mut conn = db.connection();
    conn.applied_migrations().unwrap();
    let empty = shape(&mut conn);
    let mut count = 0;
    while conn.has_pending_migration(ALL).unwrap() {
        let before = shape(&mut conn);
        let version = conn.run_next_migration(ALL).unwrap().as_owned();
        let after = shape(&mut conn);
        conn.revert_last_migration(ALL).unwrap();
        assert_eq!(shape(&mut conn), before, "{version} leaves something behind when it goes down");
        conn.run_next_migration(ALL).unwrap();
        assert_eq!(shape(&mut conn), after, "{version} comes up otherwise the second time");
        count += 1;
    }
    assert!(count > 0);
    conn.revert_all_migrations(ALL).unwrap();
    assert_eq!(shape(&mut conn), empty);
    conn.run_pending_migrations(ALL).unwrap();
}

#[test]
fn both_databases_know_the_same_versions() {
    let versions = |all: &EmbeddedMigrations| -> Vec<String> {
        let all = MigrationSource::<Backend>::migrations(all).unwrap();
        all.iter().map(|one| one.name().to_string()).collect()
    };
    assert_eq!(
        versions(&crate::store::engine::migrations::SQLITE),
        versions(&crate::store::engine::migrations::POSTGRES)
    );
}

/// Tables, columns, indexes, triggers and functions, a line each.
fn shape(conn: &mut Conn) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let lines: Vec<Line> = sql_query(SHAPE).load(conn).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}
