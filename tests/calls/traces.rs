//! A call's trace, as a collector gets it. On either database.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actors::Fault;
use opentelemetry_proto::tonic::trace::v1::Span;
use protocol::ids::CallSid;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::balancer::Balancer;
use simulator::exotel::{Applet, CallReport, EventKind, FlowPlan, OnRefused, Say, place_flow};
use tokio::sync::mpsc;

use super::support::{ADMIN_TOKEN, Answer, Gateway, PATIENCE, Setup, check_event, eventually, question};
use crate::collector::{Answer as Answers, Collector, attribute, hex};
use crate::process::TestProcess;

const SCRIPT: &str = "greeting goodbye_en
answer call find_order {\"order\":\"A-17\"}
answer call crm_find_patient {\"name\":\"Asha\"}
answer commentary_en";
const KEY: &str = "a-secret-of-the-collector";

/// Where, and with which `traceparent`.
type Asked = (String, Option<String>);

/// Endpoints of a client: where each was asked, with which `traceparent`.
#[derive(Clone)]
struct Shop {
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

async fn serve(shop: web::Data<Shop>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let told = |at: &str, parent: Option<&str>| {
        shop.asked.lock().unwrap().push((at.to_owned(), parent.map(str::to_owned)));
    };
    if request.path() != "/mcp" {
        let parents: Vec<_> = request.headers().get_all("traceparent").map(|value| value.to_str().unwrap()).collect();
        assert!(parents.len() <= 1 && request.headers().get("tracestate").is_none(), "{request:?}");
        told(body["type"].as_str().unwrap(), parents.first().copied());
        if request.path() == "/events" {
            check_event(&body);
        }
        return HttpResponse::Ok().json(json!({ "variables": { "name": "Asha" }, "status": "on its way" }));
    }
    let result = match body["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": body["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "crm", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [{ "name": "find_patient", "inputSchema": { "type": "object" } }] }),
        Some("tools/call") => {
            told("mcp", body["params"]["_meta"]["traceparent"].as_str());
            json!({ "content": [{ "type": "text", "text": "She was here in May." }] })
        }
        _ => return HttpResponse::Accepted().finish(),
    };
    HttpResponse::Ok().json(json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }))
}

impl Shop {
    /// Runs, and is where the client of a gateway has all that it can have asked.
    async fn of(gateway: &Gateway) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shop = Self { asked: Arc::default(), url };
        let served = shop.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(serve));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
        actix_rt::spawn(server.run());
        let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
        let mut agent = gateway.operate(Method::GET, &place).await.json();
        let at = |path: &str| format!("{}{path}", shop.url);
        agent["events"] = json!({ "url": at("/events") });
        agent["context"] = json!({ "url": at("/who"), "deadline_ms": 10_000 });
        agent["mcp"] = json!([{ "label": "crm", "url": at("/mcp"), "effect": "read" }]);
        agent["tools"] = json!([{
            "name": "find_order", "description": "Finds an order.", "url": at("/find"), "effect": "write",
            "parameters": { "type": "object", "properties": { "order": { "type": "string" } } },
        }]);
        let put = gateway.request(Method::PUT, &place).bearer_auth(ADMIN_TOKEN).json(&agent);
        let put = Answer::of(put.send().await.unwrap()).await;
        assert_eq!(put.status, 200, "{put:?}");
        shop
    }

    fn asked(&self, what: &str) -> Vec<Option<String>> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(at, _)| at == what).map(|(_, parent)| parent.clone()).collect()
    }
}

async fn traced(collector: &Collector, script: &'static str) -> Gateway {
    let url = collector.url.clone();
    Gateway::with_changed(Setup { script, ..Setup::default() }, move |args| {
        args.otel.otel_exporter_otlp_endpoint = Some(url);
        args.otel.otel_exporter_otlp_headers = Some(format!("authorization=Bearer%20{KEY}"));
    })
    .await
}

async fn call(gateway: &Gateway) -> CallReport {
    let mut plan = gateway.plan();
    plan.call_sid = Some(super::support::sid());
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    let report = gateway.call(plan).await;
    gateway.record(&report.call_sid).await;
    report
}

fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    found.next().unwrap_or_else(|| panic!("no {name}: {names:?}"))
}

