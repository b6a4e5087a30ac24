//! Probes, metrics and the operators' API.

use callgate::settings::SettingsArgs;
use protocol::ids::CallSid;
use reqwest::Method;

use super::support::{Answer, GREETING, Gateway, incoming, sid};

#[actix_web::test]
async fn probes_and_metrics_answer_anybody() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get_bare("/healthz").await.json()["status"], "alive");
    assert_eq!(gateway.get_bare("/readyz").await.json()["status"], "ready");
    let head = gateway.request(Method::HEAD, "/readyz").send().await.unwrap();
    assert_eq!(head.status(), 200);
    gateway.get_bare("/exotel/call-end").await.refused(401, "unauthenticated");
    gateway.post("/exotel/voicebot", &incoming(&sid())).await;
    let page = gateway.get_bare("/metrics").await;
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "callgate_webhooks_total{hook=\"webhook.voicebot\",outcome=\"ok\"}",
        "callgate_webhook_seconds_bucket{hook=\"webhook.voicebot\",le=\"0.05\"}",
        "callgate_refusals_total{code=\"unauthenticated\"}",
        "callgate_calls_live ",
    ] {
        assert!(page.body.contains(line), "{line} is not in {}", page.body);
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn the_api_is_off_without_an_admin_token_and_shut_without_the_right_one() {
    let gateway = Gateway::start_with(|args: &mut SettingsArgs| args.admin_token = None).await;
    gateway.operate(Method::GET, "/api/v1/clients").await.refused(403, "api_off");
    gateway.stop().await;

    let gateway = Gateway::start().await;
    for path in ["/api/v1/clients", "/api/v1/calls", "/api/v1/calls/a"] {
        gateway.get_bare(path).await.refused(401, "unauthenticated");
        let wrong = gateway.request(Method::GET, path).bearer_auth("admin-token2");
        let answer = Answer::of(wrong.send().await.unwrap()).await;
        answer.refused(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(gateway.audited("api", "unauthenticated").await.len(), 6);
    gateway.stop().await;
}

#[actix_web::test]
async fn operators_see_clients_and_calls() {
    let gateway = Gateway::start().await;
    let clients = gateway.operate(Method::GET, "/api/v1/clients").await.json();
    assert_eq!(clients["clients"][0]["number"], "+918037091588");
    assert_eq!(clients["clients"][0]["greeting"], GREETING);
    let (first, second) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&first)).await;
    gateway.post("/exotel/call-start", &incoming(&second)).await;
    let calls = gateway.operate(Method::GET, "/api/v1/calls?limit=1").await.json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    assert_eq!(calls["calls"][0]["call_sid"], second);
    assert_eq!(calls["calls"][0]["entry"], "call-start");
    let call = gateway.operate(Method::GET, &format!("/api/v1/calls/{first}")).await.json();
    assert_eq!((&call["status"], &call["live"]), (&"in-progress".into(), &true.into()));
    assert_eq!((&call["from"], &call["client"]), (&"+919876543210".into(), &"Asha Clinic".into()));
    assert_eq!(call["turns"], serde_json::json!([]));
    gateway.operate(Method::GET, "/api/v1/calls?limit=x").await.refused(400, "malformed_field");
    gateway.operate(Method::GET, "/api/v1/calls/nobody").await.refused(404, "unknown_call");
    gateway.stop().await;
}

#[actix_web::test]
async fn an_operator_can_end_a_live_call() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    let path = format!("/api/v1/calls/{sid}/hangup");
    let answer = gateway.operate(Method::POST, &path).await;
    assert_eq!(answer.json(), serde_json::json!({ "call_sid": sid, "hangup": "requested" }));
    assert!(gateway.running.switchboard().drained(std::time::Duration::from_secs(5)).await);
    gateway.running.recorder().flush().await;
    let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
    assert_eq!(call.ended_why.as_deref(), Some("an operator ended the call"));
    gateway.operate(Method::POST, &path).await.refused(409, "not_live");
    gateway.operate(Method::POST, "/api/v1/calls/nobody/hangup").await.refused(404, "unknown_call");
    assert_eq!(gateway.audited("api.hangup", "ok").await.len(), 1);
    gateway.stop().await;
}
