//! `X-Exotel-Signature`: of the raw body alone, or, with `X-Exotel-Timestamp`, of one request at one time.

use std::time::{Duration, SystemTime};

use actix_web::http::header::HeaderMap;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{AuthError, Credentials};

/// How far the clocks of signer and gateway may be apart, the way of a request included: a capture is of no use after it.
const WINDOW: Duration = Duration::from_secs(300);
/// Digits of a time in Unix seconds that are read.
const LONGEST_TIME: usize = 11;

/// A signature as it was sent: of the right shape, and not too old. Whether it holds is not known yet.
pub(super) struct Signature<'a> {
    tag: [u8; 32],
    timestamp: Option<&'a str>,
}

impl<'a> Signature<'a> {
    pub(super) fn of(headers: &'a HeaderMap, now: SystemTime) -> Result<Self, AuthError> {
        let sent = headers.get("x-exotel-signature").ok_or(AuthError::Missing)?;
        let tag = unhex(sent.as_bytes()).ok_or(AuthError::Signature)?;
        let timestamp = headers.get("x-exotel-timestamp").map(|at| fresh(at.as_bytes(), now));
        Ok(Self { tag, timestamp: timestamp.transpose()? })
    }

    /// Compares in constant time.
    pub(super) fn holds(&self, mut mac: Hmac<Sha256>, credentials: &Credentials<'_>) -> bool {
        if let Some(timestamp) = self.timestamp {
            for part in [timestamp, credentials.method.as_str(), credentials.path] {
                mac.update(part.as_bytes());
                mac.update(b".");
            }
        }
        mac.update(credentials.signed);
        mac.verify_slice(&self.tag).is_ok()
    }
}

/// A time in Unix seconds that is near enough.
fn fresh(text: &[u8], now: SystemTime) -> Result<&str, AuthError> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let digits = digits.filter(|digits| digits.len() <= LONGEST_TIME).ok_or(AuthError::Stale)?;
    let secs: u64 = digits.parse().map_err(|_| AuthError::Stale)?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    if now.abs_diff(secs) <= WINDOW.as_secs() { Ok(digits) } else { Err(AuthError::Stale) }
}

/// Lower-case hex of a SHA-256.
fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut tag = [0; 32];
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(tag)
}
