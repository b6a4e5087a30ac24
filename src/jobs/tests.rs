use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio::time::interval;

use protocol::backoff::Backoff;

use super::*;
use crate::store::JobStatus;
use crate::store::tests::TempDb;

const NODE: &str = "here";

/// What a test's handler does with its jobs, by their keys.
#[derive(Clone)]
struct Handled {
    /// Every attempt, by key.
    seen: mpsc::Sender<String>,
    given_up: mpsc::Sender<String>,
    go: Arc<Notify>,
    at_once: Arc<AtomicUsize>,
}

impl Handler for Handled {
    const KIND: &'static str = "odd";
    const AT_ONCE: usize = 2;
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_millis(2), Duration::from_millis(10)),
        longest_age: Duration::from_secs(60),
        most_attempts: 3,
        one_attempt: Duration::from_millis(500),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        assert!(self.at_once.fetch_add(1, Ordering::AcqRel) < Self::AT_ONCE);
        self.seen.send(job.key.clone()).await.unwrap();
        let waits = job.key.starts_with("waits") && (job.attempts == 1 || !job.key.ends_with("once"));
        if waits {
            self.go.notified().await;
        }
        self.at_once.fetch_sub(1, Ordering::AcqRel);
        match job.key.as_str() {
            "second" if job.attempts == 1 => Err(JobError::Retry("503".to_owned())),
            "never" => Err(JobError::Retry("503".to_owned())),
            "refused" => Err(JobError::GiveUp("410".to_owned())),
            "panics" if job.attempts == 1 => panic!("oh"),
            _ => Ok(()),
        }
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        self.given_up.send(format!("{}: {why}", job.key)).await.unwrap();
        Ok(())
    }
}

struct Rig {
    store: Store,
    odd: Handled,
    seen: mpsc::Receiver<String>,
    given_up: mpsc::Receiver<String>,
    _db: TempDb,
}

impl Rig {
    async fn new() -> Self {
        let db = TempDb::new();
        let (seen_by, seen) = mpsc::channel(64);
        let (told, given_up) = mpsc::channel(64);
        let odd = Handled { seen: seen_by, given_up: told, go: Arc::default(), at_once: Arc::default() };
        Self { store: db.store().await, odd, seen, given_up, _db: db }
    }

    fn start(&self) -> Running {
        Runner::new(self.store.clone(), NODE).with(self.odd.clone()).start(&Handle::current())
    }

    async fn add(&self, key: &str) {
        self.store.enqueue_job(NewJob::new(Handled::KIND, key, json!({}))).await.unwrap();
    }

    async fn becomes(&self, key: &str, status: JobStatus) -> Job {
        let found = async {
            let mut look = interval(Duration::from_millis(2));
            loop {
                look.tick().await;
                let rows = self.store.jobs(true, None, 100).await.unwrap();
                if let Some(row) = rows.into_iter().find(|row| row.key == key && row.status == status) {
                    return row;
                }
            }
        };
        timeout(Duration::from_secs(10), found).await.unwrap_or_else(|_| panic!("{key} never became {status:?}"))
    }
}

#[tokio::test]
async fn a_job_that_fails_is_tried_again_and_done() {
    let rig = Rig::new().await;
    let running = rig.start();
    for key in ["first", "second"] {
        rig.add(key).await;
    }
    assert_eq!(rig.becomes("first", JobStatus::Done).await.attempts, 1);
    let second = rig.becomes("second", JobStatus::Done).await;
    assert_eq!((second.attempts, second.last_error.as_deref()), (2, Some("503")));
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_fault_in_a_handler_costs_an_attempt_and_nothing_else() {
    let rig = Rig::new().await;
    let running = rig.start();
    // The count of the attempt that panicked is off by one for good.
    rig.add("panics").await;
    let panicked = rig.becomes("panics", JobStatus::Done).await;
    assert_eq!((panicked.attempts, panicked.last_error.as_deref()), (2, Some("a fault of ours: oh")));
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_job_that_cannot_be_done_is_given_up_in_words() {
    let mut rig = Rig::new().await;
    let running = rig.start();
    rig.add("never").await;
    let never = rig.becomes("never", JobStatus::Failed).await;
    assert_eq!(never.attempts, 3);
    assert_eq!(never.last_error.as_deref(), Some("503 (given up after 3 attempts in 0 min)"));
    rig.add("refused").await;
    assert_eq!(rig.becomes("refused", JobStatus::Failed).await.attempts, 1);
    assert!(rig.given_up.recv().await.unwrap().starts_with("never: 503"));
    assert_eq!(rig.given_up.recv().await.unwrap(), "refused: 410");
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_cut_and_counts() {
    let rig = Rig::new().await;
    let running = rig.start();
    rig.add("waits once").await;
    let cut = rig.becomes("waits once", JobStatus::Done).await;
    assert_eq!((cut.attempts, cut.last_error.as_deref()), (2, Some("it took longer than 0 s")));
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_more_are_done_at_once_than_the_handler_says() {
    let mut rig = Rig::new().await;
    for n in 0..6 {
        rig.add(&format!("waits {n}")).await;
    }
    let running = rig.start();
    for _ in 0..6 {
        // The handler itself counts.
        rig.seen.recv().await.unwrap();
        rig.odd.go.notify_one();
    }
    for n in 0..6 {
        rig.becomes(&format!("waits {n}"), JobStatus::Done).await;
    }
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_node_that_stops_gives_its_jobs_back_at_once() {
    let mut rig = Rig::new().await;
    let running = rig.start();
    rig.add("waits").await;
    assert_eq!(rig.seen.recv().await.unwrap(), "waits");
    running.stop(Duration::ZERO).await;
    let back = rig.becomes("waits", JobStatus::Waiting).await;
    assert_eq!((back.lease_owner, back.last_error), (None, None));
    rig.odd.at_once.store(0, Ordering::Release);
    let next = rig.start();
    assert_eq!(rig.seen.recv().await.unwrap(), "waits");
    rig.odd.go.notify_one();
    rig.becomes("waits", JobStatus::Done).await;
    next.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_node_that_drains_lets_its_jobs_end_and_takes_no_new_one() {
    let mut rig = Rig::new().await;
    let running = rig.start();
    rig.add("waits").await;
    rig.seen.recv().await.unwrap();
    let stopping = tokio::spawn(running.stop(Duration::from_secs(5)));
    rig.odd.go.notify_one();
    stopping.await.unwrap();
    rig.becomes("waits", JobStatus::Done).await;
    rig.add("first").await;
    assert_eq!(rig.store.jobs(false, None, 10).await.unwrap()[0].status, JobStatus::Waiting);
}
