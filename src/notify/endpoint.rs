//! What an operator wishes of a client's events: checked in one way, whichever way it comes in.

use protocol::ids::Secret;

use super::new_secret;
use super::targets::check_url;
use crate::outgoing::PrivateHosts;
use crate::store::EventsTarget;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// What is wrong with a change of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL will not do.
    #[error("{0}")]
    Url(String),
    /// The secret can be guessed.
    #[error("is too short: 16 characters or more, or none to have one made")]
    ShortSecret,
    /// There is a secret, and nobody to be told.
    #[error("wants an events URL beside it")]
    NoUrl,
    /// The system has no randomness to give.
    #[error("cannot be made: {0}")]
    NoRandomness(String),
}

/// What is wished, and can be had.
#[derive(Debug, Default)]
pub struct EndpointChange {
    /// None: as it is; empty: nowhere.
    url: Option<String>,
    secret: Option<Secret>,
}

/// What a change comes to.
#[derive(Debug, Default)]
pub struct Endpoint {
    /// What is to be set, if anything; none within: the client is not told.
    pub target: Option<Option<EventsTarget>>,
    /// The secret that was made, to be shown this once.
    pub made: Option<Secret>,
}

impl EndpointChange {
    /// Checks a change. An empty URL is the wish not to be told.
    ///
    /// # Errors
    /// What is wrong with it, and the mend.
    pub fn new(url: Option<String>, secret: Option<String>, private: &PrivateHosts) -> Result<Self, EndpointError> {
        if let Some(url) = url.as_deref().filter(|url| !url.is_empty()) {
            check_url(url, private).map_err(EndpointError::Url)?;
        }
        match secret {
            Some(secret) if secret.len() < SHORTEST => Err(EndpointError::ShortSecret),
            secret => Ok(Self { url, secret: secret.map(Secret::new) }),
        }
    }

    /// Whether nothing is wished.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.secret.is_none()
    }

    /// What the change comes to for a client that is told there, or nowhere. A URL without a secret keeps the client's, or gets one.
    ///
    /// # Errors
    /// A secret without a URL.
    pub fn endpoint(self, known: Option<EventsTarget>) -> Result<Endpoint, EndpointError> {
        let target = match (self.url, self.secret, known) {
            (None, None, _) => return Ok(Endpoint::default()),
            (Some(url), _, _) if url.is_empty() => None,
            (None, Some(_), None) => return Err(EndpointError::NoUrl),
            (None, Some(secret), Some(known)) => Some(EventsTarget { secret, ..known }),
            (Some(url), Some(secret), _) => Some(EventsTarget { url, secret }),
            (Some(url), None, Some(known)) => Some(EventsTarget { url, ..known }),
            (Some(url), None, None) => {
                let secret = new_secret().map_err(|error| EndpointError::NoRandomness(error.to_string()))?;
                let made = Some(secret.clone());
                return Ok(Endpoint { target: Some(Some(EventsTarget { url, secret })), made });
            }
        };
        Ok(Endpoint { target: Some(target), made: None })
    }
}
