//! The database goes away in the middle of calls: killed, hung, or cut off. The calls go on, webhooks say so in time, and what could
//! not be written is written when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::ids::CallSid;
use simulator::exotel::{CallReport, EndedBy, Say};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::database::{Cluster, Database, Postgres, Sqlite};
use crate::support::{PATIENCE, Setup, TestGateway, WEBHOOK_KEY, answered, question};

const SID: &str = "0123456789abcdef0123456789ab19bl";
const DEADLINE: Duration = Duration::from_millis(1000);
/// The carrier waits no longer for an answer. The database does not come back before it.
const GIVES_UP: Duration = Duration::from_secs(10);

fn setup() -> Setup {
    Setup { set: |args| args.webhook_deadline_ms = DEADLINE.as_millis().to_string(), ..Setup::default() }
}

/// What a webhook or a probe was answered: status, body, `Retry-After`.
struct Told {
    status: u16,
    body: String,
    retry_after: bool,
}

async fn ask(addr: std::net::SocketAddr, path: &str) -> Told {
    let asked = Instant::now();
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{addr}{path}")).send();
    let answer = answer.await.unwrap();
    let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
    let body = answer.text().await.unwrap();
    assert!(asked.elapsed() < GIVES_UP, "{path}: {:?}", asked.elapsed());
    Told { status, body, retry_after }
}

