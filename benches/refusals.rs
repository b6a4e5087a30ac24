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

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_http::Request;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, Error, test, web};
use callgate::testing::routes;
use callgate::testing::{Agent, ClientLimits, NewClient};
use callgate::testing::{Running, start};
use callgate::testing::{Settings, SettingsArgs};
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::PhoneNumber;
use sha2::Sha256;

const TOKEN: &str = "7f3b0c5e9a1d4f6880e2c4a6b8d0f1e3";
const AT_ONCE: usize = 64;
/// Bytes of what no call-start has to say.
const PADDING: usize = 48 << 10;

fn main() {
    // As a test it is to show that it works, not how much.
    let quick = !std::env::args().any(|word| word == "--bench");
    actix_rt::System::new().block_on(run(if quick { 2_000 } else { 60_000 }));
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn run(count: usize) {
    let folder = Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("refusals-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let running = gateway(&folder).await;
    running.store().add_client(tenant()).await.expect("a client");
    let gateway = web::Data::from(std::sync::Arc::clone(running.gateway()));
    let app = test::init_service(App::new().app_data(gateway).configure(routes)).await;

    // What every process needs once: threads' memory, prepared statements, the first audit rows.
    refused(&app, 0..1_000).await;
    let (before, on_disk, since) = (resident(), bytes(&folder), Instant::now());
    refused(&app, 1_000..1_000 + count).await;
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

async fn gateway(folder: &Folder) -> Running {
    let some = |text: &str| Some(text.to_owned());
    let args = SettingsArgs {
        host: "127.0.0.1".to_owned(),
        port: "0".to_owned(),
        database_url: format!("sqlite://{}/bench.db", folder.0.display()),
        simulated_model: some("on"),
        exotel_api_token: some(TOKEN),
        webhook_deadline_ms: "15000".to_owned(),
        drain_secs: "0".to_owned(),
        ..SettingsArgs::default()
    };
    start(Settings::read(&args).expect("settings")).await.expect("a gateway")
}

/// Takes no calls at all.
fn tenant() -> NewClient {
    NewClient {
        name: "Client".to_owned(),
        exotel_number: PhoneNumber::new("+918037091588"),
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent: Agent {
            greeting: "Namaste.".to_owned(),
            language: "en-IN".to_owned(),
            voice: None,
            instructions: "Help.".to_owned(),
            model: None,
            transcription_language: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits { calls_per_minute: Some(0), ..ClientLimits::default() },
        recording: false,
    }
}

fn request(call: usize) -> Request {
    let body = format!(
        "CallSid={call:031}p&CallFrom={call}{}&CallTo=%2B918037091588&CustomField={}",
        "9".repeat(200),
        "x".repeat(PADDING)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    test::TestRequest::post()
        .uri("/exotel/call-start")
        .peer_addr(([127, 0, 0, 1], 9).into())
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("x-exotel-signature", hex))
        .set_payload(body)
        .to_request()
}

async fn refused(
    app: &impl Service<Request, Response = ServiceResponse, Error = Error>,
    calls: std::ops::Range<usize>,
) {
    let ask = async |call| {
        let answer = test::call_service(app, request(call)).await;
        assert_eq!(answer.status(), 429, "call {call}");
    };
    futures_util::stream::iter(calls).for_each_concurrent(AT_ONCE, ask).await;
    // What is gathered for the audit log is written within it.
    tokio::time::sleep(Duration::from_millis(500)).await;
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
