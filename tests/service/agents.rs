//! A client's agent as one document, over the API.

use callgate::testing::new_token;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{ADMIN_TOKEN, Answer, Gateway, incoming, sid};

const PLACE: &str = "/api/v1/clients/1/agent";

async fn put(gateway: &Gateway, body: &Value) -> Answer {
    Answer::of(gateway.request(Method::PUT, PLACE).bearer_auth(ADMIN_TOKEN).json(body).send().await.unwrap()).await
}

#[actix_web::test]
async fn what_is_read_of_an_agent_can_be_put_back_and_one_that_was_changed_meanwhile_is_not_overwritten() {
    let gateway = Gateway::start().await;
    let read = gateway.operate(Method::GET, PLACE).await.json();
    assert_eq!(read["numbers"], json!(["+918037091588"]));
    // As it is: nothing is changed, nothing is written.
    let same = put(&gateway, &read).await;
    assert_eq!((same.status.as_u16(), same.json()), (200, read.clone()));
    assert!(gateway.audited("api.agent-applied", "ok").await.is_empty());

    let mut wished = read.clone();
    wished["numbers"] = json!(["+918037091588", "080 4711 2299"]);
    wished["tools"] = json!([{ "name": "book", "description": "Books.", "url": "https://clinic.example/book" }]);
    wished["events"] = json!({ "url": "https://clinic.example/events" });
    let changed = put(&gateway, &wished).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.json();
    assert!(changed["events_secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(changed["tools"][0]["timeout_ms"], 15_000);
    assert!(changed["version"].as_i64() > read["version"].as_i64());
    // The call of the other number is the same client's.
    let sid = sid();
    let call = [("CallSid", sid.as_str()), ("From", "09876543210"), ("To", "08047112299")];
    assert_eq!(gateway.post("/exotel/voicebot", &call).await.status, 200);
    let shown = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    assert_eq!(shown["client"], read["name"]);

    put(&gateway, &wished).await.refused(409, "stale_version");
    let at_once = join_all((0..6).map(|number| {
        let mut wished = changed.clone();
        wished.as_object_mut().unwrap().remove("events_secret");
        wished["name"] = json!(format!("Clinic {number}"));
        let gateway = &gateway;
        async move { put(gateway, &wished).await.status.as_u16() }
    }));
    let mut at_once = at_once.await;
    at_once.sort_unstable();
    assert_eq!(at_once, [200, 409, 409, 409, 409, 409]);
    let applied = gateway.audited("api.agent-applied", "ok").await;
    assert_eq!(applied.len(), 2);
    assert!(applied[1].payload["changed"].as_array().unwrap().contains(&"tools[0].url".into()));
    gateway.stop().await;
}

#[actix_web::test]
async fn the_largest_agent_that_is_allowed_is_taken_by_a_thread_with_the_usual_stack() {
    let gateway = Gateway::start().await;
    let mut wished = gateway.operate(Method::GET, PLACE).await.json();
    let mut deep = json!({ "type": "string" });
    for _ in 0..14 {
        deep = json!({ "type": "object", "properties": { "in": deep } });
    }
    deep["title"] = json!("x".repeat(4_000));
    let tool = |number: usize| {
        let (name, description) = (format!("t{number}"), "d".repeat(1_000));
        json!({ "name": name, "description": description, "url": "https://clinic.example/x", "parameters": deep })
    };
    wished["tools"] = (0..32).map(tool).collect();
    wished["agent"]["instructions"] = json!("i".repeat(64 * 1024));
    let numbers = (0..63).map(|number| json!(format!("+9180370{:05}", 20_000 + number)));
    wished["numbers"] = std::iter::once(json!("+918037091588")).chain(numbers).collect();
    let taken = put(&gateway, &wished).await;
    assert_eq!(taken.status, 200, "{}", &taken.body[..taken.body.len().min(2_000)]);
    let taken = taken.json();
    assert_eq!((taken["tools"].as_array().unwrap().len(), taken["numbers"].as_array().unwrap().len()), (32, 64));
    assert_eq!(put(&gateway, &taken).await.json()["version"], taken["version"]);
    gateway.stop().await;
}

#[actix_web::test]
async fn an_agent_with_mistakes_is_refused_with_all_of_them_and_nothing_is_changed() {
    let gateway = Gateway::start().await;
    let read = gateway.operate(Method::GET, PLACE).await.json();
    let mut wished = read.clone();
    wished["agent"]["voice"] = json!("nobody");
    wished["agent"]["speed"] = json!(2);
    wished["tools"] = json!([{ "name": "a b", "description": "A.", "url": "http://clinic.example/" }]);
    let error = put(&gateway, &wished).await.refused(400, "malformed_agent");
    let keys: Vec<&str> =
        error["mistakes"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 4, "{error}");
    for key in ["agent.voice", "agent.speed", "tools[0].name", "tools[0].url"] {
        assert!(keys.contains(&key), "{key}: {error}");
    }
    assert_eq!(gateway.operate(Method::GET, PLACE).await.json(), read);
    put(&gateway, &json!({ "version": "x" })).await.refused(400, "malformed_field");
    let answer =
        gateway.request(Method::PUT, PLACE).bearer_auth(ADMIN_TOKEN).header("content-type", "application/json");
    let answer =
        Answer::of(answer.body(format!("{{\"name\":\"{}\"}}", "x".repeat(300_000))).send().await.unwrap()).await;
    answer.refused(413, "body_too_large");
    let stranger = gateway.request(Method::PUT, PLACE).json(&read).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    gateway.operate(Method::GET, "/api/v1/clients/99/agent").await.refused(404, "unknown_client");
    gateway.operate(Method::DELETE, PLACE).await.refused(405, "method_not_allowed");
    let schema = gateway.operate(Method::GET, "/api/v1/schemas/agent.json").await.json();
    assert_eq!(schema["properties"]["numbers"]["type"], "array");
    // The number of another client.
    let other = json!({ "name": "Other", "number": "08047112277" });
    let added = gateway.request(Method::POST, "/api/v1/clients").bearer_auth(ADMIN_TOKEN).json(&other);
    assert_eq!(added.send().await.unwrap().status(), 201);
    let mut wished = read.clone();
    wished["numbers"] = json!(["+918037091588", "08047112277"]);
    put(&gateway, &wished).await.refused(409, "number_taken");
    assert_eq!(gateway.post("/exotel/voicebot", &incoming(&sid())).await.status, 200);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_client_with_a_token_reads_what_is_its_own_and_nothing_else_is_there() {
    let gateway = Gateway::start().await;
    let other = json!({ "name": "Other", "number": "08047112277" });
    let added = gateway.request(Method::POST, "/api/v1/clients").bearer_auth(ADMIN_TOKEN).json(&other);
    assert_eq!(added.send().await.unwrap().status(), 201);
    let (own, others) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&own)).await;
    let call = [("CallSid", others.as_str()), ("From", "09876543210"), ("To", "08047112277")];
    assert_eq!(gateway.post("/exotel/voicebot", &call).await.status, 200);

    let (id, token) = new_token(gateway.running.store(), 1).await.unwrap();
    let read = async |path: &str| {
        Answer::of(gateway.request(Method::GET, path).bearer_auth(token.reveal()).send().await.unwrap()).await
    };
    let calls = read("/api/v1/calls").await.json();
    let sids: Vec<&Value> = calls["calls"].as_array().unwrap().iter().map(|call| &call["call_sid"]).collect();
    assert_eq!(sids, [&json!(own)]);
    assert_eq!(read(&format!("/api/v1/calls/{own}")).await.status, 200);
    assert_eq!(read(PLACE).await.json()["numbers"][0], "+918037091588");
    assert_eq!(read("/api/v1/schemas/agent.json").await.status, 200);
    read(&format!("/api/v1/calls/{others}")).await.refused(404, "unknown_call");
    read("/api/v1/clients/2/agent").await.refused(404, "unknown_client");
    read("/api/v1/calls?client=2").await.refused(404, "unknown_client");
    // It writes nothing, and sees no list of clients.
    read("/api/v1/clients").await.refused(401, "unauthenticated");
    let body = gateway.operate(Method::GET, PLACE).await.json();
    let written = gateway.request(Method::PUT, PLACE).bearer_auth(token.reveal()).json(&body);
    assert_eq!(written.send().await.unwrap().status(), 401);
    let hang_up = gateway.request(Method::POST, &format!("/api/v1/calls/{own}/hangup")).bearer_auth(token.reveal());
    assert_eq!(hang_up.send().await.unwrap().status(), 401);

    assert!(gateway.running.store().revoke_token(1, id).await.unwrap());
    read(PLACE).await.refused(401, "unauthenticated");
    gateway.stop().await;
}
