//! The HTTP client that goes where it may.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, RequestBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::lookup_host;
use url::Url;

use super::hosts::{Forbidden, PrivateHosts, Way, bare};

/// There is no HTTP client to be had.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client: {0}")]
pub struct ClientError(String);

/// How long a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Looking the name up and connecting, TLS included.
    pub connect: Duration,
    /// For the answer, and between two pieces of it.
    pub idle: Duration,
}

/// Asks what may be asked. Redirects are not followed: whoever wants one asks for it, and it is judged like the first.
pub struct Outgoing {
    hosts: Arc<PrivateHosts>,
    /// One for each rule: a connection that was made under one is never used under another.
    public: Client,
    blocks: Client,
    named: Client,
}

impl Outgoing {
    /// A client that may go to public hosts and to those.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(hosts: &PrivateHosts, times: Times) -> Result<Self, ClientError> {
        let hosts = Arc::new(hosts.clone());
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = |way| {
            let built = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(Guard { hosts: Arc::clone(&hosts), way }))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .user_agent(concat!("callgate/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(times.connect)
                .read_timeout(times.idle)
                .pool_max_idle_per_host(1)
                .build();
            built.map_err(|error| ClientError(words(&error)))
        };
        let (public, blocks, named) = (client(Way::Public)?, client(Way::Blocks)?, client(Way::Named)?);
        Ok(Self { hosts, public, blocks, named })
    }

    /// A client for a URL that the operator's own settings name: it may be on a private address, and plain http. For that host alone.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn to_own(url: &Url, times: Times) -> Result<Self, ClientError> {
        let mut own = PrivateHosts::default();
        if let Some(host) = url.host() {
            own.add(bare(&host), url.port_or_known_default());
        }
        Self::new(&own, times)
    }

    /// A request, if it may be made.
    ///
    /// # Errors
    /// Why it may not.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Forbidden> {
        Ok(self.client(url)?.request(method, url.clone()))
    }

    /// What asks a URL, if it may be asked: for that host alone.
    ///
    /// # Errors
    /// Why it may not.
    pub fn client(&self, url: &Url) -> Result<&Client, Forbidden> {
        Ok(match self.hosts.way(url)? {
            Way::Public => &self.public,
            Way::Blocks => &self.blocks,
            Way::Named => &self.named,
        })
    }
}

/// Looks names up, and lets through what may be reached. A URL that holds an address is not looked up: it was judged before.
struct Guard {
    hosts: Arc<PrivateHosts>,
    way: Way,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (hosts, way) = (Arc::clone(&self.hosts), self.way);
        Box::pin(async move {
            let all: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let open: Vec<SocketAddr> =
                all.into_iter().filter(|address| hosts.may_reach(way, name.as_str(), address.ip())).collect();
            if open.is_empty() {
                let why = if way == Way::Blocks { Forbidden::NotHttps } else { Forbidden::Private };
                return Err(why.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Whether a request failed because its host may not be reached.
#[must_use]
pub fn refused_by_guard(error: &reqwest::Error) -> Option<Forbidden> {
    causes(error).find_map(|cause| cause.downcast_ref::<Forbidden>().copied())
}

/// An error and its innermost cause, without the URL: it may hold a signature.
#[must_use]
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
