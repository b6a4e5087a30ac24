//! Calls that come when the client's agent does not answer.

use chrono::{Datelike, Days, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::{AfterCall, HangUp, Mode, Say, StatusBody};

use super::support::{ADMIN_TOKEN, Answer, Gateway, Setup};

const WORDS: &str = "We are closed until tomorrow.";

/// A gateway whose client is open at another time than now.
async fn closed(words: Option<&str>) -> Gateway {
    let gateway = Gateway::with(Setup::default()).await;
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent: Value = gateway.operate(Method::GET, &place).await.json();
    let day = Utc::now().checked_add_days(Days::new(3)).unwrap().weekday();
    agent["hours"] = json!({ "open": [format!("{day} 00:00-24:00")] });
    agent["agent"]["closed_words"] = json!(words);
    let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
    let put = Answer::of(put.send().await.unwrap()).await;
    assert_eq!(put.status, 200, "{put:?}");
    gateway
}

#[actix_rt::test]
async fn a_call_outside_of_hours_is_told_so_and_ends_and_the_flow_hangs_up() {
    let gateway = closed(Some(WORDS)).await;
    let mut plan = gateway.plan();
    (plan.script, plan.end) = (vec![Say::agent_finished()], HangUp::Gateway);
    plan.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    let report = gateway.call(plan).await;
    let passthru = report.webhooks.iter().find(|hook| hook.name == "passthru").map(|hook| hook.status);
    assert_eq!(passthru, Some(302), "{report:?}");
    let record = gateway.record(&report.call_sid).await;
    assert_eq!((record.call.ended_code.unwrap().name(), record.call.status.as_str()), ("closed", "completed"));
    assert_eq!(record.turns.len(), 1, "{:?}", record.turns);
    let session = &gateway.model.sessions()[0];
    let asked = session.received.iter().filter(|event| event.kind == "response.create");
    assert!(asked.into_iter().any(|event| event.body.to_string().contains(WORDS)), "{session:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn the_carrier_says_that_it_is_closed_and_no_model_is_dialled() {
    let gateway = closed(Some(WORDS)).await;
    let mut plan = gateway.plan();
    (plan.mode, plan.script, plan.end) = (Mode::CallStart, vec![Say::agent_finished()], HangUp::Gateway);
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.ended_code.unwrap().name(), "closed");
    // What the carrier does not say to the next caller is made meanwhile, in a session of no call's.
    let steps = gateway.running.store().audit_of_call(&record.call.call_sid).await.unwrap();
    assert!(steps.iter().all(|step| step.kind != "call.model-dialled"), "{steps:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn without_words_a_caller_outside_of_hours_is_hung_up_on() {
    let gateway = closed(None).await;
    let mut plan = gateway.plan();
    (plan.script, plan.end) = (Vec::new(), HangUp::Gateway);
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!((record.call.ended_code.unwrap().name(), record.turns.len()), ("closed", 0));
    gateway.stop().await;
}
