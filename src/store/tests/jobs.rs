//! What holds of jobs on every database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use dashmap::DashMap;
use proptest::prelude::*;
use protocol::ids::{CallSid, Secret};
use serde_json::json;

use super::Db;
use crate::store::tests::{new_call, new_client};
use crate::store::{EventsTarget, Job, JobStatus, NewCall, NewJob, Store};

const KIND: &str = "sweep";
const HERE: &str = "here";
const LONG: Duration = Duration::from_secs(600);

fn job(key: &str) -> NewJob {
    NewJob::new(KIND, key, json!({ "of": key }))
}

async fn take(store: &Store, limit: i64, how_long: Duration) -> Vec<Job> {
    store.lease_jobs("w", KIND, HERE, limit, how_long).await.unwrap()
}

fn keys(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.key.as_str()).collect()
}

#[tokio::test]
async fn a_job_is_added_once_and_stays_done() {
    let db = Db::new();
    let store = db.store().await;
    assert!(store.enqueue_job(job("a")).await.unwrap());
    assert!(!store.enqueue_job(job("a")).await.unwrap());
    let taken = take(&store, 10, LONG).await;
    assert_eq!((keys(&taken), &taken[0].payload), (vec!["a"], &json!({ "of": "a" })));
    assert_eq!((taken[0].status, taken[0].attempts), (JobStatus::Running, 1));
    assert!(take(&store, 10, LONG).await.is_empty(), "it is on lease");
    assert!(store.job_done(&taken[0]).await.unwrap());
    assert!(!store.enqueue_job(job("a")).await.unwrap(), "it was done");
    assert!(store.jobs(false, None, 10).await.unwrap().is_empty());
    assert_eq!(store.jobs(true, None, 10).await.unwrap()[0].status, JobStatus::Done);
}

#[tokio::test]
async fn whoever_works_the_jobs_hears_of_every_commit_that_left_one_to_be_done_now_and_of_no_other() {
    let db = Db::new();
    let store = db.store().await;
    let mut due = store.due_jobs();
    let mut heard = || {
        let heard = due.has_changed().unwrap();
        due.mark_unchanged();
        heard
    };
    store.enqueue_job(job("a")).await.unwrap();
    assert!(heard());
    store.enqueue_job(job("a")).await.unwrap();
    assert!(!heard(), "it is there already");
    store.enqueue_job(job("later").at(Utc::now() + TimeDelta::minutes(1))).await.unwrap();
    assert!(!heard(), "it is not due yet");
    let taken = take(&store, 1, LONG).await.remove(0);
    assert!(!heard(), "it is being done");
    store.give_up_job(&taken, "no").await.unwrap();
    assert!(!heard());
    store.retry_failed_jobs(None).await.unwrap();
    assert!(heard());
    store.move_job(KIND, "a", HERE).await.unwrap();
    assert!(heard());
    // Within a longer transaction, and committed together with other work or not at all.
    let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
    let target = EventsTarget { url: "https://crm.example/".to_owned(), secret: Secret::new("hush") };
    store.begin_call(NewCall { tells: false, ..new_call("nobody listens", client) }).await.unwrap();
    assert!(!heard());
    store.set_events_target(client, Some(target)).await.unwrap();
    store.begin_call(new_call("c1", client)).await.unwrap();
    assert!(heard(), "its client is told");
    store.begin_call(new_call("c1", client)).await.unwrap();
    assert!(!heard(), "and once");
}

#[tokio::test]
async fn a_dead_workers_job_is_taken_over_and_its_late_word_changes_nothing() {
    let db = Db::new();
    let store = db.store().await;
    store.enqueue_job(job("a")).await.unwrap();
    let dead = take(&store, 1, Duration::ZERO).await.remove(0);
    let heir = take(&store, 1, LONG).await.remove(0);
    assert_eq!((dead.id, heir.attempts), (heir.id, 2));
    assert!(!store.job_done(&dead).await.unwrap());
    assert!(!store.give_up_job(&dead, "no").await.unwrap());
    assert!(!store.release_job(&dead).await.unwrap());
    assert!(!store.renew_job(&dead, LONG).await.unwrap());
    assert!(store.renew_job(&heir, LONG).await.unwrap());
    let row = store.jobs(true, None, 1).await.unwrap().remove(0);
    assert_eq!((row.status, row.attempts, row.last_error), (JobStatus::Running, 2, None));
}

