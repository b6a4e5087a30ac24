//! An answer that never comes back: the database committed, and we cannot know.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::store::tests::database::{Cluster, Database};
use crate::store::{DatabaseUrl, Store};

/// Passes everything between a client and a server on, but cuts the connection instead of passing the answer to a COMMIT on: once.
async fn cutting(port: u16, cut: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(pass(near, far, Arc::clone(&cut)));
        }
    });
    own
}

async fn pass(mut near: TcpStream, mut far: TcpStream, cut: Arc<AtomicBool>) -> std::io::Result<()> {
    let (mut asked, mut told) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            count = near.read(&mut asked) => match count? {
                0 => return Ok(()),
                count => {
                    far.write_all(&asked[..count]).await?;
                    let commits = asked[..count].windows(6).any(|word| word == b"COMMIT");
                    if commits && cut.swap(false, Ordering::Relaxed) {
                        // The server has done it and says so, to nobody.
                        let mut answer = Vec::new();
                        while !answer.windows(6).any(|word| word == b"COMMIT") {
                            far.read_buf(&mut answer).await?;
                        }
                        return Ok(());
                    }
                }
            },
            count = far.read(&mut told) => match count? {
                0 => return Ok(()),
                count => near.write_all(&told[..count]).await?,
            },
        }
    }
}

async fn behind_a_cut(cluster: &Cluster, cut: &Arc<AtomicBool>) -> (Database, Store) {
    let port = cutting(cluster.port, Arc::clone(cut)).await;
    let mut database = Database::on(&cluster.url);
    database.url = database.url.replace(&format!(":{}/", cluster.port), &format!(":{port}/"));
    // Its words must be legible on the way.
    let url: DatabaseUrl = format!("{}?sslmode=disable", database.url).parse().unwrap();
    let store = Store::open(&url).await.unwrap();
    (database, store)
}

#[tokio::test]
async fn on_postgres_what_was_committed_but_not_confirmed_is_not_doubled() {
    let (cluster, cut) = (Cluster::start(), Arc::new(AtomicBool::new(false)));
    let (_database, store) = behind_a_cut(&cluster, &cut).await;
    begin(&store, &["c1"]).await;
    let (writer, sid) = (RecordWriter::new(store.clone(), rules(), &Handle::current()), CallSid::new("c1"));
    writer.record(&sid, at(0), &media_started());
    assert!(writer.flush().await);
    // One lost answer for each of the two that write: the audit log's journal, and the calls' record.
    for (n, text) in [(0, "Hello"), (1, "Hi")] {
        cut.store(true, Ordering::Relaxed);
        writer.record(&sid, at(1000 + n), &turn(u32::try_from(n).unwrap(), Who::Agent, text, 800));
        writer.record(&sid, at(1000 + n), &Fact::Answered { item: ItemId::new("i"), after_ms: 7 });
        writer.record(
            &sid,
            at(1000 + n),
            &Fact::Interrupted { item: ItemId::new("i"), heard_ms: 1, unheard_ms: 2, at_ms: 3 },
        );
        while !writer.flush().await {}
    }
    cut.store(true, Ordering::Relaxed);
    writer.record(&sid, at(2000), &Fact::Ended(Ended::AgentHungUp));
    while !writer.flush().await {}
    assert!(!cut.load(Ordering::Relaxed), "answers were lost");
    let CallWithTurns { call, turns, .. } = store.call(&sid).await.unwrap().unwrap();
    assert_eq!((call.status.as_str(), turns.len()), ("completed", 2));
    let kinds: Vec<String> = store.audit_of_call(&sid).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    let once = ["call.media-started", "call.interrupted", "call.interrupted", "call.ended"];
    assert_eq!(kinds, once);
}

#[tokio::test]
async fn on_postgres_an_audit_entry_whose_commit_was_not_confirmed_is_there_once() {
    let (cluster, cut) = (Cluster::start(), Arc::new(AtomicBool::new(false)));
    let (_database, store) = behind_a_cut(&cluster, &cut).await;
    let writer = RecordWriter::new(store.clone(), rules(), &Handle::current());
    let entry = |outcome: &str| crate::store::AuditEntry {
        at: Utc::now(),
        kind: "webhook.call-end".to_owned(),
        call_sid: Some(CallSid::new("c1")),
        remote_addr: None,
        request_id: Some("r1".to_owned()),
        outcome: outcome.to_owned(),
        payload: serde_json::json!({ "CallSid": "c1" }),
    };
    cut.store(true, Ordering::Relaxed);
    assert!(!writer.audit_now(entry("first"), Duration::from_millis(50)).await, "not confirmed");
    writer.audit(entry("second"));
    while !writer.flush().await {}
    let audited = store.audit_of_call(&CallSid::new("c1")).await.unwrap();
    let outcomes: Vec<&str> = audited.iter().map(|entry| entry.outcome.as_str()).collect();
    assert_eq!(outcomes, ["first", "second"]);
    assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 2);
}