/// What a collector has of a call, once its root is there: one tree, no span twice, all within the call but for its jobs.
async fn tree(collector: &Collector, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
    let whole = |spans: &[Span]| spans.iter().any(|span| span.name == "call") && enough(spans);
    eventually("the trace is told", || async { whole(&collector.spans()) }).await;
    let spans = collector.spans();
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len(), "a span is there twice: {spans:#?}");
    let root = find(&spans, "call");
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (span.span_id.as_slice(), span)).collect();
    assert!(root.parent_span_id.is_empty() && root.span_id.len() == 8 && root.trace_id.len() == 16);
    for span in spans.iter().filter(|span| span.name != "call") {
        assert_eq!(span.trace_id, root.trace_id);
        let parent = by_id.get(span.parent_span_id.as_slice()).unwrap_or_else(|| panic!("no parent: {span:?}"));
        if !span.name.starts_with("job ") {
            let within = parent.start_time_unix_nano <= span.start_time_unix_nano
                && span.start_time_unix_nano <= span.end_time_unix_nano
                && span.end_time_unix_nano <= parent.end_time_unix_nano;
            assert!(within, "{span:?} in {parent:?}");
        }
    }
    for answer in spans.iter().filter(|span| attribute(span, "callgate.awaited").is_some()) {
        let mut parts: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == answer.span_id).collect();
        parts.sort_by_key(|part| part.start_time_unix_nano);
        let mut reached = answer.start_time_unix_nano;
        for part in parts {
            assert_eq!(part.start_time_unix_nano, reached, "a gap in {answer:?}: {part:?}");
            reached = part.end_time_unix_nano;
        }
        assert_eq!(reached, answer.end_time_unix_nano, "{answer:?}");
    }
    spans
}

/// Who asked an endpoint says so by the span that is in the trace.
#[track_caller]
fn is_parent(told: &[Option<String>], span: &Span) {
    let expected = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
    assert_eq!(told, [Some(expected)], "{}", span.name);
}

#[actix_rt::test]
async fn a_call_is_one_trace_from_its_webhook_to_its_events_and_its_functions_are_told_where_they_stand() {
    let collector = Collector::start();
    let gateway = traced(&collector, SCRIPT).await;
    let shop = Shop::of(&gateway).await;
    let report = call(&gateway).await;
    let ended = |span: &Span| attribute(span, "callgate.event").as_deref() == Some("call.ended");
    let spans = tree(&collector, |spans| spans.iter().any(ended)).await;
    let root = find(&spans, "call");
    for (key, value) in [
        ("gen_ai.conversation.id", report.call_sid.as_str()),
        ("gen_ai.provider.name", "openai"),
        ("callgate.end_code", "caller_hung_up"),
        ("callgate.entry", "voicebot"),
        ("gen_ai.agent.name", "Clinic"),
    ] {
        assert_eq!(attribute(root, key).as_deref(), Some(value), "{key}");
    }
    assert!(attribute(root, "gen_ai.usage.output_tokens").is_some_and(|tokens| tokens.parse::<u64>().unwrap() > 0));
    for name in ["admission", "model dial", "media stream", "caller speaking", "agent speaking"] {
        find(&spans, name);
    }
    for (name, part) in [("greeting", None), ("answer", Some("endpointing"))] {
        let waited = find(&spans, name);
        assert!(attribute(waited, "callgate.owner").is_some(), "{waited:?}");
        let parts: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == waited.span_id).collect();
        // A busy machine does in one millisecond what else takes some: only what the server's silence takes is sure to be there.
        assert!(!parts.is_empty() && part.is_none_or(|part| parts.iter().any(|span| span.name == part)), "{parts:?}");
    }
    is_parent(&shop.asked("tool.call"), find(&spans, "execute_tool find_order"));
    is_parent(&shop.asked("mcp"), find(&spans, "execute_tool crm_find_patient"));
    is_parent(&shop.asked("call.context"), find(&spans, "context"));
    let told = spans.iter().find(|span| ended(span)).unwrap();
    is_parent(&shop.asked("call.ended"), told);
    // The record names the trace.
    let shown = gateway.operate(Method::GET, &format!("/api/v1/calls/{}", report.call_sid)).await.json();
    assert_eq!(shown["trace_id"], hex(&root.trace_id));
    // What let us in is nowhere else; no number, and nothing that anybody said or was called with.
    for told in collector.told() {
        let lets_in = format!("Bearer {KEY}");
        assert!(told.headers.iter().any(|(name, value)| name == "authorization" && *value == lets_in));
        let body = String::from_utf8_lossy(&told.body);
        for secret in [KEY, "9876543210", "8037091588", "A-17", "Asha", "on its way", "opening hours", "May"] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
    }
    let log = gateway.running.store().recent_audit(1_000).await.unwrap();
    assert!(log.iter().all(|entry| !entry.payload.to_string().contains(KEY)));
    gateway.stop().await;
}