#[tokio::test]
async fn a_failed_attempt_waits_for_its_time_and_keeps_its_reason() {
    let db = Db::new();
    let store = db.store().await;
    store.enqueue_job(job("a")).await.unwrap();
    let first = take(&store, 1, LONG).await.remove(0);
    let later = Utc::now() + TimeDelta::hours(1);
    assert!(store.retry_job(&first, "503", later).await.unwrap());
    assert!(take(&store, 1, LONG).await.is_empty());
    let next = store.next_job(KIND, HERE).await.unwrap().unwrap();
    assert!((next - later).abs() < TimeDelta::milliseconds(1));
    let row = store.jobs(false, None, 1).await.unwrap().remove(0);
    assert_eq!((row.status, row.last_error.as_deref()), (JobStatus::Waiting, Some("503")));
}

#[tokio::test]
async fn a_job_that_is_given_up_says_why_and_is_listed() {
    let db = Db::new();
    let store = db.store().await;
    for key in ["a", "b", "c"] {
        store.enqueue_job(job(key)).await.unwrap();
    }
    let taken = take(&store, 1, LONG).await.remove(0);
    store.give_up_job(&taken, "the host is not allowed").await.unwrap();
    let listed = store.jobs(false, None, 2).await.unwrap();
    assert_eq!(keys(&listed), ["c", "b"]);
    let rest = store.jobs(false, Some(listed[1].id), 2).await.unwrap();
    assert_eq!((keys(&rest), rest[0].status), (vec!["a"], JobStatus::Failed));
    assert_eq!(rest[0].last_error.as_deref(), Some("the host is not allowed"));
    let waiting = store.waiting_jobs().await.unwrap();
    assert_eq!((waiting.len(), waiting[0].kind.as_str(), waiting[0].count), (1, KIND, 2));
}

#[tokio::test]
async fn jobs_of_one_ordering_are_done_one_after_the_other() {
    let db = Db::new();
    let store = db.store().await;
    for (key, order) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")] {
        store.enqueue_job(job(key).ordered(order)).await.unwrap();
    }
    store.enqueue_job(job("free")).await.unwrap();
    let first = take(&store, 10, LONG).await;
    assert_eq!(keys(&first), ["a1", "b1", "free"]);
    assert!(take(&store, 10, LONG).await.is_empty());
    // Even one that waits for its next attempt holds up those behind it, and nobody looks for them meanwhile.
    let later = Utc::now() + TimeDelta::hours(1);
    store.retry_job(&first[0], "503", later).await.unwrap();
    store.give_up_job(&first[1], "410").await.unwrap();
    store.job_done(&first[2]).await.unwrap();
    assert_eq!(keys(&take(&store, 10, LONG).await), ["b2"]);
    assert!(store.next_job(KIND, HERE).await.unwrap().unwrap() > Utc::now() + TimeDelta::minutes(9));
}

#[tokio::test]
async fn a_job_bound_to_a_node_is_done_there_alone_until_it_is_moved() {
    let db = Db::new();
    let store = db.store().await;
    store.enqueue_job(NewJob { node: Some("there".to_owned()), ..job("file") }).await.unwrap();
    assert!(take(&store, 10, LONG).await.is_empty());
    assert_eq!(store.next_job(KIND, HERE).await.unwrap(), None);
    assert!(store.move_job(KIND, "file", HERE).await.unwrap());
    assert_eq!(keys(&take(&store, 10, LONG).await), ["file"]);
    assert!(!store.move_job(KIND, "none", HERE).await.unwrap());
}

