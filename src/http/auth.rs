//! Who may call a webhook: a signature over the raw bytes, a key in the URL, or Basic credentials. Any one that is listed will do.
//!
//! Exotel itself signs nothing: `key` and `basic` are what a real account can use, the signature is for gateways in between and for tools.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use protocol::ids::Secret;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::token::keyed;

/// A way to authenticate a webhook, as listed in `WEBHOOK_AUTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
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
    /// It came without any credential of a listed way.
    #[error("no credentials of a kind that WEBHOOK_AUTH lists were sent (X-Exotel-Signature, ?key= or Basic)")]
    Missing,
    /// Its signature is wrong, whatever its length.
    #[error(
        "X-Exotel-Signature is not the lower-case hex HMAC-SHA256 of the raw body (for GET: of the query string without key)"
    )]
    Signature,
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
            Self::Key => "bad_key",
            Self::Basic => "bad_credentials",
        }
    }
}

/// The secrets webhooks and static media sockets are checked against.
#[derive(Clone)]
pub struct Gate {
    ways: Vec<Way>,
    signature: Option<Hmac<Sha256>>,
    key: Option<Secret>,
    basic: Option<(Secret, Secret)>,
}

/// What a webhook brought along.
pub struct Presented<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its raw query string.
    pub query: &'a str,
    /// What a signature is over: the raw body; of a GET the raw query string without `key`.
    pub signed: &'a [u8],
}

impl Gate {
    /// A gate that opens for any of `ways`. A way whose secret is missing never opens it.
    #[must_use]
    pub fn new(ways: &[Way], key: Option<Secret>, api_key: Option<Secret>, api_token: Option<Secret>) -> Self {
        Self {
            ways: ways.to_vec(),
            signature: api_token.as_ref().map(|token| keyed(token.reveal().as_bytes())),
            key,
            basic: api_key.zip(api_token),
        }
    }

    /// Whether anybody is let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ways.contains(&Way::None)
    }

    /// A text without the secrets themselves, wherever in it they may be.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let secrets = [self.key.as_ref(), self.basic.as_ref().map(|(_, token)| token)];
        let secrets = secrets.into_iter().flatten().map(Secret::reveal).filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }

    /// Lets a webhook in, or says why not.
    ///
    /// # Errors
    /// Names the credential that was wrong, or says that there was none.
    pub fn webhook(&self, presented: &Presented<'_>) -> Result<Way, AuthError> {
        let mut error = AuthError::Missing;
        for way in &self.ways {
            let attempt = match way {
                Way::None => return Ok(Way::None),
                Way::Signature => self.signature(presented),
                Way::Key => self.key(presented.query),
                Way::Basic => self.basic(presented.headers),
            };
            match attempt {
                Ok(()) => return Ok(*way),
                Err(AuthError::Missing) => {}
                Err(wrong) if error == AuthError::Missing => error = wrong,
                Err(_) => {}
            }
        }
        Err(error)
    }

    fn signature(&self, presented: &Presented<'_>) -> Result<(), AuthError> {
        let sent = presented.headers.get("x-exotel-signature").ok_or(AuthError::Missing)?;
        let mut mac = self.signature.clone().ok_or(AuthError::Signature)?;
        mac.update(presented.signed);
        let tag = unhex(sent.as_bytes()).ok_or(AuthError::Signature)?;
        mac.verify_slice(&tag).map_err(|_| AuthError::Signature)
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

/// Lower-case hex of any length.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
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
