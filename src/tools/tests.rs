//! Against a real endpoint on this machine.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures_util::stream;
use protocol::call::functions::{CallContext, FunctionEffect, Steer};
use protocol::ids::{CallSid, PhoneNumber, Secret};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::run::{Exchange, exchange};
use super::toolset::{By, Toolset};
use super::*;
use crate::agent::{Document, Effect, Secrets, ToolConfig};
use crate::crypto::signature;
use crate::outgoing::PrivateHosts;
use crate::store::tests::{TempDb, new_client};
use crate::store::{AuditEntry, EventsTarget};

const SECRET: &str = "whsec_test";

/// What an endpoint does with one request.
#[derive(Clone)]
enum Does {
    Answers(u16, &'static str, Vec<u8>),
    Redirects,
    Drips,
    Hangs,
}

fn says(body: &str) -> Does {
    Does::Answers(200, "application/json", body.as_bytes().to_vec())
}

/// A request's body, its headers, and the body as text.
type Heard = (Value, BTreeMap<String, String>, String);

#[derive(Clone, Default)]
struct Endpoint {
    does: Arc<Mutex<VecDeque<Does>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

async fn answer(endpoint: web::Data<Endpoint>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let text = String::from_utf8(body.to_vec()).unwrap();
    endpoint.heard.lock().unwrap().push((serde_json::from_str(&text).unwrap(), headers.collect(), text));
    let does = endpoint.does.lock().unwrap().pop_front().unwrap_or_else(|| says("{}"));
    match does {
        Does::Answers(status, kind, body) => {
            HttpResponse::build(status.try_into().unwrap()).insert_header(("content-type", kind)).body(body)
        }
        Does::Redirects => HttpResponse::Found().insert_header(("location", "/elsewhere")).finish(),
        Does::Drips => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok::<_, actix_web::Error>(Bytes::from_static(b"x")), ()))
            });
            HttpResponse::Ok().streaming(Box::pin(drops))
        }
        Does::Hangs => std::future::pending().await,
    }
}

/// Whether what calls did is on record; how often that was waited for, and what was told to the audit log.
#[derive(Default)]
pub(super) struct FakeLog {
    waited: AtomicUsize,
    is_away: bool,
    entries: Mutex<Vec<AuditEntry>>,
}

impl CallLog for FakeLog {
    fn written(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.waited.fetch_add(1, Ordering::AcqRel);
        Box::pin(async move { if self.is_away { std::future::pending().await } else { true } })
    }

    fn audit(&self, entry: AuditEntry) {
        self.entries.lock().unwrap().push(entry);
    }
}

struct Fixture {
    runner: Runner,
    toolset: Toolset,
    endpoint: Endpoint,
    log: Arc<FakeLog>,
    _db: TempDb,
}

/// A function at that address.
fn tool(url: &str, effect: Effect) -> ToolConfig {
    let told = json!({
        "name": "find_order", "description": "Finds an order.", "url": url, "timeout_ms": 1_000,
        "headers": { "x-shop": "7", "host": "evil.example" },
        "parameters": { "type": "object", "properties": { "order": { "type": "string", "maxLength": 8 } }, "required": ["order"] },
    });
    ToolConfig { effect, ..serde_json::from_value(told).unwrap() }
}

impl Fixture {
    async fn new(effect: Effect) -> Self {
        Self::with(effect, FakeLog::default(), |_| {}).await
    }

