//! Which database.

use std::fmt;
use std::str::FromStr;

use protocol::ids::Secret;

/// `DATABASE_URL`, checked. Shown without the password.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://path`: a file, relative to the working folder or absolute (`sqlite:///var/lib/callgate.db`).
    Sqlite(String),
    /// `postgres://user:password@host/database`, with `sslmode`, `sslrootcert` and the driver's parameters behind a `?`.
    Postgres(Secret),
}

/// Why a URL names no database, with the mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Neither of the two schemes.
    #[error("begin it with sqlite:// (a file) or postgres://")]
    Scheme,
    /// No file is named.
    #[error("name a file after sqlite://, for example sqlite://callgate.db")]
    NoFile,
    /// Each connection would have a database of its own.
    #[error(
        "a database in memory would be another one for each connection: name a file, for example sqlite://callgate.db"
    )]
    Memory,
    /// Not a URL with a host.
    #[error("write it as postgres://user:password@host:port/database")]
    Postgres,
    /// The driver does not understand something behind the `?`.
    #[error(
        "of its parameters one is unknown or malformed: sslmode, sslrootcert, connect_timeout and application_name are some that are known"
    )]
    Parameters,
    /// Another `sslmode` than those there are.
    #[error("its sslmode must be disable, prefer, require, verify-ca or verify-full")]
    SslMode,
}

impl DatabaseUrl {
    /// Whether there is something to look into: asking a file that is not there would make it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        match self {
            Self::Sqlite(path) => std::path::Path::new(path).exists(),
            Self::Postgres(_) => true,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" => Err(DatabaseUrlError::NoFile),
                path if path.contains(":memory:") || path.contains("mode=memory") => Err(DatabaseUrlError::Memory),
                path => Ok(Self::Sqlite(path.to_owned())),
            };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(DatabaseUrlError::Scheme);
        }
        Self::postgres(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{path}"),
            Self::Postgres(url) => match ::url::Url::parse(url.reveal()) {
                Ok(url) => write!(
                    f,
                    "{}://{}{}{}",
                    url.scheme(),
                    url.host_str().unwrap_or_default(),
                    url.port().map(|port| format!(":{port}")).unwrap_or_default(),
                    url.path()
                ),
                Err(_) => f.write_str("postgres://"),
            },
        }
    }
}
