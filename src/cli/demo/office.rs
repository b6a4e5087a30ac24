//! The clinic's own system, which the demo's agent asks for its hours. It takes its time, as such systems do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::keys::{self, Till};
use super::{CLINIC, GREETING, INSTRUCTIONS};
use crate::agent::{Plan, Rules, read_json};
use crate::outgoing::PrivateHosts;
use crate::store::{Client, Store};

/// How long it takes.
pub(super) const TAKES: Duration = Duration::from_secs(4);
/// What callers hear while it is asked.
pub(super) const WAITS: &str = "One moment, I am still looking it up.";
/// What it knows of Saturdays.
pub(super) const SATURDAY: &str = "10:00-14:00";

/// See the module.
pub(super) struct Office {
    url: String,
    asked: Arc<AtomicUsize>,
    pub(super) till: Till,
    server: ServerHandle,
}

impl Office {
    /// On a free port of this machine.
    pub(super) fn start() -> anyhow::Result<Self> {
        let asked = Arc::<AtomicUsize>::default();
        let (counted, till) = (web::Data::from(Arc::clone(&asked)), Till::default());
        let charging = web::Data::new(till.clone());
        let app = move || {
            let app = App::new().app_data(counted.clone()).app_data(charging.clone());
            app.route("/pay", web::post().to(pay)).default_service(web::to(answer))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0");
        let server = server.context("the port of the clinic's system")?;
        let address = *server.addrs().first().context("the port of the clinic's system")?;
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(Self { url: format!("http://{address}"), asked, till, server: handle })
    }

    /// The client whose agent asks it.
    pub(super) async fn equip(&self, store: &Store) -> anyhow::Result<Client> {
        let file = json!({
            "name": "Lotus Clinic",
            "numbers": [CLINIC],
            "agent": { "greeting": GREETING, "instructions": INSTRUCTIONS },
            "listening": { "interruptions": "confirmed", "languages": ["en", "hi"] },
            "tools": [{
                "name": "opening_hours",
                "description": "When the clinic is open on a day.",
                "url": format!("{}/hours", self.url),
                "effect": "read",
                "say_while": WAITS,
                "parameters": { "type": "object", "properties": { "day": { "type": "string" } }, "required": ["day"] },
            }, keys::tool(&format!("{}/pay", self.url))],
        });
        let private: PrivateHosts = "127.0.0.1".parse().map_err(|_| anyhow!("no private host"))?;
        let file = read_json(&file, Rules { private: &private, folder: None });
        let file = file.map_err(|mistakes| anyhow!("{mistakes:?}")).context("the demo's agent")?;
        let plan = Plan::new(store, file).await.context("the demo's client")?;
        Ok(plan.carry_out(store, &private).await.context("adding the demo's client")?.client)
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    pub(super) async fn stop(self) {
        self.server.stop(false).await;
    }
}

async fn pay(till: web::Data<Till>, asked: web::Json<Value>) -> HttpResponse {
    till.charge(&asked)
}

async fn answer(asked: web::Data<AtomicUsize>) -> HttpResponse {
    asked.fetch_add(1, Ordering::AcqRel);
    tokio::time::sleep(TAKES).await;
    HttpResponse::Ok().json(json!({ "open": SATURDAY }))
}
