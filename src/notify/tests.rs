//! Against a real receiver on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use protocol::call::fact::{Turn, Who};
use tokio::runtime::Handle;

use super::targets::check_url;
use super::*;
use crate::jobs::{Runner, Running};
use crate::json_schema::{DIALECT, Definitions, Object};
use crate::store::tests::{TempDb, new_call, new_client, node};
use crate::store::{Batch, CallUpdate, Finish, JobStatus, NewCall};
use crate::store::{CallOutcome, OutcomeStatus, Stored, ToolRun};

const SECRET: &str = "whsec_test";

/// The schema of one kind of event, as a document of its own.
fn schema_of(what: &str, event: &Object) -> Value {
    let mut known = Definitions::at("#/$defs/");
    let mut schema = known.object(event);
    schema["$defs"] = known.into_json();
    schema["$schema"] = DIALECT.into();
    schema["title"] = what.into();
    schema
}

/// What the receiver was told, and what it answers to the first ones.
#[derive(Clone, Default)]
struct Receiver {
    told: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

async fn receive(receiver: web::Data<Receiver>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let timestamp: i64 = header("callgate-timestamp").parse().unwrap();
    assert_eq!(header("callgate-signature"), signature(&Secret::new(SECRET), timestamp, &body));
    assert!((Utc::now().timestamp() - timestamp).abs() < 5);
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["id"], header("callgate-event-id"));
    let (what, described) =
        EVENTS.into_iter().find(|(what, _)| event["type"] == *what).expect("a type that is described");
    let validator = jsonschema::draft202012::new(&schema_of(what, described)).unwrap();
    assert!(
        validator.is_valid(&event),
        "{:?}",
        validator.iter_errors(&event).map(|error| error.to_string()).collect::<Vec<_>>()
    );
    receiver.told.lock().unwrap().push(event);
    let answer = receiver.answers.lock().unwrap().pop().unwrap_or(204);
    HttpResponse::build(actix_web::http::StatusCode::from_u16(answer).unwrap()).finish()
}

fn here() -> PrivateHosts {
    "127.0.0.1".parse().unwrap()
}

struct Rig {
    store: Store,
    running: Running,
    receiver: Receiver,
    client: i64,
    _db: TempDb,
}

