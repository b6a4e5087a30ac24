use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use protocol::call::end::{EndCode, EndedBy};
use protocol::call::fact::Who;
use protocol::call::latency::{Awaited, Part, Parts};
use protocol::ids::{CallSid, PhoneNumber, Secret};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::exporter::{ANSWER_WITHIN, MOST_AT_ONCE, MOST_ATTEMPTS, MOST_WAITING};
use super::otlp::Span;
use super::span::{LONGEST_VALUE, MOST_EVENTS};
use super::tree::{Record, spans};
use super::{Exporter, Exporting, TraceTarget, Traces};
use crate::jobs::{Handler, Job, JobError, Watcher};
use crate::store::tests::{TempDb, batch, latency, media, new_call, new_client, turn, update};
use crate::store::{
    AuditEntry, Call, CallTransfer, CallUpdate, EXPORT_TRACE, Entry, Figures, Finish, JobStatus, Ownership, Parties,
    SEND_EVENT, Store, Times,
};
use crate::trace_context::{Sampler, SpanOf, TraceId};

#[path = "../../tests/support/collector.rs"]
mod collector;

use collector::{Answer, Collector};

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_764_000_000_000 + ms).unwrap()
}

fn step(ms: i64, kind: &str, outcome: &str, payload: Value) -> AuditEntry {
    AuditEntry {
        at: at(ms),
        kind: kind.to_owned(),
        call_sid: Some(CallSid::new("c1")),
        remote_addr: Some("10.9.8.7".to_owned()),
        request_id: Some("r1".to_owned()),
        outcome: outcome.to_owned(),
        payload,
    }
}

fn call(status: &str, code: EndCode) -> Call {
    Call {
        id: 1,
        call_sid: CallSid::new("c1"),
        client_id: Some(7),
        parties: Parties { from: Some(PhoneNumber::new("+919876543210")), ..Parties::default() },
        entry: Some(Entry::Voicebot),
        status: status.to_owned(),
        carrier_status: None,
        ended_by: Some(EndedBy::Gateway),
        ended_code: Some(code),
        ended_rank: None,
        ended_why: Some("said the caller on +919876543210".to_owned()),
        over_at: None,
        ownership: Ownership { streams: 2, ..Ownership::default() },
        times: Times {
            started_at: at(0),
            answered_at: None,
            media_at: Some(at(1_000)),
            ended_at: Some(at(60_000)),
            ended_at_source: Some(EndedBy::Gateway),
        },
        stream_sid: None,
        figures: Figures::default(),
    }
}

/// A call with trouble of every kind: lost sessions, another gateway, a function that never came back.
fn steps() -> Vec<AuditEntry> {
    vec![
        step(30, "webhook.voicebot", "admitted", json!({ "CallFrom": "+919876543210" })),
        step(31, "call.model-dialled", "ok", json!({ "attempt": 1 })),
        step(131, "call.model-ready", "ok", json!({ "after_ms": 100 })),
        step(140, "call.context", "ok", json!({ "variables": ["name"] })),
        step(1_000, "call.media-started", "ok", json!({ "stream_sid": "s1", "rate_hz": 8000, "at_ms": 0 })),
        step(9_000, "call.model-lost", "failed", json!({ "cause": "hush-hush said the server", "refused": false })),
        step(9_001, "call.model-dialled", "ok", json!({ "attempt": 2 })),
        step(9_500, "call.model-lost", "failed", json!({ "cause": "hush-hush", "refused": true })),
        step(9_900, "call.model-dialled", "ok", json!({ "attempt": 3 })),
        step(9_990, "call.model-ready", "ok", json!({ "after_ms": 90 })),
        step(12_000, "call.tool-called", "ok", json!({ "number": 1, "name": "find_order", "arguments": "hush-hush" })),
        step(
            12_400,
            "call.tool-run",
            "ok",
            json!({ "number": 1, "name": "find_order", "came_to": "ok", "status": 200, "attempts": 2, "took_ms": 380 }),
        ),
        step(12_401, "call.tool-returned", "ok", json!({ "number": 1, "output": "hush-hush" })),
        step(
            13_000,
            "call.tool-called",
            "ok",
            json!({ "number": 2, "name": "call +91 98765 43210", "arguments": "{}" }),
        ),
        step(14_000, "supervisor.restart", "failed", json!({ "actor": "CallActor", "cause": "hush-hush", "count": 1 })),
        step(20_000, "call.ended", "failed", json!({ "code": "stream_lost", "why": "hush-hush" })),
        step(22_000, "call.taken_over", "ok", json!({ "from": "a/1", "generation": 2 })),
        step(22_100, "call.media-started", "ok", json!({ "stream_sid": "s2", "rate_hz": 8000, "at_ms": 21_100 })),
        step(23_000, "call.key-pressed", "ok", json!({})),
        step(60_000, "call.ended", "completed", json!({ "code": "caller_hung_up", "why": "hush-hush" })),
    ]
}

