//! SQLite: one thread writes, a few connections read.
//!
//! The file has one writer at a time whatever is done about it, and a commit is only as quick as the disk. So one thread owns the
//! writing connection and commits whatever is waiting in one go: each piece of work is durable before it is answered, and under load
//! many share one sync of the disk.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::lock;
use diesel::SqliteConnection;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::store::StoreError;

mod file;
mod ready;
mod trouble;
mod writer;

pub(in crate::store) use ready::{RunQueryDsl, now};

use file::{Access, Place};
use writer::Writer;

/// Reads at a time.
const READERS: usize = 4;
/// How long a query waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database in a file. Clones share its connections.
#[derive(Clone)]
pub(in crate::store) struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    place: Arc<Place>,
    writer: Writer,
    /// Connections that nobody uses right now.
    idle: Mutex<Vec<SqliteConnection>>,
    turns: Arc<Semaphore>,
    runtime: Handle,
}

impl Sqlite {
    /// The database of a path; it is opened, and made, when it is first asked for something. Reads run on the runtime's threads for
    /// work that blocks.
    pub(in crate::store) fn new(path: &str, runtime: Handle) -> Result<Self, StoreError> {
        let place = Arc::new(Place::new(path));
        let inner = Inner {
            writer: Writer::start(place.clone())?,
            place,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(READERS)),
            runtime,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs work that writes, in a transaction, and answers when it is on the disk. It is done even when the asker stops waiting, and
    /// more than once if what shared the transaction with it was refused.
    pub(in crate::store) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.run(work).await
    }

    /// Runs work that only reads.
    pub(in crate::store) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = timeout(PATIENCE, self.inner.turns.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(|| away("too many queries wait for it"))?;
        let inner = self.inner.clone();
        let done = self.inner.runtime.spawn_blocking(move || {
            let result = inner.read_now(work);
            drop(turn);
            result
        });
        done.await.map_err(|error| away(&format!("its worker stopped: {error}")))?
    }
}

impl Inner {
    fn read_now<T>(&self, work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.place.check()?;
        let idle = lock(&self.idle).pop();
        let mut conn = idle.map_or_else(|| self.place.open(Access::Read), Ok)?;
        let result = work(&mut conn);
        // A connection that failed is not used again: opening another costs little.
        if !result.as_ref().is_err_and(StoreError::is_away) {
            lock(&self.idle).push(conn);
        }
        result
    }
}

fn away(words: &str) -> StoreError {
    StoreError::Away(words.to_owned())
}

#[cfg(test)]
mod tests;
