use std::time::SystemTime;

use actors::Recorder;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::Secret;
use tokio::runtime::Handle;

use super::*;
use crate::calls::writer::tests::rules;
use crate::store::tests::{TempDb, WriteLock, new_call, new_client};
use crate::store::{EventsTarget, NewCall};

const MAX_CALL: Duration = Duration::from_secs(3300);
const LIVE: &str = "live";

struct House {
    store: Store,
    recorder: RecordWriter,
    client: i64,
    db: TempDb,
}

impl House {
    async fn new() -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        let target = EventsTarget { url: "https://crm.example/".to_owned(), secret: Secret::new("hush") };
        store.set_events_target(client, Some(target)).await.unwrap();
        let recorder = RecordWriter::new(store.clone(), rules(), &Handle::current());
        Self { store, recorder, client, db }
    }

    fn sweep(&self) -> Sweep<impl Fn(&CallSid) -> bool + Send + Sync + use<>> {
        let is_live = |call: &CallSid| call.as_str() == LIVE;
        Sweep::new(self.store.clone(), self.recorder.clone(), MAX_CALL, is_live)
    }

    async fn begin(&self, sid: &str, ago: Duration) {
        let new = NewCall { at: Utc::now() - ago, ..new_call(sid, self.client) };
        self.store.begin_call(new).await.unwrap();
    }

    async fn status(&self, sid: &str) -> String {
        self.store.call(&CallSid::new(sid)).await.unwrap().unwrap().call.status
    }
}

async fn round(sweep: &Sweep<impl Fn(&CallSid) -> bool + Send + Sync>) -> Result<usize, StoreError> {
    sweep.end(sweep.lost().await?).await
}

#[tokio::test]
async fn a_call_that_can_still_go_on_somewhere_is_left_alone() {
    let house = House::new().await;
    house.begin("gone", Duration::from_secs(3700)).await;
    house.begin(LIVE, Duration::from_secs(4000)).await;
    // Its stream began late, and it is as long as calls may be.
    house.begin("elsewhere", Duration::from_secs(3400)).await;
    let woken = house.store.due_jobs();
    let sweep = house.sweep();
    assert_eq!(round(&sweep).await.unwrap(), 1);
    assert!(woken.has_changed().unwrap(), "its client is told now");
    assert_eq!(round(&sweep).await.unwrap(), 0);
    let [gone, live, elsewhere] = [house.status("gone"), house.status(LIVE), house.status("elsewhere")];
    let seen = (gone.await, live.await, elsewhere.await);
    assert_eq!(seen, ("failed".to_owned(), "in-progress".to_owned(), "in-progress".to_owned()));
}

#[tokio::test]
async fn many_are_ended_a_few_at_a_time() {
    let house = House::new().await;
    for n in 0..AT_ONCE + 3 {
        house.begin(&format!("c{n}"), Duration::from_secs(7200)).await;
    }
    let sweep = house.sweep();
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(round(&sweep).await.unwrap());
    }
    assert_eq!(ended, [AT_ONCE, 3, 0]);
}

#[tokio::test]
async fn what_this_node_still_has_to_tell_of_an_end_goes_first() {
    let house = House::new().await;
    house.begin("c1", Duration::from_secs(7200)).await;
    let lock = WriteLock::take(&house.db);
    let call = CallSid::new("c1");
    house.recorder.record(&call, SystemTime::now(), &Fact::Ended(Ended::CallerHungUp { reason: None }));
    let sweep = house.sweep();
    let lost = sweep.lost().await.unwrap();
    assert_eq!(lost, [call]);
    lock.release();
    assert_eq!(sweep.end(lost).await.unwrap(), 0);
    assert_eq!(house.status("c1").await, "completed");
}
