//! On SQLite.

#![allow(clippy::duplicate_mod)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;

use super::TempDb as Db;
use crate::store::engine::migrations;

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

type Conn = SqliteConnection;
type Backend = diesel::sqlite::Sqlite;

const ALL: EmbeddedMigrations = migrations::SQLITE;

/// A database of the version before, as statements.
const BEFORE: &str = include_str!("from_before/sqlite.sql");

const SHAPE: &str = "SELECT type || ' ' || tbl_name || ' ' || name AS line FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' \
    UNION ALL SELECT 'column ' || m.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || coalesce(c.dflt_value, '') \
    FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1";

impl Db {
    fn connection(&self) -> Conn {
        Conn::establish(&self.0.display().to_string()).unwrap()
    }

    fn execute(&self, statements: &str) -> Result<(), String> {
        let mut conn = Conn::establish(&self.0.display().to_string()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout=5000").unwrap();
        conn.batch_execute(statements).map_err(|error| error.to_string())
    }
}
