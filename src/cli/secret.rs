//! `secret`: what clients' tools need and nobody else reads; `client token`: what clients read with.

use std::io::Write;

use anyhow::{Context, anyhow};
use protocol::ids::Secret as Hidden;
use serde_json::json;

use super::args::{Database, Secret, ShowArgs, Token};
use super::client::{find, open_at, open_existing, open_existing_at};
use super::{Failure, table};
use crate::agent::{SecretError, Secrets, TokenError, new_token};
use crate::settings::{SealArgs, SealSettings, SettingsError, SettingsErrors, read_secret};
use crate::store::{DatabaseUrl, Store};
use crate::time::told;

pub(super) async fn run(ask: Secret, screen: &mut impl Write) -> Result<(), Failure> {
    match ask {
        Secret::Set(args) => {
            let (seal, url) = keys(&args.seal, &args.named.database)?;
            let value = read_secret(&args.file).map_err(|why| Failure::Usage(format!("secret set: {why}")))?;
            let store = open_at(&url).await?;
            let client = find(&store, &args.named.client).await?;
            let name = &args.named.name;
            secrets(&store, &seal).set(client.id, name, &Hidden::new(value)).await.map_err(refused)?;
            writeln!(
                screen,
                "{}: the secret {name} is stored; its agent's headers name it as secret:{name}",
                client.name
            )
        }
        Secret::List(ShowArgs { one, json }) => {
            let store = open_existing(&one.database).await?;
            let client = find(&store, &one.client).await?;
            let names = store.secret_names(client.id).await.context("listing the secrets")?;
            match names.is_empty() {
                _ if json => writeln!(screen, "{:#}", json!({ "secrets": names })),
                true => writeln!(screen, "{} has no secrets", client.name),
                false => writeln!(screen, "{}", names.join("\n")),
            }
        }
        Secret::Remove(args) => {
            let store = open_existing(&args.database).await?;
            let client = find(&store, &args.client).await?;
            if !store.remove_secret(client.id, &args.name).await.context("removing the secret")? {
                return Err(Failure::Other(anyhow!(
                    "{} has no secret {}: `callgate secret list` shows them",
                    client.name,
                    args.name
                )));
            }
            writeln!(screen, "{}: the secret {} is gone", client.name, args.name)
        }
        Secret::Reseal(args) => {
            let (seal, url) = keys(&args.seal, &args.database)?;
            let store = open_existing_at(&url).await?;
            let count = secrets(&store, &seal).reseal().await.map_err(refused)?;
            writeln!(screen, "{count} secrets are sealed with SECRETS_KEY: SECRETS_KEY_OLD can go")
        }
    }
    .map_err(|error| Failure::Other(error.into()))
}

pub(super) async fn tokens(ask: Token, screen: &mut impl Write) -> Result<(), Failure> {
    match ask {
        Token::Create(args) => {
            let store = open_existing(&args.database).await?;
            let client = find(&store, &args.client).await?;
            let (id, token) = new_token(&store, client.id).await.map_err(|error| match error {
                TokenError::TooMany => Failure::Usage(error.to_string()),
                error => Failure::Other(error.into()),
            })?;
            writeln!(screen, "Token {id} of {}, shown this once: {}", client.name, token.reveal())
        }
        Token::List(ShowArgs { one, json }) => {
            let store = open_existing(&one.database).await?;
            let client = find(&store, &one.client).await?;
            let tokens = store.tokens_of_client(client.id).await.context("listing the tokens")?;
            let as_json = || tokens.iter().map(|token| json!({ "id": token.id, "created_at": told(token.created_at) }));
            let rows: Vec<_> = tokens.iter().map(|token| vec![token.id.to_string(), told(token.created_at)]).collect();
            match rows.is_empty() {
                _ if json => writeln!(screen, "{:#}", json!({ "tokens": as_json().collect::<Vec<_>>() })),
                true => writeln!(screen, "{} has no tokens", client.name),
                false => table::print(screen, &["id", "made"], &rows),
            }
        }
        Token::Revoke(args) => {
            let store = open_existing(&args.client.database).await?;
            let client = find(&store, &args.client.client).await?;
            if !store.revoke_token(client.id, args.token).await.context("revoking the token")? {
                return Err(Failure::Other(anyhow!(
                    "{} has no token {}: `callgate client token list` shows them",
                    client.name,
                    args.token
                )));
            }
            writeln!(screen, "{}: token {} is revoked", client.name, args.token)
        }
    }
    .map_err(|error| Failure::Other(error.into()))
}

/// What is sealed with, and where it is kept: what is wrong with both is told at once.
fn keys(seal: &SealArgs, database: &Database) -> Result<(SealSettings, DatabaseUrl), SettingsErrors> {
    let mut wrong = SettingsErrors::default();
    let (seal, url) = (wrong.take(seal.read()), wrong.take(database.url()));
    wrong.or(seal.zip(url))
}

fn secrets(store: &Store, seal: &SealSettings) -> Secrets {
    Secrets::new(store.clone(), seal.key.as_ref(), seal.old.as_ref())
}

fn refused(error: SecretError) -> Failure {
    match error {
        SecretError::Store(error) => Failure::Other(anyhow::Error::from(error).context("the secrets")),
        SecretError::NoKey => SettingsError::new(
            "SECRETS_KEY",
            "not set, and secrets are sealed with it: `openssl rand -hex 24` makes one",
        )
        .into(),
        error => Failure::Usage(error.to_string()),
    }
}
