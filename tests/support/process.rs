//! The program itself, as a process of the test's own: it can be killed, and is gone with the test.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::account::{ADMIN_TOKEN, API_KEY, API_TOKEN, WEBHOOK_KEY};
use crate::port::free_port;

/// Far beyond what a start takes: a test that needs it has failed.
const STARTING: Duration = Duration::from_secs(60);

/// A gateway in a process and a folder of its own.
pub struct TestProcess {
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl TestProcess {
    /// Of the program that is built with the tests. Nothing runs yet.
    pub fn new() -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_callgate")))
    }

    pub fn of(binary: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-process-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(folder.join("spool")).unwrap();
        Self { binary: binary.to_owned(), folder, port: free_port(), child: None }
    }

    /// The program with those words and the settings of a test.
    pub fn command(&self, words: &[&str]) -> Command {
        self.through(&self.binary, words)
    }

    /// The same with a program in front that starts it: a shell, `unshare`.
    pub fn through(&self, program: impl AsRef<OsStr>, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(&self.folder)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOST", "127.0.0.1").env("PORT", self.port.to_string()).env("WORKERS", "1");
        command.env("DATABASE_URL", self.database_url()).env("SIMULATED_MODEL", "on");
        command.env("WEBHOOK_AUTH", "key").env("WEBHOOK_KEY", WEBHOOK_KEY);
        command.env("ADMIN_TOKEN", ADMIN_TOKEN).env("EXOTEL_API_KEY", API_KEY).env("EXOTEL_API_TOKEN", API_TOKEN);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts it, and waits until it listens.
    pub async fn start(&mut self, command: &mut Command) {
        self.child = Some(command.spawn().unwrap());
        let listens = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while TcpStream::connect(self.address()).await.is_err() {
                look.tick().await;
            }
        };
        tokio::time::timeout(STARTING, listens).await.expect("it listens");
    }

    /// Starts it, and waits until it takes calls.
    pub async fn serve(&mut self, command: &mut Command) {
        self.start(command).await;
        let ready = self.url("/readyz");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let served = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                look.tick().await;
            }
        };
        tokio::time::timeout(STARTING, served).await.expect("it serves");
    }

    /// SIGKILL: nothing of it gets to do anything any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// What it answers, if it is well.
    pub async fn get(&self, path: &str) -> Option<String> {
        let answer = reqwest::get(self.url(path)).await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    }

    pub fn database_url(&self) -> String {
        format!("sqlite://{}", self.folder.join("callgate.db").display())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
