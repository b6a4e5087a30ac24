//! Connections to a file, and whether the file is still the one it was.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::away;
use super::trouble::trouble;
use crate::store::StoreError;

/// FULL: what was committed survives a loss of power.
const SETUP: &str = "PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;";
/// Readers read while the writer writes. The file remembers it.
const WAL: &str = "PRAGMA journal_mode=WAL;";
/// Waits, as the change to WAL does not, until nobody else is in the middle of something.
const WAIT: &str = "BEGIN EXCLUSIVE; COMMIT;";
/// Times that the change to WAL is tried while other programs open the same new file.
const TRIES: usize = 10;
const READ_ONLY: &str = "PRAGMA query_only=ON;";

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Where the file is, and which one it was when it was first written to.
pub(super) struct Place {
    path: String,
    identity: OnceLock<Option<(u64, u64)>>,
}

impl Place {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), identity: OnceLock::new() }
    }

    /// Opens the file; makes it when there never was one.
    pub(super) fn open(&self, access: Access) -> Result<SqliteConnection, StoreError> {
        self.check()?;
        self.connect(access).map_err(|error| match (trouble(&self.path), error) {
            (Some(words), _) => away(&format!("sqlite://{}: {words}", self.path)),
            (None, StoreError::Away(words)) => away(&format!("sqlite://{}: {words}", self.path)),
            (None, error) => error,
        })
    }

    fn connect(&self, access: Access) -> Result<SqliteConnection, StoreError> {
        let mut conn = SqliteConnection::establish(&self.path).map_err(|error| away(&error.to_string()))?;
        conn.batch_execute(SETUP)?;
        match access {
            Access::Read => conn.batch_execute(READ_ONLY)?,
            Access::Write => {
                write_ahead(&mut conn)?;
                self.identity.get_or_init(|| identity(&self.path));
            }
        }
        Ok(conn)
    }

    /// Fails when the file was removed or replaced. SQLite would go on with the old one, or begin an empty one, and what is written
    /// would be lost without a word.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.identity.get() {
            Some(Some(known)) if identity(&self.path) != Some(*known) => Err(away(
                "its file was removed or replaced: put it back, or restart to begin with the one that is there",
            )),
            _ => Ok(()),
        }
    }
}

fn write_ahead(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        if conn.batch_execute(WAL).is_ok() {
            return Ok(());
        }
        conn.batch_execute(WAIT)?;
    }
    Ok(conn.batch_execute(WAL)?)
}

/// Device and inode; none when the path is no plain file's.
fn identity(path: &str) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
