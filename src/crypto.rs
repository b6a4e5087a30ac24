//! Keyed hashes, and hashes as text.

use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::Secret;
use sha2::Sha256;

/// An HMAC-SHA256 under a key of any length.
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of every length, so the fallback (the empty key's own constructor) is never met.
    Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()))
}

/// What clients know a request of ours by: `v1=` and the HMAC-SHA256 of `timestamp.body` in lower-case hex.
pub(crate) fn signature(secret: &Secret, timestamp: i64, body: &str) -> String {
    let mut mac = hmac_sha256(secret.reveal().as_bytes());
    mac.update(format!("{timestamp}.{body}").as_bytes());
    format!("v1={}", hex(&mac.finalize().into_bytes()))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 1, 0x9a, 0xff]), "00019aff");
        assert_eq!(hex(&[]), "");
    }
}
