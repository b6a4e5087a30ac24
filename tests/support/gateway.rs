//! A gateway of a test's own: a free port, a database, a simulated model and a folder, all gone with it.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test binary uses its part of it")]

use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use actors::FaultInjector;
use callgate::testing::{
    Agent, AuditEntry, Client, ClientLimits, NewClient, Running, Settings, SettingsArgs, TokenKey, start_with_faults,
};
use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::{CallSid, PhoneNumber, Secret};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use simulator::model::{Faults, ModelHandle, ModelOptions, ModelServer, Script};

pub const NUMBER: &str = "+918037091588";
/// Short answers of a model.
pub const SHORT: &str = "greeting goodbye_en\nanswer commentary_en";
pub const GREETING: &str = "नमस्ते, Asha & Sons";

pub use crate::account::{ADMIN_TOKEN, API_KEY, API_TOKEN, WEBHOOK_KEY};
pub use crate::database::{Database, Kind, Sqlite};

#[path = "calls.rs"]
mod calls;
#[path = "documented.rs"]
mod documented;

pub use calls::{answered, question, settled, stored};
pub use documented::{
    DOCUMENT, Operation, check_answer, check_event, events_were_right, operations, problem_of, resolved,
};

/// Far beyond what anything here takes: a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub type Form<'a> = &'a [(&'a str, &'a str)];

pub type Gateway = TestGateway<Sqlite>;

/// A running gateway and a client to ask it with; on one database or the other.
pub struct TestGateway<K: Kind> {
    pub running: Running,
    /// Makes actors of its calls fail.
    pub faults: FaultInjector,
    /// What its calls talk to.
    pub model: ModelHandle,
    pub tenant: Client,
    pub database: Database,
    folder: Folder,
    http: reqwest::Client,
    kind: PhantomData<K>,
}

/// What a test wants of its gateway.
pub struct Setup {
    /// What the model says; empty: what it says by default.
    pub script: &'static str,
    pub faults: &'static [&'static str],
    pub set: fn(&mut SettingsArgs),
    /// Whose calls it takes.
    pub client: NewClient,
}

impl Default for Setup {
    /// For calls that are spoken: short answers, so that a call takes seconds.
    fn default() -> Self {
        Self { script: SHORT, faults: &[], set: |_| {}, client: clinic() }
    }
}

/// A folder, gone with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// What came; of the API it has to be as its document says.
    pub async fn of(response: Response) -> Self {
        let (status, headers, path) = (response.status(), response.headers().clone(), response.url().path().to_owned());
        let body = response.text().await.unwrap();
        check_answer(&path, status.as_u16(), &body);
        Self { status, headers, body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks the shape of a refusal, and returns its error.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{self:?}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 8), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        error
    }
}

impl<K: Kind> TestGateway<K> {
    /// For webhooks: on the defaults of a test.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With some settings changed.
    pub async fn start_with(change: impl FnOnce(&mut SettingsArgs)) -> Self {
        Self::start_on(K::database(), change).await
    }

    /// On a database that is there.
    pub async fn start_on(database: Database, change: impl FnOnce(&mut SettingsArgs)) -> Self {
        let setup = Setup { script: "", client: tenant(NUMBER), ..Setup::default() };
        Self::run(database, setup, change).await
    }

    /// For calls that are spoken.
    pub async fn with(setup: Setup) -> Self {
        Self::with_on(K::database(), setup).await
    }

    /// The same on a database that is there.
    pub async fn with_on(database: Database, setup: Setup) -> Self {
        let set = setup.set;
        Self::run(database, setup, set).await
    }

    /// For calls that are spoken, with settings that no constant can tell.
    pub async fn with_changed(setup: Setup, change: impl FnOnce(&mut SettingsArgs)) -> Self {
        Self::run(K::database(), setup, change).await
    }

    async fn run(database: Database, setup: Setup, change: impl FnOnce(&mut SettingsArgs)) -> Self {
        let folder = Folder(std::env::temp_dir().join(format!("callgate-gateway-{}", uuid::Uuid::now_v7())));
        std::fs::create_dir(&folder.0).unwrap();
        let (server, url) = model(&setup).await;
        let model = server.handle();
        let mut args = args(&database, &folder, url);
        change(&mut args);
        actix_rt::spawn(server.run());
        let (running, faults) = start_with_faults(Settings::read(&args).unwrap()).await.unwrap();
        let known = running.store().client_by_number(&setup.client.exotel_number).await.unwrap();
        let tenant = match known {
            Some(tenant) => tenant,
            None => running.store().add_client(setup.client).await.unwrap(),
        };
        // No connection is kept: a stop must not wait for an idle one.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self { running, faults, model, tenant, database, folder, http, kind: PhantomData }
    }

    /// Another node on the same database.
    pub async fn beside(&self) -> Self {
        let url = self.database.url.clone();
        Self::start_with(|args| args.database_url = url).await
    }

