//! A call whose agent calls functions of its client's, which are HTTP endpoints of this test's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use protocol::ids::CallSid;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::Say;
use tokio::sync::Semaphore;

use super::support::{ADMIN_TOKEN, Answer, Gateway, Setup, eventually, question};

/// A request's body, and its signature.
type Heard = (Value, Option<String>);

/// What a client's endpoints were told, and when they may answer.
#[derive(Clone)]
struct Shop {
    heard: Arc<Mutex<Vec<Heard>>>,
    told: Arc<Mutex<Vec<Value>>>,
    open: Arc<Semaphore>,
    url: String,
}

async fn serve(shop: web::Data<Shop>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    if request.path() == "/events" {
        shop.told.lock().unwrap().push(body);
        return HttpResponse::NoContent().finish();
    }
    let signed = request.headers().get("callgate-signature").map(|value| value.to_str().unwrap().to_owned());
    shop.heard.lock().unwrap().push((body, signed));
    shop.open.acquire().await.unwrap().forget();
    HttpResponse::Ok().json(json!({ "status": "on its way" }))
}

impl Shop {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shop = Self { heard: Arc::default(), told: Arc::default(), open: Arc::new(Semaphore::new(0)), url };
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
        let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
        let mut agent = gateway.operate(Method::GET, &place).await.json();
        agent["events"] = json!({ "url": format!("{}/events", self.url) });
        agent["tools"] = json!([{
            "name": "find_order", "description": "Finds an order.", "url": format!("{}/find", self.url), "effect": effect,
            "parameters": { "type": "object", "properties": { "order": { "type": "string" } }, "required": ["order"] },
        }]);
        let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
        let put = Answer::of(put.send().await.unwrap()).await;
        assert_eq!(put.status, 200, "{put:?}");
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
    gateway.stop().await;
}
