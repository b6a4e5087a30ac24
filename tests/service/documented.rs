//! The API against its own document: what is served is in it, and every answer that it promises is given.

use std::collections::BTreeSet;
use std::time::Duration;

use callgate::testing::{SettingsArgs, new_token};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{
    ADMIN_TOKEN, Answer, DOCUMENT, Gateway, Operation, incoming, operations, problem_of, resolved, sid,
};

/// Whatever a request may be made with.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Nobody's number.
const NUMBER: &str = "08047112277";
/// More than any body may have.
const TOO_MUCH: usize = 300_000;

fn method(operation: Operation) -> Method {
    operation.method.to_uppercase().parse().unwrap()
}

/// An operation's path, of a call and a client that there are not.
fn nobodys(operation: Operation) -> String {
    operation.path.replace("{sid}", "nobody").replace("{client}", "999")
}

/// Asks, and remembers which answers of the document were given.
struct Tour {
    /// Operation, status, code.
    seen: BTreeSet<(&'static str, u16, String)>,
}

impl Tour {
    /// What an answer was: that it is as the document says was seen to when it came.
    fn saw(&mut self, operation: Operation, answer: &Answer) {
        let code = match answer.status.is_success() {
            true => String::new(),
            false => answer.json()["error"]["code"].as_str().unwrap().to_owned(),
        };
        self.seen.insert((operation.id(), answer.status.as_u16(), code));
        let told = operation.response(answer.status.as_u16()).unwrap_or_else(|| panic!("{operation:?}: {answer:?}"));
        let headers = told["headers"].as_object().unwrap();
        for name in headers.keys() {
            assert!(answer.header(name).is_some(), "{}: no {name} in {answer:?}", operation.id());
        }
        for name in ["allow", "location", "retry-after", "www-authenticate"] {
            let is_told = headers.keys().any(|told| told.eq_ignore_ascii_case(name));
            assert!(is_told || answer.header(name).is_none(), "{}: {name} is not told of", operation.id());
        }
    }

