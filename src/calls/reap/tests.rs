use std::time::SystemTime;

use actors::Recorder;
use protocol::call::end::{EndCode, Ended};
use protocol::call::fact::Fact;
use protocol::ids::{Secret, StreamSid};
use tokio::runtime::Handle;

use super::*;
use crate::calls::lease::Renewal;
use crate::calls::writer::tests::rules;
use crate::calls::writer::{RecordRules, Waits};
use crate::store::tests::{TempDb, WriteLock, neighbour, new_call, new_client, node};
use crate::store::{CALL_ENDED, Call, EventsTarget, Job, NewCall};

const MAX_CALL: Duration = Duration::from_secs(3300);
const LEASE: Duration = Duration::from_secs(20);
const LIVE: &str = "live";

struct Rig {
    store: Store,
    recorder: RecordWriter,
    client: i64,
    db: TempDb,
}

impl Rig {
    async fn new() -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        let target = EventsTarget { url: "https://crm.example/".to_owned(), secret: Secret::new("hush") };
        store.set_events_target(client, Some(target)).await.unwrap();
        let recorder = RecordWriter::new(store.clone(), rules(), &Handle::current());
        Self { store, recorder, client, db }
    }

    /// The reaper of this gateway, and what renews its lease.
    fn reaper(&self) -> (Renewal, Reaper<impl Fn(&CallSid) -> bool + Send + Sync + use<>>) {
        let (renewal, steady) = Renewal::new(self.store.clone(), node(), LEASE);
        let reaper = Reaper {
            store: self.store.clone(),
            recorder: self.recorder.clone(),
            node: node(),
            lease: LEASE,
            steady,
            max_call: MAX_CALL,
            is_live: |call: &CallSid| call.as_str() == LIVE,
            failed_at: None,
            forgot_at: None,
        };
        (renewal, reaper)
    }

    async fn begin(&self, sid: &str, owner: NodeId, ago: Duration) {
        let new = NewCall { at: Utc::now() - ago, owner, ..new_call(sid, self.client) };
        self.store.begin_call(new).await.unwrap();
    }

    async fn row(&self, sid: &str) -> Call {
        self.store.call(&CallSid::new(sid)).await.unwrap().unwrap().call
    }

    async fn code(&self, sid: &str) -> Option<EndCode> {
        self.row(sid).await.ended_code
    }

    /// What waits to be told of ends.
    async fn ends(&self) -> Vec<Job> {
        let mut jobs = self.store.jobs(true, None, 1000).await.unwrap();
        jobs.retain(|job| job.payload["type"] == CALL_ENDED);
        jobs
    }
}

/// As if that much time had passed.
fn after(how_long: Duration) -> Instant {
    Instant::now() + how_long
}

#[tokio::test]
async fn the_calls_of_a_gateway_that_died_are_ended_and_those_of_the_living_are_not() {
    let rig = Rig::new().await;
    let (third, never) = (NodeId::new("third"), NodeId::new("never"));
    for (sid, owner) in [("gone", &neighbour()), ("elsewhere", &third), ("here", &node()), ("unknown", &never)] {
        rig.begin(sid, owner.clone(), Duration::ZERO).await;
    }
    rig.store.renew_lease(&neighbour(), Duration::ZERO).await.unwrap();
    rig.store.renew_lease(&third, LEASE).await.unwrap();
    let (mut renewal, mut reaper) = rig.reaper();
    assert_eq!(reaper.round(after(LEASE)).await, 0, "it has no lease itself");
    renewal.renew().await;
    assert_eq!(reaper.round(after(Duration::ZERO)).await, 0, "others may need a while to say that they live");
    assert_eq!(reaper.round(after(LEASE)).await, 2);
    assert_eq!(reaper.round(after(LEASE)).await, 0);
    assert_eq!((rig.code("gone").await, rig.code("unknown").await), (Some(EndCode::Reaped), Some(EndCode::Reaped)));
    assert_eq!((rig.code("elsewhere").await, rig.code("here").await), (None, None));
}

#[tokio::test]
async fn a_gateway_that_was_cut_off_goes_on_with_its_calls_and_their_end_is_told_once() {
    let rig = Rig::new().await;
    rig.begin("c1", neighbour(), Duration::ZERO).await;
    let there = RecordWriter::new(
        rig.db.store().await,
        RecordRules { node: neighbour(), ..RecordRules::default() },
        &Handle::current(),
    );
    let call = CallSid::new("c1");
    there.owns(&rig.row("c1").await, 1, Waits::default());
    let media = Fact::MediaStarted {
        stream: StreamSid::new("s1"),
        rate: codecs::SampleRate::Hz8000,
        at_ms: 0,
        wall: SystemTime::now(),
    };
    there.record(&call, SystemTime::now(), &media);
    assert!(there.flush().await);
    // Cut off for longer than its lease.
    let (mut renewal, mut reaper) = rig.reaper();
    renewal.renew().await;
    assert_eq!(reaper.round(after(LEASE)).await, 1);
    assert_eq!((rig.code("c1").await, rig.ends().await.len()), (Some(EndCode::Reaped), 1));
    // And back.
    there.record(&call, SystemTime::now(), &Fact::ModelDialled { attempt: 2 });
    there.record(&call, SystemTime::now(), &Fact::Ended(Ended::CallerHungUp { reason: None }));
    assert!(there.flush().await);
    assert_eq!(rig.code("c1").await, Some(EndCode::StreamLost), "its own account");
    let ends = rig.ends().await;
    let told: Vec<_> = ends.iter().map(|job| Some(job.run_at)).collect();
    assert_eq!(told, [rig.row("c1").await.over_at], "once, and in its own time");
}

