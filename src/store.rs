//! What is kept: clients, calls, transcripts, the audit log. SQLite or PostgreSQL behind one set of queries.
//!
//! Nothing outside this folder names Diesel. Each query is written once, in `sql/`, and compiled against both connections: Diesel
//! checks a query against one backend at a time, and its own two-backend connection is not asynchronous.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use crate::priority;

mod agents;
mod audit;
mod batch;
mod calls;
mod clients;
mod columns;
mod due;
mod ends;
mod engine;
mod error;
mod figures;
mod jobs;
mod lite;
mod lost;
mod nodes;
mod outbox;
mod outcomes;
mod owners;
mod pg;
mod recordings;
mod schema;
mod secrets;
mod steps;
mod traces;
mod transfers;

#[cfg(test)]
pub(crate) mod tests;

pub use agents::{AppliedAgent, Apply, NumberOwner};
pub use audit::{AuditEntry, AuditPage, Whole};
pub use batch::{Batch, CallUpdate, Finish, MediaStart};
#[cfg(test)]
pub(crate) use calls::Times;
pub use calls::{Call, CallEndReport, CallPage, CallWithTurns, EarlierCall, Entry, MOST_FOLLOWED, Parties};
pub use clients::{Agent, Client, ClientChanges, ClientLimits, NewClient};
pub use engine::url::{DatabaseUrl, DatabaseUrlError};
pub use error::StoreError;
pub use figures::{Figures, Tokens};
pub use jobs::{Job, JobStatus, NewJob, Waiting};
pub use lost::LostCall;
pub use nodes::NodeId;
pub use outbox::{
    AfterCall, CALL_ENDED, CALL_STARTED, COMPLETED_AFTER_CALL, EventSubject, EventsTarget, RECORDING_STORED, SEND_EVENT,
};
pub use outcomes::{ANALYSE_CALL, CALL_ANALYSED, CallOutcome, OutcomeStatus};
pub use owners::{Begun, FlowResumed, NewCall, NewStream, Ownership, StreamClaim};
pub use recordings::{
    Announced, FETCH_RECORDING, Kept, MOST_OF_CALL, MOST_WAITING, Recording, RecordingStatus, Stored,
};
pub use steps::ToolRun;
pub use traces::EXPORT_TRACE;
pub use transfers::{CALL_TRANSFERRED, CallTransfer, HandedOn, NewTransfer};

use engine::pools::Pools;

/// Threads that drive connections. Queries wait on the database, not on these.
const THREADS: usize = 2;

/// Runs `sql::$table::$query(connection, args..)` on a connection that may `write`, or on one that may only `read`.
macro_rules! query {
    ($store:expr, $mode:ident, $table:ident::$query:ident($($arg:expr),*)) => {
        match $store.pools() {
            $crate::store::engine::pools::Pools::Lite(lite) => {
                let done = lite.$mode(move |conn| {
                    let work = || $crate::store::engine::sqlite::now($crate::store::lite::$table::$query(conn, $($arg),*));
                    $crate::store::due::noted_now(work)
                });
                $store.tell_due(done.await)
            }
            $crate::store::engine::pools::Pools::Pg(pool) => {
                let pool = pool.clone();
                let done = $store
                    .on_runtime(async move {
                        let mut conn = $crate::store::engine::pools::checkout(pool.get()).await?;
                        let work = $crate::store::due::noted($crate::store::pg::$table::$query(&mut conn, $($arg),*));
                        let done = $crate::store::engine::postgres::bounded(work).await;
                        $crate::store::engine::postgres::settled(conn, done)
                    });
                $store.tell_due(done.await)
            }
        }
    };
}

/// The same in one transaction.
macro_rules! transaction {
    ($store:expr, $table:ident::$query:ident($($arg:expr),*)) => {
        match $store.pools() {
            $crate::store::engine::pools::Pools::Lite(lite) => {
                let done = lite.write(move |conn| {
                    let work = || $crate::store::engine::sqlite::now($crate::store::lite::$table::$query(conn, $($arg),*));
                    $crate::store::due::noted_now(work)
                });
                $store.tell_due(done.await)
            }
            $crate::store::engine::pools::Pools::Pg(pool) => {
                let pool = pool.clone();
                let done = $store
                    .on_runtime(async move {
                        use diesel_async::AsyncConnection as _;
                        let mut conn = $crate::store::engine::pools::checkout(pool.get()).await?;
                        let work = conn.transaction(async |conn| $crate::store::pg::$table::$query(conn, $($arg),*).await);
                        let done = $crate::store::engine::postgres::bounded($crate::store::due::noted(work)).await;
                        $crate::store::engine::postgres::settled(conn, done)
                    });
                $store.tell_due(done.await)
            }
        }
    };
}
use {query, transaction};

/// The database. Clones are cheap and share its connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    /// Owns every connection. A PostgreSQL connection is driven by the runtime that opened it: on a call's arbiter, one busy call
    /// would hold up every query that uses the connection.
    runtime: Option<Runtime>,
    handle: Handle,
    /// A job is due that was not.
    due: watch::Sender<()>,
    /// The end of a call leaves a job to tell its trace.
    traced: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime must not be waited for where futures run, and the last clone may be dropped anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store {
    /// Opens the database and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Away`] when it cannot be reached or opened, [`StoreError::Migration`] when its tables cannot be brought up.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("callgate-store")
            .on_thread_start(priority::beside_calls)
            .enable_all()
            .build()
            .map_err(|error| StoreError::Away(format!("no threads for it: {error}")))?;
        let handle = runtime.handle().clone();
        let pools = match Pools::new(url, handle.clone()) {
            Ok(pools) => pools,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (due, traced) = (watch::Sender::new(()), AtomicBool::new(false));
        let store = Self { inner: Arc::new(Inner { pools, runtime: Some(runtime), handle, due, traced }) };
        let pools = store.pools().clone();
        store.on_runtime(pools.migrate()).await?;
        Ok(store)
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Away`] when it gives none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        query!(self, read, health::ping())
    }

    /// Yields whenever a commit of this store left a job that is due.
    pub(crate) fn due_jobs(&self) -> watch::Receiver<()> {
        self.inner.due.subscribe()
    }

    fn tell_due<T>(&self, done: due::Noted<T>) -> Result<T, StoreError> {
        due::tell(&self.inner.due, done)
    }

    fn pools(&self) -> &Pools {
        &self.inner.pools
    }

    /// Work on the connections' own runtime. It is finished even when the caller stops waiting.
    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.handle.spawn(work).await.map_err(|error| StoreError::Away(format!("its worker stopped: {error}")))?
    }
}
