//! Secrets of clients, sealed at rest: what headers of tools refer to as `secret:NAME`.
//!
//! XChaCha20-Poly1305 under a key that HKDF-SHA256 makes of `SECRETS_KEY`; client and name are associated data, so that a sealed value
//! opens at its own place alone. What is kept: a version byte, the nonce, the ciphertext, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use protocol::ids::Secret;
use rand::TryRngCore;
use sha2::Sha256;

use super::words::secret_name;
use crate::store::{Store, StoreError};

/// Bytes of a secret.
pub const LONGEST_SECRET: usize = 4096;
/// Secrets of a client.
pub const MOST_SECRETS: i64 = 64;
/// The way in which a value is sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const SALT: &[u8] = b"callgate";
const INFO: &[u8] = b"secrets of clients 1";

/// Why a secret cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no key.
    #[error("SECRETS_KEY is not set, and secrets are sealed with it: set it (`openssl rand -hex 24` makes one)")]
    NoKey,
    /// Sealed with another key.
    #[error(
        "{0} was sealed with another key than SECRETS_KEY: give that one as SECRETS_KEY_OLD, and run `callgate secret reseal`"
    )]
    OtherKey(String),
    /// There is none of that name.
    #[error("no secret {0} is stored: `callgate secret set NUMBER {0}` stores one")]
    Unknown(String),
    /// What it is called.
    #[error("the name {0}")]
    Name(String),
    /// Too long, or nothing.
    #[error("a secret has 1 to {LONGEST_SECRET} bytes, and no line of its own: this has {0} bytes, or several lines")]
    Value(usize),
    /// Too many.
    #[error("the client has {MOST_SECRETS} secrets, which are the most: remove one first")]
    TooMany,
    /// The system has no randomness to give.
    #[error("no randomness to seal with: {0}")]
    NoRandomness(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What secrets are sealed with.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// Of a key of the operator's, long enough not to be guessed.
    #[must_use]
    pub fn new(key: &Secret) -> Self {
        let mut derived = Key::default();
        // HKDF gives 255 hashes; this is one, so it does not fail.
        let _ = Hkdf::<Sha256>::new(Some(SALT), key.reveal().as_bytes()).expand(INFO, &mut derived);
        Self(XChaCha20Poly1305::new(&derived))
    }

    fn seal(&self, client: i64, name: &str, value: &str) -> Result<String, SecretError> {
        let mut nonce = [0; NONCE];
        rand::rngs::OsRng.try_fill_bytes(&mut nonce).map_err(|error| SecretError::NoRandomness(error.to_string()))?;
        let aad = place(client, name);
        let payload = Payload { msg: value.as_bytes(), aad: aad.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| SecretError::Value(value.len()))?;
        Ok(STANDARD.encode([&[VERSION], nonce.as_slice(), &sealed].concat()))
    }

    fn open(&self, client: i64, name: &str, sealed: &str) -> Option<Secret> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (version, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let aad = place(client, name);
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        let opened = self.0.decrypt(&XNonce::from(*nonce), payload).ok().filter(|_| *version == VERSION)?;
        String::from_utf8(opened).ok().map(Secret::new)
    }
}

/// Where a sealed value belongs.
fn place(client: i64, name: &str) -> String {
    format!("{client}:{name}")
}

/// The secrets of clients.
#[derive(Clone)]
pub struct Secrets {
    store: Store,
    seal: Option<Seal>,
    old: Option<Seal>,
}

impl Secrets {
    /// Over a database; `old` opens what was sealed before the key was changed.
    #[must_use]
    pub fn new(store: Store, key: Option<&Secret>, old: Option<&Secret>) -> Self {
        Self { store, seal: key.map(Seal::new), old: old.map(Seal::new) }
    }

    /// Whether what is stored can be opened, as far as one value tells.
    ///
    /// # Errors
    /// When there is no key, or another one, and when the database fails.
    pub async fn check(&self) -> Result<(), SecretError> {
        match self.store.secrets_after(0, "", 1).await?.first() {
            Some((client, name, sealed)) => self.opened(*client, name, sealed).map(drop),
            None => Ok(()),
        }
    }

