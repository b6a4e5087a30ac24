//! How Exotel reaches this gateway.

use std::fmt;

use url::Url;

use crate::redact;

/// The base of every URL we give out, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    base: Url,
    source: UrlSource,
}

/// Where the public URL came from: logged at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlSource {
    /// `PUBLIC_BASE_URL`.
    PublicBaseUrl,
    /// `RAILWAY_PUBLIC_DOMAIN`.
    RailwayPublicDomain,
    /// Neither was set: this machine only.
    Fallback,
}

impl fmt::Display for UrlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublicBaseUrl => "PUBLIC_BASE_URL",
            Self::RailwayPublicDomain => "RAILWAY_PUBLIC_DOMAIN",
            Self::Fallback => "the default, since neither PUBLIC_BASE_URL nor RAILWAY_PUBLIC_DOMAIN is set",
        })
    }
}

impl PublicUrl {
    /// A base URL as people write it.
    ///
    /// # Errors
    /// Says what is wrong with it and how to mend it.
    pub fn parse(text: &str, source: UrlSource) -> Result<Self, String> {
        let mend = "write it as https://host[:port][/prefix]";
        let shown = redact::url(text);
        let base = Url::parse(text).map_err(|error| format!("`{shown}` is not a URL ({error}): {mend}"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(format!("holds a user name or password: {mend}"));
        }
        if !matches!(base.scheme(), "http" | "https") {
            return Err(format!("`{shown}` is neither http nor https: {mend}"));
        }
        if base.host_str().is_none_or(str::is_empty) {
            return Err(format!("`{shown}` has no host: {mend}"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(format!("`{shown}` has a query or a fragment: {mend}"));
        }
        Ok(Self { base, source })
    }

    /// This machine, which is all that is known without a setting.
    pub(crate) fn localhost(port: u16) -> Result<Self, String> {
        Self::parse(&format!("http://localhost:{port}"), UrlSource::Fallback)
    }

    /// The base.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> UrlSource {
        self.source
    }

    /// Once the port is known that was bound: the fallback follows it, anything that was set stays.
    pub fn bound_to(&mut self, port: u16) {
        if self.source == UrlSource::Fallback {
            // Fails for URLs without a host only, and this one has one.
            let _ = self.base.set_port(Some(port));
        }
    }

    /// The URL of a path below the base, prefix included: for webhooks.
    #[must_use]
    pub fn page_url(&self, path: &str) -> String {
        format!("{}/{}", self.base.as_str().trim_end_matches('/'), path.trim_start_matches('/'))
    }

    /// The same as a WebSocket URL, https becoming wss and http ws: for media.
    #[must_use]
    pub fn stream_url(&self, path: &str) -> String {
        // `http` at the front, and nothing else, becomes `ws`.
        self.page_url(path).replacen("http", "ws", 1)
    }
}
