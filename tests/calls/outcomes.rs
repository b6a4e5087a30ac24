//! What came of a call: found out by a text model once it is over, in the API, and told.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use callgate::testing::new_token;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::exotel::Say;
use simulator::text::{TextOptions, TextServer};

use super::support::{ADMIN_TOKEN, Answer, Gateway, check_event, eventually, question};

type Told = Arc<Mutex<Vec<Value>>>;

async fn hear(told: web::Data<Mutex<Vec<Value>>>, event: web::Json<Value>) -> HttpResponse {
    check_event(&event);
    told.lock().unwrap().push(event.into_inner());
    HttpResponse::NoContent().finish()
}

/// What a client is told, and where.
fn receiver() -> (Told, String) {
    let told = Told::default();
    let served = web::Data::from(Arc::clone(&told));
    let app = move || App::new().app_data(served.clone()).default_service(web::to(hear));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", server.addrs()[0]);
    actix_rt::spawn(server.run());
    (told, url)
}

#[actix_rt::test]
async fn what_came_of_a_call_is_found_out_once_it_is_over_and_the_client_reads_it_and_is_told() {
    let server = TextServer::bind((Ipv4Addr::LOCALHOST, 0).into(), TextOptions::default()).await.unwrap();
    let (model, url) = (server.handle(), format!("http://{}/v1", server.addr()));
    actix_rt::spawn(server.run());
    let (heard, events) = receiver();
    let gateway = Gateway::start_with(|args| args.outcome.outcome_url = Some(url)).await;
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent = gateway.operate(Method::GET, &place).await.json();
    agent["events"] = json!({ "url": events });
    agent["outcome"] = json!({ "schema": { "type": "object", "properties": { "settled": { "type": "boolean" } }, "required": ["settled"] } });
    let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
    assert_eq!(Answer::of(put.send().await.unwrap()).await.status, 200);
    let mut plan = gateway.plan();
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    let types = || heard.lock().unwrap().iter().map(|event| event["type"].clone()).collect::<Vec<_>>();
    eventually("it is told", || async { types().contains(&json!("call.analysed")) }).await;
    assert_eq!(types(), ["call.started", "call.ended", "call.analysed"]);
    let told = heard.lock().unwrap().clone();
    let (ended, analysed) = (&told[1], &told[2]);
    assert!(ended["data"]["transcript"].as_array().is_some_and(|turns| turns.len() > 1), "{ended}");
    assert_eq!(analysed["data"]["outcome"]["outcome"], json!({ "settled": true }));
    let (_, token) = new_token(gateway.running.store(), gateway.tenant.id).await.unwrap();
    let call = format!("/api/v1/calls/{}", report.call_sid);
    let call = gateway.request(Method::GET, &call).bearer_auth(token.reveal()).send().await.unwrap();
    let call = Answer::of(call).await.json();
    assert_eq!(call["outcome"], analysed["data"]["outcome"]);
    let asked = model.asked();
    assert_eq!(asked.len(), 1, "once");
    let record = asked[0]["messages"][1]["content"].as_str().unwrap();
    let number = call["from"].as_str().unwrap();
    assert!(
        record.contains("\ncaller: ") && record.contains("\nagent: ") && !record.contains(&number[3..]),
        "{record}"
    );
    gateway.stop().await;
}