    /// The secret of a client that has that name.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn open(&self, client: i64, name: &str) -> Result<Secret, SecretError> {
        let sealed = self.store.secret_of_client(client, name).await?;
        self.opened(client, name, &sealed.ok_or_else(|| SecretError::Unknown(name.to_owned()))?)
    }

    fn opened(&self, client: i64, name: &str, sealed: &str) -> Result<Secret, SecretError> {
        let seal = self.seal.as_ref().ok_or(SecretError::NoKey)?;
        let opened =
            [Some(seal), self.old.as_ref()].into_iter().flatten().find_map(|seal| seal.open(client, name, sealed));
        opened.ok_or_else(|| SecretError::OtherKey(name.to_owned()))
    }

    /// Keeps a secret, in the place of the one before.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn set(&self, client: i64, name: &str, value: &Secret) -> Result<(), SecretError> {
        secret_name(name).map_err(SecretError::Name)?;
        let told = value.reveal();
        if told.is_empty() || told.len() > LONGEST_SECRET || told.chars().any(char::is_control) {
            return Err(SecretError::Value(told.len()));
        }
        let sealed = self.seal.as_ref().ok_or(SecretError::NoKey)?.seal(client, name, told)?;
        match self.store.set_secret(client, name, sealed, MOST_SECRETS).await? {
            true => Ok(()),
            false => Err(SecretError::TooMany),
        }
    }

    /// Seals everything with the key of now. Says how much there was.
    ///
    /// # Errors
    /// At the first that does not open; those before it are sealed anew.
    pub async fn reseal(&self) -> Result<usize, SecretError> {
        let seal = self.seal.as_ref().ok_or(SecretError::NoKey)?;
        let (mut client, mut name, mut count) = (0, String::new(), 0);
        loop {
            let page = self.store.secrets_after(client, &name, 100).await?;
            let Some((last_client, last_name, _)) = page.last() else { return Ok(count) };
            (client, name) = (*last_client, last_name.clone());
            for (client, name, sealed) in page {
                let value = self.opened(client, &name, &sealed)?;
                let anew = seal.seal(client, &name, value.reveal())?;
                count += usize::from(self.store.reseal_secret(client, &name, &sealed, anew).await?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{TempDb, new_client};

    fn key(of: &str) -> Secret {
        Secret::new(of.repeat(4))
    }

    #[test]
    fn a_sealed_value_opens_at_its_own_place_with_its_own_key_and_nowhere_else() {
        let seal = Seal::new(&key("0123456789"));
        let sealed = seal.seal(7, "CRM_KEY", "hush").unwrap();
        assert!(!sealed.contains("hush"));
        assert_ne!(seal.seal(7, "CRM_KEY", "hush").unwrap(), sealed);
        assert_eq!(seal.open(7, "CRM_KEY", &sealed).map(|secret| secret.reveal().to_owned()).as_deref(), Some("hush"));
        assert!(seal.open(8, "CRM_KEY", &sealed).is_none() && seal.open(7, "CRM_KEY2", &sealed).is_none());
        assert!(Seal::new(&key("0123456788")).open(7, "CRM_KEY", &sealed).is_none());
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        for index in 0..bytes.len() {
            bytes[index] ^= 1;
            assert!(seal.open(7, "CRM_KEY", &STANDARD.encode(&bytes)).is_none(), "{index}");
            bytes[index] ^= 1;
        }
        for short in ["", "AQ==", "!", &sealed[..20]] {
            assert!(seal.open(7, "CRM_KEY", short).is_none());
        }
    }

    #[actix_rt::test]
    async fn secrets_are_sealed_anew_when_the_key_is_changed() {
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        let (first, second) = (key("0123456789"), key("abcdefghij"));
        let before = Secrets::new(store.clone(), Some(&first), None);
        for name in ["A", "B"] {
            before.set(client, name, &Secret::new(format!("value of {name}"))).await.unwrap();
        }
        assert!(matches!(Secrets::new(store.clone(), None, None).check().await, Err(SecretError::NoKey)));
        let without = Secrets::new(store.clone(), Some(&second), None);
        assert!(matches!(without.check().await, Err(SecretError::OtherKey(_))));
        assert!(without.reseal().await.is_err());
        let both = Secrets::new(store.clone(), Some(&second), Some(&first));
        both.check().await.unwrap();
        assert_eq!(both.open(client, "A").await.unwrap().reveal(), "value of A");
        assert_eq!(both.reseal().await.unwrap(), 2);
        assert_eq!(without.open(client, "B").await.unwrap().reveal(), "value of B");
        assert!(matches!(before.open(client, "B").await, Err(SecretError::OtherKey(_))));
        assert!(matches!(without.open(client, "C").await, Err(SecretError::Unknown(_))));
        assert_eq!(store.secret_names(client).await.unwrap(), ["A", "B"]);
        assert!(store.remove_secret(client, "A").await.unwrap() && !store.remove_secret(client, "A").await.unwrap());
    }

    #[actix_rt::test]
    async fn a_client_has_so_many_secrets_and_each_has_its_bounds() {
        let db = TempDb::new();
        let store = db.store().await;
        let client = store.add_client(new_client("+918047112233")).await.unwrap().id;
        let secrets = Secrets::new(store, Some(&key("0123456789")), None);
        for name in ["", "a b", &"x".repeat(65)] {
            assert!(matches!(secrets.set(client, name, &Secret::new("v")).await, Err(SecretError::Name(_))), "{name}");
        }
        for value in ["", "a\nb", &"x".repeat(LONGEST_SECRET + 1)] {
            assert!(matches!(secrets.set(client, "A", &Secret::new(value)).await, Err(SecretError::Value(_))));
        }
        for number in 0..MOST_SECRETS {
            secrets.set(client, &format!("S{number}"), &Secret::new("v")).await.unwrap();
        }
        assert!(matches!(secrets.set(client, "ONE_MORE", &Secret::new("v")).await, Err(SecretError::TooMany)));
        secrets.set(client, "S0", &Secret::new("another")).await.unwrap();
        assert_eq!(secrets.open(client, "S0").await.unwrap().reveal(), "another");
    }
}
