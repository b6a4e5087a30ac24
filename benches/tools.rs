//! What a function costs beside its endpoint: from the model's item to our request, and from the endpoint's answer to our item, over live
//! calls. A function that only looks, and one that changes something, with its commit.
//!
//! Gateway, callers, model and endpoint are all in this process, and share its cores: what is measured is more than a gateway alone takes.
//! As a test it shows that each function of each call is asked for once and told once, not how fast.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "../tests/support/account.rs"]
mod account;
#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/support/gateway.rs"]
mod support;

use std::collections::HashMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use account::ADMIN_TOKEN;
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::{CallPlan, Say, place_call};
use simulator::model::SessionLog;
use support::{Answer, Gateway, Setup, question};

/// When a request came, and when it was answered, by what it was answered with.
type Times = HashMap<String, (Instant, Instant)>;
type Asked = Arc<Mutex<Times>>;

/// How many calls there are at once, how many functions each has run, and how far apart they begin.
struct Load {
    calls: usize,
    functions: usize,
    apart: Duration,
}

/// As a test.
const QUICK: Load = Load { calls: 3, functions: 3, apart: Duration::from_millis(100) };
/// Fewer functions than a call may have run in a minute.
const FULL: Load = Load { calls: 300, functions: 15, apart: Duration::from_millis(60) };

fn main() {
    let load = if std::env::args().any(|word| word == "--bench") { FULL } else { QUICK };
    let system = actix_rt::System::new();
    for effect in ["read", "write"] {
        system.block_on(run(effect, &load));
    }
}

async fn run(effect: &str, load: &Load) {
    let (asked, url) = endpoint();
    let gateway = Gateway::with(Setup { script: script(load.functions), ..Setup::default() }).await;
    equip(&gateway, effect, &url).await;
    let plans = (0..load.calls).map(|call| plan(&gateway, call, load)).collect();
    call(plans, load.apart).await;
    let sessions = gateway.model.sessions();
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), load.calls * load.functions, "each function is asked for once");
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for session in &sessions {
        measure(session, &asked, &mut out, &mut back);
    }
    assert_eq!(back.len(), load.calls * load.functions, "and told once");
    let calls = load.calls;
    println!("{effect}, {calls} calls, item to request: {}", figures(&mut out));
    println!("{effect}, {calls} calls, answer to item: {}", figures(&mut back));
    gateway.stop().await;
}

/// After its question each caller is answered with so many functions, one after the other.
fn script(functions: usize) -> &'static str {
    let calls: String = (0..functions).map(|number| format!("answer call look {{\"number\":{number}}}\n")).collect();
    Box::leak(format!("greeting goodbye_en\n{calls}answer commentary_en").into_boxed_str())
}

/// All calls live while the functions of any are run.
fn plan(gateway: &Gateway, call: usize, load: &Load) -> CallPlan {
    let mut plan = gateway.plan();
    plan.from = format!("+9198{call:08}");
    plan.seed = call as u64 + 1;
    plan.timeout = Duration::from_secs(300);
    let all_begun = Say::Wait(load.apart * u32::try_from(load.calls).unwrap());
    plan.script = vec![Say::agent_finished(), all_begun.clone(), question(), Say::agent_finished(), all_begun];
    plan
}

/// The callers have a thread of their own.
async fn call(plans: Vec<CallPlan>, apart: Duration) {
    let (done, all) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let calls = plans.into_iter().enumerate().map(|(index, plan)| async move {
            tokio::time::sleep(apart * u32::try_from(index).unwrap()).await;
            place_call(plan).await.expect("a call");
        });
        actix_rt::System::new().block_on(async { drop(join_all(calls).await) });
        let _ = done.send(());
    });
    all.await.expect("calls that end");
}

/// Answers each request with something of its own, on a thread of its own.
fn endpoint() -> (Asked, String) {
    let asked = Asked::default();
    let served = web::Data::from(Arc::clone(&asked));
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            let app = move || App::new().app_data(served.clone()).default_service(web::to(answer));
            let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
            tell.send(format!("http://{}/look", server.addrs()[0])).expect("somebody waits");
            server.run().await.expect("an endpoint");
        });
    });
    (asked, told.recv().expect("an address"))
}

async fn answer(asked: web::Data<Mutex<Times>>, body: web::Bytes) -> HttpResponse {
    let came = Instant::now();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let id = format!("{}:{}", body["call_sid"].as_str().unwrap(), body["tool_call_id"].as_str().unwrap());
    let response = HttpResponse::Ok().json(json!({ "id": id }));
    let twice = asked.lock().unwrap().insert(id, (came, Instant::now()));
    assert!(twice.is_none(), "asked twice");
    response
}

async fn equip(gateway: &Gateway, effect: &str, url: &str) {
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent = gateway.operate(Method::GET, &place).await.json();
    let parameters =
        json!({ "type": "object", "properties": { "number": { "type": "integer" } }, "required": ["number"] });
    agent["tools"] =
        json!([{ "name": "look", "description": "Looks.", "url": url, "effect": effect, "parameters": parameters }]);
    let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
    let put = Answer::of(put.send().await.unwrap()).await;
    assert_eq!(put.status, 200, "{put:?}");
}

/// What one session's functions took on their way out and back.
fn measure(session: &SessionLog, asked: &Times, out: &mut Vec<Duration>, back: &mut Vec<Duration>) {
    let Some(began) = session.began else { return };
    for heard in session.received.iter().filter(|heard| heard.body["item"]["type"] == "function_call_output") {
        let output: Value = serde_json::from_str(heard.body["item"]["output"].as_str().unwrap()).unwrap();
        let (came, answered) = asked[output["id"].as_str().unwrap_or_else(|| panic!("{output}"))];
        let said =
            session.sent.iter().rev().find(|said| said.kind == "response.output_item.done" && said.at < heard.at);
        out.push(came.saturating_duration_since(began + said.expect("the call").at));
        back.push((began + heard.at).saturating_duration_since(answered));
    }
}

fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(50), at(95), at(99), at(100))
}
