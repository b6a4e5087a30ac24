//! Connections, and the tables' versions.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use diesel::Connection;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::{BuildError, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::runtime::Handle;

use super::sqlite::Sqlite;
use super::{DatabaseUrl, StoreError};

pub(super) type PgConn = AsyncPgConnection;

pub(super) const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(super) const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

const POSTGRES_CONNECTIONS: usize = 8;
/// How long a query waits for a connection.
const CHECKOUT: Duration = Duration::from_secs(5);

/// Two gateways that start at once migrate one after the other. The number is arbitrary and only has to stay.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7243392017)";

#[derive(Clone)]
pub(super) enum Pools {
    Lite(Sqlite),
    Pg(Pool<PgConn>),
}

/// A connection of a pool, or the reason why there is none.
pub(super) async fn checkout<T, E: Display>(get: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    tokio::time::timeout(CHECKOUT, get)
        .await
        .map_err(|_| StoreError::Away("no connection became free".to_owned()))?
        .map_err(|error| StoreError::Away(error.to_string()))
}

impl Pools {
    /// The pools of a database; nothing is opened yet. Work that blocks goes on the runtime's threads for it.
    pub(super) fn new(url: &DatabaseUrl, runtime: Handle) -> Result<Self, StoreError> {
        let away = |error: BuildError| StoreError::Away(error.to_string());
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Self::Lite(Sqlite::new(path, runtime)?),
            DatabaseUrl::Postgres(url) => {
                let mut config = ManagerConfig::default();
                config.recycling_method = RecyclingMethod::Fast;
                let manager = AsyncDieselConnectionManager::<PgConn>::new_with_config(url.reveal(), config);
                Self::Pg(Pool::builder(manager).max_size(POSTGRES_CONNECTIONS).build().map_err(away)?)
            }
        })
    }

    /// Brings the tables up to date. Diesel's migrations are synchronous: they run on a blocking thread.
    pub(super) async fn migrate(self) -> Result<(), StoreError> {
        match self {
            // One lock around all of it: a second process waits, and then finds nothing to do.
            Self::Lite(lite) => lite.write(|conn| pending(conn, SQLITE_MIGRATIONS)).await,
            Self::Pg(pool) => {
                let conn = checkout(pool.get()).await?;
                let done = tokio::task::spawn_blocking(move || {
                    let mut conn: AsyncConnectionWrapper<_> = AsyncConnectionWrapper::from(conn);
                    Connection::transaction(&mut conn, |conn| {
                        SimpleConnection::batch_execute(conn, MIGRATION_LOCK)?;
                        pending(conn, POSTGRES_MIGRATIONS)
                    })
                });
                done.await.map_err(|error| StoreError::Migration(error.to_string()))?
            }
        }
    }
}

fn pending<DB: Backend>(conn: &mut impl MigrationHarness<DB>, all: EmbeddedMigrations) -> Result<(), StoreError> {
    conn.run_pending_migrations(all).map(|_| ()).map_err(|error| StoreError::Migration(error.to_string()))
}
