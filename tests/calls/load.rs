//! A load test against a gateway that runs on between its runs.

use std::time::Duration;

use simulator::exotel::WebhookAuth;
use simulator::load::{LoadError, LoadPlan, LoadReport, Target, run};

use crate::support::{Gateway, NUMBER, PATIENCE, Setup, WEBHOOK_KEY};

async fn load(gateway: &Gateway, to: &str, calls: usize) -> Result<LoadReport, LoadError> {
    let target = Target::Gateway {
        url: format!("http://{}", gateway.running.addr()).parse().unwrap(),
        auth: WebhookAuth { key: Some(WEBHOOK_KEY.into()), ..WebhookAuth::default() },
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
    assert!(gateway.running.switchboard().drained(PATIENCE).await, "its calls are over with it");
    report
}

#[actix_rt::test]
async fn a_gateway_can_be_loaded_again_with_the_same_seed() {
    let gateway = Gateway::with(Setup::default()).await;
    for time in ["first", "second"] {
        let report = load(&gateway, NUMBER, 2).await.unwrap();
        assert_eq!((report.calls.opened, report.calls.failed, report.calls.ended_early), (2, 0, 0), "{time}: {report}");
    }
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_load_that_is_refused_tells_the_gateways_reason() {
    let gateway = Gateway::with(Setup { set: |args| args.max_calls = "1".into(), ..Setup::default() }).await;
    let report = load(&gateway, NUMBER, 2).await.unwrap();
    assert_eq!(report.calls.opened, 1, "{report}");
    assert_eq!(report.calls.reasons.into_iter().collect::<Vec<_>>(), [("voicebot answered 503 full".to_owned(), 1)]);
    let Err(LoadError::NoCalls(why)) = load(&gateway, "+911123456789", 1).await else {
        panic!("nobody has the number")
    };
    assert_eq!(why, "voicebot answered 404 unknown_client");
    gateway.running.switchboard().drain();
    let Err(LoadError::NoCalls(why)) = load(&gateway, NUMBER, 1).await else { panic!("it drains") };
    assert_eq!(why, "voicebot answered 503 draining");
    gateway.stop().await;
}
