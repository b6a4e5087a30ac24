//! Jobs that are due, told to whoever works them behind the commit that left them.
//!
//! A statement that leaves a job to be done now says so here, wherever it stands in a transaction. Who runs the transaction hears of it with
//! the outcome, so nobody who writes has to remember to wake anybody, and nobody is woken for nothing.

use std::cell::Cell;
use std::future::Future;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::StoreError;

tokio::task_local! {
    /// Whether the work under way left one.
    static LEFT: Cell<bool>;
}

/// The outcome of work, and whether it left a job that is due.
pub(super) type Noted<T> = Result<(T, bool), StoreError>;

/// A job may be done from that time on.
pub(super) fn left(run_at: DateTime<Utc>) {
    if run_at <= Utc::now() {
        // Outside of any work nobody listens.
        let _ = LEFT.try_with(|left| left.set(true));
    }
}

/// Runs work on PostgreSQL.
pub(super) async fn noted<T>(work: impl Future<Output = Result<T, StoreError>>) -> Noted<T> {
    let noting = async {
        let done = work.await?;
        Ok((done, LEFT.with(Cell::get)))
    };
    LEFT.scope(Cell::new(false), noting).await
}

/// Runs work on SQLite.
pub(super) fn noted_now<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Noted<T> {
    LEFT.sync_scope(Cell::new(false), || {
        let done = work()?;
        Ok((done, LEFT.with(Cell::get)))
    })
}

/// Tells of a job that was left, now that it is committed.
pub(super) fn tell<T>(due: &watch::Sender<()>, done: Noted<T>) -> Result<T, StoreError> {
    let (done, left) = done?;
    if left {
        due.send_replace(());
    }
    Ok(done)
}