fn traced(call: &Call, steps: &[AuditEntry]) -> Vec<Span> {
    let words = |mut turn: protocol::call::fact::Turn| {
        turn.text = "hush-hush".to_owned();
        turn
    };
    let mut turns = vec![words(turn(0, "")), words(turn(1, "")), words(turn(2, ""))];
    turns[2].latency = Some(Box::new(latency()));
    turns[0].latency = Some(Box::new(protocol::call::latency::Latency {
        of: Awaited::Greeting,
        from_ms: 0,
        parts: Parts::new([(Part::Connecting, 3), (Part::Starting, 40), (Part::Sending, 1)]),
        ..latency()
    }));
    assert!(turns[0].who == Who::Agent);
    let transfers = [CallTransfer {
        number: 1,
        at: at(50_000),
        destination: Some("desk".to_owned()),
        reason: "hush-hush".to_owned(),
        summary: Some("hush-hush".to_owned()),
        cause: EndCode::Transferred,
        outcome: Some("no-answer".to_owned()),
    }];
    spans(&Record { call, client: Some("Clinic"), model: "gpt-realtime", turns: &turns, steps, transfers: &transfers })
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn says(span: &Span, key: &str, expected: &str) -> bool {
    format!("{:?}", span.attributes.iter().find(|one| one.key == key)).contains(expected)
}

#[test]
fn a_call_is_one_tree_and_no_span_is_there_twice_whatever_happened_to_it() {
    let spans = traced(&call("completed", EndCode::CallerHungUp), &steps());
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len(), "{spans:#?}");
    let root = &spans[0];
    assert!(root.parent_span_id.is_empty() && root.status.is_none(), "{root:?}");
    for span in &spans[1..] {
        assert!(ids.contains(span.parent_span_id.as_slice()) && span.trace_id == root.trace_id, "{span:?}");
        let within = root.start_time_unix_nano <= span.start_time_unix_nano
            && span.start_time_unix_nano <= span.end_time_unix_nano
            && span.end_time_unix_nano <= root.end_time_unix_nano;
        assert!(within, "{span:?} in {root:?}");
    }
    let outcomes: Vec<bool> =
        named(&spans, "model dial").iter().map(|dial| says(dial, "callgate.outcome", "ready")).collect();
    assert_eq!(outcomes, [true, false, true]);
    let streams = named(&spans, "media stream");
    let lasted: Vec<u64> =
        streams.iter().map(|span| (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000).collect();
    assert_eq!(lasted, [19_000, 37_900]);
    let tool = named(&spans, "execute_tool find_order")[0];
    assert_eq!(tool.span_id, TraceId::of(&CallSid::new("c1")).span(SpanOf::Tool(1)).bytes());
    assert_eq!(tool.end_time_unix_nano - tool.start_time_unix_nano, 380_000_000);
    assert!(says(tool, "callgate.attempts", "Whole(2)") && says(tool, "http.response.status_code", "Whole(200)"));
    // What a model writes in the place of a name may be anything.
    assert!(says(named(&spans, "execute_tool unknown")[0], "callgate.outcome", "unfinished"));
    let events: Vec<&str> = root.events.iter().map(|event| event.name.as_str()).collect();
    for event in ["webhook.voicebot", "call.model-lost", "supervisor.restart", "call.taken_over", "call.transferred"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
}

#[test]
fn the_parts_of_an_answer_lie_one_behind_the_other_and_are_the_whole() {
    let spans = traced(&call("completed", EndCode::CallerHungUp), &steps());
    for name in ["answer", "greeting"] {
        let answer = named(&spans, name)[0];
        let parts: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == answer.span_id).collect();
        assert_eq!(parts.len(), 3, "{name}");
        let mut reached = answer.start_time_unix_nano;
        for part in parts {
            assert_eq!(part.start_time_unix_nano, reached, "{part:?}");
            reached = part.end_time_unix_nano;
        }
        assert_eq!(reached, answer.end_time_unix_nano, "{name}");
    }
    assert!(says(named(&spans, "answer")[0], "callgate.largest_part", "endpointing"));
    assert!(says(named(&spans, "answer")[0], "callgate.owner_setting", "silence_ms"));
}

#[test]
fn nothing_that_anybody_said_and_no_number_is_in_a_span() {
    let shown = format!("{:?}", traced(&call("failed", EndCode::ModelFailed), &steps()));
    for secret in ["hush", "9876543210", "98765", "10.9.8.7"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn a_call_that_failed_says_so_and_one_of_which_little_is_known_has_a_trace_too() {
    let failed = traced(&call("failed", EndCode::ModelFailed), &steps());
    let status = failed[0].status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "model_failed"));
    let mut bare = call("failed", EndCode::Reaped);
    bare.times.media_at = None;
    let spans = traced(&bare, &[]);
    assert_eq!(spans.len(), 1, "{spans:?}");
    // The carrier's clock may be behind ours.
    bare.times.ended_at = Some(at(-5_000));
    assert_eq!(traced(&bare, &[])[0].start_time_unix_nano, traced(&bare, &[])[0].end_time_unix_nano);
}

#[test]
fn what_happens_too_often_is_counted_and_what_is_too_long_is_cut() {
    let many: Vec<AuditEntry> = (0..1_000)
        .map(|n| step(1_000 + n, "call.response-failed", "failed", json!({ "code": "x".repeat(4_000) })))
        .collect();
    let root = &traced(&call("failed", EndCode::ModelFailed), &many)[0];
    assert_eq!(root.events.len(), MOST_EVENTS);
    assert_eq!(root.dropped_events_count as usize, 1_000 + 1 - MOST_EVENTS);
    assert!(prost::Message::encoded_len(root) < (MOST_EVENTS + 40) * (LONGEST_VALUE + 100));
}

/// A test's exporter, and what it counts.
struct Rig {
    collector: Collector,
    exporter: Exporter,
    exporting: Exporting,
    page: PrometheusHandle,
    _counting: metrics::LocalRecorderGuard<'static>,
}

impl Rig {
    fn start(url: impl FnOnce(&Collector) -> String) -> Self {
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let page = recorder.handle();
        let counting = metrics::set_default_local_recorder(recorder);
        let collector = Collector::start();
        let target = TraceTarget {
            url: url(&collector).parse().unwrap(),
            headers: vec![("authorization".parse().unwrap(), Secret::new("hush"))],
            resource: vec![("service.name".to_owned(), "phones".to_owned())],
            sampler: Sampler::AlwaysOn,
        };
        let (exporter, exporting) = Exporter::start(target, &Handle::current()).unwrap();
        Self { collector, exporter, exporting, page, _counting: counting }
    }

    fn offer(&self, from: usize, count: usize) {
        let trace = TraceId::of(&CallSid::new("c1"));
        let span = |n: usize| Span::new(trace, SpanOf::Part(format_args!("{n}")), "x", at(0), at(1));
        self.exporter.offer((from..from + count).map(span).collect());
    }

    fn counted(&self, outcome: &str) -> u64 {
        let series = format!("callgate_traces_spans_total{{outcome=\"{outcome}\"}} ");
        let page = self.page.render();
        page.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
    }

    async fn until(&self, outcome: &str, count: u64) {
        let counted = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            while self.counted(outcome) < count {
                look.tick().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), counted).await;
        assert!(waited.is_ok() && self.counted(outcome) == count, "{outcome}: {}", self.page.render());
    }
}

