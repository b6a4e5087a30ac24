//! The thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use diesel::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::file::{Access, Place};
use super::{PATIENCE, away};
use crate::priority;
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
            .spawn(move || {
                priority::beside_calls();
                write(&place, waiting);
            })
            .map_err(|error| away(&format!("no thread for it: {error}")))?;
        Ok(Self { work })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(Ask { run, result: None, answer });
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
    /// Does it, and keeps what came of it. An error means that the transaction it was done in must not be committed.
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), Undo>;

    /// Answers, once it is known what became of the transaction.
    fn settle(self: Box<Self>, done: &Result<(), Undo>);
}

/// Why a transaction was undone.
#[derive(Debug)]
enum Undo {
    /// The database is away: nothing else can be done on this connection either.
    Away(String),
    /// A piece of work was refused, and may have done a part of what it does.
    Refused,
}

impl From<diesel::result::Error> for Undo {
    fn from(error: diesel::result::Error) -> Self {
        Self::Away(error.to_string())
    }
}

struct Ask<T, F> {
    run: F,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Ask<T, F>
where
    T: Send,
    F: FnMut(&mut SqliteConnection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), Undo> {
        let result = (self.run)(conn);
        let done = match &result {
            Ok(_) => Ok(()),
            Err(StoreError::Away(words)) => Err(Undo::Away(words.clone())),
            Err(_) => Err(Undo::Refused),
        };
        self.result = Some(result);
        done
    }

    fn settle(self: Box<Self>, done: &Result<(), Undo>) {
        let result = match (done, self.result) {
            (Ok(()) | Err(Undo::Refused), Some(result)) => result,
            (Err(Undo::Away(words)), _) => Err(StoreError::Away(words.clone())),
            (_, None) => Err(stopped()),
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
        let done = commit(place, &mut conn, &mut group);
        if matches!(done, Err(Undo::Refused)) && group.len() > 1 {
            // The others are not to suffer for it, nor it to leave a part of itself: each by itself.
            for work in group.drain(..) {
                let mut alone = [work];
                let done = commit(place, &mut conn, &mut alone);
                let [work] = alone;
                work.settle(&done);
            }
        }
        for work in group.drain(..) {
            work.settle(&done);
        }
    }
}

/// Does all of a group's work, or nothing of it.
fn commit(place: &Place, conn: &mut Option<SqliteConnection>, group: &mut [Box<dyn Work>]) -> Result<(), Undo> {
    let all = || {
        place.check().map_err(undo)?;
        let conn = match conn.as_mut() {
            Some(conn) => conn,
            None => conn.insert(place.open(Access::Write).map_err(undo)?),
        };
        conn.immediate_transaction(|conn| group.iter_mut().try_for_each(|work| work.run(conn)))
    };
    let done = catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|_| Err(undo(stopped())));
    if matches!(done, Err(Undo::Away(_))) {
        // Opened again for the next: whatever is wrong with the connection is gone with it.
        *conn = None;
    }
    done
}

fn undo(error: StoreError) -> Undo {
    match error {
        StoreError::Away(words) => Undo::Away(words),
        error => Undo::Away(error.to_string()),
    }
}