impl Rig {
    async fn new(answers: &[u16]) -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let receiver = Receiver { answers: Arc::new(Mutex::new(answers.to_vec())), ..Receiver::default() };
        let served = receiver.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(receive));
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", server.addrs()[0]);
        actix_rt::spawn(server.run());
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        let target = EventsTarget { url, secret: Secret::new(SECRET) };
        assert!(store.set_events_target(client, Some(target)).await.unwrap());
        let runner = Runner::new(store.clone(), "here").with(Events::new(store.clone(), &here()).unwrap());
        let running = runner.start(&Handle::current());
        Self { store, running, receiver, client, _db: db }
    }

    async fn begin(&self, sid: &str) {
        self.store.begin_call(new_call(sid, self.client)).await.unwrap();
    }

    async fn end(&self, sid: &str) {
        let finish = Finish {
            at: Utc::now(),
            status: "completed".to_owned(),
            code: EndCode::CallerHungUp,
            why: "the caller hung up".to_owned(),
            transfer: None,
        };
        let update = CallUpdate {
            reopened: false,
            call_sid: CallSid::new(sid),
            owner: node(),
            generation: None,
            media: None,
            turns: vec![],
            steps: vec![],
            secret_keys: false,
            figures: None,
            finish: Some(finish),
        };
        self.store.write_batch(Batch { calls: vec![update], reports: vec![] }).await.unwrap();
    }

    /// Waits until all jobs are finished.
    async fn finished(&self) {
        let all = async {
            let mut look = tokio::time::interval(Duration::from_millis(5));
            loop {
                look.tick().await;
                if self.store.waiting_jobs().await.unwrap().is_empty() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    }

    fn told(&self) -> Vec<Value> {
        self.receiver.told.lock().unwrap().clone()
    }
}

#[actix_web::test]
async fn a_client_is_told_of_its_calls_in_order_and_signed_although_its_receiver_fails_at_first() {
    let rig = Rig::new(&[503, 500]).await;
    rig.begin("c1").await;
    rig.begin("c1").await;
    let recording = rig.store.announce_recording(&CallSid::new("c1"), "own", "no_such_kind", None).await.unwrap();
    rig.end("c1").await;
    rig.end("c1").await;
    let stored = Stored { url: "file:///a.ogg".to_owned(), bytes: 7, sha256: "00".to_owned() };
    for _ in 0..2 {
        rig.store.recording_stored(recording, &stored, Some("audio/ogg")).await.unwrap();
    }
    let done = rig.store.lease_jobs("w", "no_such_kind", "here", 1, Duration::from_secs(9)).await.unwrap();
    rig.store.job_done(&done[0]).await.unwrap();
    rig.finished().await;
    let told = rig.told();
    let types: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    // Twice it failed, and nothing overtook.
    assert_eq!(types, ["call.started", "call.started", "call.started", CALL_ENDED, "recording.stored"]);
    assert!(told[..3].iter().all(|event| event["id"] == told[0]["id"]), "one event has one id");
    let [started, ended, recorded] = [&told[2]["data"], &told[3]["data"], &told[4]["data"]];
    assert_eq!((&started["from"], &started["client"]), (&json!("+919876543210"), &json!("Acme")));
    assert_eq!((&ended["status"], &ended["ended_why"]), (&json!("completed"), &json!("the caller hung up")));
    assert_eq!(ended["ended_code"], "caller_hung_up");
    assert!(ended["figures"].is_object() && told[3]["call_sid"] == "c1");
    assert_eq!((&recorded["url"], &recorded["bytes"]), (&json!("file:///a.ogg"), &json!(7)));
    rig.running.stop(Duration::from_secs(1)).await;
}

#[actix_web::test]
async fn a_call_that_is_told_to_be_over_before_it_began_is_told_whole() {
    let rig = Rig::new(&[]).await;
    let report = |at| crate::store::CallEndReport {
        call_sid: CallSid::new("c1"),
        lines: vec![],
        status: Some("no-answer".to_owned()),
        parties: crate::store::Parties::default(),
        started_at: None,
        answered_at: None,
        ended_at: None,
        duration_secs: None,
        recording: None,
        at,
        stream_only: false,
    };
    rig.store.report_call(report(Utc::now())).await.unwrap();
    assert!(rig.store.jobs(true, None, 10).await.unwrap().is_empty(), "nobody's call is told to nobody");
    rig.begin("c1").await;
    // Ours could still come and say more, so the carrier's word waits a little.
    let waiting = rig.store.jobs(false, None, 10).await.unwrap();
    assert!(waiting.iter().any(|job| job.key == "call.ended/c1" && job.run_at > Utc::now()), "{waiting:?}");
    rig.finished().await;
    let told = rig.told();
    assert_eq!(told.len(), 2);
    assert_eq!((&told[1]["type"], &told[1]["data"]["status"]), (&json!("call.ended"), &json!("no-answer")));
    rig.running.stop(Duration::from_secs(1)).await;
}

#[actix_web::test]
async fn what_was_found_out_of_a_call_is_told_behind_its_end_and_once() {
    let rig = Rig::new(&[]).await;
    rig.begin("c1").await;
    rig.end("c1").await;
    let known = |status, outcome| CallOutcome {
        status,
        outcome,
        why: None,
        model: Some("text-1".to_owned()),
        updated_at: Utc::now(),
    };
    let call = CallSid::new("c1");
    for _ in 0..2 {
        rig.store.set_outcome(&call, known(OutcomeStatus::Waiting, None)).await.unwrap();
    }
    for _ in 0..2 {
        rig.store.set_outcome(&call, known(OutcomeStatus::Done, Some(json!({ "settled": true })))).await.unwrap();
    }
    rig.finished().await;
    let told = rig.told();
    let types: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["call.started", CALL_ENDED, CALL_ANALYSED]);
    let data = &told[2]["data"];
    assert_eq!(
        (&data["outcome"]["outcome"], &data["outcome"]["status"]),
        (&json!({ "settled": true }), &json!("done"))
    );
    assert_eq!((&data["client"], &data["from"]), (&json!("Acme"), &json!("+919876543210")));
    rig.running.stop(Duration::from_secs(1)).await;
}

#[actix_web::test]
async fn a_receiver_that_is_gone_and_a_client_that_stopped_listening_are_given_up_in_words() {
    let rig = Rig::new(&[410]).await;
    rig.begin("c1").await;
    rig.finished().await;
    let row = rig.store.jobs(false, None, 1).await.unwrap().remove(0);
    assert_eq!((row.status, row.last_error.as_deref()), (JobStatus::Failed, Some("the receiver answered 410 Gone")));
    rig.store.set_events_target(rig.client, None).await.unwrap();
    rig.store.begin_call(NewCall { tells: false, ..new_call("c2", rig.client) }).await.unwrap();
    assert_eq!(rig.store.jobs(true, None, 10).await.unwrap().len(), 1, "nothing is added for who does not listen");
    rig.running.stop(Duration::from_secs(1)).await;
}

