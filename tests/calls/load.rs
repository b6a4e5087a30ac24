//! A load test against a gateway that runs on between its runs.

use std::time::Duration;

use simulator::exotel::WebhookAuth;
use simulator::load::{LoadError, LoadPlan, LoadReport, Target, run};

use crate::house::{House, KEY, NUMBER, PATIENCE, Wishes};

async fn load(house: &House, to: &str, calls: usize) -> Result<LoadReport, LoadError> {
    let target = Target::Gateway {
        url: format!("http://{}", house.running.addr()).parse().unwrap(),
        auth: WebhookAuth { key: Some(KEY.into()), ..WebhookAuth::default() },
        to: to.into(),
    };
    let plan = LoadPlan {
        calls,
        ramp: Duration::from_millis(200),
        secs: Duration::from_secs(1),
        frame_ms: 20,
        target,
        pid: None,
        model: None,
        seed: 1,
        lead_ms: 475,
    };
    let report = run(plan, |_| {}).await;
    assert!(house.running.switchboard().drained(PATIENCE).await, "its calls are over with it");
    report
}

#[actix_rt::test]
async fn a_gateway_can_be_loaded_again_with_the_same_seed() {
    let house = House::new().await;
    for time in ["first", "second"] {
        let report = load(&house, NUMBER, 2).await.unwrap();
        assert_eq!((report.calls.opened, report.calls.failed, report.calls.ended_early), (2, 0, 0), "{time}: {report}");
    }
    house.close().await;
}

#[actix_rt::test]
async fn a_load_that_is_refused_tells_the_gateways_reason() {
    let house = House::with(Wishes { set: |args| args.max_calls = "1".into(), ..Wishes::default() }).await;
    let report = load(&house, NUMBER, 2).await.unwrap();
    assert_eq!(report.calls.opened, 1, "{report}");
    assert_eq!(report.calls.reasons.into_iter().collect::<Vec<_>>(), [("voicebot answered 503 full".to_owned(), 1)]);
    let Err(LoadError::NoCalls(why)) = load(&house, "+911123456789", 1).await else { panic!("nobody has the number") };
    assert_eq!(why, "voicebot answered 404 unknown_client");
    house.running.switchboard().drain();
    let Err(LoadError::NoCalls(why)) = load(&house, NUMBER, 1).await else { panic!("it drains") };
    assert_eq!(why, "voicebot answered 503 draining");
    house.close().await;
}
