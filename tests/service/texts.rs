//! What callers are greeted with: texts with places that are filled for each call.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{ADMIN_TOKEN, Answer, Gateway, incoming, sid};

const PLACE: &str = "/api/v1/clients/1/agent";

async fn greets_with(gateway: &Gateway, greeting: &str) {
    let mut agent: Value = gateway.operate(Method::GET, PLACE).await.json();
    agent["agent"]["greeting"] = json!(greeting);
    let put = gateway.request(Method::PUT, PLACE).bearer_auth(ADMIN_TOKEN).json(&agent);
    let put = Answer::of(put.send().await.unwrap()).await;
    assert_eq!(put.status, 200, "{put:?}");
}

/// What the carrier is to say.
fn said(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    let rest = answer.body.split_once("<Say").and_then(|(_, rest)| rest.split_once('>')).unwrap().1;
    rest.split_once("</Say>").unwrap().0
}

#[actix_web::test]
async fn the_carrier_greets_with_what_is_known_of_the_call_and_with_defaults_for_the_rest() {
    let gateway = Gateway::start().await;
    greets_with(&gateway, "Hello {{name|there}}, {{caller}} for {{called}}: {{custom_field|no order}}, {{now}}.").await;
    let call = sid();
    let mut form = incoming(&call);
    form.push(("CustomField", "{{caller}} &\n<b>"));
    let answer = gateway.post("/exotel/call-start", &form).await;
    let words = said(&answer).to_owned();
    let expected = "Hello there, +919876543210 for +918037091588: {{caller}} &amp; &lt;b&gt;, ";
    assert!(words.starts_with(expected) && !words.contains("{{now}}"), "{words}");
    // The same call again is answered the same, whatever time it is.
    let again = gateway.post("/exotel/call-start", &form).await;
    assert_eq!(said(&again), words);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = sid();
    let answer = gateway.post("/exotel/call-start", &incoming(&other)).await;
    assert!(said(&answer).contains(": no order, "), "{answer:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn who_called_before_is_known_by_when_they_did() {
    let gateway = Gateway::start().await;
    greets_with(&gateway, "You called {{previous_calls|never}}.").await;
    let (first, second) = (sid(), sid());
    assert_eq!(said(&gateway.post("/exotel/call-start", &incoming(&first)).await), "You called never.");
    let began = gateway.running.store().recent_calls(1).await.unwrap()[0].0.times.started_at;
    let answer = gateway.post("/exotel/call-start", &incoming(&second)).await;
    let told = began.with_timezone(&chrono_tz::Asia::Kolkata).format("%A, %-d %B %Y, %H:%M").to_string();
    assert_eq!(said(&answer), format!("You called {told}."));
    gateway.stop().await;
}
