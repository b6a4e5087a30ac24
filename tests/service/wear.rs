//! Peers that ask for more than anybody needs: others do not notice.

use futures_util::{SinkExt, StreamExt};
use protocol::ids::CallSid;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::media::{open, path, start};
use super::support::{Gateway, eventually, incoming, sid, tenant};

#[actix_web::test]
async fn a_caller_who_redials_without_end_takes_no_call_of_another_caller() {
    let gateway = Gateway::start().await;
    let mut new = tenant("+918037091500");
    (new.limits.calls_per_minute, new.limits.caller_calls_per_minute) = (Some(12), Some(2));
    gateway.running.store().add_client(new).await.unwrap();
    let call = async |from: &str| {
        let sid = sid();
        gateway.post("/exotel/voicebot", &[("CallSid", &sid), ("From", from), ("To", "08037091500")]).await
    };
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(call("09876543210").await.status.as_u16());
    }
    assert_eq!((answers.iter().filter(|status| **status == 200).count(), answers[39]), (2, 429));
    for n in 0..10 {
        let answer = call(&format!("0987654322{n}")).await;
        assert_eq!(answer.status, 200, "caller {n}: {answer:?}");
    }
    call("09876543233").await.refused(429, "rate_limited");
    gateway.stop().await;
}

#[actix_web::test]
async fn keys_without_end_on_one_socket_cost_no_webhook_of_another_call_its_audit_entry() {
    let gateway = Gateway::start().await;
    let rude = sid();
    let answer = gateway.get("/exotel/voicebot", &incoming(&rude)).await.json();
    let mut socket = open(&gateway, &path(answer["url"].as_str().unwrap()), None).await.expect("a socket");
    start(&mut socket, &rude).await;
    eventually("the call is live", || async {
        gateway.running.switchboard().phase(&CallSid::new(&rude)) == Some(actors::Phase::Live)
    })
    .await;
    let (mut out, mut heard) = socket.split();
    let key = json!({ "event": "dtmf", "stream_sid": "st1", "dtmf": { "digit": "1" } }).to_string();
    // As fast as they go, until the webhooks are through.
    let flood = actix_web::rt::spawn(async move { while out.send(Message::text(key.clone())).await.is_ok() {} });
    let drain = actix_web::rt::spawn(async move { while let Some(Ok(_)) = heard.next().await {} });
    let mut reported = Vec::new();
    for _ in 0..60 {
        let sid = sid();
        let answer = gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        reported.push(sid);
    }
    flood.abort();
    drain.abort();
    eventually("the rude call is over", || async {
        gateway.running.switchboard().end(&CallSid::new(&rude), protocol::call::end::Ended::Operator);
        gateway.running.switchboard().live() == 0
    })
    .await;
    eventually("every webhook is audited", || async {
        let audited = gateway.audited("webhook.call-end", "ok").await;
        reported.iter().all(|sid| audited.iter().any(|entry| entry.call_sid.as_ref() == Some(&CallSid::new(sid))))
    })
    .await;
    // One entry says how many keys were not taken.
    eventually("it is told what was dropped", || async {
        let counted = gateway.audited("call.counted", "ok").await;
        counted.iter().filter(|entry| entry.payload["what"] == "events_dropped").count() == 1
    })
    .await;
    let pressed = gateway.audited("call.key-pressed", "ok").await.len();
    assert!((20..300).contains(&pressed), "{pressed} keys on record");
    gateway.stop().await;
}

#[actix_web::test]
async fn whatever_a_refused_call_start_tells_a_little_of_it_is_on_record_and_says_what_is_not() {
    let gateway = Gateway::start().await;
    let (sid, long) = (sid(), "x".repeat(60_000));
    let form = [("CallSid", sid.as_str()), ("CallFrom", "09876543210"), ("CallTo", "08037091599"), ("Zzz", &long)];
    gateway.post("/exotel/call-start", &form).await.refused(404, "unknown_client");
    let entry = gateway.audited("webhook.call-start", "unknown_client").await.remove(0);
    let kept = entry.payload.to_string();
    assert!(kept.len() < 1024, "{} bytes", kept.len());
    assert_eq!(entry.payload["fields"]["CallTo"], "08037091599");
    assert_eq!(entry.call_sid, Some(CallSid::new(&sid)));
    gateway.stop().await;
}

#[actix_web::test]
async fn an_operators_token_is_not_asked_for_once_its_address_guessed_too_often() {
    let gateway = Gateway::start().await;
    let mut refused = 0;
    while gateway.get_bare("/api/v1/calls").await.status == 401 {
        refused += 1;
        assert!(refused < 400, "nobody is told to wait");
    }
    gateway.operate(reqwest::Method::GET, "/api/v1/calls").await.refused(429, "rate_limited");
    gateway.stop().await;
}