    /// The same, for calls that are spoken.
    pub async fn beside_with(&self, setup: Setup) -> Self {
        let (url, set) = (self.database.url.clone(), setup.set);
        Self::run(K::database(), setup, |args| {
            args.database_url = url;
            set(args);
        })
        .await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr())
    }

    /// A request without any credentials.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// A signed urlencoded webhook.
    pub async fn post(&self, path: &str, form: Form<'_>) -> Answer {
        let body = urlencoded(form);
        self.post_raw(path, "application/x-www-form-urlencoded", body.into_bytes()).await
    }

    /// A signed webhook with any body.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", content_type)
            .header("x-exotel-signature", sign(&body))
            .body(body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// A GET with the webhook key.
    pub async fn get(&self, path: &str, form: Form<'_>) -> Answer {
        let path = format!("{path}?{}&key={WEBHOOK_KEY}", urlencoded(form));
        Answer::of(self.request(Method::GET, &path).send().await.unwrap()).await
    }

    /// A GET as it is.
    pub async fn get_bare(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// A request of an operator.
    pub async fn operate(&self, method: Method, path: &str) -> Answer {
        Answer::of(self.request(method, path).bearer_auth(ADMIN_TOKEN).send().await.unwrap()).await
    }

    /// What was audited of one kind with one outcome, newest first.
    pub async fn audited(&self, kind: &str, outcome: &str) -> Vec<AuditEntry> {
        let mut entries = self.running.store().recent_audit(500).await.unwrap();
        entries.retain(|entry| entry.kind == kind && entry.outcome == outcome);
        entries
    }

    /// The media token of a call, as if its webhook had come `age` ago.
    pub fn token(&self, call: &str, age: Duration) -> String {
        TokenKey::derived(&Secret::new(API_TOKEN)).mint(&CallSid::new(call), SystemTime::now() - age)
    }

    /// Where its recordings are until they are stored.
    pub fn spool(&self) -> PathBuf {
        self.folder.0.join("spool")
    }

    /// Where the fixed sentences of its clients are kept.
    pub fn clips(&self) -> PathBuf {
        self.folder.0.join("clips")
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
        self.model.stop();
        events_were_right();
    }
}

async fn model(setup: &Setup) -> (ModelServer, String) {
    let script = if setup.script.is_empty() { Script::default() } else { setup.script.parse().unwrap() };
    let faults = Faults::from_flags(setup.faults).unwrap();
    let options = ModelOptions { script, faults, ..ModelOptions::default() };
    let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.addr());
    (server, url)
}

fn args(database: &Database, folder: &Folder, realtime_url: String) -> SettingsArgs {
    let some = |text: &str| Some(text.to_owned());
    SettingsArgs {
        host: "127.0.0.1".to_owned(),
        port: "0".to_owned(),
        // Two, so that a call is admitted on one arbiter and its socket may come on another.
        workers: some("2"),
        database_url: database.url.clone(),
        recordings_url: database.recordings_url(),
        spool_dir: folder.0.join("spool").display().to_string(),
        clips_dir: folder.0.join("clips").display().to_string(),
        realtime_url,
        exotel_api_key: some(API_KEY),
        exotel_api_token: some(API_TOKEN),
        webhook_auth: "signature,key,basic".to_owned(),
        webhook_key: some(WEBHOOK_KEY),
        admin_token: some(ADMIN_TOKEN),
        // Whoever is told of calls here is a neighbour of the test.
        private_hosts: some("127.0.0.1"),
        drain_secs: "0".to_owned(),
        // What a busy machine takes is no outage: who asserts one sets it.
        webhook_deadline_ms: "15000".to_owned(),
        ..SettingsArgs::default()
    }
}

/// A client whose calls are spoken.
pub fn clinic() -> NewClient {
    let agent = Agent {
        greeting: "Thank you for calling.".to_owned(),
        language: "en-IN".to_owned(),
        instructions: "Be brief.".to_owned(),
        ..tenant(NUMBER).agent
    };
    NewClient { name: "Clinic".to_owned(), agent, ..tenant(NUMBER) }
}

/// A client that takes calls.
pub fn tenant(number: &str) -> NewClient {
    NewClient {
        name: "Asha Clinic".to_owned(),
        exotel_number: PhoneNumber::new(number),
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent: Agent {
            greeting: GREETING.to_owned(),
            language: "hi-IN".to_owned(),
            transcription_language: None,
            voice: None,
            instructions: "You answer for a clinic.".to_owned(),
            model: None,
            tools: "[]".to_owned(),
        },
        limits: ClientLimits::default(),
        recording: false,
    }
}

/// The fields of a call that comes in.
pub fn incoming(sid: &str) -> Vec<(&str, &str)> {
    vec![
        ("CallSid", sid),
        ("CallFrom", "09876543210"),
        ("CallTo", "08037091588"),
        ("Direction", "incoming"),
        // On shared numbers `To` is somebody else's.
        ("To", "09513886363"),
    ]
}

/// A CallSid nobody had before.
pub fn sid() -> String {
    format!("{:024x}{:08x}", std::process::id(), count())
}

pub fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(API_TOKEN.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn urlencoded(form: Form<'_>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// Waits until something holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        loop {
            look.tick().await;
            if holds().await {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn count() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}