async fn until_ready(addr: std::net::SocketAddr) {
    let ready = async {
        while ask(addr, "/readyz").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.expect("ready again");
}

/// Everything a node says while its database is away.
async fn says_so(addr: std::net::SocketAddr) {
    let ready = ask(addr, "/readyz").await;
    assert!(ready.status == 503 && ready.body.contains("storage_away"), "{}", ready.body);
    assert_eq!(ask(addr, "/healthz").await.status, 200);
    let start = format!("/exotel/voicebot?key={WEBHOOK_KEY}&CallSid={SID}x&CallFrom=09876543211&CallTo=08037091588");
    let start = ask(addr, &start).await;
    assert!(start.status == 503 && start.body.contains("storage_away") && start.retry_after, "{}", start.body);
    // The carrier is told to come again, and may not.
    for path in [
        format!("/exotel/call-end?key={WEBHOOK_KEY}&CallSid={SID}e&Status=no-answer"),
        format!("/exotel/recording?key={WEBHOOK_KEY}&CallSid={SID}r&RecordingUrl=https://recordings.exotel.com/a.mp3"),
    ] {
        let told = ask(addr, &path).await;
        assert!(told.status == 503 && told.retry_after, "{path}: {}", told.body);
    }
}

/// What was reported only while nobody could write it down is on record all the same.
async fn reports_are_kept<K: crate::database::Kind>(gateway: &TestGateway<K>) {
    for (sid, status) in [(format!("{SID}e"), "no-answer"), (format!("{SID}r"), "in-progress")] {
        let sid = CallSid::new(sid);
        let written = async {
            loop {
                gateway.running.recorder().flush().await;
                match gateway.running.store().call(&sid).await.unwrap() {
                    Some(found) => return found.call.status,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, written).await.expect("it is written"), status);
    }
}

/// A call of two questions. After the first answer the database goes; the second question is asked and answered without it, and the
/// call ends without it.
async fn call_without_database<K: crate::database::Kind>(
    gateway: &TestGateway<K>,
    away: impl AsyncFnOnce(),
) -> CallReport {
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let outage = async {
        let spoken = |sessions: &[simulator::model::SessionLog]| {
            sessions.iter().map(|session| session.responses.len()).sum::<usize>() >= 2
        };
        assert!(gateway.model.wait_for(spoken, PATIENCE).await, "the first answer");
        away().await;
        says_so(gateway.running.addr()).await;
    };
    let (report, ()) = tokio::join!(gateway.call(plan), outage);
    assert_eq!(report.ended_by, EndedBy::Caller, "{report:?}");
    assert!(answered(&report) && report.utterances.len() == 2, "{report:?}");
    assert_eq!((report.gave_up, report.faults.as_slice()), (0, &[][..]), "{report:?}");
    report
}

/// The call is on record whole, and each step of it once.
async fn is_whole<K: crate::database::Kind>(gateway: &TestGateway<K>) {
    let record = gateway.record(SID).await;
    assert_eq!(record.call.status, "completed");
    assert_eq!(record.turns.len(), 5, "{:?}", record.turns);
    let audit = gateway.running.store().audit_of_call(&CallSid::new(SID)).await.unwrap();
    for once in ["call.media-started", "call.first-audio", "call.ended"] {
        assert_eq!(audit.iter().filter(|entry| entry.kind == once).count(), 1, "{once}: {audit:?}");
    }
}

#[actix_rt::test]
async fn on_postgres_a_database_that_is_killed_and_started_again_costs_no_call() {
    let cluster = Cluster::start_with(&[("DURABLE", "1")]);
    let gateway: TestGateway<Postgres> = TestGateway::with_on(Database::on(&cluster.url), setup()).await;
    call_without_database(&gateway, async || cluster.crash()).await;
    says_so(gateway.running.addr()).await;
    cluster.resume();
    until_ready(gateway.running.addr()).await;
    is_whole(&gateway).await;
    reports_are_kept(&gateway).await;
    gateway.stop().await;
}

#[actix_rt::test]
async fn on_postgres_a_database_that_hangs_costs_no_call_and_holds_nobody_up() {
    let cluster = Cluster::start();
    let wire = Wire::to(cluster.port).await;
    let mut database = Database::on(&cluster.url);
    database.url = database.url.replace(&cluster.port.to_string(), &wire.port.to_string());
    let gateway: TestGateway<Postgres> = TestGateway::with_on(database, setup()).await;
    call_without_database(&gateway, async || wire.hang()).await;
    says_so(gateway.running.addr()).await;
    wire.go_on();
    until_ready(gateway.running.addr()).await;
    is_whole(&gateway).await;
    reports_are_kept(&gateway).await;
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_file_that_another_process_locks_for_longer_than_anybody_waits_costs_no_call() {
    let gateway: TestGateway<Sqlite> = TestGateway::with_on(Database::sqlite(), setup()).await;
    let mut held = None;
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    let outage = async {
        assert!(gateway.model.wait_for(|s| s.iter().any(|s| !s.responses.is_empty()), PATIENCE).await);
        held = Some(gateway.database.lock());
        let start =
            format!("/exotel/voicebot?key={WEBHOOK_KEY}&CallSid={SID}x&CallFrom=09876543211&CallTo=08037091588");
        let told = ask(gateway.running.addr(), &start).await;
        assert!(told.status == 503 && told.retry_after, "{}", told.body);
    };
    let (report, ()) = tokio::join!(gateway.call(plan), outage);
    assert!(answered(&report), "{report:?}");
    drop(held);
    let record = gateway.record(SID).await;
    assert_eq!((record.call.status.as_str(), record.turns.len()), ("completed", 3), "{record:?}");
    gateway.stop().await;
}

/// The way to a server, which may stop passing anything on without being closed.
struct Wire {
    port: u16,
    passing: watch::Sender<bool>,
    up: Arc<AtomicBool>,
}

impl Wire {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (passing, watched) = watch::channel(true);
        let up = Arc::new(AtomicBool::new(true));
        let alive = Arc::clone(&up);
        actix_rt::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                if !alive.load(Ordering::Relaxed) {
                    return;
                }
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                actix_rt::spawn(pass(near_in, far_out, watched.clone()));
                actix_rt::spawn(pass(far_in, near_out, watched.clone()));
            }
        });
        Self { port: own, passing, up }
    }

    fn hang(&self) {
        self.passing.send_replace(false);
    }

    fn go_on(&self) {
        self.passing.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.up.store(false, Ordering::Relaxed);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut passing: watch::Receiver<bool>,
) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if passing.wait_for(|passing| *passing).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
