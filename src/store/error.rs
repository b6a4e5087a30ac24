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
}

/// What databases say of states that pass: SQLite's first, PostgreSQL's then.
const PASSING: [&str; 8] = [
    "database is locked",
    "disk I/O error",
    "database or disk is full",
    "unable to open database",
    "readonly database",
    "terminating connection",
    "the database system is",
    "deadlock detected",
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let away = match &error {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
            | Error::BrokenTransactionManager => true,
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
            // The codes do not come through; the words do.
            Error::DatabaseError(DatabaseErrorKind::Unknown, info) => {
                PASSING.iter().any(|words| info.message().contains(words))
            }
            _ => false,
        };
        if away { Self::Away(error.to_string()) } else { Self::Refused(error) }
    }
}
