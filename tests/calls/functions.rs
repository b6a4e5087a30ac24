//! A call whose agent calls functions of its client's, which are HTTP endpoints of this test's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::{CallError, HangUp, Say};
use tokio::sync::Semaphore;

use super::support::{ADMIN_TOKEN, Answer, Gateway, Setup, check_event, eventually, question};

/// A request's body, and its signature.
type Heard = (Value, Option<String>);

/// What a client's endpoints were told, and when they may answer.
#[derive(Clone)]
struct Shop {
    heard: Arc<Mutex<Vec<Heard>>>,
    told: Arc<Mutex<Vec<Value>>>,
    open: Arc<Semaphore>,
    /// What it finds.
    finds: Arc<Mutex<Value>>,
    /// What the client says of whoever calls.
    who: Arc<Mutex<Value>>,
    url: String,
}

async fn serve(shop: web::Data<Shop>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    if request.path() == "/mcp" {
        return mcp(&shop, body);
    }
    if request.path() == "/events" {
        check_event(&body);
        shop.told.lock().unwrap().push(body);
        return HttpResponse::NoContent().finish();
    }
    let signed = request.headers().get("callgate-signature").map(|value| value.to_str().unwrap().to_owned());
    shop.heard.lock().unwrap().push((body, signed));
    if request.path() == "/who" {
        let who = shop.who.lock().unwrap().clone();
        if who.is_null() {
            return std::future::pending().await;
        }
        return HttpResponse::Ok().json(who);
    }
    shop.open.acquire().await.unwrap().forget();
    let found = shop.finds.lock().unwrap().clone();
    HttpResponse::Ok().json(found)
}

/// A server of one function, as the protocol of such servers has it.
fn mcp(shop: &Shop, asked: Value) -> HttpResponse {
    let result = match asked["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": asked["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "crm", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [{ "name": "find.patient", "inputSchema": { "type": "object" } }] }),
        Some("tools/call") => json!({ "content": [{ "type": "text", "text": "She was here in May." }] }),
        _ => return HttpResponse::Accepted().finish(),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
    shop.heard.lock().unwrap().push((asked, None));
    HttpResponse::Ok().json(answer)
}

impl Shop {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let finds = Arc::new(Mutex::new(json!({ "status": "on its way" })));
        let shop = Self {
            heard: Arc::default(),
            told: Arc::default(),
            open: Arc::new(Semaphore::new(0)),
            who: Arc::default(),
            finds,
            url,
        };
        let served = shop.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(serve));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
        actix_rt::spawn(server.run());
        shop
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Gives the client of a gateway one function, and has it told of its calls.
    async fn equips(&self, gateway: &Gateway, effect: &str) {
        let tool = self.tool(effect);
        self.changes(gateway, |agent| agent["tools"] = json!([tool])).await;
    }

    fn tool(&self, effect: &str) -> Value {
        json!({
            "name": "find_order", "description": "Finds an order.", "url": format!("{}/find", self.url), "effect": effect,
            "parameters": { "type": "object", "properties": { "order": { "type": "string" } }, "required": ["order"] },
        })
    }

    /// Changes the agent of a gateway's client, and has it told of its calls.
    async fn changes(&self, gateway: &Gateway, change: impl FnOnce(&mut Value)) -> Value {
        let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
        let mut agent = gateway.operate(Method::GET, &place).await.json();
        agent["events"] = json!({ "url": format!("{}/events", self.url) });
        change(&mut agent);
        let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
        let put = Answer::of(put.send().await.unwrap()).await;
        assert_eq!(put.status, 200, "{put:?}");
        put.json()
    }
}

/// The model looks an order up, and then says something.
const LOOKS_UP: &str = "greeting goodbye_en\nanswer call find_order {\"order\":\"A-17\"}\nanswer commentary_en";
/// It forgets which, and then does not.
const FORGETS: &str =
    "greeting goodbye_en\nanswer call find_order {}\nanswer call find_order {\"order\":\"A-17\"}\nanswer commentary_en";

/// What the model was told that a function came to.
fn outputs(gateway: &Gateway) -> Vec<Value> {
    let items = gateway.model.sessions()[0].items.clone();
    let outputs = items.into_iter().filter(|item| item["type"] == "function_call_output");
    outputs.map(|item| item["output"].clone()).collect()
}

#[actix_rt::test]
async fn an_agent_looks_something_up_and_answers_with_it() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: FORGETS, ..Setup::default() }).await);
    shop.equips(&gateway, "write").await;
    shop.open.add_permits(1);
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed");
    let outputs = outputs(&gateway);
    assert!(outputs[0].as_str().unwrap().contains("order is missing"), "{outputs:?}");
    assert_eq!(outputs[1], r#"{"status":"on its way"}"#);
    let heard = shop.heard();
    assert_eq!(heard.len(), 1, "once, and not with arguments that are none of its: {heard:?}");
    let (body, signed) = &heard[0];
    assert_eq!(
        *body,
        json!({
            "type": "tool.call", "call_sid": report.call_sid, "tool_call_id": "2", "tool": "find_order",
            "arguments": { "order": "A-17" }, "client": { "name": "Clinic", "number": "+918037091588" },
            "caller": { "number": "+919876543210" }, "context": {},
        })
    );
    assert!(signed.as_ref().is_some_and(|signed| signed.starts_with("v1=")), "{signed:?}");
    let ran = gateway.audited("call.tool-run", "ok").await;
    assert_eq!(ran.len(), 1);
    assert_eq!((&ran[0].payload["name"], &ran[0].payload["status"]), (&json!("find_order"), &json!(200)));
    assert_eq!(gateway.audited("call.tool-run", "failed").await[0].payload["came_to"], "bad_arguments");
    let page = gateway.operate(Method::GET, "/metrics").await.body;
    for series in [
        "callgate_tool_runs_total{tool=\"find_order\",outcome=\"ok\"}",
        "callgate_tool_seconds_count{tool=\"find_order\"}",
    ] {
        assert!(page.contains(series), "no {series}");
    }
    gateway.stop().await;
}