    async fn with(effect: Effect, log: FakeLog, change: impl FnOnce(&mut ToolConfig)) -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let endpoint = Endpoint::default();
        let served = endpoint.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/find", server.addrs()[0]);
        actix_rt::spawn(server.run());
        let client = store.add_client(new_client("+918047112233")).await.unwrap();
        let target = EventsTarget { url: url.clone(), secret: Secret::new(SECRET) };
        assert!(store.set_events_target(client.id, Some(target)).await.unwrap());
        let private: PrivateHosts = "127.0.0.1".parse().unwrap();
        let log = Arc::new(log);
        let runner =
            Runner::new(store.clone(), &private, log.clone(), Secrets::new(store, None, None), Handle::current())
                .unwrap();
        let mut config = tool(&url, effect);
        change(&mut config);
        let toolset = Toolset::alone(&client, &Document { tools: vec![config], ..Document::default() });
        Self { runner, toolset, endpoint, log, _db: db }
    }

    fn does(&self, does: impl IntoIterator<Item = Does>) {
        *self.endpoint.does.lock().unwrap() = does.into_iter().collect();
    }

    async fn call(&self, arguments: &str) -> Exchange {
        let info = CallInfo {
            caller: Some(PhoneNumber::new("+919876543210")),
            context: BTreeMap::from([("plan".to_owned(), "gold".to_owned())]),
            ..CallInfo::new(CallSid::new("c1"))
        };
        exchange(&self.runner, &self.toolset, self.toolset.tool("find_order").unwrap(), &info, 3, arguments).await
    }

    fn heard(&self) -> usize {
        self.endpoint.heard.lock().unwrap().len()
    }
}

const ORDER: &str = r#"{"order":"A-17"}"#;

