//! Signed call-starts, from the raw request to the answer, through the real handlers and a real SQLite file: every one is on the disk,
//! its audit entry too, before it is answered.
//!
//! The calls are reported over before they start, so that no session is dialled: what is measured is the webhook plane alone. No socket
//! is in it; the store's threads are. CPU is the whole process's.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "support/webhooks.rs"]
mod webhooks;

use std::time::{Duration, Instant};

use actix_http::Request;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{Error, test};
use callgate::testing::{CallEndReport, Parties, Running};
use chrono::Utc;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::ids::CallSid;
use webhooks::{Folder, app, client, gateway, signed};

/// Each may have 600 calls a minute.
const CLIENTS: usize = 100;
/// Requests under way at once when as many as possible are asked for.
const AT_ONCE: usize = 256;
/// Half of the 5,000 a second that a core should do.
const HALF_LOAD: usize = 2_500;

fn main() {
    // As a test it is to show that it works, not how fast.
    let quick = !std::env::args().any(|word| word == "--bench");
    actix_rt::System::new().block_on(run(quick));
}

async fn run(quick: bool) {
    let count = if quick { 200 } else { 20_000 };
    let folder = Folder::new("call-starts");
    let running = gateway(&folder).await;
    for number in (0..CLIENTS).map(number) {
        running.store().add_client(client(&number, i32::MAX)).await.expect("a client");
    }
    let app = app(&running).await;

    report_over(&running, 0..2 * count).await;
    let (cpu, since) = (cpu(), Instant::now());
    at_once(&app, 0..count).await;
    let (cpu, wall) = (self::cpu() - cpu, since.elapsed());
    let rate = |time: Duration| (count as f64 / time.as_secs_f64()).round();
    println!("{count} signed call-starts, {AT_ONCE} at once: {} a second, {} a second of CPU", rate(wall), rate(cpu));

    let mut times = paced(&app, count..2 * count).await;
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("at {HALF_LOAD} a second: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(50), at(99), at(100));
    let whole = running.store().verify_audit().await.expect("an audit log").expect("a whole chain");
    assert!(whole.rows >= 2 * count as u64, "every call-start is audited");
    running.stop().await.expect("a stop");
}

fn number(client: usize) -> String {
    format!("+9180{client:08}")
}

fn sid(call: usize) -> String {
    format!("{call:031}p")
}

async fn report_over(running: &Running, calls: std::ops::Range<usize>) {
    let report = |call| CallEndReport {
        call_sid: CallSid::new(sid(call)),
        lines: vec![],
        status: Some("completed".to_owned()),
        parties: Parties::default(),
        started_at: None,
        answered_at: None,
        ended_at: None,
        duration_secs: None,
        recording: None,
        at: Utc::now(),
        stream_only: false,
    };
    let reports = futures_util::stream::iter(calls.map(|call| running.store().report_call(report(call))));
    reports.for_each_concurrent(AT_ONCE, async |done| drop(done.await.expect("a report"))).await;
}

fn request(call: usize) -> Request {
    let (caller, to) = (call % 90_000_000, number(call % CLIENTS));
    let body = format!(
        "CallSid={}&CallFrom=098{caller:08}&CallTo=%2B{}&Direction=incoming&Created=Tue%2C+25+Aug+2026+12%3A07%3A08&DialWhomNumber=&From=098{caller:08}&To=09513886363&CurrentTime=2026-08-25+12%3A07%3A09",
        sid(call),
        &to[1..]
    );
    signed(body, peer(call))
}

/// An address each: of one address's refusals so many a minute are audited.
fn peer(call: usize) -> std::net::SocketAddr {
    let [.., a, b, c] = call.to_be_bytes();
    ([10, a, b, c], 9).into()
}

async fn ask(app: &impl Service<Request, Response = ServiceResponse, Error = Error>, call: usize) {
    let answer = test::call_service(app, request(call)).await;
    // Over before it starts: written down and audited like any other, and no session dialled.
    assert_eq!(answer.status(), 409, "call {call}");
}

async fn at_once(
    app: &impl Service<Request, Response = ServiceResponse, Error = Error>,
    calls: std::ops::Range<usize>,
) {
    futures_util::stream::iter(calls).for_each_concurrent(AT_ONCE, async |call| ask(app, call).await).await;
}

/// So many a second whatever the answers take, and how long each took from when it was due.
async fn paced(
    app: &impl Service<Request, Response = ServiceResponse, Error = Error>,
    calls: std::ops::Range<usize>,
) -> Vec<Duration> {
    let began = Instant::now();
    let first = calls.start;
    let asked = calls.map(|call| async move {
        let due = began + Duration::from_secs_f64((call - first) as f64 / HALF_LOAD as f64);
        tokio::time::sleep_until(due.into()).await;
        ask(app, call).await;
        due.elapsed()
    });
    asked.collect::<FuturesUnordered<_>>().collect().await
}

/// CPU time of this process and its threads.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .into_iter()
        .flat_map(str::split_whitespace)
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum();
    // A tick is a hundredth of a second on every Linux there is.
    Duration::from_millis(ticks * 10)
}
