//! Who may call a webhook: a signature over the raw bytes, a key in the URL, or Basic credentials. Any one that is listed will do.
//!
//! Exotel itself signs nothing: `key` and `basic` are what a real account can use, the signature is for gateways in between and for tools.

use std::borrow::Cow;
use std::time::SystemTime;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use protocol::ids::Secret;
use sha2::Sha256;
use signature::Signature;
use subtle::ConstantTimeEq;

use crate::crypto::hmac_sha256;

mod signature;

/// A method to authenticate a webhook, as listed in `WEBHOOK_AUTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// `X-Exotel-Signature`.
    Signature,
    /// `?key=`.
    Key,
    /// `Authorization: Basic`.
    Basic,
    /// Anybody: for loopback only.
    None,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It came without any credential of a listed method.
    #[error("no credentials of a kind that WEBHOOK_AUTH lists were sent (X-Exotel-Signature, ?key= or Basic)")]
    Missing,
    /// Its signature is wrong, whatever its length.
    #[error(
        "X-Exotel-Signature is not the lower-case hex HMAC-SHA256 of the raw body (for GET: of the query string without key), \
         or, with X-Exotel-Timestamp, of `timestamp.METHOD.path.` and that"
    )]
    Signature,
    /// It was signed too long ago, or by a clock that is wrong.
    #[error(
        "X-Exotel-Timestamp is not in Unix seconds, or not within 5 minutes of this machine's clock: sign each request anew"
    )]
    Stale,
    /// Its key is wrong.
    #[error("the key in the query string is not WEBHOOK_KEY")]
    Key,
    /// Its Basic credentials are wrong.
    #[error("the Basic credentials are not EXOTEL_API_KEY and EXOTEL_API_TOKEN")]
    Basic,
}

impl AuthError {
    /// The error code of the answer.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "unauthenticated",
            Self::Signature => "bad_signature",
            Self::Stale => "stale_signature",
            Self::Key => "bad_key",
            Self::Basic => "bad_credentials",
        }
    }
}

/// The secrets webhooks and static media sockets are checked against.
#[derive(Clone)]
pub struct Authenticator {
    methods: Vec<AuthMethod>,
    signature: Option<Hmac<Sha256>>,
    key: Option<Secret>,
    basic: Option<(Secret, Secret)>,
}

/// What a webhook brought along.
pub struct Credentials<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path as it is documented, wherever a proxy may have put it.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its raw query string.
    pub query: &'a str,
    /// What a signature is over: the raw body; of a GET the raw query string without `key`.
    pub signed: &'a [u8],
}

impl Authenticator {
    /// Lets in by any of `methods`. A method whose secret is missing lets nobody in.
    #[must_use]
    pub fn new(
        methods: &[AuthMethod],
        key: Option<Secret>,
        api_key: Option<Secret>,
        api_token: Option<Secret>,
    ) -> Self {
        let mut methods = methods.to_vec();
        // Whoever shows a secret is judged by it, where nobody has to as well.
        methods.sort_by_key(|method| *method == AuthMethod::None);
        Self {
            methods,
            signature: api_token.as_ref().map(|token| hmac_sha256(token.reveal().as_bytes())),
            key,
            basic: api_key.zip(api_token),
        }
    }

    /// Whether anybody is let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.methods.contains(&AuthMethod::None)
    }

    /// A text without the secrets themselves, wherever in it they may be.
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        self.secrets().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }

    /// Bytes of the longest secret that [`Self::without_secrets`] takes out.
    pub(super) fn longest_secret(&self) -> usize {
        self.secrets().map(str::len).max().unwrap_or(0)
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = [self.key.as_ref(), self.basic.as_ref().map(|(_, token)| token)];
        secrets.into_iter().flatten().map(Secret::reveal).filter(|secret| !secret.is_empty())
    }

    /// Lets a webhook in, or says why not.
    ///
    /// # Errors
    /// Names the credential that was wrong, or says that there was none.
    pub fn webhook(&self, credentials: &Credentials<'_>) -> Result<AuthMethod, AuthError> {
        let mut error = AuthError::Missing;
        for method in &self.methods {
            let attempt = match method {
                AuthMethod::None => return Ok(AuthMethod::None),
                AuthMethod::Signature => self.signature(credentials),
                AuthMethod::Key => self.key(credentials.query),
                AuthMethod::Basic => self.basic(credentials.headers),
            };
            match attempt {
                Ok(()) => return Ok(*method),
                Err(AuthError::Missing) => {}
                Err(wrong) if error == AuthError::Missing => error = wrong,
                Err(_) => {}
            }
        }
        Err(error)
    }

    /// Whether nothing but a signature over the body can let this webhook in, and one is there that may hold.
    #[must_use]
    pub fn must_read(&self, credentials: &Credentials<'_>) -> bool {
        let holds = |method: &AuthMethod| match method {
            AuthMethod::None => true,
            AuthMethod::Key => self.key(credentials.query).is_ok(),
            AuthMethod::Basic => self.basic(credentials.headers).is_ok(),
            AuthMethod::Signature => false,
        };
        let may_hold = self.signature.is_some() && Signature::of(credentials.headers, SystemTime::now()).is_ok();
        self.methods.contains(&AuthMethod::Signature) && may_hold && !self.methods.iter().any(holds)
    }

    fn signature(&self, credentials: &Credentials<'_>) -> Result<(), AuthError> {
        let sent = Signature::of(credentials.headers, SystemTime::now())?;
        let mac = self.signature.clone().ok_or(AuthError::Signature)?;
        if sent.holds(mac, credentials) { Ok(()) } else { Err(AuthError::Signature) }
    }

    fn key(&self, query: &str) -> Result<(), AuthError> {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, sent) = pairs.find(|(name, _)| name == "key").ok_or(AuthError::Missing)?;
        let same = self.key.as_ref().is_some_and(|key| same(key.reveal().as_bytes(), sent.as_bytes()));
        if same { Ok(()) } else { Err(AuthError::Key) }
    }

    /// Checks `Authorization: Basic` against the account's key and token.
    ///
    /// # Errors
    /// `Missing` without such a header, else `Basic`.
    pub fn basic(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let sent = headers.get(header::AUTHORIZATION).ok_or(AuthError::Missing)?.as_bytes();
        let (scheme, sent) = sent.split_at_checked(6).ok_or(AuthError::Missing)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return Err(AuthError::Missing);
        }
        let sent = STANDARD.decode(sent.trim_ascii()).map_err(|_| AuthError::Basic)?;
        let (key, token) = self.basic.as_ref().ok_or(AuthError::Basic)?;
        let expected = format!("{}:{}", key.reveal(), token.reveal());
        if same(expected.as_bytes(), &sent) { Ok(()) } else { Err(AuthError::Basic) }
    }
}

/// What `Authorization: Bearer` brings, if it is text.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case("bearer ").then(|| token.trim())
}

/// Checks `Authorization: Bearer` against a token.
pub(crate) fn bearer(headers: &HeaderMap, expected: &Secret) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
    sent.is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && same(expected.reveal().as_bytes(), sent.trim_ascii())
    })
}

/// Equal, in a time that tells the length at most.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A raw query string without its `key`: what a GET's signature is over.
pub(crate) fn without_key(query: &str) -> Cow<'_, str> {
    let is_key = |pair: &&str| pair.split('=').next() == Some("key");
    if !query.split('&').any(|pair| is_key(&pair)) {
        return Cow::Borrowed(query);
    }
    Cow::Owned(query.split('&').filter(|pair| !is_key(pair)).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests;
