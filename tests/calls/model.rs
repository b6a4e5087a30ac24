//! Models that are not there, refuse, fail, or stay silent: the caller is not left in dead air for ever, and the record says why.

use std::time::Duration;

use simulator::exotel::{CallReport, EndedBy, HangUp, Say};
use simulator::model::Faults;

use crate::support::{Gateway, PATIENCE, Setup, answered, question};

/// Rings a model with a fault; the gateway ends the call.
async fn abandoned(
    faults: &'static [&'static str],
    set: fn(&mut callgate::testing::SettingsArgs),
) -> (CallReport, String) {
    let gateway = Gateway::with(Setup { faults, set, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::Wait(Duration::from_millis(300)), question()];
    plan.end = HangUp::Gateway;
    let report = match gateway.try_call(plan).await {
        Ok(report) => report,
        Err(simulator::exotel::CallError::Handshake { report, .. }) => *report,
        Err(other) => panic!("{faults:?}: {other}"),
    };
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "failed", "{faults:?}");
    let why = record.call.ended_why.unwrap();
    gateway.stop().await;
    (report, why)
}

#[actix_rt::test]
async fn a_refused_key_ends_the_call_at_once() {
    let (_, why) = abandoned(&["refuse-handshake=401"], |_| {}).await;
    assert!(why.contains("401"), "{why}");
}

#[actix_rt::test]
async fn a_model_that_is_not_there_is_said_to_be() {
    let nowhere =
        |args: &mut callgate::testing::SettingsArgs| args.realtime_url = "ws://127.0.0.1:9/v1/realtime".into();
    let (report, why) = abandoned(&[], nowhere).await;
    assert_eq!(report.ended_by, EndedBy::Gateway);
    assert!(why.contains("no session within"), "{why}");
}

#[actix_rt::test]
async fn a_handshake_that_is_never_answered_and_an_update_that_is_ignored_are_given_up() {
    let (stalled, ignored) = tokio::join!(abandoned(&["stall"], |_| {}), abandoned(&["ignore-update"], |_| {}));
    for (report, why) in [stalled, ignored] {
        assert_eq!(report.ended_by, EndedBy::Gateway);
        assert!(why.contains("no session within"), "{why}");
    }
}

#[actix_rt::test]
async fn a_model_that_never_answers_is_given_up() {
    let (report, why) = abandoned(&["mute"], |_| {}).await;
    assert_eq!(report.ended_by, EndedBy::Gateway);
    assert!(why.contains("no answer within"), "{why}");
}

#[actix_rt::test]
async fn a_configuration_refused_twice_ends_the_call_and_refused_once_does_not() {
    // Every one of every session: a busy machine may dial a second session, and twice is counted in each.
    let (_, why) = abandoned(&["refuse-update=100"], |_| {}).await;
    assert!(why.contains("session.update"), "{why}");
    survives(&["refuse-update=1"]).await;
}

async fn survives(faults: &'static [&'static str]) {
    let gateway = Gateway::with(Setup { faults, ..Setup::default() }).await;
    let report = gateway.call(gateway.plan()).await;
    assert_eq!(report.ended_by, EndedBy::Caller, "{faults:?}: {report:?}");
    assert!(answered(&report), "{faults:?}: {report:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn junk_pings_and_unknown_events_cost_no_call() {
    survives(&["json-ping", "junk", "unknown-events"]).await;
}

#[actix_rt::test]
async fn a_failed_response_is_asked_for_again() {
    survives(&["fail-response=1:rate_limit_exceeded"]).await;
}

#[actix_rt::test]
async fn a_dropped_or_expired_session_is_replaced_and_the_conversation_goes_on() {
    tokio::join!(is_replaced(&["drop-after-ms=4500"]), is_replaced(&["expire-after-ms=4500"]));
}

async fn is_replaced(faults: &'static [&'static str]) {
    let gateway = Gateway::with(Setup { faults, ..Setup::default() }).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let (report, replaced) = tokio::join!(gateway.call(plan), async {
        let second =
            gateway.model.wait_for(|sessions| sessions.iter().filter(|s| s.configured).count() > 1, PATIENCE).await;
        gateway.model.set_faults(Faults::default());
        second
    });
    assert!(replaced, "{faults:?}");
    assert_eq!(report.ended_by, EndedBy::Caller, "{faults:?}: {report:?}");
    assert!(answered(&report), "{faults:?}: {report:?}");
    let record = gateway.record(&report.call_sid).await;
    assert!(record.call.figures.model_reconnects >= Some(1), "{faults:?}: {:?}", record.call.figures);
    gateway.stop().await;
}
