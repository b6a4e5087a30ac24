//! Connections, and the tables' versions.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, SqliteConnection};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::{BuildError, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures_util::FutureExt;

use super::{DatabaseUrl, StoreError};

pub(super) type LiteConn = SyncConnectionWrapper<SqliteConnection>;
pub(super) type PgConn = AsyncPgConnection;

pub(super) const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(super) const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// SQLite has one writer at a time: one connection saves everybody else from finding the lock taken.
const SQLITE_READERS: usize = 4;
const POSTGRES_CONNECTIONS: usize = 8;
/// How long a query waits for a connection.
const CHECKOUT: Duration = Duration::from_secs(5);

/// WAL lets readers read while the writer writes; NORMAL loses at most the last commits when the machine itself stops.
const SQLITE_SETUP: &str =
    "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;";
const SQLITE_READER: &str = "PRAGMA query_only=ON;";
/// Two gateways that start at once migrate one after the other. The number is arbitrary and only has to stay.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7243392017)";

#[derive(Clone)]
pub(super) enum Pools {
    Lite(LitePools),
    Pg(Pool<PgConn>),
}

#[derive(Clone)]
pub(super) struct LitePools {
    pub(super) write: Pool<LiteConn>,
    pub(super) read: Pool<LiteConn>,
}

/// A connection of a pool, or the reason why there is none.
pub(super) async fn checkout<T, E: Display>(get: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    tokio::time::timeout(CHECKOUT, get)
        .await
        .map_err(|_| StoreError::Away("no connection became free".to_owned()))?
        .map_err(|error| StoreError::Away(error.to_string()))
}

impl Pools {
    /// The pools of a database; nothing is opened yet.
    pub(super) fn new(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let away = |error: BuildError| StoreError::Away(error.to_string());
        Ok(match url {
            DatabaseUrl::Sqlite(path) => {
                let pool = |size, extra| Pool::builder(lite_manager(path, extra)).max_size(size).build().map_err(away);
                Self::Lite(LitePools { write: pool(1, "")?, read: pool(SQLITE_READERS, SQLITE_READER)? })
            }
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
            Self::Lite(lite) => {
                let mut conn = checkout(lite.write.get()).await?;
                // One lock around all of it: a second process waits, and then finds nothing to do.
                let done = conn.spawn_blocking(|conn: &mut SqliteConnection| {
                    conn.immediate_transaction(|conn| Ok(pending(conn, SQLITE_MIGRATIONS)))
                });
                done.await?
            }
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

fn lite_manager(path: &str, extra: &'static str) -> AsyncDieselConnectionManager<LiteConn> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |path| {
        let path = path.to_owned();
        async move {
            let mut conn = LiteConn::establish(&path).await?;
            let setup = format!("{SQLITE_SETUP}{extra}");
            conn.batch_execute(&setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        }
        .boxed()
    });
    AsyncDieselConnectionManager::new_with_config(path, config)
}
