//! What holds of recordings on every database.

use super::Db;
use crate::store::tests::{new_call, new_client};
use crate::store::*;
use chrono::Utc;
use protocol::ids::CallSid;

fn told(sid: &str, recording: Announced) -> CallEndReport {
    CallEndReport {
        call_sid: CallSid::new(sid),
        lines: vec![],
        status: None,
        parties: Parties::default(),
        started_at: None,
        answered_at: None,
        ended_at: None,
        duration_secs: None,
        recording: Some(recording),
        at: Utc::now(),
        stream_only: false,
    }
}

async fn tell(store: &Store, sid: &str, recording: Announced) -> Kept {
    store.report_call_and_recording(told(sid, recording)).await.unwrap().1.unwrap()
}

fn at(name: &str) -> Announced {
    Announced::new(format!("https://recordings.exotel.com/{name}.mp3"))
}

#[tokio::test]
async fn one_call_announces_a_few_recordings_and_no_more_however_many_it_names() {
    let db = Db::new();
    let store = db.store().await;
    let call = CallSid::new("c1");
    // Our own is no part of the count.
    store.announce_recording(&call, "own:c1", "encode_recording", None).await.unwrap();
    for n in 0..40 {
        let kept = tell(&store, "c1", at(&n.to_string())).await;
        assert_eq!(kept, if n < MOST_OF_CALL { Kept::Waits } else { Kept::CallFull }, "{n}");
    }
    assert_eq!(tell(&store, "c1", Announced::refused("http://x.example/a", "not https")).await, Kept::CallFull);
    assert_eq!(tell(&store, "c1", at("0")).await, Kept::Waits, "told again it is no new one");
    assert_eq!(tell(&store, "c2", at("0")).await, Kept::Waits);
    let rows = store.recordings_of_call(&call).await.unwrap();
    assert_eq!(i64::try_from(rows.len()).unwrap(), MOST_OF_CALL + 1);
    let waiting = store.waiting_jobs().await.unwrap();
    let fetches = waiting.iter().find(|waiting| waiting.kind == FETCH_RECORDING).unwrap();
    assert_eq!(fetches.count, MOST_OF_CALL + 1);
}

#[tokio::test]
async fn the_recordings_of_one_client_wait_within_a_bound_and_leave_the_others_theirs() {
    let db = Db::new();
    let store = db.store().await;
    let busy = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let other = store.add_client(new_client("+918047112234")).await.unwrap().id;
    for (sid, client) in [("c1", busy), ("c2", busy), ("c3", other)] {
        store.begin_call(new_call(sid, client)).await.unwrap();
    }
    let row = |n: i64| {
        format!(
            "((SELECT id FROM calls WHERE call_sid = 'c1'), 'https://x/{n}', 'pending', '2026-11-25 10:00:00', '2026-11-25 10:00:00')"
        )
    };
    let rows: Vec<String> = (0..MOST_WAITING).map(row).collect();
    let columns = "call_id, source_url, status, created_at, updated_at";
    db.execute(&format!("INSERT INTO recordings ({columns}) VALUES {}", rows.join(", "))).unwrap();
    assert_eq!(tell(&store, "c2", at("a")).await, Kept::ClientFull);
    assert!(store.recordings_of_call(&CallSid::new("c2")).await.unwrap().is_empty());
    assert_eq!(tell(&store, "c3", at("a")).await, Kept::Waits);
    assert_eq!(tell(&store, "nobodys", at("a")).await, Kept::Waits);
    // What is fetched makes room.
    db.execute("UPDATE recordings SET status = 'stored' WHERE source_url = 'https://x/7'").unwrap();
    assert_eq!(tell(&store, "c2", at("a")).await, Kept::Waits);
    assert_eq!(tell(&store, "c2", at("b")).await, Kept::ClientFull);
}