fn traces(collector: &Collector) -> String {
    format!("{}/v1/traces", collector.url)
}

#[actix_web::test]
async fn a_collector_is_told_in_pieces_that_it_takes_with_what_lets_us_in() {
    let rig = Rig::start(traces);
    for piece in 0..13 {
        rig.offer(piece * 100, 100);
    }
    rig.until("exported", 1_300).await;
    let told = rig.collector.told();
    for one in &told {
        let header = |name: &str| one.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!((header("content-type"), header("authorization")), (Some("application/x-protobuf"), Some("hush")));
        let request = one.request();
        let resource = request.resource_spans[0].resource.as_ref().unwrap();
        assert_eq!(resource.attributes[0].key, "service.name");
        assert!(request.resource_spans[0].scope_spans[0].spans.len() <= MOST_AT_ONCE);
    }
    let ids: BTreeSet<Vec<u8>> = rig.collector.spans().into_iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 1_300);
    rig.exporting.stop(Duration::from_secs(2)).await;
}

#[actix_web::test]
async fn whether_a_collector_takes_traces_is_known_without_telling_it_any() {
    let collector = Collector::start();
    let (resource, headers) = (Vec::new(), vec![("authorization".parse().unwrap(), Secret::new("hush"))]);
    let url = traces(&collector).parse().unwrap();
    let target = TraceTarget { url, headers, resource, sampler: Sampler::AlwaysOn };
    assert_eq!(target.check().await, Ok(()));
    assert!(collector.spans().is_empty() && collector.told().len() == 1);
    collector.answers([Answer::Status(401)]);
    assert!(target.check().await.unwrap_err().contains("401"));
}

