//! A gateway of a bench's own that takes signed call-starts without a socket.

#![allow(unreachable_pub, reason = "a bench shows nobody anything")]

use std::path::PathBuf;

use actix_http::Request;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, Error, test, web};
use callgate::testing::{Agent, ClientLimits, NewClient, Running, Settings, SettingsArgs, routes, start};
use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::PhoneNumber;
use sha2::Sha256;

const TOKEN: &str = "7f3b0c5e9a1d4f6880e2c4a6b8d0f1e3";

/// A folder of the bench's own, gone with it. In the target folder: a temporary folder may be memory.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(bench: &str) -> Self {
        let name = format!("{bench}-{}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A gateway whose database is there.
pub async fn gateway(folder: &Folder) -> Running {
    let some = |text: &str| Some(text.to_owned());
    let args = SettingsArgs {
        host: "127.0.0.1".to_owned(),
        port: "0".to_owned(),
        database_url: format!("sqlite://{}/bench.db", folder.0.display()),
        recordings_url: format!("file://{}/recordings", folder.0.display()),
        spool_dir: folder.0.join("spool").display().to_string(),
        clips_dir: folder.0.join("clips").display().to_string(),
        simulated_model: some("on"),
        exotel_api_token: some(TOKEN),
        // Too much is to be seen as latency, not as refusals.
        webhook_deadline_ms: "15000".to_owned(),
        drain_secs: "0".to_owned(),
        ..SettingsArgs::default()
    };
    start(Settings::read(&args).expect("settings")).await.expect("a gateway")
}

/// Its routes, asked without a socket.
pub async fn app(running: &Running) -> impl Service<Request, Response = ServiceResponse, Error = Error> + use<> {
    let gateway = web::Data::from(std::sync::Arc::clone(running.gateway()));
    test::init_service(App::new().app_data(gateway).configure(routes)).await
}

/// A client with so many calls a minute.
pub fn client(number: &str, calls_per_minute: i32) -> NewClient {
    NewClient {
        name: format!("Client {number}"),
        exotel_number: PhoneNumber::new(number),
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent: Agent {
            greeting: "Namaste, and thank you for calling.".to_owned(),
            language: "en-IN".to_owned(),
            transcription_language: None,
            voice: None,
            instructions: "Help.".to_owned(),
            model: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits { calls_per_minute: Some(calls_per_minute), ..ClientLimits::default() },
        recording: false,
    }
}

/// A call-start with a signature that holds.
pub fn signed(body: String, peer: std::net::SocketAddr) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    test::TestRequest::post()
        .uri("/exotel/call-start")
        .peer_addr(peer)
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("x-exotel-signature", hex))
        .set_payload(body)
        .to_request()
}
