//! HTTP clients that go where they may.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::lookup_host;

use super::FetchLimits;
use crate::settings::{Forbidden, RecordingHosts};

/// There is no HTTP client to be had.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client: {0}")]
pub struct ClientError(String);

/// A client that follows no redirect and knows no proxy.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(connect: Duration, idle: Duration) -> Result<Client, ClientError> {
    builder(connect, idle)?.build().map_err(|error| ClientError(words(&error)))
}

/// The same, for URLs that strangers name: of each name only addresses that may be reached are connected to.
pub(super) fn guarded(hosts: &RecordingHosts, limits: &FetchLimits) -> Result<Client, ClientError> {
    let guard = Guard { hosts: Arc::new(hosts.clone()) };
    let built = builder(limits.connect, limits.idle)?.dns_resolver(Arc::new(guard)).build();
    built.map_err(|error| ClientError(words(&error)))
}

fn builder(connect: Duration, idle: Duration) -> Result<ClientBuilder, ClientError> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("callgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .read_timeout(idle)
        .pool_max_idle_per_host(1))
}

/// Looks names up, and lets through what may be reached.
struct Guard {
    hosts: Arc<RecordingHosts>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let hosts = Arc::clone(&self.hosts);
        Box::pin(async move {
            let all: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let open: Vec<SocketAddr> =
                all.into_iter().filter(|address| hosts.may_reach(name.as_str(), address.ip())).collect();
            if open.is_empty() {
                return Err(Forbidden::Private.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Whether a request failed because its host may not be reached.
pub(super) fn refused_by_guard(error: &reqwest::Error) -> Option<Forbidden> {
    causes(error).find_map(|cause| cause.downcast_ref::<Forbidden>().copied())
}

/// An error and its innermost cause, without the URL: it may hold a signature.
pub fn words(error: &reqwest::Error) -> String {
    let what = match error {
        _ if error.is_connect() => "the host cannot be connected to",
        _ if error.is_timeout() => "the host did not answer in time",
        _ if error.is_body() || error.is_decode() => "the answer broke off",
        _ => "the request failed",
    };
    match causes(error).last() {
        Some(cause) if !error.is_timeout() => format!("{what}: {cause}"),
        _ => what.to_owned(),
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