#[actix_rt::test]
async fn without_a_collector_nobody_is_told_of_a_trace_and_a_call_leaves_no_job_for_one() {
    let gateway = Gateway::with(Setup { script: SCRIPT, ..Setup::default() }).await;
    let shop = Shop::of(&gateway).await;
    call(&gateway).await;
    for what in ["call.context", "tool.call", "mcp"] {
        assert_eq!(shop.asked(what), [None], "{what}");
    }
    let jobs = gateway.running.store().jobs(true, None, 100).await.unwrap();
    assert!(jobs.iter().all(|job| job.kind != "export_trace"), "{jobs:?}");
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_collector_that_hangs_or_refuses_is_noticed_by_no_call_and_a_stop_does_not_wait_for_it() {
    let collector = Collector::start();
    collector.answers([Answers::Status(400), Answers::Never, Answers::Never, Answers::Never]);
    let gateway = traced(&collector, super::support::SHORT).await;
    for _ in 0..2 {
        let report = call(&gateway).await;
        let before = collector.told().len();
        assert!(super::support::answered(&report), "{report:?}");
        eventually("it is asked", || async { collector.told().len() > before }).await;
    }
    let begun = std::time::Instant::now();
    gateway.stop().await;
    assert!(begun.elapsed() < PATIENCE / 4, "{:?}", begun.elapsed());
}

#[actix_rt::test]
async fn a_fault_of_ours_and_a_redial_leave_one_trace() {
    const SID: &str = "0123456789abcdef0123456789ab18tr";
    let collector = Collector::start();
    let gateway = traced(&collector, super::support::SHORT).await;
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let injected = async {
        let spoken = |s: &[simulator::model::SessionLog]| s.iter().map(|s| s.responses.len()).sum::<usize>() >= 2;
        assert!(gateway.model.wait_for(spoken, PATIENCE).await, "the first answer");
        while !gateway.faults.inject(&CallSid::new(SID), Fault::PanicCall) {
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(gateway.call(plan), injected);
    gateway.record(SID).await;
    let spans = tree(&collector, |_| true).await;
    let events: Vec<&str> = find(&spans, "call").events.iter().map(|event| event.name.as_str()).collect();
    assert!(events.contains(&"supervisor.restart") && events.contains(&"call.resumed"), "{events:?}");
    assert_eq!(spans.iter().filter(|span| span.name == "model dial").count(), 2);
    assert_eq!(spans.iter().filter(|span| span.name == "media stream").count(), 1);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_that_another_gateway_takes_over_is_one_trace_though_the_first_was_killed() {
    let collector = Collector::start();
    let survivor = traced(&collector, super::support::SHORT).await;
    let mut victim = TestProcess::new();
    let serve = &mut victim.command(&["serve"]);
    serve.env("DATABASE_URL", &survivor.database.url).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    victim.serve(serve).await;
    let mut call = survivor.plan();
    let gateways = vec![victim.address().parse().unwrap(), survivor.running.addr()];
    let balancer = Balancer::bind(([127, 0, 0, 1], 0).into(), gateways).await.unwrap().failover();
    call.gateway = format!("http://{}", balancer.address().unwrap()).parse().unwrap();
    actix_rt::spawn(balancer.run());
    call.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let (observer, mut events) = mpsc::channel(1_000);
    call.observer = Some(observer);
    let further =
        || Applet { script: vec![Say::agent_finished(), question(), Say::agent_finished()], ..Applet::default() };
    let plan = FlowPlan { on_refused: OnRefused::Retry, ..FlowPlan::resume(call, vec![further(), further()]) };
    let (report, ()) = tokio::join!(place_flow(plan), async {
        let mut spoke = 0;
        while let Some(event) = events.recv().await {
            spoke += u32::from(event.kind == EventKind::AgentSpeaks);
            if spoke == 2 && event.kind == EventKind::AgentSpeaks {
                victim.kill();
            }
        }
    });
    survivor.record(&report.unwrap().call_sid).await;
    let spans = tree(&collector, |_| true).await;
    let streams: Vec<_> = spans.iter().filter(|span| span.name == "media stream").collect();
    assert_eq!(streams.len(), 2, "{streams:?}");
    assert!(streams[0].end_time_unix_nano <= streams[1].start_time_unix_nano, "{streams:?}");
    let root = find(&spans, "call");
    assert!(root.events.iter().any(|event| event.name == "call.resumed"), "{:?}", root.events);
    // Dialled by both, and each is told.
    assert!(spans.iter().filter(|span| span.name == "model dial").count() >= 2, "{spans:?}");
    survivor.stop().await;
}
