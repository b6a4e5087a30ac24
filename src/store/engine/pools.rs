//! The connections of either database.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::Pool;
use tokio::runtime::Handle;

use super::migrations;
use super::postgres::{PgConn, Target};
use super::sqlite::Sqlite;
use crate::store::{DatabaseUrl, StoreError};

/// How long a query waits for a connection.
const CHECKOUT: Duration = Duration::from_secs(5);
/// What the pool says before the reason.
const POOLS_WORDS: &str = "Error occurred while creating a new object: ";

#[derive(Clone)]
pub(in crate::store) enum Pools {
    Lite(Sqlite),
    Pg(Pool<PgConn>),
}

/// A connection of a pool, or the reason why there is none.
pub(in crate::store) async fn checkout<T, E: Display>(
    get: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(CHECKOUT, get)
        .await
        .map_err(|_| StoreError::Away("no connection became free".to_owned()))?
        .map_err(|error| {
            let words = error.to_string();
            // The pool's own words before the reason help nobody.
            StoreError::Away(words.rsplit_once(POOLS_WORDS).map_or(&*words, |(_, reason)| reason).to_owned())
        })
}

impl Pools {
    /// The pools of a database; nothing is opened yet. Work that blocks goes on the runtime's threads for it.
    pub(in crate::store) fn new(url: &DatabaseUrl, runtime: Handle) -> Result<Self, StoreError> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Self::Lite(Sqlite::new(path, runtime)?),
            DatabaseUrl::Postgres(url) => {
                let target = Target::parse(url.reveal()).map_err(|error| StoreError::Away(error.to_string()))?;
                Self::Pg(target.pool()?)
            }
        })
    }

    /// Brings the tables up to date.
    pub(in crate::store) async fn migrate(self) -> Result<(), StoreError> {
        match self {
            // One lock around all of it: a second process waits, and then finds nothing to do.
            Self::Lite(lite) => lite.write(|conn| migrations::bring_up(conn, migrations::SQLITE)).await,
            Self::Pg(pool) => migrations::bring_up_postgres(checkout(pool.get()).await?).await,
        }
    }
}
