//! Two gateways on one PostgreSQL, each a process of its own that can be killed; their model, a receiver of what their client is told, and
//! who looks at the database beside them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::account::ADMIN_TOKEN;
use crate::database::Database;
use crate::process::TestProcess;

/// Whoever is rung.
pub const NUMBER: &str = "+918047112233";
/// Short enough that a conversation has several turns between two kills.
const SCRIPT: &str = "greeting greeting_en\napology apology_en\nanswer commentary_en\n";

/// A gateway that can be killed and started again.
pub struct Gateway {
    pub process: TestProcess,
    name: &'static str,
    database: String,
    model: String,
    calls: usize,
}

impl Gateway {
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.process.command(words);
        // As many as it takes by itself.
        command.env_remove("WORKERS").env_remove("SIMULATED_MODEL");
        command.env("DATABASE_URL", &self.database).env("REALTIME_URL", &self.model).env("NODE_NAME", self.name);
        command.env("PRIVATE_HOSTS", "127.0.0.1").env("MAX_CALLS", (self.calls + 10).to_string());
        command.env("RUST_LOG", "warn").env("DRAIN_SECS", "0");
        command
    }

    pub async fn start(&mut self) {
        let mut command = self.command(&["serve"]);
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        self.process.serve(command.stdout(log.try_clone().unwrap()).stderr(log)).await;
    }

    fn log(&self) -> std::path::PathBuf {
        self.process.folder().join("serve.log")
    }

    /// Calls that it counts as live.
    async fn live(&self) -> usize {
        let asked = reqwest::Client::new().get(self.process.url("/metrics")).bearer_auth(ADMIN_TOKEN).send().await;
        let page = asked.unwrap().text().await.unwrap();
        let of = |line: &str| line.strip_prefix("callgate_calls_live ")?.parse::<f64>().ok();
        page.lines().find_map(of).unwrap_or(0.0) as usize
    }
}

/// All of it, gone with it.
pub struct Rig {
    pub gateways: [Gateway; 2],
    pub told: Arc<Mutex<Vec<Value>>>,
    pub database: Database,
    _model: TestProcess,
}

impl Rig {
    pub async fn start(binary: &Path, calls: usize) -> Self {
        // Another may have been there first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::postgres();
        let mut model = TestProcess::of(binary);
        let script = model.folder().join("script");
        std::fs::write(&script, SCRIPT).unwrap();
        let words = ["simulate", "model", "--script", script.to_str().unwrap(), "--port", &model.port().to_string()];
        let mut simulate = model.command(&words);
        model.start(&mut simulate).await;
        let gateway = |name| Gateway {
            process: TestProcess::of(binary),
            name,
            database: database.url.clone(),
            model: format!("ws://{}/v1/realtime", model.address()),
            calls,
        };
        let mut gateways = [gateway("a"), gateway("b")];
        let (events, told) = receiver();
        let words =
            ["client", "add", "--name", "Drill", "--number", NUMBER, "--greeting", "Hello", "--events-url", &events];
        let mut add = gateways[0].command(&words);
        add.args(["--calls-per-minute", "1000000", "--caller-calls-per-minute", "1000000", "--recording", "off"]);
        assert!(add.status().unwrap().success(), "a client");
        for gateway in &mut gateways {
            gateway.start().await;
        }
        Self { gateways, told, database, _model: model }
    }

    /// Calls that are live, on both.
    pub async fn live(&self) -> usize {
        self.gateways[0].live().await + self.gateways[1].live().await
    }

    /// Kills one, and starts it again.
    pub async fn kill(&mut self, nth: usize) {
        let victim = &mut self.gateways[nth % 2];
        victim.process.kill();
        victim.start().await;
    }

    /// The events of a kind that the client was told: of each call their ids, a delivery each.
    pub fn told(&self, kind: &str) -> HashMap<String, Vec<String>> {
        let mut told = HashMap::<String, Vec<String>>::new();
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        for event in
            self.told.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|event| event["type"] == kind)
        {
            told.entry(text(event, "call_sid")).or_default().push(text(event, "id"));
        }
        told
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for gateway in &self.gateways {
                let log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    format!("{}: {tail:#?}\n", gateway.name).as_bytes(),
                );
            }
        }
    }
}

/// An HTTP server that takes events, on a thread of its own.
fn receiver() -> (String, Arc<Mutex<Vec<Value>>>) {
    let told = Arc::<Mutex<Vec<Value>>>::default();
    let heard = Arc::clone(&told);
    let (bound, address) = std::sync::mpsc::sync_channel(1);
    let hear = move |body: web::Bytes| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(serde_json::from_slice(&body).unwrap_or_default());
        async { HttpResponse::NoContent().finish() }
    };
    std::thread::spawn(move || {
        let app = move || App::new().default_service(web::to(hear.clone()));
        actix_rt::System::new().block_on(async move {
            let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
            bound.send(server.addrs()[0]).unwrap();
            server.run().await
        })
    });
    (format!("http://{}/events", address.recv().unwrap()), told)
}

/// A call as its row has it.
#[derive(Clone, Debug)]
pub struct Row {
    pub call_sid: String,
    pub owner: Option<String>,
    pub generation: i32,
    pub streams: i32,
    pub ended: Option<String>,
    pub turn_count: Option<i32>,
    pub turns: i64,
    /// Events of it that are not told yet.
    pub waiting: i64,
}

const ROWS: &str = "SELECT c.call_sid, c.owner, c.generation, c.streams, c.ended_code, c.turn_count, \
     (SELECT count(*) FROM turns t WHERE t.call_id = c.id), \
     (SELECT count(*) FROM jobs j WHERE j.kind = 'send_event' AND j.key LIKE '%/' || c.call_sid AND j.status <> 'done') FROM calls c";

/// Looks at the database beside the gateways.
pub struct Eye(Client);

impl Eye {
    pub async fn open(database: &Database) -> Self {
        let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    pub async fn rows(&self) -> Vec<Row> {
        let rows = self.0.query(ROWS, &[]).await.unwrap();
        let row = |row: &tokio_postgres::Row| Row {
            call_sid: row.get(0),
            owner: row.get(1),
            generation: row.get(2),
            streams: row.get(3),
            ended: row.get(4),
            turn_count: row.get(5),
            turns: row.get(6),
            waiting: row.get(7),
        };
        rows.iter().map(row).collect()
    }

    /// Looks again and again who has which call, and notes whatever an owner may never do. Ends with the task.
    pub fn watch(self, faults: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut known = HashMap::<String, (Option<String>, i32)>::new();
            let mut look = tokio::time::interval(Duration::from_millis(250));
            loop {
                look.tick().await;
                let rows = self.0.query("SELECT call_sid, owner, generation FROM calls", &[]).await.unwrap();
                for row in rows {
                    let (sid, is): (String, (Option<String>, i32)) = (row.get(0), (row.get(1), row.get(2)));
                    let was = known.insert(sid.clone(), is.clone()).unwrap_or_else(|| is.clone());
                    if is.1 < was.1 || (is.0 != was.0 && is.1 == was.1) {
                        let fault = format!("{sid}: {was:?}, then {is:?}");
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                    }
                }
            }
        })
    }
}
