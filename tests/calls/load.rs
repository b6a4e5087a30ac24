//! A load test against a gateway that runs on between its runs.

use std::time::Duration;

use simulator::exotel::WebhookAuth;
use simulator::load::{Cause, LoadError, LoadPlan, LoadReport, MetricsAt, Slos, Target, find, run};

use crate::support::{Gateway, NUMBER, PATIENCE, Setup, WEBHOOK_KEY};

fn plan(gateway: &Gateway, to: &str, calls: usize) -> LoadPlan {
    let target = Target::Gateway {
        url: format!("http://{}", gateway.running.addr()).parse().unwrap(),
        auth: WebhookAuth { key: Some(WEBHOOK_KEY.into()), ..WebhookAuth::default() },
        to: vec![to.into()],
    };
    // However busy the machine is that tests run on.
    let late_ms = 60_000.0;
    LoadPlan { calls, ramp: Duration::from_millis(200), secs: Duration::from_secs(1), late_ms, ..LoadPlan::new(target) }
}

async fn load(gateway: &Gateway, to: &str, calls: usize) -> Result<LoadReport, LoadError> {
    let report = run(plan(gateway, to, calls), |_| {}).await.map(|run| run.report);
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
    assert_eq!(report.calls.refusals.into_iter().collect::<Vec<_>>(), [("full".to_owned(), 1)]);
    let Err(LoadError::NoCalls(why)) = load(&gateway, "+911123456789", 1).await else {
        panic!("nobody has the number")
    };
    assert_eq!(why, "voicebot answered 404 unknown_client");
    gateway.running.switchboard().drain();
    let Err(LoadError::NoCalls(why)) = load(&gateway, NUMBER, 1).await else { panic!("it drains") };
    assert_eq!(why, "voicebot answered 503 draining");
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_gateway_that_runs_elsewhere_is_taken_to_account_by_what_it_says_of_itself() {
    let gateway = Gateway::with(Setup::default()).await;
    let url = format!("http://{}", gateway.running.addr()).parse().unwrap();
    let metrics = Some(MetricsAt { url, token: Some("hush-hush-hush-hush".into()) });
    let plan = LoadPlan { metrics, ..plan(&gateway, NUMBER, 2) };
    assert!(!format!("{plan:?}").contains("hush"), "{plan:?}");
    let report = run(plan, |_| {}).await.unwrap().report;
    let process = report.process.unwrap();
    assert!(process.pid.is_none() && process.cpu_ms_per_call_sec > 0.0 && process.rss_steady_kib > 1_000, "{report}");
    let says = report.gateway.as_ref().unwrap();
    assert!(says.version == env!("CARGO_PKG_VERSION") && says.loop_lag_p99_ms.is_some(), "{report}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn the_limit_that_a_gateway_has_is_found_and_named() {
    let gateway = Gateway::with(Setup { set: |args| args.max_calls = "3".into(), ..Setup::default() }).await;
    let slos = Slos { p99_ms: 60_000.0, first_audio_ms: None, webhook_ms: None, refusals: 0.0 };
    let (found, at_knee) = find(&plan(&gateway, NUMBER, 2), slos, 50, |_| {}, |_| {}).await.unwrap();
    assert_eq!((found.knee, found.broke), (3, Some(4)), "{found}");
    assert_eq!(found.cause, Some(Cause::Limit("full".into())), "{found}");
    assert_eq!(at_knee.report.calls.opened, 3, "the figures are those at the knee");
    gateway.stop().await;
}
