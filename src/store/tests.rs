//! Against real files of SQLite.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use protocol::call::fact::{Turn, Who};
use protocol::ids::{CallSid, PhoneNumber, StreamSid};
use serde_json::json;

use super::pools::SQLITE_MIGRATIONS;
use super::*;

/// A file of its own for each test, gone with it.
pub(crate) struct TempDb(pub(crate) PathBuf);

impl TempDb {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("callgate-test-{}-{}.db", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        format!("sqlite://{}", self.0.display()).parse().unwrap()
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }
}

impl Drop for TempDb {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

/// The database's write lock, held by somebody else.
pub(crate) struct WriteLock(SqliteConnection);

impl WriteLock {
    pub(crate) fn take(db: &TempDb) -> Self {
        let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
        conn.batch_execute("BEGIN IMMEDIATE").unwrap();
        Self(conn)
    }

    pub(crate) fn release(mut self) {
        self.0.batch_execute("ROLLBACK").unwrap();
    }
}

pub(crate) fn new_client(number: &str) -> NewClient {
    NewClient {
        name: "Acme".to_owned(),
        exotel_number: PhoneNumber::new(number),
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent: Agent {
            greeting: "Hello".to_owned(),
            language: "en-IN".to_owned(),
            voice: Some("marin".to_owned()),
            instructions: "Help.".to_owned(),
            model: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits { max_concurrent: Some(3), ..ClientLimits::default() },
        recording: false,
    }
}

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + secs, 0).unwrap()
}

pub(crate) fn new_call(sid: &str, client_id: i64) -> NewCall {
    let parties = Parties {
        from: Some(PhoneNumber::new("+919876543210")),
        from_raw: Some(PhoneNumber::new("09876543210")),
        to: Some(PhoneNumber::new("+918047112233")),
        to_raw: Some(PhoneNumber::new("08047112233")),
        direction: Some("incoming".to_owned()),
    };
    NewCall { call_sid: CallSid::new(sid), client_id, entry: Entry::Voicebot, parties, at: at(0) }
}

fn report(sid: &str, status: &str) -> CallEndReport {
    CallEndReport {
        call_sid: CallSid::new(sid),
        status: Some(status.to_owned()),
        parties: Parties { to: Some(PhoneNumber::new("+910000000000")), ..Parties::default() },
        answered_at: Some(at(1)),
        ended_at: Some(at(60)),
        duration_secs: Some(59),
        recording_url: Some("https://recordings.exotel.com/a.mp3".to_owned()),
        at: at(61),
    }
}

fn turn(index: u32, text: &str) -> Turn {
    let (who, text) = (if index.is_multiple_of(2) { Who::Agent } else { Who::Caller }, text.to_owned());
    Turn { index, who, text, at_ms: 100, heard_ms: 900, generated_ms: 1000, interrupted: index == 2 }
}

fn update(sid: &str) -> CallUpdate {
    CallUpdate { call_sid: CallSid::new(sid), since: at(0), media: None, turns: vec![], figures: None, finish: None }
}

fn finish(status: &str, why: &str) -> Option<Finish> {
    Some(Finish { at: at(50), status: status.to_owned(), why: why.to_owned() })
}

fn batch(calls: Vec<CallUpdate>) -> Batch {
    Batch { calls }
}

#[tokio::test]
async fn the_same_call_begun_many_times_at_once_is_one_row_and_new_once() {
    let db = TempDb::new();
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
    let db = TempDb::new();
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
    assert_eq!(orders.len(), 24);
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
        assert_eq!(call.ended_by, Some(End::Gateway));
        assert_eq!((call.times.started_at, call.figures.duration_ms), (at(0), Some(59_000)));
        assert_eq!(call.parties.to, Some(PhoneNumber::new("+918047112233")));
        (call.id, call.call_sid) = (0, CallSid::new(""));
        assert_eq!(seen.get_or_insert(call.clone()), &call, "{order:?}");
    }
}

