//! A gateway under siege: a process of its own, its model another, a database in a folder of its own, and callers.

#![allow(dead_code, reason = "the bench and the test use their parts of it")]

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use simulator::exotel::WebhookAuth;
use simulator::load::{LoadError, LoadPlan, LoadReport, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::account::{ADMIN_TOKEN, WEBHOOK_KEY};
use crate::process::TestProcess;

const LOG: &str = "serve.log";

/// Whoever is rung by live and honest callers.
pub const NUMBER: &str = "+918047112233";
/// A client whose limit of calls a minute is used up at once.
pub const LIMITED: &str = "+918047112244";

/// How the gateway is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ground {
    /// The soft limit of open files it finds; none: as this process has it.
    pub soft_files: Option<u32>,
    /// Live calls it may have.
    pub max_calls: u32,
}

/// The processes, gone with it.
pub struct Rig {
    gateway: TestProcess,
    model: TestProcess,
    pub port: u16,
}

impl Rig {
    /// Starts all of it from one binary.
    pub async fn start(binary: &Path, ground: Ground) -> Self {
        let (mut gateway, mut model) = (TestProcess::of(binary), TestProcess::of(binary));
        let port = model.port().to_string();
        let mut simulate = model.command(&["simulate", "model", "--script", "load", "--port", &port]);
        model.start(&mut simulate).await;
        for (number, rate) in [(NUMBER, "1000000"), (LIMITED, "1")] {
            let words = ["client", "add", "--name", "Siege", "--number", number, "--greeting", "Hello"];
            let mut add = gateway.command(&words);
            add.args(["--calls-per-minute", rate, "--caller-calls-per-minute", "1000000", "--recording", "off"]);
            assert!(add.status().is_ok_and(|status| status.success()), "a client");
        }
        let mut serve = match ground.soft_files {
            Some(limit) => {
                let line = format!("ulimit -Sn {limit}; exec \"$0\" serve");
                gateway.through("sh", &["-c", &line, &binary.display().to_string()])
            }
            None => gateway.command(&["serve"]),
        };
        // As many as it takes by itself.
        serve.env_remove("WORKERS").env_remove("SIMULATED_MODEL");
        serve.env("REALTIME_URL", format!("ws://{}/v1/realtime", model.address()));
        serve.env("MAX_CALLS", ground.max_calls.to_string()).env("RUST_LOG", "warn").env("DRAIN_SECS", "0");
        let log = std::fs::File::create(gateway.folder().join(LOG)).expect("a log");
        gateway.start(serve.stdout(log.try_clone().expect("a log")).stderr(log)).await;
        Self { port: gateway.port(), gateway, model }
    }

    pub fn url(&self) -> Url {
        self.gateway.url("").parse().expect("a URL")
    }

    /// A webhook's path with the key and the fields of a call.
    pub fn hook(&self, hook: &str, sid: &str, from: u64, to: &str) -> String {
        format!(
            "/exotel/{hook}?key={WEBHOOK_KEY}&CallSid={sid}&CallFrom=0{from}&CallTo=%2B{}&Direction=incoming",
            &to[1..]
        )
    }

    /// Calls that talk, on a thread of their own; `tapped` ones are measured against the model.
    pub fn callers(&self, calls: usize, secs: u64, tapped: bool, seed: u64) -> Callers {
        let plan = LoadPlan {
            calls,
            ramp: Duration::from_millis(100 * calls as u64),
            secs: Duration::from_secs(secs),
            model: tapped.then(|| self.model.url("").parse().expect("a URL")),
            seed,
            ..LoadPlan::new(Target::Gateway {
                url: self.url(),
                auth: WebhookAuth { key: Some(WEBHOOK_KEY.to_owned()), ..WebhookAuth::default() },
                to: vec![NUMBER.to_owned()],
            })
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(simulator::load::run(plan, |_| {})).map(|run| run.report)
        })
    }

    /// The gateway's own account of itself: the sum of a metric over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let head = format!(
            "GET /metrics HTTP/1.1\r\nhost: siege\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nconnection: close\r\n\r\n"
        );
        let page = ask(self.port, head.as_bytes()).await.unwrap_or_default();
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        page.lines().filter(|line| of(line)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Resident memory of the gateway, KiB.
    pub fn rss_kib(&self) -> u64 {
        let pid = self.gateway.pid().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Bytes of the database as whoever reads it sees it, what is not folded into its file yet included.
    pub fn database_bytes(&self) -> u64 {
        #[derive(QueryableByName)]
        struct Size {
            #[diesel(sql_type = BigInt)]
            bytes: i64,
        }
        let url = self.gateway.database_url();
        let file = url.trim_start_matches("sqlite://");
        let mut conn = SqliteConnection::establish(file).expect("the database");
        let asked = sql_query("SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()");
        let size: Size = asked.get_result(&mut conn).expect("its size");
        u64::try_from(size.bytes).expect("a size")
    }

    /// What the gateway logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.gateway.folder().join(LOG)).unwrap_or_default()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the gateway's log:\n{}", self.log());
        }
    }
}

/// Callers under way.
pub type Callers = std::thread::JoinHandle<Result<LoadReport, LoadError>>;

/// What became of callers.
pub async fn heard(callers: Callers) -> Result<LoadReport, LoadError> {
    tokio::task::spawn_blocking(|| callers.join().expect("callers")).await.expect("a thread")
}

/// Sends a request and reads what comes back, for as long as somebody honest would wait.
pub async fn ask(port: u16, request: &[u8]) -> std::io::Result<String> {
    let asked = async {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.write_all(request).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// The status of an answer.
pub fn status(answer: &str) -> Option<u16> {
    answer.split_whitespace().nth(1)?.parse().ok()
}