#[actix_rt::test]
async fn an_endpoint_is_told_who_asks_for_what_signed_and_by_a_key_that_stays() {
    let fixture = Fixture::new(Effect::Read).await;
    fixture.does([Does::Answers(503, "", vec![]), says(r#"{"status":"on its way","callgate":{"transfer":"desk"}}"#)]);
    let ran = fixture.call(ORDER).await;
    assert_eq!((ran.outcome, ran.attempts), ("ok", 2), "{ran:?}");
    let returned = ran.result.unwrap();
    assert_eq!(returned.output, r#"{"status":"on its way"}"#);
    assert_eq!(returned.steer, Some(Steer::Transfer("desk".to_owned())));
    let heard = fixture.endpoint.heard.lock().unwrap().clone();
    assert_eq!(heard[0].0, heard[1].0, "asked again, it is the same request");
    let (body, headers, text) = &heard[1];
    assert_eq!(
        *body,
        json!({
            "type": "tool.call", "call_sid": "c1", "tool_call_id": "3", "tool": "find_order",
            "arguments": { "order": "A-17" }, "client": { "name": "Acme", "number": "+918047112233" },
            "caller": { "number": "+919876543210" }, "context": { "plan": "gold" },
        })
    );
    let timestamp: i64 = headers["callgate-timestamp"].parse().unwrap();
    assert_eq!(headers["callgate-signature"], signature(&Secret::new(SECRET), timestamp, text));
    assert_eq!(headers["callgate-event-id"], heard[0].1["callgate-event-id"]);
    assert_eq!(headers["idempotency-key"], "c1:3");
    assert_eq!(headers["x-shop"], "7");
    assert!(headers["host"].starts_with("127.0.0.1"), "what a request says of itself is ours");
}

#[actix_rt::test]
async fn what_an_endpoint_does_wrong_is_told_in_words_and_in_time() {
    let fixture = Fixture::new(Effect::Read).await;
    let large = Does::Answers(200, "application/json", vec![b'7'; 5 << 20]);
    for (does, words) in [
        (Does::Answers(200, "text/html", b"<html>Sign in</html>".to_vec()), "web page"),
        (large, "larger than 262144 bytes"),
        (Does::Redirects, "redirect"),
        (Does::Drips, "within 1000 ms"),
        (Does::Hangs, "within 1000 ms"),
        (Does::Answers(200, "application/json", vec![0xff, 0xfe, 0x80]), "not UTF-8"),
        (Does::Answers(500, "application/json", b"{\"why\":\"no table\"}".to_vec()), "no table"),
    ] {
        fixture.does([does.clone(), does]);
        let begun = Instant::now();
        let ran = fixture.call(ORDER).await;
        let why = ran.result.unwrap_err();
        assert!(why.contains(words), "{why}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{words}: {:?}", begun.elapsed());
    }
    fixture.does([Does::Answers(204, "", vec![])]);
    assert!(fixture.call(ORDER).await.result.unwrap().output.contains("done"));
}

#[actix_rt::test]
async fn what_changes_something_is_on_record_before_it_is_asked_and_is_asked_once() {
    let fixture = Fixture::new(Effect::Write).await;
    fixture.does([Does::Answers(503, "", vec![]), says("{}")]);
    let ran = fixture.call(ORDER).await;
    assert_eq!((ran.outcome, ran.attempts, fixture.heard()), ("failed", 1, 1), "{ran:?}");
    assert_eq!(fixture.log.waited.load(Ordering::Acquire), 1);
    fixture.does([Does::Hangs]);
    let why = fixture.call(ORDER).await.result.unwrap_err();
    assert!(why.contains("may have been done"), "{why}");
    // A record that cannot be written is not waited for.
    let fixture = Fixture::with(Effect::Write, FakeLog { is_away: true, ..FakeLog::default() }, |_| {}).await;
    let begun = Instant::now();
    assert!(fixture.call(ORDER).await.result.is_ok());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let fixture = Fixture::new(Effect::Read).await;
    assert!(fixture.call(ORDER).await.result.is_ok());
    assert_eq!(fixture.log.waited.load(Ordering::Acquire), 0, "what only looks waits for nothing");
}

#[actix_rt::test]
async fn an_endpoint_that_cannot_be_reached_is_tried_once_more_if_that_does_no_harm() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (effect, attempts) in [(Effect::Read, 2), (Effect::Write, 1)] {
        let fixture = Fixture::with(effect, FakeLog::default(), |tool| tool.url = format!("http://{gone}/find")).await;
        let ran = fixture.call(ORDER).await;
        assert_eq!((ran.outcome, ran.attempts), ("unreachable", attempts), "{ran:?}");
        assert!(ran.result.unwrap_err().contains("cannot be reached"));
    }
    for url in ["https://169.254.169.254/x", "http://10.0.0.1/", "https://localhost/", "no url"] {
        let fixture = Fixture::with(Effect::Write, FakeLog::default(), |tool| tool.url = url.to_owned()).await;
        let why = fixture.call(ORDER).await.result.unwrap_err();
        assert!(why.contains("not allowed"), "{url}: {why}");
    }
}

#[actix_rt::test]
async fn arguments_that_are_not_as_the_schema_says_are_told_the_model_and_nobody_is_asked() {
    let fixture = Fixture::new(Effect::Write).await;
    for (arguments, words) in [
        ("{}", "order is missing"),
        (r#"{"order":"4111111111111111"}"#, "/order: "),
        (r#"{"order":17}"#, "/order: "),
        ("{\"order\"", "no JSON object"),
    ] {
        let ran = fixture.call(arguments).await;
        assert_eq!(ran.outcome, "bad_arguments");
        let why = ran.result.unwrap_err();
        assert!(why.contains(words) && !why.contains("4111"), "{why}");
    }
    assert_eq!(fixture.heard(), 0);
    let bad = |tool: &mut ToolConfig| tool.parameters = json!({ "type": "object", "properties": 3 });
    let fixture = Fixture::with(Effect::Write, FakeLog::default(), bad).await;
    assert!(fixture.call(ORDER).await.result.unwrap_err().contains("schema"));
}

#[actix_rt::test]
async fn a_header_whose_secret_cannot_be_opened_stops_the_request() {
    let sealed = |tool: &mut ToolConfig| drop(tool.headers.insert("authorization".into(), "secret:token".into()));
    let fixture = Fixture::with(Effect::Read, FakeLog::default(), sealed).await;
    let why = fixture.call(ORDER).await.result.unwrap_err();
    assert!(why.contains("authorization") && fixture.heard() == 0, "{why}");
}

#[actix_rt::test]
async fn as_many_functions_of_a_client_run_as_may_and_its_next_version_counts_with_them() {
    let fixture = Fixture::new(Effect::Read).await;
    let mut client = fixture.runner.store.clients().await.unwrap().remove(0);
    let (toolsets, document) = (Toolsets::default(), Document::default());
    let first = toolsets.of(&client, &document);
    assert!(Arc::ptr_eq(&first, &toolsets.of(&client, &document)));
    let permits: Vec<_> = std::iter::from_fn(|| fixture.runner.permit(&first)).collect();
    assert_eq!(permits.len(), 64);
    client.version += 1;
    let second = toolsets.of(&client, &document);
    assert!(!Arc::ptr_eq(&first, &second) && fixture.runner.permit(&second).is_none());
    drop(permits);
    assert!(fixture.runner.permit(&second).is_some());
}

#[test]
fn a_function_is_offered_as_its_document_says() {
    let read = tool("https://shop.example/find", Effect::Read);
    let client = serde_json::to_value(&read).unwrap();
    assert_eq!(client["effect"], "read");
    let function = super::toolset::function(&read);
    assert_eq!((function.effect, function.wait), (FunctionEffect::Read, Some(Duration::from_secs(1))));
    assert_eq!(function.tool.name, "find_order");
    assert!(function.tool.parameters.contains("maxLength"));
}

#[actix_rt::test]
async fn whatever_a_client_answers_when_it_is_asked_who_calls_is_bounded_or_told() {
    let fixture = Fixture::new(Effect::Read).await;
    let By::Endpoint(endpoint) = &fixture.toolset.tool("find_order").unwrap().by else { panic!() };
    let config = serde_json::from_value(json!({ "url": endpoint.url, "headers": { "x-shop": "7" } })).unwrap();
    let info = CallInfo {
        caller: Some(PhoneNumber::new("+919876543210")),
        called: Some(PhoneNumber::new("+918047112233")),
        direction: Some("incoming".to_owned()),
        custom_field: Some("A-17".to_owned()),
        ..CallInfo::new(CallSid::new("c1"))
    };
    let ask = || context::ask(&fixture.runner, &fixture.toolset, &info, &config);
    let json_of = |value: Value| says(&value.to_string());
    for (does, words) in [
        (Does::Answers(200, "text/html", b"<html>Sign in</html>".to_vec()), "web page"),
        (Does::Answers(200, "application/json", vec![b'7'; 5 << 20]), "larger than 262144 bytes"),
        (Does::Answers(200, "application/json", vec![0xff, 0xfe]), "not UTF-8"),
        (Does::Answers(503, "", vec![]), "503"),
        (Does::Redirects, "redirect"),
        (json_of(json!([1])), "no JSON object"),
        (says("Asha"), "no JSON object"),
    ] {
        fixture.does([does]);
        let (_, why) = ask().await.unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(fixture.heard(), 7, "asked once each");
    let many: serde_json::Map<_, _> = (0..300).map(|at| (format!("v{at:03}"), json!("x".repeat(600)))).collect();
    fixture.does([json_of(json!({ "variables": many, "instructions": "y".repeat(20_000) }))]);
    let known = ask().await.unwrap();
    assert_eq!(known.variables.values().map(String::len).sum::<usize>(), context::MOST_BYTES);
    assert_eq!(known.instructions.map(|text| text.len()), Some(context::MOST_BYTES));
    fixture.does([Does::Answers(204, "", vec![])]);
    assert_eq!(ask().await, Ok(CallContext::default()));
    let (body, headers, text) = fixture.endpoint.heard.lock().unwrap()[0].clone();
    assert_eq!(
        body,
        json!({
            "type": "call.context", "call_sid": "c1", "client": { "name": "Acme", "number": "+918047112233" },
            "caller": { "number": "+919876543210" }, "called": { "number": "+918047112233" },
            "direction": "incoming", "custom_field": "A-17",
        })
    );
    let timestamp: i64 = headers["callgate-timestamp"].parse().unwrap();
    assert_eq!(headers["callgate-signature"], signature(&Secret::new(SECRET), timestamp, &text));
    assert_eq!((headers["idempotency-key"].as_str(), headers["x-shop"].as_str()), ("c1:context", "7"));
}
