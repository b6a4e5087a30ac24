//! Carriers that behave badly.

use std::time::Duration;

use simulator::exotel::{CallError, EndedBy, Mode, Rudeness, Say};

use crate::support::{API_KEY, API_TOKEN, Gateway, Setup, answered, question};

#[actix_rt::test]
async fn junk_on_the_media_socket_costs_no_call() {
    let gateway = Gateway::with(Setup::default()).await;
    let plans = (1..=6).map(|seed| {
        let mut plan = gateway.plan();
        plan.seed = seed;
        plan.from = format!("+91987654{seed:04}");
        plan.rude = Rudeness::all(seed);
        plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
        plan
    });
    let reports = futures_util::future::join_all(plans.map(|plan| gateway.call(plan))).await;
    for (seed, report) in (1..).zip(&reports) {
        assert_eq!(report.ended_by, EndedBy::Caller, "seed {seed}: the call lived to its end: {report:?}");
        assert!(answered(report), "seed {seed}: {report:?}");
        assert!(!report.rude.is_empty());
    }
    for report in &reports {
        let record = gateway.record(&report.call_sid).await;
        assert_eq!(record.call.status, "completed", "{:?}", record.call);
    }
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_socket_that_just_drops_ends_the_call_and_the_record_says_so() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    plan.rude.ending = simulator::exotel::Ending::Drop;
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.ended_why.as_deref(), Some("the carrier's socket closed"));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_static_url_without_the_right_credentials_is_refused() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    let url = format!("ws://someone:else@{}/exotel/media", gateway.running.addr());
    plan.mode = Mode::Media(url.parse().unwrap());
    assert!(matches!(gateway.try_call(plan).await, Err(CallError::Handshake { .. })));
    assert_eq!(gateway.running.switchboard().live(), 0);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_static_call_to_a_number_nobody_has_is_closed_in_words() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    let (user, password) = (API_KEY, API_TOKEN);
    let url = format!("ws://{user}:{password}@{}/exotel/media", gateway.running.addr());
    plan.mode = Mode::Media(url.parse().unwrap());
    plan.to = "+911123456789".into();
    plan.script = vec![Say::Wait(Duration::from_secs(3))];
    let report = gateway.call(plan).await;
    assert_eq!(report.close_code, Some(1008));
    assert_eq!(gateway.running.switchboard().live(), 0);
    gateway.stop().await;
}
