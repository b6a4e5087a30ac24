//! The media token: says which call a media socket belongs to, in the path of its URL.
//!
//! Exotel strips the query string of a stream URL before it connects, so the secret has to be in the path.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use protocol::ids::{CallSid, Secret};
use rand::TryRngCore;
use sha2::Sha256;

use crate::crypto::hmac_sha256;

/// How long a token opens a socket, counted from the moment its call was written down.
pub const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// Longest token that is looked at: a CallSid of 128 bytes makes one of 238 characters.
const MAX_CHARS: usize = 256;

/// Signs and checks media tokens. A token is `base64url(call_sid) . unix seconds of its end . base64url(HMAC-SHA256)`; for a call's second
/// stream and later ones, the stream's number stands before the HMAC.
#[derive(Clone)]
pub struct TokenKey {
    mac: Hmac<Sha256>,
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was never one of ours.
    #[error("the media token is not one")]
    Malformed,
    /// It looks like one of ours, and was not signed by this gateway.
    #[error("the media token was not signed by this gateway")]
    BadSignature,
    /// It was one of ours, too long ago.
    #[error("the media token is too old: the call has to be announced again")]
    Expired,
}

impl TokenKey {
    /// A key derived from a configured secret: every process with that secret takes the same tokens.
    #[must_use]
    pub fn derived(secret: &Secret) -> Self {
        let mut derivation = hmac_sha256(secret.reveal().as_bytes());
        derivation.update(b"callgate media token 1");
        Self { mac: hmac_sha256(&derivation.finalize().into_bytes()) }
    }

    /// A key of this process alone: what it signs dies with it.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> Result<Self, rand::rand_core::OsError> {
        let mut key = [0_u8; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut key)?;
        Ok(Self { mac: hmac_sha256(&key) })
    }

    /// The token of a call's first stream. The same call and the same `created` make the same token, so a repeated webhook gets the same
    /// URL.
    #[must_use]
    pub fn mint(&self, call: &CallSid, created: SystemTime) -> String {
        self.mint_stream(call, 1, created)
    }

    /// The token of one of a call's streams, numbered from 1.
    #[must_use]
    pub fn mint_stream(&self, call: &CallSid, stream: u32, created: SystemTime) -> String {
        let end = unix_secs(created).saturating_add(TOKEN_LIFE.as_secs());
        let mut token = String::with_capacity(128);
        URL_SAFE_NO_PAD.encode_string(call.as_str(), &mut token);
        token.push('.');
        token.push_str(&end.to_string());
        if stream > 1 {
            token.push('.');
            token.push_str(&stream.to_string());
        }
        let tag = self.tag(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        token
    }

    /// The call a token was minted for, and which of its streams.
    ///
    /// # Errors
    /// Says in words why the token opens nothing.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<(CallSid, u32), TokenError> {
        if token.len() > MAX_CHARS {
            return Err(TokenError::Malformed);
        }
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (sid, end) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let (end, stream) = end.split_once('.').unwrap_or((end, "1"));
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| TokenError::Malformed)?;
        self.tag(signed).verify_slice(&tag).map_err(|_| TokenError::BadSignature)?;
        let stream = stream.parse().map_err(|_| TokenError::Malformed)?;
        let end: u64 = end.parse().map_err(|_| TokenError::Malformed)?;
        let sid = URL_SAFE_NO_PAD.decode(sid).ok().and_then(|sid| String::from_utf8(sid).ok());
        let sid = sid.ok_or(TokenError::Malformed)?;
        if unix_secs(now) >= end { Err(TokenError::Expired) } else { Ok((CallSid::new(sid), stream)) }
    }

    fn tag(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(signed.as_bytes());
        mac
    }
}

fn unix_secs(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn key() -> TokenKey {
        TokenKey::derived(&Secret::new("exotel-token"))
    }

    #[test]
    fn a_token_opens_its_call_until_its_life_is_over() {
        let sid = CallSid::new("faccc8dce91e426a398475de9fdb1a8p");
        let token = key().mint(&sid, at(1000));
        assert_eq!(key().verify(&token, at(1000)), Ok((sid.clone(), 1)));
        assert_eq!(key().verify(&token, at(1059)), Ok((sid, 1)));
        assert_eq!(key().verify(&token, at(1060)), Err(TokenError::Expired));
    }

    #[test]
    fn the_same_call_gets_the_same_token() {
        let sid = CallSid::new("a");
        assert_eq!(key().mint(&sid, at(5)), key().mint(&sid, at(5)));
        assert_ne!(key().mint(&sid, at(5)), key().mint(&sid, at(6)));
        assert_ne!(key().mint(&sid, at(5)), TokenKey::random().unwrap().mint(&sid, at(5)));
    }

    #[test]
    fn every_stream_of_a_call_has_a_token_of_its_own() {
        let sid = CallSid::new("a");
        assert_eq!(key().mint_stream(&sid, 1, at(5)), key().mint(&sid, at(5)));
        let second = key().mint_stream(&sid, 2, at(5));
        assert_eq!(key().verify(&second, at(6)), Ok((sid.clone(), 2)));
        let third = second.replacen(".65.2.", ".65.3.", 1);
        assert_eq!(key().verify(&third, at(6)), Err(TokenError::BadSignature));
        let longest = key().mint_stream(&CallSid::new("s".repeat(128)), u32::MAX, at(9_999_999_999));
        assert!(key().verify(&longest, at(6)).is_ok());
    }

    #[test]
    fn a_token_is_safe_in_a_path() {
        let token = key().mint(&CallSid::new("../?&# é"), at(u32::MAX.into()));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        assert_eq!(key().verify(&token, at(0)), Ok((CallSid::new("../?&# é"), 1)));
    }

    #[test]
    fn every_altered_character_is_noticed() {
        let token = key().mint(&CallSid::new("abc123"), at(1000));
        for i in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert!(key().verify(&altered, at(1000)).is_err(), "{altered}");
        }
    }

    #[test]
    fn junk_of_any_shape_is_refused_in_words() {
        let long = "a".repeat(10_000);
        for junk in ["", ".", "..", "...", "a.b", "a.b.c", "YQ.99999999999999999999.AAAA", "é.é.é", &long] {
            let error = key().verify(junk, at(0)).unwrap_err();
            assert!(error.to_string().starts_with("the media token"));
        }
        let wrong_length = format!("YQ.1060.{}", URL_SAFE_NO_PAD.encode([0; 7]));
        assert_eq!(key().verify(&wrong_length, at(0)), Err(TokenError::BadSignature));
    }
}