#[tokio::test]
async fn a_call_that_was_reaped_too_early_is_open_again_with_the_next_word() {
    let rig = Rig::new().await;
    rig.begin("c1", node(), Duration::ZERO).await;
    rig.store.renew_lease(&neighbour(), LEASE).await.unwrap();
    let lost = rig.store.lost_calls(&neighbour(), Utc::now(), 9).await.unwrap();
    assert_eq!(rig.store.end_lost_calls(&neighbour(), lost).await.unwrap().len(), 1);
    let turn = protocol::call::fact::Turn {
        index: 0,
        who: protocol::call::fact::Who::Agent,
        text: "Hello".to_owned(),
        at_ms: 0,
        heard_ms: 1,
        generated_ms: 1,
        answer_ms: None,
        latency: None,
        clip: false,
        backchannel: false,
        interrupted: false,
    };
    rig.recorder.owns(&rig.row("c1").await, 1, Waits::default());
    rig.recorder.record(&CallSid::new("c1"), SystemTime::now(), &Fact::Turn(turn));
    assert!(rig.recorder.flush().await);
    assert_eq!((rig.code("c1").await, rig.ends().await.len()), (None, 0));
}

#[tokio::test]
async fn an_outage_of_the_database_reaps_no_call() {
    let rig = Rig::new().await;
    rig.begin("c1", neighbour(), Duration::ZERO).await;
    rig.store.renew_lease(&neighbour(), LEASE).await.unwrap();
    let (mut renewal, mut reaper) = rig.reaper();
    renewal.renew().await;
    // Longer than a lease: nobody could renew one.
    let lock = WriteLock::take(&rig.db);
    renewal.renew().await;
    assert_eq!(reaper.round(after(LEASE)).await, 0);
    lock.release();
    rig.store.renew_lease(&neighbour(), Duration::ZERO).await.unwrap();
    rig.store.renew_lease(&node(), Duration::ZERO).await.unwrap();
    renewal.renew().await;
    assert_eq!(reaper.round(after(Duration::ZERO)).await, 0, "it was the first to be back");
    // Nor does a gateway that starts just then.
    let (mut renewal, mut reaper) = rig.reaper();
    renewal.renew().await;
    assert_eq!(reaper.round(after(Duration::ZERO)).await, 0);
    rig.store.renew_lease(&neighbour(), LEASE).await.unwrap();
    assert_eq!((reaper.round(after(LEASE)).await, rig.code("c1").await), (0, None));
}

#[tokio::test]
async fn a_call_that_nobody_is_known_to_have_is_left_alone_until_it_is_too_old() {
    let rig = Rig::new().await;
    let old = Duration::from_secs(3700);
    // Its stream began late, and it is as long as calls may be.
    for (sid, ago) in [("gone", old), (LIVE, old), ("before", old), ("young", Duration::from_secs(3400))] {
        rig.begin(sid, node(), ago).await;
    }
    rig.db.run("UPDATE calls SET owner = NULL WHERE call_sid IN ('before', 'young')");
    let (mut renewal, mut reaper) = rig.reaper();
    renewal.renew().await;
    assert_eq!(reaper.round(after(LEASE)).await, 2);
    assert_eq!((rig.code("gone").await, rig.code("before").await), (Some(EndCode::Reaped), Some(EndCode::Reaped)));
    assert_eq!((rig.code(LIVE).await, rig.code("young").await), (None, None));
}

#[tokio::test]
async fn many_are_ended_a_few_at_a_time() {
    let rig = Rig::new().await;
    for n in 0..AT_ONCE + 3 {
        rig.begin(&format!("c{n}"), neighbour(), Duration::from_secs(60)).await;
    }
    let (mut renewal, mut reaper) = rig.reaper();
    renewal.renew().await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(reaper.round(after(LEASE)).await);
    }
    assert_eq!(ended, [AT_ONCE, 3, 0]);
}

#[tokio::test]
async fn what_this_node_still_has_to_tell_of_an_end_goes_first() {
    let rig = Rig::new().await;
    rig.begin("c1", node(), Duration::from_secs(7200)).await;
    let (mut renewal, reaper) = rig.reaper();
    renewal.renew().await;
    let lock = WriteLock::take(&rig.db);
    let call = CallSid::new("c1");
    rig.recorder.record(&call, SystemTime::now(), &Fact::Ended(Ended::CallerHungUp { reason: None }));
    let lost = reaper.lost().await.unwrap();
    assert_eq!(lost.len(), 1);
    lock.release();
    assert_eq!(reaper.end(lost).await.unwrap(), 0);
    assert_eq!(rig.row("c1").await.status, "completed");
}
