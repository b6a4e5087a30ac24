//! Where clients may be told of their calls.

use url::Url;

use crate::outgoing::{Forbidden, LONGEST_URL, PrivateHosts};
use crate::store::{Client, SEND_EVENT, Store, StoreError};

/// Checks a URL that a client is asked or told at by the rule that holds then, as far as the URL tells.
///
/// # Errors
/// What is wrong with it, and the mend.
pub fn check_url(text: &str, private: &PrivateHosts) -> Result<(), String> {
    let mend = "write it as https://host/path";
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}): {mend}"))?;
    private.check(&url).map_err(|why| match why {
        Forbidden::NoUrl => format!("names no host: {mend}"),
        Forbidden::TooLong => format!("is longer than {LONGEST_URL} bytes: {mend}"),
        Forbidden::Credentials => "carries credentials: the signature says who calls".to_owned(),
        Forbidden::Private => {
            "has a private address: give a public one, or list the host in PRIVATE_HOSTS (host, host:port or a CIDR block)"
                .to_owned()
        }
        _ => format!("is not https: {mend}, or list the host in PRIVATE_HOSTS, which may be told over plain http"),
    })
}

/// A client whose events go where they may not go any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTarget {
    /// The client's row.
    pub client: i64,
    /// What it is called.
    pub name: String,
    /// Where it wants to be told.
    pub url: String,
    /// What is wrong with that, and the mend.
    pub why: String,
}

/// Active clients whose `events_url` is refused by the rule of today: it may have been set under another.
///
/// # Errors
/// When the database fails.
pub async fn refused_targets(store: &Store, private: &PrivateHosts) -> Result<Vec<RefusedTarget>, StoreError> {
    let refused = |client: Client| {
        let url = client.events_url.filter(|_| client.active)?;
        let why = check_url(&url, private).err()?;
        Some(RefusedTarget { client: client.id, name: client.name, url, why })
    };
    Ok(store.clients().await?.into_iter().filter_map(refused).collect())
}

/// Puts the events back in line that are parked although their clients may be told by the rule of today. Answers with how many.
///
/// # Errors
/// When the database fails.
pub async fn unpark(store: &Store, private: &PrivateHosts) -> Result<usize, StoreError> {
    let may = |client: Client| {
        let refused = client.events_url.is_some_and(|url| check_url(&url, private).is_err());
        (!refused).then_some(client.id)
    };
    let told = store.clients().await?.into_iter().filter_map(may).collect();
    store.unpark_jobs(SEND_EVENT, told).await
}