#[actix_web::test]
async fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let rig = Rig::start(traces);
    rig.collector.answers([Answer::After(429, "1"), Answer::Status(503)]);
    let begun = Instant::now();
    rig.offer(0, 3);
    rig.until("exported", 3).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it was asked too soon");
    assert_eq!(rig.collector.told().len(), 3);
    rig.collector.answers([Answer::Status(400), Answer::Status(500)]);
    rig.offer(3, 2);
    rig.until("dropped_failed", 2).await;
    rig.offer(5, 2);
    rig.until("dropped_failed", 4).await;
    assert_eq!(rig.collector.told().len(), 5);
    rig.collector.answers([Answer::Status(502); MOST_ATTEMPTS as usize]);
    rig.offer(7, 1);
    rig.until("dropped_failed", 5).await;
    assert_eq!(rig.collector.told().len(), 5 + MOST_ATTEMPTS as usize);
    // And those that come later are told again.
    rig.offer(8, 1);
    rig.until("exported", 4).await;
}

#[actix_web::test]
async fn what_a_collector_would_not_have_is_counted_and_what_it_says_beside_is_not_read() {
    let rig = Rig::start(traces);
    rig.collector.answers([Answer::Rejects(2), Answer::Rejects(i64::MAX), Answer::Rejects(-7), Answer::Junk(4 << 20)]);
    for (from, exported, dropped) in [(0, 3, 2), (5, 3, 7), (10, 8, 7), (15, 13, 7)] {
        rig.offer(from, 5);
        rig.until("dropped_failed", dropped).await;
        rig.until("exported", exported).await;
    }
}

#[actix_web::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else_and_a_stop_waits_for_it_no_longer_than_it_may() {
    let rig = Rig::start(traces);
    rig.collector.answers([Answer::Never; 64]);
    let begun = Instant::now();
    for piece in 0..200 {
        rig.offer(piece * 100, 100);
    }
    assert!(begun.elapsed() < ANSWER_WITHIN / 4, "whoever offers waits for nobody");
    let beyond = 20_000 - MOST_WAITING as u64;
    let full = rig.counted("dropped_full");
    assert!((beyond..beyond + 100).contains(&full), "{full}");
    let told = async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while rig.collector.told().is_empty() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is asked");
    let begun = Instant::now();
    let Rig { exporting, page, _counting, .. } = rig;
    exporting.stop(Duration::from_secs(2)).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let lost = format!("outcome=\"dropped_failed\"}} {}", 20_000 - full);
    assert!(page.render().contains(&lost), "{lost}: {}", page.render());
}

#[actix_web::test]
async fn what_waits_at_a_stop_is_told_and_nobody_is_there_costs_a_few_attempts() {
    let rig = Rig::start(traces);
    rig.offer(0, 700);
    let Rig { exporting, collector, .. } = rig;
    exporting.stop(Duration::from_secs(2)).await;
    assert_eq!(collector.spans().len(), 700);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = Rig::start(|_| format!("http://{nobody}/v1/traces"));
    rig.offer(0, 5);
    rig.until("dropped_failed", 5).await;
}

#[test]
fn a_trace_that_ends_before_it_begins_takes_no_time() {
    let trace = TraceId::of(&CallSid::new("c1"));
    let span = Span::new(trace, SpanOf::Call, "call", at(5), at(5) - TimeDelta::seconds(9));
    assert_eq!(span.start_time_unix_nano, span.end_time_unix_nano);
}

