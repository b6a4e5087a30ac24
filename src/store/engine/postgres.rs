//! PostgreSQL: how it is reached, how its TLS is checked, and how long anything may take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::FutureExt;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::{DatabaseUrl, DatabaseUrlError, StoreError};

pub(in crate::store) mod run;
mod tls;

#[cfg(test)]
mod tests;

use tls::Check;

pub(in crate::store) type PgConn = AsyncPgConnection;

const CONNECTIONS: usize = 8;
/// For everything until a connection can be used: name, socket, TLS, password.
const CONNECT: Duration = Duration::from_secs(4);
/// For one query, or one transaction. A server that hangs answers the kernel but never us: then the connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The server gives a statement up before we give the connection up, and a transaction that nobody ends.
const SESSION: &str = "SET statement_timeout = '8s'; SET idle_in_transaction_session_timeout = '30s'";
/// Sent and not acknowledged for so long: the way there is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// An idle connection is probed after it, so often, so many times: a silent loss is known within 30 s.
const PROBE_AFTER: Duration = Duration::from_secs(15);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// A server and database, and what its certificate must show.
pub(in crate::store) struct Target {
    config: Config,
    check: Check,
    /// The only authorities that count; else those built in.
    roots: Option<PathBuf>,
}

impl Target {
    /// Reads a URL of libpq's form. `sslmode` and `sslrootcert` are understood here, everything else by the driver.
    pub(in crate::store) fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        base.parse::<Config>().map_err(|_| DatabaseUrlError::Postgres)?;
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            // Decoded as the driver decodes the others: a plus is a plus.
            match pair.split_once('=').map(|(key, value)| (key, decoded(value))) {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => {
                    roots = Some(value).filter(|value| value != "system").map(PathBuf::from)
                }
                _ => others.push(pair),
            }
        }
        let plain = format!("{base}?{}", others.join("&"));
        let mut config: Config = plain.trim_end_matches('?').parse().map_err(|_| DatabaseUrlError::Parameters)?;
        // An empty host with `?host=/folder` is how a socket in the file system is named.
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(DatabaseUrlError::Postgres);
        }
        let (ssl, check) = match mode.as_deref() {
            None | Some("prefer") => (SslMode::Prefer, Check::Nothing),
            Some("disable") => (SslMode::Disable, Check::Nothing),
            // With authorities named, they are held to: as libpq does it.
            Some("require") if roots.is_none() => (SslMode::Require, Check::Nothing),
            Some("require" | "verify-ca") => (SslMode::Require, Check::Authority),
            Some("verify-full") => (SslMode::Require, Check::AuthorityAndName),
            Some(_) => return Err(DatabaseUrlError::SslMode),
        };
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("callgate");
        }
        patient(&mut config);
        Ok(Self { config, check, roots })
    }

    /// A pool of it; nothing is opened yet.
    pub(in crate::store) fn pool(self) -> Result<Pool<PgConn>, StoreError> {
        let away = |error: String| StoreError::Away(error);
        let tls = MakeRustlsConnect::new(tls::client(self.check, self.roots.as_deref()).map_err(away)?);
        let to = Arc::new((self.config, tls));
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| connect(Arc::clone(&to)).boxed());
        let manager = AsyncDieselConnectionManager::<PgConn>::new_with_config("", config);
        Pool::builder(manager).max_size(CONNECTIONS).build().map_err(|error| away(error.to_string()))
    }
}

fn decoded(value: &str) -> String {
    let escaped = value.replace('+', "%2B");
    ::url::form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(value, _)| value.into_owned())
}

/// Fills in what a loss is noticed by, where the URL says nothing.
fn patient(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(PROBE_AFTER).keepalives_interval(PROBE_EVERY).keepalives_retries(PROBES);
    }
}

/// The task that drives the connection is started here, on the runtime of whoever asked the pool: the store's.
async fn connect(to: Arc<(Config, MakeRustlsConnect)>) -> ConnectionResult<PgConn> {
    let (config, tls) = to.as_ref();
    let whole = async {
        let (client, connection) =
            config.connect(tls.clone()).await.map_err(|error| ConnectionError::BadConnection(tls::in_words(&error)))?;
        let mut conn = PgConn::try_from_client_and_connection(client, connection).await?;
        conn.batch_execute(SESSION).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    };
    let late = || ConnectionError::BadConnection(format!("it let nobody in within {} s", CONNECT.as_secs()));
    timeout(CONNECT, whole).await.unwrap_or_else(|_| Err(late()))
}

/// Waits for a query for as long as is sensible; `None` when that was not enough.
pub(in crate::store) async fn bounded<T>(
    query: impl Future<Output = Result<T, StoreError>>,
) -> Option<Result<T, StoreError>> {
    timeout(PATIENCE, query).await.ok()
}

/// What came of a bounded query. A connection that owes an answer is closed: nobody else shall wait behind it.
pub(in crate::store) fn settled<T>(conn: Object<PgConn>, done: Option<Result<T, StoreError>>) -> Result<T, StoreError> {
    done.unwrap_or_else(|| {
        drop(Object::take(conn));
        Err(StoreError::Away(format!("it gave no answer within {} s", PATIENCE.as_secs())))
    })
}

impl DatabaseUrl {
    /// The same, when it names a PostgreSQL that can be understood.
    pub(in crate::store) fn postgres(text: &str) -> Result<Self, DatabaseUrlError> {
        Target::parse(text)?;
        Ok(Self::Postgres(protocol::ids::Secret::new(text)))
    }
}
