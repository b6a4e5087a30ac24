//! Tokens with which a client reads what is its own, and nothing else.

use protocol::ids::Secret;
use rand::TryRngCore;
use sha2::{Digest, Sha256};

use crate::crypto::hex;
use crate::store::{Client, Store, StoreError};

/// Tokens of a client.
pub const MOST_TOKENS: i64 = 32;
/// What a token begins with: it is seen for what it is where it does not belong.
pub const BEGINS: &str = "cgct_";
/// Bytes of randomness.
const RANDOM: usize = 32;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Too many.
    #[error("the client has {MOST_TOKENS} tokens, which are the most: revoke one first")]
    TooMany,
    /// The system has no randomness to give.
    #[error("no randomness for a token: {0}")]
    NoRandomness(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a token of a client's: it is shown once, and its hash is kept.
///
/// # Errors
/// See [`TokenError`].
pub async fn new_token(store: &Store, client: i64) -> Result<(i64, Secret), TokenError> {
    let mut bytes = [0; RANDOM];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|error| TokenError::NoRandomness(error.to_string()))?;
    let token = format!("{BEGINS}{}", hex(&bytes));
    let id = store.add_token(client, hash(&token), MOST_TOKENS).await?.ok_or(TokenError::TooMany)?;
    Ok((id, Secret::new(token)))
}

/// Whose a token is; none for whatever is not shaped like one.
///
/// # Errors
/// When the database fails.
pub async fn client_of(store: &Store, token: &str) -> Result<Option<Client>, StoreError> {
    if !token.starts_with(BEGINS) || token.len() != BEGINS.len() + 2 * RANDOM {
        return Ok(None);
    }
    store.client_of_token(hash(token)).await
}

fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}
