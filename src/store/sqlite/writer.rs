//! The thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use diesel::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::file::{Access, Place};
use super::{PATIENCE, away};
use crate::store::StoreError;

/// Work that waits; beyond it, askers wait to be let in.
const QUEUE: usize = 1024;
/// Pieces of work that share a commit: enough to make a sync of the disk cheap, few enough that the first does not wait long.
const AT_ONCE: usize = 128;

/// Hands work to the thread. When the last is dropped, the thread does what was handed to it, and ends.
pub(super) struct Writer {
    work: mpsc::Sender<Box<dyn Work>>,
}

impl Writer {
    pub(super) fn start(place: Arc<Place>) -> Result<Self, StoreError> {
        let (work, waiting) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("callgate-sqlite".to_owned())
            .spawn(move || write(&place, waiting))
            .map_err(|error| away(&format!("no thread for it: {error}")))?;
        Ok(Self { work })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(Ask { run: Some(run), result: None, answer });
        let sent = timeout(PATIENCE, self.work.send(work)).await;
        sent.map_err(|_| away("too much waits to be written"))?.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    away("its writer stopped in the middle of this")
}

/// A piece of work.
trait Work: Send {
    /// Does it; an error means that nothing else can be done on this connection either.
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError>;

    /// Answers, once it is known whether it was committed.
    fn settle(self: Box<Self>, committed: &Result<(), StoreError>);
}

struct Ask<T, F> {
    run: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Ask<T, F>
where
    T: Send,
    F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        match run(conn) {
            Err(StoreError::Away(words)) => Err(StoreError::Away(words)),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn settle(self: Box<Self>, committed: &Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(error), _) => Err(away(&error.to_string())),
            (Ok(()), None) => Err(stopped()),
        };
        // Whoever asked may have given up.
        let _ = self.answer.send(result);
    }
}

/// Writes until nobody is left to ask for anything.
fn write(place: &Place, mut waiting: mpsc::Receiver<Box<dyn Work>>) {
    let mut conn = None;
    let mut group = Vec::with_capacity(AT_ONCE);
    while waiting.blocking_recv_many(&mut group, AT_ONCE) > 0 {
        let done = catch_unwind(AssertUnwindSafe(|| commit(place, &mut conn, &mut group)));
        let committed = done.unwrap_or_else(|_| Err(stopped()));
        if committed.is_err() {
            // Opened again for the next: whatever is wrong with the connection is gone with it.
            conn = None;
        }
        for work in group.drain(..) {
            work.settle(&committed);
        }
    }
}

/// Does all of a group's work, or nothing of it.
fn commit(place: &Place, conn: &mut Option<SqliteConnection>, group: &mut [Box<dyn Work>]) -> Result<(), StoreError> {
    place.check()?;
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(place.open(Access::Write)?),
    };
    conn.immediate_transaction(|conn| group.iter_mut().try_for_each(|work| work.run(conn)))
}
