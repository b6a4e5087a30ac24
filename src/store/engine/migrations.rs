//! The tables' versions: brought up at start, never past what this program knows.

use std::collections::BTreeSet;

use diesel::Connection;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::postgres::PgConn;
use crate::store::StoreError;

pub(in crate::store) const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(in crate::store) const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Two gateways that start at once migrate one after the other, however long it takes. The number is arbitrary and only has to stay.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
                    SELECT pg_advisory_xact_lock(7243392017)";

/// Runs what is missing.
pub(in crate::store) fn bring_up<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    all: EmbeddedMigrations,
) -> Result<(), StoreError> {
    check(conn, &all)?;
    conn.run_pending_migrations(all).map(|_| ()).map_err(|error| StoreError::Migration(error.to_string()))
}

/// A database that is ahead of this program is left alone.
fn check<DB: Backend>(conn: &mut impl MigrationHarness<DB>, all: &EmbeddedMigrations) -> Result<(), StoreError> {
    let known = MigrationSource::<DB>::migrations(all).map_err(|error| StoreError::Migration(error.to_string()))?;
    let known: BTreeSet<String> = known.iter().map(|one| one.name().version().to_string()).collect();
    let applied = conn.applied_migrations().map_err(|error| StoreError::Migration(error.to_string()))?;
    let ahead = applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).max();
    if let Some(found) = ahead {
        let known = known.last().cloned().unwrap_or_default();
        return Err(StoreError::Newer { found, known });
    }
    Ok(())
}

/// Runs the next that a PostgreSQL misses; false when it misses none.
fn step_up(conn: &mut impl MigrationHarness<Pg>) -> Result<bool, StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(error.to_string());
    check(conn, &POSTGRES)?;
    let missing = conn.has_pending_migration(POSTGRES).map_err(failed)?;
    if missing {
        conn.run_next_migration(POSTGRES).map_err(failed)?;
    }
    Ok(missing)
}

/// Brings a PostgreSQL up, a migration at a time: what one locks is free before the next. Diesel's migrations are synchronous: they run
/// on a blocking thread.
pub(in crate::store) async fn bring_up_postgres(conn: Object<PgConn>) -> Result<(), StoreError> {
    let done = tokio::task::spawn_blocking(move || {
        let mut conn: AsyncConnectionWrapper<_> = AsyncConnectionWrapper::from(conn);
        while Connection::transaction(&mut conn, |conn| {
            SimpleConnection::batch_execute(conn, LOCK)?;
            step_up(conn)
        })? {}
        Ok(())
    });
    done.await.map_err(|error| StoreError::Migration(error.to_string()))?
}
