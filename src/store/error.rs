//! What can go wrong with the database, by what the caller does next.

use diesel::result::{DatabaseErrorKind, Error};
use protocol::ids::PhoneNumber;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or is too busy to answer. Ask again.
    #[error("the database is away: {0}")]
    Away(String),
    /// Its tables cannot be brought up to date. Do not start.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
    /// A newer callgate was here. Do not start: what it writes may not be understood, nor what we write fit.
    #[error(
        "the database is of a newer callgate: its tables are at version {found}, this program knows them up to {known}; run \
         that newer version, or go back to a backup from before it"
    )]
    Newer {
        /// The newest version applied.
        found: String,
        /// The newest version known here.
        known: String,
    },
    /// The number belongs to another client. Choose another, or change that one.
    #[error("the number {number} belongs to the client `{client}` (id {id})")]
    Taken {
        /// The number, as asked for.
        number: PhoneNumber,
        /// Whose it is.
        client: String,
        /// Its id.
        id: i64,
    },
    /// The database refused a statement: a fault of ours. Asking again is no use.
    #[error("the database refused a statement: {0}")]
    Refused(Error),
}

impl StoreError {
    /// Whether asking again may help.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// Whether it is away since its disk has no room.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Away(told) if FULL.iter().any(|full| told.contains(full)))
    }
}

/// What databases say of a disk without room: SQLite's first, PostgreSQL's then.
const FULL: [&str; 3] = ["database or disk is full", "No space left on device", "could not extend file"];

/// What databases say of states that pass: SQLite's first, PostgreSQL's then. Missing tables are a database put back from an old
/// backup, or swapped: what waits is written once it is mended.
const PASSING: [&str; 17] = [
    "database is locked",
    "disk I/O error",
    "database or disk is full",
    "unable to open database",
    "readonly database",
    "no such table",
    "no such column",
    "has no column named",
    "terminating connection",
    "the database system is",
    "deadlock detected",
    "canceling statement due to",
    "No space left on device",
    "could not extend file",
    "out of shared memory",
    "too many clients",
    "does not exist",
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let away = match &error {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
            | Error::BrokenTransactionManager => true,
            // Read-only is what a standby is, before it takes over.
            Error::DatabaseError(
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            ) => true,
            // The codes do not come through; the words do.
            Error::DatabaseError(DatabaseErrorKind::Unknown, info) => {
                PASSING.iter().any(|words| info.message().contains(words))
            }
            _ => false,
        };
        if away { Self::Away(error.to_string()) } else { Self::Refused(error) }
    }
}
