//! Secrets of clients as they are sealed, and tokens of clients as their hashes.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{Client, Store, StoreError, query, transaction};

/// A token of a client's: what it was made of is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    /// Its row.
    pub id: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<(i64, NaiveDateTime)> for ClientToken {
    fn from((id, at): (i64, NaiveDateTime)) -> Self {
        Self { id, created_at: at.and_utc() }
    }
}

impl Store {
    /// Keeps a secret, in the place of the one of that name: the client is another version from then on. False when there are so many that no more are kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_secret(&self, client: i64, name: &str, sealed: String, most: i64) -> Result<bool, StoreError> {
        let name = name.to_owned();
        transaction!(self, secrets::set(client, &name, &sealed, most))
    }

    /// Puts a secret as it is sealed now in the place of itself as it was; false when it was changed meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reseal_secret(&self, client: i64, name: &str, was: &str, sealed: String) -> Result<bool, StoreError> {
        let (name, was) = (name.to_owned(), was.to_owned());
        query!(self, write, secrets::reseal(client, &name, &was, &sealed))
    }

    /// A secret of a client, sealed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secret_of_client(&self, client: i64, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        query!(self, read, secrets::one(client, &name))
    }

    /// What a client's secrets are called.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secret_names(&self, client: i64) -> Result<Vec<String>, StoreError> {
        query!(self, read, secrets::names(client))
    }

    /// Secrets of all clients behind one of them, sealed: client, name, value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secrets_after(
        &self,
        client: i64,
        name: &str,
        limit: i64,
    ) -> Result<Vec<(i64, String, String)>, StoreError> {
        let name = name.to_owned();
        query!(self, read, secrets::after(client, &name, limit))
    }

    /// Forgets a secret; false when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_secret(&self, client: i64, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        transaction!(self, secrets::remove(client, &name))
    }

    /// Keeps the hash of a token; none when there are so many that no more are kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_token(&self, client: i64, hash: String, most: i64) -> Result<Option<i64>, StoreError> {
        transaction!(self, secrets::add_token(client, &hash, most))
    }

    /// The tokens of a client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens_of_client(&self, client: i64) -> Result<Vec<ClientToken>, StoreError> {
        let tokens = query!(self, read, secrets::tokens(client))?;
        Ok(tokens.into_iter().map(ClientToken::from).collect())
    }

    /// Forgets a token of a client; false when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_token(&self, client: i64, token: i64) -> Result<bool, StoreError> {
        query!(self, write, secrets::revoke(client, token))
    }

    /// Whose a token is, by its hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_of_token(&self, hash: String) -> Result<Option<Client>, StoreError> {
        query!(self, read, secrets::of_token(&hash))
    }
}