/// The client's turns of a call that goes on.
async fn turns(gateway: &Gateway, call: &str) -> Vec<Value> {
    let answer = gateway.operate(Method::GET, &format!("/api/v1/calls/{call}")).await;
    if answer.status == 200 { answer.json()["turns"].as_array().cloned().unwrap_or_default() } else { Vec::new() }
}

#[actix_rt::test]
async fn a_caller_who_waits_for_a_function_hears_the_clients_own_sentence_and_no_model_is_told_of_it() {
    const SENTENCE: &str = "One moment, please, while I look for that.";
    const SCRIPT: &str = "greeting goodbye_en\nsentence commentary_en\nanswer call find_order {\"order\":\"A-17\"}\nanswer answer_en_booking";
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: SCRIPT, ..Setup::default() }).await);
    let tool = shop.tool("read");
    shop.changes(&gateway, |agent| {
        agent["tools"] = json!([tool]);
        agent["agent"]["hold_words"] = json!([SENTENCE]);
    })
    .await;
    let made = || async {
        let mut kept = std::fs::read_dir(gateway.clips()).into_iter().flatten().flatten();
        kept.any(|file| file.path().extension().is_some_and(|kind| kind == "s16"))
    };
    eventually("the sentence is made when it is applied", made).await;
    let (sid, answered) = ("a-caller-who-waits".to_owned(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let mut plan = gateway.plan();
    plan.call_sid = Some(sid.clone());
    plan.script = vec![Say::agent_finished(), question(), Say::Until(answered.clone())];
    let is_clip = |turn: &Value| turn["clip"] == true && turn["heard_ms"].as_u64() > Some(0);
    let shopkeeper = async {
        eventually("the sentence is heard", || async { turns(&gateway, &sid).await.iter().any(is_clip) }).await;
        shop.open.add_permits(1);
        let last = || async {
            turns(&gateway, &sid).await.last().is_some_and(|turn| turn["who"] == "agent" && !is_clip(turn))
        };
        eventually("the answer is heard", last).await;
        answered.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (report, ()) = tokio::join!(gateway.call(plan), shopkeeper);
    let record = gateway.record(&report.call_sid).await;
    let clips: Vec<&str> = record.turns.iter().filter(|turn| turn.clip).map(|turn| turn.text.as_str()).collect();
    assert_eq!(clips, [SENTENCE], "{:?}", record.turns);
    let sessions = gateway.model.sessions();
    let told = format!("{:?}{:?}", sessions[1].items, sessions[1].received);
    assert!(sessions.len() == 2 && !told.contains(SENTENCE), "{told}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn what_was_begun_to_be_changed_is_finished_behind_the_call_and_the_client_is_told() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: LOOKS_UP, ..Setup::default() }).await);
    shop.equips(&gateway, "write").await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::Wait(Duration::from_secs(3))];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    assert_eq!(shop.heard().len(), 1);
    shop.open.add_permits(1);
    let told = || shop.told.lock().unwrap().iter().find(|event| event["type"] == "tool.completed_after_call").cloned();
    eventually("the client is told", || async { told().is_some() }).await;
    let event = told().unwrap();
    assert_eq!(event["call_sid"], report.call_sid);
    let tool =
        json!({ "tool_call_id": "1", "tool": "find_order", "ok": true, "output": "{\"status\":\"on its way\"}" });
    assert_eq!(event["data"]["tool"], tool);
    let store = gateway.running.store();
    let call = store.call(&CallSid::new(&report.call_sid)).await.unwrap().unwrap().call;
    let steps = format!("{:?}", store.stored_history(&call).await.unwrap().steps);
    assert!(steps.contains("on its way"), "{steps}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn what_only_looks_is_given_up_with_the_call() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: LOOKS_UP, ..Setup::default() }).await);
    shop.equips(&gateway, "read").await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::Wait(Duration::from_secs(3))];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    assert_eq!(shop.heard().len(), 1);
    let ended = || shop.told.lock().unwrap().iter().any(|event| event["type"] == "call.ended");
    eventually("the client is told of the end", || async { ended() }).await;
    let page = gateway.operate(Method::GET, "/metrics").await.body;
    assert!(page.contains("callgate_tools_cancelled_total"), "given up");
    let told = shop.told.lock().unwrap().clone();
    assert!(told.iter().all(|event| event["type"] != "tool.completed_after_call"), "{told:?}");
    let ended = told.iter().find(|event| event["type"] == "call.ended").unwrap();
    assert_eq!(ended["data"]["tools"][0]["tool"], "find_order", "{ended}");
    assert_eq!(ended["data"]["transcript"][0]["who"], "agent", "{ended}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn an_agent_calls_what_an_mcp_server_had_when_its_file_was_applied() {
    let script = "greeting goodbye_en\nanswer call crm_find_patient {\"name\":\"Asha\"}\nanswer commentary_en";
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script, ..Setup::default() }).await);
    let server = json!({ "label": "crm", "url": format!("{}/mcp", shop.url), "effect": "read" });
    let gone = json!({ "label": "gone", "url": "http://127.0.0.1:9/mcp" });
    let put = shop.changes(&gateway, |agent| agent["mcp"] = json!([server, gone])).await;
    let left_out = put["left_out"].to_string();
    assert!(left_out.contains("mcp gone: its server cannot be reached"), "{left_out}");
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    assert_eq!(outputs(&gateway), ["She was here in May."]);
    let called: Vec<Value> =
        shop.heard().into_iter().map(|(asked, _)| asked).filter(|asked| asked["method"] == "tools/call").collect();
    assert_eq!(called.len(), 1, "{called:?}");
    assert_eq!(called[0]["params"]["name"], "find.patient");
    assert_eq!(called[0]["params"]["_meta"]["callgate/idempotency_key"], format!("{}:1", report.call_sid));
    let ran = gateway.audited("call.tool-run", "ok").await;
    assert_eq!(ran[0].payload["name"], "crm_find_patient");
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_client_says_who_calls_and_the_agent_knows_it_from_its_first_word() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: LOOKS_UP, ..Setup::default() }).await);
    *shop.who.lock().unwrap() = json!({ "variables": { "name": "Asha" }, "instructions": "She is in a hurry." });
    shop.open.add_permits(1);
    let tool = shop.tool("read");
    let url = format!("{}/who", shop.url);
    let change = |agent: &mut Value| {
        agent["agent"]["instructions"] = json!("You talk with {{name|nobody}}.");
        agent["context"] = json!({ "url": url, "deadline_ms": 10_000 });
        agent["tools"] = json!([tool]);
    };
    shop.changes(&gateway, change).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    let told = gateway.model.sessions()[0].config["instructions"].as_str().unwrap().to_owned();
    assert!(told.contains("You talk with \"Asha\".") && told.contains("She is in a hurry."), "{told}");
    let heard = shop.heard();
    assert_eq!(heard.len(), 2, "asked once, and a function called: {heard:?}");
    let (asked, signed) = &heard[0];
    assert_eq!((&asked["type"], &asked["caller"]["number"]), (&json!("call.context"), &json!("+919876543210")));
    assert_eq!(asked["called"]["number"], "+918037091588");
    assert!(signed.is_some());
    assert_eq!(heard[1].0["context"], json!({ "name": "Asha" }));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_client_that_does_not_want_a_call_ends_it_before_its_first_word() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: LOOKS_UP, ..Setup::default() }).await);
    *shop.who.lock().unwrap() = json!({ "refuse": { "reason": "blocked" } });
    let url = format!("{}/who", shop.url);
    shop.changes(&gateway, |agent| agent["context"] = json!({ "url": url, "deadline_ms": 10_000 })).await;
    let mut plan = gateway.plan();
    plan.script = vec![Say::Wait(Duration::from_millis(300))];
    plan.end = HangUp::Gateway;
    let report = match gateway.try_call(plan).await {
        Ok(report) => report,
        Err(CallError::Handshake { report, .. }) => *report,
        Err(other) => panic!("{other}"),
    };
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.ended_code, Some(EndCode::ContextRefused), "{record:?}");
    assert!(record.turns.is_empty(), "{record:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn of_a_long_result_the_model_is_told_the_beginning_and_the_record_has_all_of_it() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup { script: LOOKS_UP, ..Setup::default() }).await);
    let found = json!({ "notes": "नमस्ते ".repeat(5_000) });
    *shop.finds.lock().unwrap() = found.clone();
    shop.equips(&gateway, "read").await;
    shop.open.add_permits(1);
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    let told = outputs(&gateway)[0].to_string();
    assert!(told.contains("नमस्ते") && told.len() < 9_000, "{}", told.len());
    let place = format!("/api/v1/calls/{}", report.call_sid);
    let kept = || async { gateway.operate(Method::GET, &place).await.json()["tools"][0].clone() };
    let whole = found.to_string();
    eventually("all of it is on record", || async { kept().await["output"] == whole.as_str() }).await;
    let kept = kept().await;
    assert_eq!((&kept["tool"], &kept["tool_call_id"]), (&json!("find_order"), &json!("1")));
    assert_eq!(kept["arguments"], r#"{"order":"A-17"}"#);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_client_that_never_says_who_calls_costs_the_call_its_deadline_and_no_more() {
    let (shop, gateway) = (Shop::start(), Gateway::with(Setup::default()).await);
    let url = format!("{}/who", shop.url);
    let change = |agent: &mut Value| {
        agent["agent"]["instructions"] = json!("You talk with {{name|nobody}}.");
        agent["context"] = json!({ "url": url, "deadline_ms": 50 });
    };
    shop.changes(&gateway, change).await;
    let report = gateway.call(gateway.plan()).await;
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed");
    assert_eq!(shop.heard().len(), 1, "it was asked");
    let told = gateway.model.sessions()[0].config["instructions"].as_str().unwrap().to_owned();
    assert!(told.contains("You talk with nobody."), "{told}");
    gateway.stop().await;
}