#[tokio::test]
async fn a_call_whose_end_is_told_first_begins_as_new_and_over() {
    let db = TempDb::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap();
    let told = store.report_call(report("c1", "no-answer")).await.unwrap();
    assert!(told.is_over() && told.entry.is_none());
    let Begun::New(call) = store.begin_call(new_call("c1", client.id)).await.unwrap() else { panic!("not new") };
    assert!(call.is_over());
    assert_eq!((call.status.as_str(), call.figures.duration_ms), ("no-answer", Some(59_000)));
    assert!(matches!(store.begin_call(new_call("c1", client.id)).await.unwrap(), Begun::Known(_)));
}

#[tokio::test]
async fn of_several_reports_the_most_final_status_counts() {
    let db = TempDb::new();
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
async fn a_batch_writes_media_turns_figures_and_the_first_end() {
    let db = TempDb::new();
    let store = db.store().await;
    let tokens = Tokens { input_audio: 7, ..Tokens::default() };
    let figures = Figures { turn_count: Some(2), tokens: Some(tokens), cost_microusd: Some(5), ..Figures::default() };
    let whole = CallUpdate {
        media: Some(MediaStart { at: at(2), stream: StreamSid::new("s1") }),
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
    assert_eq!((call.figures, client), (figures, None));
}

#[tokio::test]
async fn a_number_belongs_to_one_client() {
    let db = TempDb::new();
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
    let db = TempDb::new();
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
    assert_eq!(after, Client { active: false, agent, limits, updated_at: after.updated_at, ..before });
    assert_eq!(store.client_by_number(&PhoneNumber::new("+918047112233")).await.unwrap(), Some(after));
    assert_eq!(store.change_client(99, ClientChanges::default()).await.unwrap(), None);
}

#[tokio::test]
async fn the_audit_log_can_only_grow() {
    let db = TempDb::new();
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
    let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
    for statement in ["DELETE FROM audit_log", "UPDATE audit_log SET outcome = 'ok'"] {
        let refused = sql_query(statement).execute(&mut conn).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn the_client_of_a_call_is_found_by_the_unique_index() {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let db = TempDb::new();
    let _store = db.store().await;
    let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
    let steps: Vec<Step> = sql_query("EXPLAIN QUERY PLAN SELECT * FROM clients WHERE exotel_number = '+918047112233'")
        .load(&mut conn)
        .unwrap();
    let plan: Vec<&str> = steps.iter().map(|step| step.detail.as_str()).collect();
    assert_eq!(plan, ["SEARCH clients USING INDEX clients_exotel_number (exotel_number=?)"]);
}

#[test]
fn migrations_go_up_down_and_up_again() {
    let db = TempDb::new();
    let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
    conn.run_pending_migrations(SQLITE_MIGRATIONS).unwrap();
    conn.revert_all_migrations(SQLITE_MIGRATIONS).unwrap();
    assert!(sql_query("SELECT 1 FROM clients").execute(&mut conn).is_err());
    conn.run_pending_migrations(SQLITE_MIGRATIONS).unwrap();
    sql_query("SELECT 1 FROM clients").execute(&mut conn).unwrap();
}

#[tokio::test]
async fn gateways_that_open_a_new_database_at_once_all_find_it_migrated() {
    let db = TempDb::new();
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
async fn a_database_that_cannot_be_opened_is_away() {
    let url: DatabaseUrl = "sqlite:///nowhere/at/all/callgate.db".parse().unwrap();
    let error = Store::open(&url).await.map(|_| ()).unwrap_err();
    assert!(error.is_away(), "{error}");
}

#[test]
fn urls_that_name_no_database_say_what_to_write() {
    let error = |text: &str| text.parse::<DatabaseUrl>().unwrap_err();
    assert_eq!(error("callgate.db"), DatabaseUrlError::Scheme);
    assert_eq!(error("mysql://host/db"), DatabaseUrlError::Scheme);
    assert_eq!(error("sqlite://"), DatabaseUrlError::NoFile);
    assert_eq!(error("sqlite://:memory:"), DatabaseUrlError::Memory);
    assert_eq!(error("postgres://"), DatabaseUrlError::Postgres);
    let url: DatabaseUrl = "postgres://me:secret@db.example:5433/callgate".parse().unwrap();
    assert_eq!(url.to_string(), "postgres://db.example:5433/callgate");
    assert!(!format!("{url:?}").contains("secret"));
}