/// A store with a call, whose traces go to a collector.
struct Told {
    store: Store,
    collector: Collector,
    exporter: Option<Exporter>,
    exporting: Exporting,
    _db: TempDb,
}

impl Told {
    async fn new() -> Self {
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        store.begin_call(new_call("c1", client)).await.unwrap();
        let collector = Collector::start();
        let (resource, headers) = (Vec::new(), Vec::new());
        let url = traces(&collector).parse().unwrap();
        let target = TraceTarget { url, headers, resource, sampler: Sampler::AlwaysOn };
        let (exporter, exporting) = Exporter::start(target, &Handle::current()).unwrap();
        Self { store, collector, exporter: Some(exporter), exporting, _db: db }
    }

    fn traces(&mut self, sampler: Sampler) -> Traces {
        Traces::new(self.store.clone(), self.exporter.take().unwrap(), sampler, "gpt-realtime")
    }

    async fn ends(&self, code: EndCode) {
        let (status, why) = (code.status().to_owned(), "hush-hush".to_owned());
        let finish = Some(Finish { at: Utc::now(), status, code, why, transfer: None });
        let update = CallUpdate { media: Some(media()), finish, ..update("c1") };
        self.store.write_batch(batch(vec![update])).await.unwrap();
    }
}

fn job(kind: &str, streams: i64) -> Job {
    Job {
        id: 7,
        kind: kind.to_owned(),
        key: "c1/1".to_owned(),
        payload: json!({ "call_sid": "c1", "streams": streams, "type": "call.ended" }),
        status: JobStatus::Running,
        attempts: 2,
        run_at: at(0),
        last_error: None,
        created_at: at(0),
        lease_owner: None,
        leased_until: None,
        ordering: None,
        node: None,
    }
}

#[actix_web::test]
async fn a_call_that_is_back_is_told_of_by_the_job_behind_its_last_stream_alone() {
    let mut told = Told::new().await;
    let traces = told.traces(Sampler::AlwaysOn);
    told.store.write_batch(batch(vec![CallUpdate { media: Some(media()), ..update("c1") }])).await.unwrap();
    // It goes on; the job of a stream before says nothing; nobody knows the call.
    let waits = Handler::run(&traces, &job(EXPORT_TRACE, 1)).await;
    assert!(matches!(waits, Err(JobError::Retry(_))), "{waits:?}");
    told.ends(EndCode::AgentHungUp).await;
    Handler::run(&traces, &job(EXPORT_TRACE, 0)).await.unwrap();
    let nobody = Job { payload: json!({ "call_sid": "nobody", "streams": 1 }), ..job(EXPORT_TRACE, 1) };
    Handler::run(&traces, &nobody).await.unwrap();
    Handler::run(&traces, &job(EXPORT_TRACE, 1)).await.unwrap();
    traces.ran(&job(SEND_EVENT, 1), "retry", (at(100), at(200))).await;
    traces.ran(&job(EXPORT_TRACE, 1), "done", (at(100), at(200))).await;
    told.exporting.stop(Duration::from_secs(5)).await;
    let names: Vec<String> = told.collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["call", "job send_event"]);
    let attempt = told.collector.spans().pop().unwrap();
    let known = TraceId::of(&CallSid::new("c1")).span(SpanOf::Job(7, 2)).bytes();
    assert_eq!((attempt.span_id.as_slice(), attempt.status.unwrap().message), (known.as_slice(), "retry".to_owned()));
}

#[actix_web::test]
async fn of_a_ratio_a_call_that_failed_is_told_all_the_same_and_of_none_nothing_is() {
    for (sampler, code, expected) in [
        (Sampler::Ratio(0.0), EndCode::AgentHungUp, 0),
        (Sampler::Ratio(0.0), EndCode::ModelFailed, 1),
        (Sampler::Ratio(1.0), EndCode::AgentHungUp, 1),
        (Sampler::AlwaysOff, EndCode::ModelFailed, 0),
    ] {
        let mut told = Told::new().await;
        let traces = told.traces(sampler);
        told.ends(code).await;
        Handler::run(&traces, &job(EXPORT_TRACE, 1)).await.unwrap();
        told.exporting.stop(Duration::from_secs(5)).await;
        assert_eq!(told.collector.spans().len(), expected, "{sampler:?} {code:?}");
    }
}
