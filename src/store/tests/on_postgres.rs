//! On PostgreSQL.

#![allow(clippy::duplicate_mod)]

use diesel::Connection;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::EmbeddedMigrations;

use super::database::{self, Database};
use crate::store::engine::migrations;
use crate::store::{DatabaseUrl, Store};

#[path = "agents.rs"]
mod agents;
#[path = "beside_the_old.rs"]
mod beside_the_old;
#[path = "both.rs"]
mod both;
#[path = "convergence.rs"]
mod convergence;
#[path = "from_before.rs"]
mod from_before;
#[path = "jobs.rs"]
mod jobs;
#[path = "lost.rs"]
mod lost;
#[path = "outcomes.rs"]
mod outcomes;
#[path = "owners.rs"]
mod owners;
#[path = "recordings.rs"]
mod recordings;
#[path = "traces.rs"]
mod traces;
#[path = "transfers.rs"]
mod transfers;

type Conn = AsyncConnectionWrapper<AsyncPgConnection>;
type Backend = diesel::pg::Pg;

const ALL: EmbeddedMigrations = migrations::POSTGRES;

/// A database of the version before, as statements.
const BEFORE: &str = include_str!("from_before/postgres.sql");

const SHAPE: &str = "SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default) AS line \
    FROM information_schema.columns WHERE table_schema = 'public' \
    UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' \
    UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";

/// A database of its own for each test, gone with it.
pub(crate) struct Db(pub(crate) Database);

impl Db {
    pub(crate) fn new() -> Self {
        Self(Database::postgres())
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        self.0.url.parse().unwrap()
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }

    fn connection(&self) -> Conn {
        Conn::establish(&self.0.url).unwrap()
    }

    fn execute(&self, statements: &str) -> Result<(), String> {
        database::execute(&self.0.url, statements)
    }
}

impl Store {
    /// Whether the server sees this client's connection encrypted.
    pub(crate) async fn is_encrypted(&self) -> bool {
        use diesel_async::RunQueryDsl as _;
        let ssl = diesel::sql_query("SELECT ssl AS encrypted FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        let crate::store::engine::pools::Pools::Pg(pool) = &self.inner.pools else { panic!("not on PostgreSQL") };
        let mut conn = pool.get().await.unwrap();
        let row: Ssl = ssl.get_result(&mut conn).await.unwrap();
        row.encrypted
    }
}

#[derive(diesel::QueryableByName)]
struct Ssl {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    encrypted: bool,
}