#[actix_web::test]
async fn what_may_not_be_told_as_the_settings_are_is_parked_in_words_and_told_once_it_may() {
    let rig = Rig::new(&[]).await;
    let url = rig.store.events_target(rig.client).await.unwrap().unwrap().url;
    let at = |url: &str| EventsTarget { url: url.to_owned(), secret: Secret::new(SECRET) };
    // As a row of an older version may have it.
    rig.store.set_events_target(rig.client, Some(at("http://10.0.0.9/events"))).await.unwrap();
    rig.begin("c1").await;
    rig.end("c1").await;
    rig.finished().await;
    let parked = async || {
        let rows = rig.store.jobs(false, None, 10).await.unwrap();
        let why = |job: &Job| job.last_error.clone().unwrap_or_default();
        assert!(rows.iter().all(|job| why(job).contains("PRIVATE_HOSTS")), "{rows:?}");
        rows.iter().filter(|job| job.status == JobStatus::Parked).count()
    };
    assert_eq!((parked().await, rig.told().len()), (2, 0));
    // A start under the same settings leaves them; one under better ones does not.
    assert_eq!(unpark(&rig.store, &here()).await.unwrap(), 0);
    assert_eq!(unpark(&rig.store, &"10.0.0.9".parse().unwrap()).await.unwrap(), 2);
    rig.finished().await;
    assert_eq!(parked().await, 2, "this gateway's settings have not changed");
    // They are told elsewhere, in order.
    rig.store.set_events_target(rig.client, Some(at(&url))).await.unwrap();
    rig.finished().await;
    let types: Vec<Value> = rig.told().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["call.started", CALL_ENDED]);
    rig.running.stop(Duration::from_secs(1)).await;
}

