//! Against real files of SQLite, and a real PostgreSQL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use protocol::call::end::EndCode;
use protocol::call::fact::{Turn, Who};
use protocol::call::latency::{Awaited, Latency, Part, Parts, Settings};
use protocol::ids::{CallSid, PhoneNumber, StreamSid};

use super::*;

#[path = "../../tests/support/database.rs"]
pub(crate) mod database;
mod full_disk;
mod on_postgres;
mod on_sqlite;

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

    /// Somebody else with the database's file.
    pub(crate) fn run(&self, sql: &str) {
        SqliteConnection::establish(&self.0.display().to_string()).unwrap().batch_execute(sql).unwrap();
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
            transcription_language: None,
            voice: Some("marin".to_owned()),
            instructions: "Help.".to_owned(),
            model: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits { max_concurrent: Some(3), ..ClientLimits::default() },
        recording: false,
    }
}

pub(crate) fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + secs, 0).unwrap()
}

/// The run of a gateway that these tests are.
pub(crate) fn node() -> NodeId {
    static NODE: std::sync::OnceLock<NodeId> = std::sync::OnceLock::new();
    NODE.get_or_init(|| NodeId::new("here")).clone()
}

/// The run of another gateway.
pub(crate) fn neighbour() -> NodeId {
    static NODE: std::sync::OnceLock<NodeId> = std::sync::OnceLock::new();
    NODE.get_or_init(|| NodeId::new("there")).clone()
}

/// The first media stream of a call, elsewhere than where the call was begun.
pub(crate) fn stream_there(sid: &str) -> NewStream {
    NewStream {
        call_sid: CallSid::new(sid),
        number: Some(1),
        stream: StreamSid::new("s1"),
        owner: neighbour(),
        at: at(2),
    }
}

/// Ends calls for whoever has them, as another gateway that lives would.
pub(crate) async fn lose(store: &Store, calls: &[CallSid]) -> Vec<CallSid> {
    let mut lost = Vec::new();
    for sid in calls {
        let row = store.call(sid).await.unwrap().unwrap().call;
        let Ownership { owner, generation, .. } = row.ownership;
        lost.push(LostCall { call_sid: row.call_sid, generation, owner });
    }
    store.renew_lease(&neighbour(), std::time::Duration::from_secs(60)).await.unwrap();
    store.end_lost_calls(&neighbour(), lost).await.unwrap()
}

pub(crate) fn media() -> MediaStart {
    MediaStart { at: at(2), stream: StreamSid::new("s1"), number: 1 }
}

pub(crate) fn new_call(sid: &str, client_id: i64) -> NewCall {
    let parties = Parties {
        from: Some(PhoneNumber::new("+919876543210")),
        from_raw: Some(PhoneNumber::new("09876543210")),
        to: Some(PhoneNumber::new("+918047112233")),
        to_raw: Some(PhoneNumber::new("08047112233")),
        direction: Some("incoming".to_owned()),
    };
    NewCall {
        call_sid: CallSid::new(sid),
        client_id,
        entry: Entry::Voicebot,
        parties,
        owner: node(),
        tells: true,
        at: at(0),
    }
}

pub(crate) fn report(sid: &str, status: &str) -> CallEndReport {
    CallEndReport {
        call_sid: CallSid::new(sid),
        lines: vec![],
        status: Some(status.to_owned()),
        parties: Parties { to: Some(PhoneNumber::new("+910000000000")), ..Parties::default() },
        started_at: None,
        answered_at: Some(at(1)),
        ended_at: Some(at(60)),
        duration_secs: Some(59),
        recording: Some(Announced::new("https://recordings.exotel.com/a.mp3")),
        at: at(61),
        stream_only: false,
    }
}

pub(crate) fn latency() -> Latency {
    Latency {
        of: Awaited::Turn,
        item: "a2".into(),
        from_ms: 4_000,
        parts: Parts::new([(Part::Endpointing, 520), (Part::Generating, 180), (Part::Playing, 60)]),
        heard: true,
        network_ms: Some(40),
        carrier_echo_ms: None,
        asked: 1,
        stalled: false,
        settings: Settings { endpointing_ms: 500, semantic: false, confirmed: true },
    }
}

pub(crate) fn turn(index: u32, text: &str) -> Turn {
    let (who, text) = (if index.is_multiple_of(2) { Who::Agent } else { Who::Caller }, text.to_owned());
    Turn {
        index,
        who,
        text,
        at_ms: 100,
        heard_ms: 900,
        generated_ms: 1000,
        interrupted: index == 2,
        answer_ms: (index == 2).then_some(700),
        latency: (index == 2).then(|| Box::new(latency())),
        clip: index == 4,
        backchannel: index == 5,
    }
}

pub(crate) fn update(sid: &str) -> CallUpdate {
    CallUpdate {
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
    }
}

pub(crate) fn finish(status: &str, why: &str) -> Option<Finish> {
    let (status, why) = (status.to_owned(), why.to_owned());
    Some(Finish { at: at(50), status, code: EndCode::AgentHungUp, why, transfer: None })
}

pub(crate) fn batch(calls: Vec<CallUpdate>) -> Batch {
    Batch { calls, reports: vec![] }
}

/// How SQLite would go about a query.
fn plan(db: &TempDb, query: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let mut conn = SqliteConnection::establish(&db.0.display().to_string()).unwrap();
    let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(&mut conn).unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}

#[tokio::test]
async fn the_client_of_a_call_is_found_by_the_unique_index() {
    let db = TempDb::new();
    let _store = db.store().await;
    let plan = plan(&db, "SELECT * FROM clients WHERE exotel_number = '+918047112233'");
    assert_eq!(plan, ["SEARCH clients USING INDEX clients_exotel_number (exotel_number=?)"]);
}

#[tokio::test]
async fn calls_without_an_end_are_found_among_themselves_alone() {
    let db = TempDb::new();
    let _store = db.store().await;
    let open = "SELECT call_sid FROM calls WHERE ended_by IS NULL AND entry IS NOT NULL AND started_at < ?";
    let plan = plan(&db, &format!("{open} ORDER BY started_at LIMIT 64"));
    assert_eq!(plan, ["SEARCH calls USING INDEX calls_open (started_at<?)"]);
}

#[tokio::test]
async fn the_calls_that_a_caller_had_before_are_found_without_looking_at_those_of_others() {
    let db = TempDb::new();
    let _store = db.store().await;
    let earlier =
        "SELECT started_at FROM calls WHERE client_id = 1 AND from_number = '+919876543210' AND call_sid <> 'c'";
    let plan = plan(&db, &format!("{earlier} AND entry IS NOT NULL ORDER BY started_at DESC LIMIT 5"));
    assert_eq!(plan, ["SEARCH calls USING INDEX calls_client_caller (client_id=? AND from_number=?)"]);
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
