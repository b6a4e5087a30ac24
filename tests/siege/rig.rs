//! A gateway under siege: a process of its own, its model another, a database in a folder of its own, and callers.

#![allow(dead_code, reason = "the bench and the test use their parts of it")]

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use simulator::exotel::WebhookAuth;
use simulator::load::{LoadError, LoadPlan, LoadReport, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Whoever is rung by live and honest callers.
pub const NUMBER: &str = "+918047112233";
/// A client whose limit of calls a minute is used up at once.
pub const LIMITED: &str = "+918047112244";
pub const KEY: &str = "siege-0f3c9a17d2b8";
pub const ADMIN: &str = "siege-admin-5d1e77a04c";
/// Something that does not come up within it never will.
const STARTING: Duration = Duration::from_secs(30);

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
    gateway: Child,
    model: Child,
    pub port: u16,
    model_port: u16,
    folder: PathBuf,
}

impl Rig {
    /// Starts all of it from one binary.
    pub async fn start(binary: &Path, ground: Ground) -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-siege-{}-{}", std::process::id(), free_port()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (port, model_port) = (free_port(), free_port());
        let model = child(binary, &folder, "model.log", None)
            .args(["simulate", "model", "--script", "load", "--port", &model_port.to_string()])
            .spawn()
            .expect("the simulated model");
        for (number, rate) in [(NUMBER, "1000000"), (LIMITED, "1")] {
            let added = child(binary, &folder, "client.log", None)
                .args(["client", "add", "--name", "Siege", "--number", number, "--greeting", "Hello"])
                .args(["--calls-per-minute", rate, "--caller-calls-per-minute", "1000000", "--recording", "off"])
                .env("DATABASE_URL", database(&folder))
                .status();
            assert!(added.is_ok_and(|status| status.success()), "a client, see {}", folder.display());
        }
        let gateway = child(binary, &folder, "serve.log", ground.soft_files)
            .arg("serve")
            .env("DATABASE_URL", database(&folder))
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("WEBHOOK_AUTH", "key")
            .env("WEBHOOK_KEY", KEY)
            .env("ADMIN_TOKEN", ADMIN)
            .env("MAX_CALLS", ground.max_calls.to_string())
            .env("REALTIME_URL", format!("ws://127.0.0.1:{model_port}/v1/realtime"))
            .env("RECORDINGS_URL", format!("file://{}/recordings", folder.display()))
            .env("SPOOL_DIR", folder.join("spool"))
            .env("RUST_LOG", "warn")
            .env("DRAIN_SECS", "0")
            .spawn()
            .expect("the gateway");
        let rig = Self { gateway, model, port, model_port, folder };
        for port in [rig.model_port, rig.port] {
            listening(port).await;
        }
        rig
    }

    pub fn url(&self) -> Url {
        format!("http://127.0.0.1:{}", self.port).parse().expect("a URL")
    }

    /// A webhook's path with the key and the fields of a call.
    pub fn hook(&self, hook: &str, sid: &str, from: u64, to: &str) -> String {
        format!("/exotel/{hook}?key={KEY}&CallSid={sid}&CallFrom=0{from}&CallTo=%2B{}&Direction=incoming", &to[1..])
    }

    /// Calls that talk, on a thread of their own; `tapped` ones are measured against the model.
    pub fn callers(&self, calls: usize, secs: u64, tapped: bool, seed: u64) -> Callers {
        let plan = LoadPlan {
            calls,
            ramp: Duration::from_millis(100 * calls as u64),
            secs: Duration::from_secs(secs),
            frame_ms: 20,
            target: Target::Gateway {
                url: self.url(),
                auth: WebhookAuth { key: Some(KEY.to_owned()), ..WebhookAuth::default() },
                to: NUMBER.to_owned(),
            },
            pid: None,
            model: tapped.then(|| format!("http://127.0.0.1:{}", self.model_port).parse().expect("a URL")),
            seed,
            lead_ms: 475,
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(simulator::load::run(plan, |_| {}))
        })
    }

    /// The gateway's own account of itself: the sum of a metric over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let head = format!(
            "GET /metrics HTTP/1.1\r\nhost: siege\r\nauthorization: Bearer {ADMIN}\r\nconnection: close\r\n\r\n"
        );
        let page = ask(self.port, head.as_bytes()).await.unwrap_or_default();
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        page.lines().filter(|line| of(line)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Resident memory of the gateway, KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.id())).unwrap_or_default();
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
        let mut conn =
            SqliteConnection::establish(&self.folder.join("siege.db").to_string_lossy()).expect("the database");
        let asked = sql_query("SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()");
        let size: Size = asked.get_result(&mut conn).expect("its size");
        u64::try_from(size.bytes).expect("a size")
    }

    /// What the gateway logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("serve.log")).unwrap_or_default()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for process in [&mut self.gateway, &mut self.model] {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the gateway's log:\n{}", self.log());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
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

fn database(folder: &Path) -> String {
    format!("sqlite://{}/siege.db", folder.display())
}

fn child(binary: &Path, folder: &Path, log: &str, soft_files: Option<u32>) -> Command {
    let log = std::fs::File::options().create(true).append(true).open(folder.join(log)).expect("a log");
    let mut command = match soft_files {
        Some(limit) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -Sn {limit}; exec \"$0\" \"$@\"")]).arg(binary);
            shell
        }
        None => Command::new(binary),
    };
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

async fn listening(port: u16) {
    let give_up = Instant::now() + STARTING;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < give_up, "nothing listens on port {port}");
        look.tick().await;
    }
}
