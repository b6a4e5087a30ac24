//! A gateway of a test's own: a free port, a database and a simulated model, all gone with it.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use callgate::calls::token::TokenKey;
use callgate::serve::{Running, start};
use callgate::settings::{Settings, SettingsArgs};
use callgate::store::{Agent, AuditEntry, Client, ClientLimits, NewClient};
use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::{CallSid, PhoneNumber, Secret};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sha2::Sha256;

pub const NUMBER: &str = "+918037091588";
pub const API_KEY: &str = "api-key";
pub const API_TOKEN: &str = "api-token";
pub const WEBHOOK_KEY: &str = "hook-key-of-tests";
pub const ADMIN_TOKEN: &str = "admin-token-of-tests";
pub const GREETING: &str = "नमस्ते, Asha & Sons";

pub use crate::database::{Database, Kind, Sqlite};

/// Far beyond what anything here takes: a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Form<'a> = &'a [(&'a str, &'a str)];

pub type Gateway = GatewayOn<Sqlite>;

/// A running gateway and a client to ask it with; on one database or the other.
pub struct GatewayOn<K: Kind> {
    pub running: Running,
    pub tenant: Client,
    pub database: Database,
    http: reqwest::Client,
    kind: PhantomData<K>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
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

impl<K: Kind> GatewayOn<K> {
    /// On the defaults of a test.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With some settings changed.
    pub async fn start_with(change: impl FnOnce(&mut SettingsArgs)) -> Self {
        Self::start_on(K::database(), change).await
    }

    /// On a database that is there.
    pub async fn start_on(database: Database, change: impl FnOnce(&mut SettingsArgs)) -> Self {
        let some = |text: &str| Some(text.to_owned());
        let mut args = SettingsArgs {
            host: "127.0.0.1".to_owned(),
            port: "0".to_owned(),
            workers: some("2"),
            database_url: database.url.clone(),
            recordings_url: database.recordings_url(),
            simulated_model: some("on"),
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
        };
        change(&mut args);
        let running = start(Settings::read(&args).unwrap()).await.unwrap();
        let known = running.store().client_by_number(&PhoneNumber::new(NUMBER)).await.unwrap();
        let tenant = match known {
            Some(tenant) => tenant,
            None => running.store().add_client(tenant(NUMBER)).await.unwrap(),
        };
        // No connection is kept: a stop must not wait for an idle one.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self { running, tenant, database, http, kind: PhantomData }
    }

    /// Another node on the same database.
    pub async fn beside(&self) -> Self {
        let url = self.database.url.clone();
        Self::start_with(|args| args.database_url = url).await
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

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }
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
