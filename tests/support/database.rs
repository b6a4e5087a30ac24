//! Databases of a test's own: a file of SQLite, a database on a throw-away PostgreSQL, a PostgreSQL that may be killed.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread::JoinHandle;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tokio_postgres::NoTls;

/// Tells the tests apart that run once for each database.
pub trait Kind: 'static {
    fn database() -> Database;
}

pub struct Sqlite;

impl Kind for Sqlite {
    fn database() -> Database {
        Database::sqlite()
    }
}

pub struct Postgres;

impl Kind for Postgres {
    fn database() -> Database {
        Database::postgres()
    }
}

/// An empty database, gone with the test.
pub struct Database {
    pub url: String,
    /// The URL of the server's own database, from where this one is dropped.
    admin: Option<String>,
}

impl Database {
    pub fn sqlite() -> Self {
        Self { url: format!("sqlite://{}.db", std::env::temp_dir().join(name()).display()), admin: None }
    }

    /// On the server the tests share.
    pub fn postgres() -> Self {
        Self::on(&shared().url)
    }

    /// On a server of the test's own.
    pub fn on(admin: &str) -> Self {
        let name = name().replace('-', "_");
        execute(admin, &format!("CREATE DATABASE {name}")).unwrap();
        let server = admin.rsplit_once('/').unwrap().0;
        Self { url: format!("{server}/{name}"), admin: Some(admin.to_owned()) }
    }

    /// Runs statements beside whoever else uses it.
    pub fn execute(&self, statements: &str) -> Result<(), String> {
        let Some(file) = self.url.strip_prefix("sqlite://") else { return execute(&self.url, statements) };
        let mut conn = SqliteConnection::establish(file).map_err(|error| error.to_string())?;
        conn.batch_execute("PRAGMA busy_timeout=5000")
            .and_then(|()| conn.batch_execute(statements))
            .map_err(|error| error.to_string())
    }

    /// Nobody else gets at the tables of calls and clients until what this returns is dropped.
    pub fn lock(&self) -> Held {
        let url = self.url.clone();
        let (locked, is_locked) = mpsc::sync_channel(1);
        let (release, released) = mpsc::sync_channel::<()>(1);
        let holder = std::thread::spawn(move || match url.strip_prefix("sqlite://") {
            Some(file) => {
                let mut conn = SqliteConnection::establish(file).unwrap();
                conn.batch_execute("PRAGMA busy_timeout=5000; BEGIN EXCLUSIVE").unwrap();
                locked.send(()).unwrap();
                let _ = released.recv();
                conn.batch_execute("ROLLBACK").unwrap();
            }
            None => within(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                let driven = tokio::spawn(connection);
                client.batch_execute("BEGIN; LOCK TABLE clients, calls IN ACCESS EXCLUSIVE MODE").await.unwrap();
                locked.send(()).unwrap();
                let _ = tokio::task::spawn_blocking(move || released.recv()).await;
                client.batch_execute("ROLLBACK").await.unwrap();
                driven.abort();
            }),
        });
        is_locked.recv().unwrap();
        Held { release: Some(release), holder: Some(holder) }
    }

    /// The file of a SQLite.
    pub fn file(&self) -> PathBuf {
        PathBuf::from(self.url.strip_prefix("sqlite://").unwrap())
    }
}

impl Database {
    /// Where recordings are kept beside it.
    pub fn recordings_url(&self) -> String {
        format!("file://{}", self.recordings().display())
    }

    fn recordings(&self) -> PathBuf {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        std::env::temp_dir().join(format!("{name}.recordings"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.recordings());
        match &self.admin {
            None => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{end}", self.file().display()));
                }
            }
            Some(admin) => {
                let name = self.url.rsplit('/').next().unwrap_or_default();
                // A server that the test has killed took its databases along.
                let _ = execute(admin, &format!("DROP DATABASE {name} WITH (FORCE)"));
            }
        }
    }
}

/// A lock, let go when dropped.
pub struct Held {
    release: Option<mpsc::SyncSender<()>>,
    holder: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(holder) = self.holder.take() {
            let _ = holder.join();
        }
    }
}

fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("callgate-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs statements on a connection of their own, whatever runtime the caller is on.
pub fn execute(url: &str, statements: &str) -> Result<(), String> {
    let (url, statements) = (url.to_owned(), statements.to_owned());
    let done = std::thread::spawn(move || {
        within(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.map_err(|error| error.to_string())?;
            let driven = tokio::spawn(connection);
            let done = client.batch_execute(&statements).await;
            driven.abort();
            done.map_err(|error| {
                error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
            })
        })
    });
    done.join().unwrap()
}

fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A PostgreSQL of this process's own.
pub struct Cluster {
    dir: String,
    pub port: u16,
    /// Of its own database `postgres`.
    pub url: String,
    /// The authority that signed its certificate.
    pub ca: String,
}

impl Cluster {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With `DURABLE`, `NO_TLS` or `OPTIONS`, as `tools/postgres.sh` says.
    pub fn start_with(wishes: &[(&str, &str)]) -> Self {
        let said = script(&["start", &std::process::id().to_string()], wishes);
        let word = |name: &str| {
            let found = said.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
        };
        Self { dir: word("DIR"), port: word("PORT").parse().unwrap(), url: word("URL"), ca: word("CA") }
    }

    /// As a crash would stop it: no connection hears a word, no transaction is finished.
    pub fn crash(&self) {
        script(&["crash", &self.dir], &[]);
    }

    pub fn resume(&self) {
        script(&["resume", &self.dir], &[]);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        script(&["remove", &self.dir], &[]);
    }
}

/// The server `tools/test.sh` started for everybody, or one of this process.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("CALLGATE_TEST_POSTGRES") {
        Ok(url) => {
            let ca = std::env::var("CALLGATE_TEST_POSTGRES_CA").unwrap_or_default();
            Cluster { dir: String::new(), port: 0, url, ca }
        }
        Err(_) => Cluster::start(),
    })
}

fn script(words: &[&str], wishes: &[(&str, &str)]) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/postgres.sh");
    let done = Command::new(path).args(words).envs(wishes.iter().copied()).output().unwrap();
    assert!(done.status.success(), "{path} {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
