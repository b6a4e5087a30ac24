//! What came of calls, on every database.

use protocol::call::end::EndCode;
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::json;

use super::Db;
use crate::store::tests::{batch, finish, new_call, new_client, update};
use crate::store::*;

/// A client whose calls are looked at, and who is not told of them.
async fn client(store: &Store) -> i64 {
    let apply = Apply {
        client: new_client("+918047112233"),
        active: true,
        numbers: vec![PhoneNumber::new("+918047112233")],
        document: Some("{}".to_owned()),
        analysed: true,
        events: None,
        over: None,
    };
    let AppliedAgent::Done(client) = store.apply_agent(apply).await.unwrap() else { panic!("it is new") };
    client.id
}

fn call(client: i64) -> NewCall {
    NewCall { tells: false, ..new_call("c1", client) }
}

async fn ends(store: &Store, code: EndCode) {
    let finish = finish(code.status(), "it ended").map(|finish| Finish { code, ..finish });
    store.write_batch(batch(vec![CallUpdate { finish, ..update("c1") }])).await.unwrap();
}

/// When it is to be found out.
async fn due(store: &Store) -> Option<chrono::DateTime<chrono::Utc>> {
    let jobs = store.jobs(true, None, 10).await.unwrap();
    jobs.into_iter().find(|job| job.kind == ANALYSE_CALL).map(|job| job.run_at)
}

#[tokio::test]
async fn what_came_of_a_call_is_to_be_found_out_once_its_end_is_certain() {
    let db = Db::new();
    let store = db.store().await;
    let client = client(&store).await;
    store.begin_call(call(client)).await.unwrap();
    assert_eq!(due(&store).await, None);
    ends(&store, EndCode::StreamLost).await;
    let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(30);
    assert!(due(&store).await.is_some_and(|at| at > soon), "it may come back");
    assert!(matches!(store.begin_call(call(client)).await.unwrap(), Begun::Ours(_) | Begun::Returned { .. }));
    assert_eq!(due(&store).await, None, "it did");
    ends(&store, EndCode::StreamLost).await;
    ends(&store, EndCode::CallerHungUp).await;
    assert!(due(&store).await.is_some());
    assert_eq!(store.jobs(true, None, 10).await.unwrap().len(), 1, "nobody is told of it");
}

#[tokio::test]
async fn what_is_known_of_a_call_stays_and_is_told_with_it() {
    let db = Db::new();
    let store = db.store().await;
    let client = client(&store).await;
    store.begin_call(call(client)).await.unwrap();
    let call = store.call(&CallSid::new("c1")).await.unwrap().unwrap().call;
    assert_eq!(store.outcome_of_call(&call).await.unwrap(), None);
    let at = crate::store::tests::at(0);
    let known = |status, why: Option<&str>| CallOutcome {
        status,
        outcome: why.is_none().then(|| json!({ "settled": true })),
        why: why.map(str::to_owned),
        model: Some("text-1".to_owned()),
        updated_at: at,
    };
    let done = known(OutcomeStatus::Done, None);
    for (told, stands) in [
        (known(OutcomeStatus::Waiting, Some("503")), known(OutcomeStatus::Waiting, Some("503"))),
        (known(OutcomeStatus::Failed, Some("it refused")), known(OutcomeStatus::Failed, Some("it refused"))),
        (done.clone(), done.clone()),
        (known(OutcomeStatus::Waiting, Some("503")), done.clone()),
    ] {
        assert!(store.set_outcome(&call.call_sid, told).await.unwrap());
        assert_eq!(store.outcome_of_call(&call).await.unwrap(), Some(stands));
    }
    assert_eq!(store.told_of(&call.call_sid, None).await.unwrap().unwrap().outcome, Some(done.clone()));
    assert!(!store.set_outcome(&CallSid::new("c2"), done).await.unwrap());
}