#[tokio::test]
async fn a_recording_that_was_given_up_is_tried_again_when_it_is_announced_again_and_says_why_it_waits() {
    let db = Db::new();
    let store = db.store().await;
    let call = CallSid::new("c1");
    let announce = || store.announce_recording(&call, "own:c1", KIND, Some(HERE));
    let shown = async || {
        let rows = store.recordings_of_call(&call).await.unwrap();
        (rows[0].status.name().to_owned(), rows[0].error.clone().unwrap_or_default())
    };
    let expect = |status: &str, why: &str| (status.to_owned(), why.to_owned());
    let soon = Utc::now() + TimeDelta::hours(1);
    for forgotten in [false, true] {
        let id = announce().await.unwrap();
        // Told again while it waits, or is at work: no second job.
        assert_eq!(announce().await.unwrap(), id);
        let taken = take(&store, 10, LONG).await;
        assert_eq!((taken.len(), taken[0].attempts, &taken[0].payload), (1, 1, &json!({ "recording_id": id })));
        announce().await.unwrap();
        assert!(take(&store, 10, LONG).await.is_empty());
        store.recording_put_off(id, "the disk is full").await.unwrap();
        assert_eq!(shown().await, expect("pending", "the disk is full"));
        store.recording_failed(id, "nothing is there").await.unwrap();
        store.recording_put_off(id, "the disk is full").await.unwrap();
        assert_eq!(shown().await, expect("failed", "nothing is there"));
        store.give_up_job(&taken[0], "nothing is there").await.unwrap();
        if forgotten {
            store.forget_jobs(soon, soon).await.unwrap();
        }
    }
    announce().await.unwrap();
    assert_eq!(shown().await, expect("pending", "nothing is there"));
    assert_eq!(take(&store, 10, LONG).await.len(), 1);
}

#[tokio::test]
async fn finished_jobs_are_forgotten_in_their_time() {
    let db = Db::new();
    let store = db.store().await;
    for key in ["a", "b", "c"] {
        store.enqueue_job(job(key)).await.unwrap();
    }
    let taken = take(&store, 2, LONG).await;
    store.job_done(&taken[0]).await.unwrap();
    store.give_up_job(&taken[1], "410").await.unwrap();
    let (now, soon) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    assert_eq!(store.forget_jobs(now, now).await.unwrap(), 0);
    assert_eq!(store.forget_jobs(soon, now).await.unwrap(), 1);
    assert_eq!(store.forget_jobs(soon, soon).await.unwrap(), 1);
    assert_eq!(keys(&store.jobs(true, None, 10).await.unwrap()), ["c"]);
}