#[tokio::test]
async fn a_recording_that_is_refused_says_why_and_is_fetched_when_it_is_told_again_and_allowed() {
    let db = Db::new();
    let store = db.store().await;
    let url = "https://recordings.exotel.com/a.mp3";
    let row = async || {
        let mut rows = store.recordings_of_call(&CallSid::new("c1")).await.unwrap();
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    };
    let refused = || Announced::refused("https://me:secret@recordings.exotel.com/a.mp3", "it carries credentials");
    for _ in 0..2 {
        assert_eq!(tell(&store, "c1", refused()).await, Kept::Refused);
        let row = row().await;
        assert_eq!(
            (&*row.source_url, row.status.name(), row.error.as_deref()),
            (url, "failed", Some("it carries credentials"))
        );
    }
    assert!(store.waiting_jobs().await.unwrap().is_empty(), "nobody fetches it");
    for _ in 0..2 {
        assert_eq!(tell(&store, "c1", at("a")).await, Kept::Waits);
        assert_eq!(row().await.status.name(), "pending");
    }
    assert_eq!(store.waiting_jobs().await.unwrap()[0].count, 1);
    // And one that waits is not undone by a word that is refused.
    assert_eq!(tell(&store, "c1", refused()).await, Kept::Refused);
    assert_eq!(row().await.status.name(), "pending");
    // Whatever comes is kept short: an index has to hold it.
    let long = format!("https://evil.example/{}", "क".repeat(20_000));
    tell(&store, "c2", Announced::refused(&long, "its host is none of RECORDING_HOSTS")).await;
    let row = store.recordings_of_call(&CallSid::new("c2")).await.unwrap().remove(0);
    assert!(row.source_url.len() <= 512 && row.source_url.ends_with("…(60,021 bytes)"), "{}", row.source_url);
}

#[tokio::test]
async fn a_parked_job_waits_for_nobody_and_is_taken_up_again_when_it_is_asked_for() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    store.begin_call(NewCall { tells: false, ..new_call("c1", client) }).await.unwrap();
    let take = async || store.lease_jobs("w", SEND_EVENT, "here", 9, std::time::Duration::from_secs(60)).await.unwrap();
    store.enqueue_job(NewJob::new(SEND_EVENT, "a", serde_json::json!({})).ordered("c1")).await.unwrap();
    store.enqueue_job(NewJob::new(SEND_EVENT, "b", serde_json::json!({})).ordered("c1")).await.unwrap();
    let first = take().await;
    assert_eq!(first.len(), 1);
    assert!(store.park_job(&first[0], "not allowed").await.unwrap());
    let listed = store.jobs(false, None, 9).await.unwrap();
    let parked = listed.iter().find(|job| job.key == "a").unwrap();
    assert_eq!((parked.status, parked.last_error.as_deref()), (JobStatus::Parked, Some("not allowed")));
    assert_eq!(store.parked_jobs(vec![SEND_EVENT, FETCH_RECORDING]).await.unwrap(), [(SEND_EVENT.to_owned(), 1)]);
    // The one behind it is judged by itself.
    let second = take().await;
    assert_eq!(second[0].key, "b");
    store.park_job(&second[0], "not allowed").await.unwrap();
    assert!(take().await.is_empty());
    assert_eq!(store.unpark_jobs(SEND_EVENT, vec![client + 1]).await.unwrap(), 0);
    assert_eq!(store.unpark_jobs(SEND_EVENT, vec![client]).await.unwrap(), 2);
    let again = take().await;
    assert_eq!((again.len(), &*again[0].key, again[0].attempts), (1, "a", 1), "in their order, as if they were new");
    store.park_job(&again[0], "not allowed").await.unwrap();
    assert_eq!(store.retry_failed_jobs(Some(again[0].id)).await.unwrap()[0].key, "a");
    // Kept as long as one that was given up.
    let again = take().await;
    store.park_job(&again[0], "not allowed").await.unwrap();
    let soon = Utc::now() + chrono::TimeDelta::hours(1);
    assert_eq!(store.forget_jobs(soon, Utc::now() - chrono::TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(store.forget_jobs(soon, soon).await.unwrap(), 1);
}