    /// An operator's request, with a body if there is one.
    async fn ask(&mut self, gateway: &Gateway, id: &str, path: &str, body: Option<Value>) -> Answer {
        let operation = operations().find(|operation| operation.id() == id).expect("an operation");
        let asked = path.split('?').next().unwrap();
        assert!(operation.is_at(asked), "{path} is not at {}", operation.path);
        let request = gateway.request(method(operation), path).bearer_auth(ADMIN_TOKEN);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = Answer::of(request.send().await.unwrap()).await;
        if let Some(body) = body.filter(|_| answer.status.is_success()) {
            let schema = &operation.told["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(problem_of(schema, &body), None, "{id} took what the document does not have: {body}");
        }
        self.saw(operation, &answer);
        answer
    }

    /// The same request at every operation.
    async fn all<'a>(&mut self, gateway: &Gateway, query: &str, token: impl Fn(Operation) -> Option<&'a str>) {
        let token = &token;
        let asked = operations().map(|operation| async move {
            let path = format!("{}{query}", nobodys(operation));
            let request = gateway.request(method(operation), &path).json(&body_of(operation));
            let request = token(operation).into_iter().fold(request, |request, token| request.bearer_auth(token));
            (operation, Answer::of(request.send().await.unwrap()).await)
        });
        for (operation, answer) in join_all(asked).await {
            self.saw(operation, &answer);
        }
    }
}

/// A body that an operation takes.
fn body_of(operation: Operation) -> Value {
    match operation.id() {
        "putAgent" => json!({ "name": "City Clinic", "numbers": [NUMBER] }),
        _ => json!({ "name": "City Clinic", "number": NUMBER }),
    }
}

#[actix_web::test]
async fn a_path_takes_the_methods_that_the_document_has_and_no_others() {
    let gateway = Gateway::start().await;
    let served = gateway.operate(Method::GET, "/api/v1/openapi.json").await.json();
    assert!(served == *DOCUMENT, "the document in docs is not the one that is served");
    let paths: BTreeSet<&str> = operations().map(|operation| operation.path).collect();
    assert_eq!(paths.len(), 10);
    for path in paths {
        let here: Vec<Operation> = operations().filter(|operation| operation.path == path).collect();
        let known: BTreeSet<String> = here.iter().map(|operation| operation.method.to_uppercase()).collect();
        for method in METHODS {
            let answer = gateway.operate(method.parse().unwrap(), &nobodys(here[0])).await;
            let takes = known.contains(method);
            assert_eq!(answer.status != 405, takes, "{method} {path}: {answer:?}");
            assert!(
                answer.status != 404 || answer.json()["error"]["code"] != "not_found",
                "{method} {path}: {answer:?}"
            );
            if !takes {
                let allowed: BTreeSet<String> =
                    answer.header("allow").unwrap().split(", ").map(str::to_owned).collect();
                assert_eq!(allowed, known, "{method} {path}");
            }
        }
    }
    for path in ["/api/v1", "/api/v1/", "/api/v1/clients/1/secrets", "/api/v2/calls"] {
        gateway.operate(Method::GET, path).await.refused(404, "not_found");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn every_answer_that_the_document_has_is_given() {
    let mut tour = Tour { seen: BTreeSet::new() };
    let gateway = Gateway::start().await;
    done(&gateway, &mut tour).await;
    refused(&gateway, &mut tour).await;
    unreadable(&gateway, &mut tour).await;
    tour.all(&gateway, "?nobodyknows=1", |_| Some(ADMIN_TOKEN)).await;
    tour.all(&gateway, "", |_| None).await;
    // Until the address is listened to no more.
    while gateway.get_bare("/api/v1/calls").await.status != 429 {}
    tour.all(&gateway, "", |_| Some(ADMIN_TOKEN)).await;
    gateway.stop().await;

    let off = Gateway::start_with(|args: &mut SettingsArgs| args.admin_token = None).await;
    tour.all(&off, "", |_| Some(ADMIN_TOKEN)).await;
    off.stop().await;

    let away = Gateway::start().await;
    let (_, token) = new_token(away.running.store(), away.tenant.id).await.unwrap();
    let rename = |from: &str, to: &str| {
        away.database.execute(&format!("ALTER TABLE clients{from} RENAME TO clients{to}")).unwrap();
        away.database.execute(&format!("ALTER TABLE calls{from} RENAME TO calls{to}")).unwrap();
    };
    rename("", "_away");
    // An administrator's token is known without the database.
    tour.all(&away, "", |operation| Some(if operation.is_for_clients() { token.reveal() } else { ADMIN_TOKEN })).await;
    rename("_away", "");
    away.stop().await;

    let promised = operations().flat_map(|operation| {
        let responses = operation.told["responses"].as_object().unwrap();
        responses.iter().flat_map(move |(status, response)| {
            let codes = resolved(response)["x-codes"]
                .as_array()
                .map_or_else(|| vec![""], |codes| codes.iter().map(|code| code.as_str().unwrap()).collect());
            codes.into_iter().map(move |code| (operation.id(), status.parse().unwrap(), code.to_owned()))
        })
    });
    let never: Vec<_> = promised.filter(|one| !tour.seen.contains(one)).collect();
    assert!(never.is_empty(), "the document promises what nobody is answered with: {never:#?}");
}

#[actix_web::test]
async fn a_field_that_the_document_has_of_a_client_is_one_that_is_read() {
    let gateway = Gateway::start().await;
    let schemas = &DOCUMENT["components"]["schemas"];
    let fields = schemas["ClientChanges"]["properties"].as_object().unwrap();
    assert_eq!(fields, schemas["NewClient"]["properties"].as_object().unwrap());
    for (name, schema) in fields {
        let path = format!("/api/v1/clients/{}", gateway.tenant.id);
        // Nobody takes an object for any of them: what is read is refused by its name, or is no field at all.
        let request = gateway.request(Method::PATCH, &path).bearer_auth(ADMIN_TOKEN).json(&json!({ name: {} }));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.refused(400, "malformed_field")["field"], *name);
        // Null is taken where the document says so, and nowhere else; a secret alone is nobody's.
        let takes_null = problem_of(schema, &Value::Null).is_none();
        let request = gateway.request(Method::PATCH, &path).bearer_auth(ADMIN_TOKEN).json(&json!({ name: null }));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status == 200, takes_null, "{name}: {answer:?}");
    }
    gateway.stop().await;
}

/// What is asked for is done.
async fn done(gateway: &Gateway, tour: &mut Tour) {
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    let call = format!("/api/v1/calls/{sid}");
    for status in [200, 409] {
        let listed = "/api/v1/calls?limit=5&live=false&since=1h&client=1";
        assert_eq!(tour.ask(gateway, "listCalls", listed, None).await.json()["calls"][0]["call_sid"], sid);
        assert_eq!(tour.ask(gateway, "getCall", &call, None).await.status, 200);
        assert_eq!(tour.ask(gateway, "explainCall", &format!("{call}/why"), None).await.status, 200);
        assert_eq!(tour.ask(gateway, "hangUp", &format!("{call}/hangup"), None).await.status, status);
        assert!(gateway.running.switchboard().drained(super::support::PATIENCE).await);
        gateway.running.recorder().flush().await;
    }
    tour.ask(gateway, "listClients", "/api/v1/clients", None).await;
    let new = json!({ "name": "City Clinic", "number": NUMBER, "recording": "on", "tools": [], "max_concurrent": 0,
        "voice": null, "events_url": "https://crm.example/callgate" });
    let added = tour.ask(gateway, "addClient", "/api/v1/clients", Some(new)).await.json();
    let client = format!("/api/v1/clients/{}", added["id"]);
    tour.ask(gateway, "getClient", &client, None).await;
    let different = json!({ "active": true, "model": null, "region": "IN", "events_secret": "0123456789abcdef" });
    tour.ask(gateway, "changeClient", &client, Some(different)).await;
    let place = format!("{client}/agent");
    let agent = tour.ask(gateway, "getAgent", &place, None).await.json();
    assert!(agent["version"].is_i64(), "{agent}");
    tour.ask(gateway, "putAgent", &place, Some(agent)).await;
    tour.ask(gateway, "disableClient", &format!("{client}/disable"), None).await;
    tour.ask(gateway, "getAgentSchema", "/api/v1/schemas/agent.json", None).await;
    tour.ask(gateway, "getOpenApi", "/api/v1/openapi.json", None).await;
    let (_, token) = new_token(gateway.running.store(), 1).await.unwrap();
    tour.all(gateway, "", |_| Some(token.reveal())).await;
}

/// What is asked for cannot be done.
async fn refused(gateway: &Gateway, tour: &mut Tour) {
    for (id, path, body) in [
        ("listCalls", "/api/v1/calls?limit=0", None),
        ("listCalls", "/api/v1/calls?client=999", None),
        ("getCall", "/api/v1/calls/nobody", None),
        ("explainCall", "/api/v1/calls/nobody/why", None),
        ("hangUp", "/api/v1/calls/nobody/hangup", None),
        ("listClients", "/api/v1/clients?after=x", None),
        ("addClient", "/api/v1/clients", Some(json!({ "name": "City Clinic" }))),
        ("addClient", "/api/v1/clients", Some(json!({ "name": 7 }))),
        ("addClient", "/api/v1/clients", Some(json!({ "nmae": "City Clinic" }))),
        ("addClient", "/api/v1/clients", Some(json!({ "name": "City Clinic", "number": NUMBER }))),
        ("getClient", "/api/v1/clients/999", None),
        ("changeClient", "/api/v1/clients/1", Some(json!({ "active": "perhaps" }))),
        ("changeClient", "/api/v1/clients/1", Some(json!({ "nmae": "City Clinic" }))),
        ("changeClient", "/api/v1/clients/999", Some(json!({}))),
        ("changeClient", "/api/v1/clients/1", Some(json!({ "number": NUMBER }))),
        ("disableClient", "/api/v1/clients/999/disable", None),
        ("getAgent", "/api/v1/clients/999/agent", None),
        ("putAgent", "/api/v1/clients/1/agent", Some(json!({ "version": "x" }))),
        ("putAgent", "/api/v1/clients/1/agent", Some(json!({ "name": "City Clinic", "numbers": [] }))),
        ("putAgent", "/api/v1/clients/999/agent", Some(json!({ "name": "A", "numbers": ["08037091588"] }))),
        (
            "putAgent",
            "/api/v1/clients/1/agent",
            Some(json!({ "name": "A", "numbers": ["08037091588"], "version": 99 })),
        ),
        ("putAgent", "/api/v1/clients/1/agent", Some(json!({ "name": "A", "numbers": ["08037091588", NUMBER] }))),
    ] {
        let answer = tour.ask(gateway, id, path, body).await;
        assert!(answer.status.is_client_error(), "{id} {path}: {answer:?}");
    }
}

/// Bodies that nobody can read.
async fn unreadable(gateway: &Gateway, tour: &mut Tour) {
    let taking = || operations().filter(|operation| operation.told.get("requestBody").is_some());
    for operation in taking() {
        for (kind, body, status) in [
            ("application/json", "[]".to_owned(), 400),
            ("text/plain", "{}".to_owned(), 415),
            ("application/json", "x".repeat(TOO_MUCH), 413),
        ] {
            let request = gateway.request(method(operation), &nobodys(operation)).bearer_auth(ADMIN_TOKEN);
            let answer = Answer::of(request.header("content-type", kind).body(body).send().await.unwrap()).await;
            assert_eq!(answer.status, status, "{answer:?}");
            tour.saw(operation, &answer);
        }
    }
    let dripped = join_all(taking().map(|operation| async move { (operation, drip(gateway, operation).await) })).await;
    for (operation, answer) in dripped {
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_timeout"), "{answer}");
        assert!(operation.response(408).is_some());
        tour.seen.insert((operation.id(), 408, "body_timeout".to_owned()));
    }
}

/// What is answered to a body that does not come.
async fn drip(gateway: &Gateway, operation: Operation) -> String {
    let mut socket = TcpStream::connect(gateway.running.addr()).await.unwrap();
    let (method, path) = (method(operation), nobodys(operation));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: application/json\r\n\
        Content-Length: 100\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}