/// Eight workers at once, every third of whose leases is one of a worker that dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_job_is_run_by_two_workers_at_once_and_none_is_lost() {
    const JOBS: usize = 60;
    let db = Db::new();
    let store = db.store().await;
    for n in 0..JOBS {
        let ordered = job(&n.to_string()).ordered((n % 7).to_string());
        store.enqueue_job(if n % 2 == 0 { ordered } else { job(&n.to_string()) }).await.unwrap();
    }
    let busy: Arc<DashMap<i64, bool>> = Arc::default();
    let (done, twice) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let workers: Vec<_> = (0..8usize)
        .map(|worker| {
            let (store, busy, done, twice) = (store.clone(), busy.clone(), done.clone(), twice.clone());
            tokio::spawn(async move {
                let mut turn = worker;
                while done.load(Ordering::Acquire) < JOBS {
                    turn += 1;
                    let dies = turn.is_multiple_of(3);
                    let how_long = if dies { Duration::ZERO } else { LONG };
                    let name = format!("w{worker}");
                    for job in store.lease_jobs(&name, KIND, HERE, 3, how_long).await.unwrap() {
                        if dies {
                            continue;
                        }
                        twice.fetch_or(busy.insert(job.id, true) == Some(true), Ordering::AcqRel);
                        tokio::task::yield_now().await;
                        busy.insert(job.id, false);
                        if store.job_done(&job).await.unwrap() {
                            done.fetch_add(1, Ordering::AcqRel);
                        }
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    assert!(!twice.load(Ordering::Acquire));
    let rows = store.jobs(true, None, 100).await.unwrap();
    assert_eq!(rows.iter().filter(|job| job.status == JobStatus::Done).count(), JOBS);
}

/// What a worker does next; the number chooses among what it holds.
#[derive(Clone, Debug)]
enum Step {
    Add { ordering: Option<u8> },
    Lease { limit: i64, dies: bool },
    Done(usize),
    Retry(usize),
    GiveUp(usize),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => proptest::option::of(0..3u8).prop_map(|ordering| Step::Add { ordering }),
        4 => (1..4i64, proptest::bool::weighted(0.3)).prop_map(|(limit, dies)| Step::Lease { limit, dies }),
        2 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::Retry),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => any::<usize>().prop_map(Step::Release),
    ]
}

/// What is true of the jobs, kept beside the table.
#[derive(Default)]
struct Model {
    added: usize,
    finished: HashSet<i64>,
    held: Vec<Job>,
    /// Orderings, by row id.
    orderings: HashMap<i64, String>,
}

impl Model {
    async fn apply(&mut self, store: &Store, step: &Step) {
        match step {
            Step::Add { ordering } => {
                let new = job(&self.added.to_string());
                self.added += 1;
                let ordering = ordering.map(|order| order.to_string());
                assert!(store.enqueue_job(NewJob { ordering, ..new }).await.unwrap());
            }
            Step::Lease { limit, dies } => {
                let jobs = take(store, *limit, if *dies { Duration::ZERO } else { LONG }).await;
                for job in &jobs {
                    assert!(!self.finished.contains(&job.id), "a finished job was leased: {job:?}");
                    assert!(self.held.iter().all(|held| held.id != job.id), "two have it: {job:?}");
                    self.check_order(store, job).await;
                }
                if !dies {
                    self.held.extend(jobs);
                }
            }
            Step::Done(n) | Step::Retry(n) | Step::GiveUp(n) | Step::Release(n) => {
                if self.held.is_empty() {
                    return;
                }
                let job = self.held.swap_remove(n % self.held.len());
                let held = match step {
                    Step::Retry(_) => store.retry_job(&job, "again", Utc::now()).await,
                    Step::Release(_) => store.release_job(&job).await,
                    Step::GiveUp(_) => store.give_up_job(&job, "no").await,
                    _ => store.job_done(&job).await,
                };
                assert!(held.unwrap(), "a lease was lost while it lasted: {job:?}");
                if matches!(step, Step::Done(_) | Step::GiveUp(_)) {
                    self.finished.insert(job.id);
                }
            }
        }
    }

    async fn check_order(&mut self, store: &Store, job: &Job) {
        for row in store.jobs(true, None, 1000).await.unwrap() {
            if let Some(ordering) = row.ordering {
                self.orderings.insert(row.id, ordering);
            }
        }
        let Some(own) = &job.ordering else { return };
        let earlier = self.orderings.iter().filter(|(id, ordering)| **id < job.id && *ordering == own);
        for (id, _) in earlier {
            assert!(self.finished.contains(id), "{id} should have gone before {job:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_workers_do_no_job_is_held_twice_lost_or_out_of_order(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = Db::new();
            let store = db.store().await;
            let mut model = Model::default();
            for step in &steps {
                model.apply(&store, step).await;
            }
            // Whoever is left does the rest.
            for _ in 0..=model.added {
                while !model.held.is_empty() {
                    model.apply(&store, &Step::Done(0)).await;
                }
                model.apply(&store, &Step::Lease { limit: 100, dies: false }).await;
            }
            assert_eq!(model.finished.len(), model.added);
        });
    }
}
