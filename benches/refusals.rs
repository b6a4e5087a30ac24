//! What call-starts cost that are refused: memory that stays behind, and rows in the database.
//!
//! Each comes with the right signature, another caller and another CallSid, with the longest body that is taken: a client's key in the
//! wrong hands, or a carrier gone wrong. No socket is in it.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "support/webhooks.rs"]
mod webhooks;

use std::time::Instant;

use actix_http::Request;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{Error, test};
use callgate::testing::Running;
use futures_util::StreamExt;
use webhooks::{Folder, app, client, gateway, signed};

/// It takes no calls at all.
const NUMBER: &str = "+918037091588";
const AT_ONCE: usize = 64;
/// Bytes of what no call-start has to say.
const PADDING: usize = 48 << 10;

fn main() {
    // As a test it is to show that it works, not how much.
    let quick = !std::env::args().any(|word| word == "--bench");
    actix_rt::System::new().block_on(run(if quick { 2_000 } else { 60_000 }));
}

async fn run(count: usize) {
    let folder = Folder::new("refusals");
    let running = gateway(&folder).await;
    running.store().add_client(client(NUMBER, 0)).await.expect("a client");
    let app = app(&running).await;

    // What every process needs once: threads' memory, prepared statements, the first audit rows.
    refused(&running, &app, 0..1_000).await;
    let (before, on_disk, since) = (resident(), bytes(&folder), Instant::now());
    refused(&running, &app, 1_000..1_000 + count).await;
    let secs = since.elapsed().as_secs_f64();
    let (after, grown) = (resident(), bytes(&folder) - on_disk);
    let rows = running.store().verify_audit().await.expect("an audit log").expect("a whole chain").rows;
    println!(
        "{count} refused call-starts of {} KiB in {secs:.1} s: RSS {:.1} -> {:.1} MiB, database +{:.1} KiB ({} bytes each), {rows} audit rows",
        PADDING >> 10,
        before as f64 / 1024.0,
        after as f64 / 1024.0,
        grown as f64 / 1024.0,
        grown / count as u64,
    );
    assert!(grown <= count as u64 * 1024, "the database grew by more than 1 KiB a refused request");
    let minutes = (secs / 60.0).ceil() as u64 + 1;
    assert!(rows <= 700 * (minutes + 1), "{rows} rows of one address in {secs:.0} s");
    // A tenth, and the allocator's own grain.
    assert!(after <= before + before / 10 + 8 * 1024, "refused requests stay in memory: {before} -> {after} KiB");
    running.stop().await.expect("a stop");
}

fn request(call: usize) -> Request {
    let body = format!(
        "CallSid={call:031}p&CallFrom={call}{}&CallTo=%2B918037091588&CustomField={}",
        "9".repeat(200),
        "x".repeat(PADDING)
    );
    signed(body, ([127, 0, 0, 1], 9).into())
}

async fn refused(
    running: &Running,
    app: &impl Service<Request, Response = ServiceResponse, Error = Error>,
    calls: std::ops::Range<usize>,
) {
    let ask = async |call| {
        let answer = test::call_service(app, request(call)).await;
        assert_eq!(answer.status(), 429, "call {call}");
    };
    futures_util::stream::iter(calls).for_each_concurrent(AT_ONCE, ask).await;
    assert!(running.recorder().flush().await, "the audit log is written");
}

/// KiB of memory in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim_end_matches("kB").trim().parse().expect("KiB")
}

/// Bytes of the database and what belongs to it.
fn bytes(folder: &Folder) -> u64 {
    let files = std::fs::read_dir(&folder.0).expect("a folder").flatten();
    files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}
