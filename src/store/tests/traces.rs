//! The end of a call leaves one job that tells its trace, when it is for good.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::end::Ended;
use protocol::ids::CallSid;

use super::Db;
use crate::store::tests::{batch, lose, media, new_call, new_client, update};
use crate::store::*;

fn ended(sid: &str, why: &Ended) -> CallUpdate {
    let (status, code) = (why.status().to_owned(), why.code());
    let finish = Some(Finish { at: Utc::now(), status, code, why: why.words(), transfer: None });
    CallUpdate { media: Some(media()), finish, ..update(sid) }
}

/// Of each job its key, and when it is done.
async fn jobs(store: &Store) -> Vec<(String, DateTime<Utc>)> {
    let mut jobs = store.jobs(true, None, 1000).await.unwrap();
    jobs.retain(|job| job.kind == EXPORT_TRACE);
    jobs.sort_by_key(|job| job.id);
    jobs.into_iter().map(|job| (job.key, job.run_at)).collect()
}

#[tokio::test]
async fn a_trace_is_told_once_its_call_cannot_come_back_any_more() {
    let db = Db::new();
    let store = db.store().await;
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    for sid in ["untraced", "certain", "provisional", "lost"] {
        store.begin_call(new_call(sid, client)).await.unwrap();
    }
    store.write_batch(batch(vec![ended("untraced", &Ended::AgentHungUp)])).await.unwrap();
    assert!(jobs(&store).await.is_empty(), "nobody traces");
    store.trace_calls();
    let certain = batch(vec![ended("certain", &Ended::AgentHungUp)]);
    for _ in 0..3 {
        store.write_batch(certain.clone()).await.unwrap();
    }
    let failed = Ended::ModelFailed { cause: "no session".to_owned() };
    store.write_batch(batch(vec![ended("provisional", &failed)])).await.unwrap();
    lose(&store, &[CallSid::new("lost")]).await;
    let told = jobs(&store).await;
    let keys: Vec<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["certain/1", "provisional/1", "lost/0"]);
    let soon = Utc::now() + TimeDelta::seconds(5);
    assert!(told[0].1 < soon, "{told:?}");
    for (at, sid) in [(1, "provisional"), (2, "lost")] {
        let over_at = store.call(&CallSid::new(sid)).await.unwrap().unwrap().call.over_at.unwrap();
        assert!(told[at].1 > over_at && told[at].1 < over_at + TimeDelta::seconds(5), "{sid}: {told:?}");
    }
    // It came back after all: the end of that stream is another one's.
    let back = MediaStart { number: 2, ..media() };
    let again = CallUpdate { reopened: true, media: Some(back), ..ended("provisional", &Ended::AgentHungUp) };
    store.write_batch(batch(vec![again])).await.unwrap();
    assert_eq!(jobs(&store).await.last().unwrap().0, "provisional/2");
}