#[test]
fn the_signature_is_the_documented_one() {
    let signed = signature(&Secret::new("whsec_test"), 1_790_000_000, r#"{"id":"evt_1"}"#);
    assert_eq!(signed, "v1=e32657f3e678d33b41ec084c16ac0e125d25480a06cb3902286dc5942c6fd259");
}

/// Runs the example of the page on events, where there is a Python to run it.
#[test]
fn the_pages_example_verifies_what_we_sign_and_nothing_else() {
    use std::process::{Command, Stdio};

    let page = include_str!("../../docs/events.md");
    let example = page.split("<!-- verify -->\n```python\n").nth(1).unwrap().split("```").next().unwrap();
    let (body, at) = (r#"{"id":"evt_1","data":{"client":"आशा"}}"#, 1_790_000_000);
    let signed = signature(&Secret::new(SECRET), at, body);
    let program = format!(
        "{example}
headers = {{'Callgate-Timestamp': '{at}', 'Callgate-Signature': '{signed}'}}
body = {body:?}.encode()
assert verified('{SECRET}', headers, body, {at} + 10)
assert not verified('{SECRET}', headers, body, {at} + 1000)
assert not verified('{SECRET}', headers, body + b' ', {at})
assert not verified('another', headers, body, {at})
"
    );
    let python = Command::new("python3").arg("-c").arg(program).stderr(Stdio::piped()).output();
    match python {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        // The numbers are held by the test above in any case.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn urls_that_will_not_do_say_what_to_write() {
    let check = |list: &str, url: &str| check_url(url, &list.parse().unwrap());
    for url in ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:8/x"] {
        assert_eq!(check("127.0.0.0/8,localhost,::1", url), Ok(()), "{url}");
        assert!(check("", url).unwrap_err().contains("PRIVATE_HOSTS"), "{url}");
    }
    assert_eq!(check("", "https://crm.example/hooks"), Ok(()));
    for (url, words) in [
        ("crm.example", "not a URL"),
        ("http://crm.example/x", "not https"),
        ("ftp://crm.example/x", "not https"),
        ("https://me:pw@crm.example/x", "credentials"),
        ("mailto:a@b.c", "no host"),
        ("https://169.254.169.254/latest/meta-data", "PRIVATE_HOSTS"),
        ("https://metadata.google.internal/", "PRIVATE_HOSTS"),
        ("https://2130706433/", "private address"),
    ] {
        assert!(check("", url).unwrap_err().contains(words), "{url}");
    }
    assert_ne!(new_secret().unwrap().reveal(), new_secret().unwrap().reveal());
}

#[tokio::test]
async fn clients_whose_events_go_where_they_may_not_any_more_can_be_listed() {
    let db = TempDb::new();
    let store = db.store().await;
    for (number, url) in [("+918047112233", "http://10.0.0.9/x"), ("+918047112234", "https://crm.example/x")] {
        let client = store.add_client(new_client(number)).await.unwrap().id;
        let target = EventsTarget { url: url.to_owned(), secret: Secret::new(SECRET) };
        store.set_events_target(client, Some(target)).await.unwrap();
    }
    let refused = refused_targets(&store, &PrivateHosts::default()).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((&*refused[0].name, &*refused[0].url), ("Acme", "http://10.0.0.9/x"));
    assert!(refused[0].why.contains("PRIVATE_HOSTS"), "{}", refused[0].why);
    assert!(refused_targets(&store, &"10.0.0.0/8".parse().unwrap()).await.unwrap().is_empty());
}

#[actix_web::test]
async fn what_is_told_of_a_whole_call_stays_within_its_bound() {
    let rig = Rig::new(&[]).await;
    rig.begin("c1").await;
    let mut subject = rig.store.told_of(&CallSid::new("c1"), None).await.unwrap().unwrap();
    let at = Utc::now();
    subject.outcome = Some(CallOutcome {
        status: OutcomeStatus::Done,
        outcome: Some(json!({ "settled": true })),
        why: None,
        model: Some("text-1".to_owned()),
        updated_at: at,
    });
    let turn = |text: &str| Turn {
        index: 0,
        who: Who::Agent,
        text: text.to_owned(),
        at_ms: 1_000,
        heard_ms: 900,
        generated_ms: 900,
        interrupted: false,
        answer_ms: None,
        latency: None,
        clip: false,
        backchannel: false,
    };
    let run = |output: &str| ToolRun {
        number: 1,
        at_ms: 2_000,
        name: "find_order".to_owned(),
        arguments: r#"{"order":"A-17"}"#.to_owned(),
        output: Some(output.to_owned()),
    };
    let told = |turns: Vec<Turn>, tools: Vec<ToolRun>| {
        let mut data = json!({});
        whole::add(&mut data, &EventSubject { turns, tools, ..subject.clone() });
        assert!(data.to_string().len() < whole::LARGEST);
        data
    };
    let data = told(vec![turn("Hello.")], vec![run("on its way")]);
    assert_eq!(
        data,
        json!({
            "transcript": [{ "who": "agent", "text": "Hello.", "at_ms": 1_000, "interrupted": false, "backchannel": false, "latency": null }],
            "tools": [{
                "tool_call_id": "1", "tool": "find_order", "arguments": r#"{"order":"A-17"}"#, "output": "on its way", "at_ms": 2_000,
            }],
            "recordings": [],
            "outcome": {
                "status": "done", "outcome": { "settled": true }, "why": null, "model": "text-1", "updated_at": time::told(at),
            },
        })
    );
    let link = json!({ "link": "/api/v1/calls/c1" });
    let data = told(vec![turn("Hello.")], vec![run(&"x".repeat(8_000)); 100]);
    assert_eq!((&data["tools"], &data["transcript"][0]["text"]), (&link, &json!("Hello.")));
    let data = told(vec![turn(&"x".repeat(1_000)); 300], vec![]);
    assert_eq!((&data["tools"], &data["transcript"]), (&link, &link));
}

#[test]
fn the_schemas_of_events_are_the_ones_in_docs() {
    let writes = std::env::var_os("CALLGATE_WRITE_DOCS").is_some();
    for (what, event) in EVENTS {
        let path = format!("docs/events/{what}.json");
        let schema = serde_json::to_string_pretty(&schema_of(what, event)).unwrap() + "\n";
        if writes {
            std::fs::write(&path, &schema).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == schema, "CALLGATE_WRITE_DOCS=1 cargo test --lib the_schemas_of_events writes {path} anew");
    }
    let files = std::fs::read_dir("docs/events").unwrap().map(|file| file.unwrap().file_name());
    let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    files.sort_unstable();
    let mut told: Vec<String> = EVENTS.iter().map(|(what, _)| format!("{what}.json")).collect();
    told.sort_unstable();
    assert_eq!(files, told);
}
