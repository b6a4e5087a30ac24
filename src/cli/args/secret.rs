//! `secret`, `client token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Database, OneArgs, ShowArgs};
use crate::settings::SealArgs;

/// `secret`.
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Seals a secret of a client's, which its agent names as secret:NAME; in the place of the one before.
    Set(SetSecretArgs),
    /// Lists what a client's secrets are called.
    List(ShowArgs),
    /// Forgets one.
    Remove(NamedSecretArgs),
    /// Seals everything anew with SECRETS_KEY, what SECRETS_KEY_OLD opens included.
    Reseal(ResealArgs),
}

/// Names a secret.
#[derive(Args, Clone, Debug)]
pub struct NamedSecretArgs {
    /// The client: its Exotel number, in any spelling, or its id.
    #[arg(value_name = "NUMBER|ID")]
    pub client: String,
    /// What it is called: letters, digits, _ and -.
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub database: Database,
}

/// `secret set`.
#[derive(Args, Clone, Debug)]
pub struct SetSecretArgs {
    /// Which.
    #[command(flatten)]
    pub named: NamedSecretArgs,
    /// A file that holds it, or - for standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// What it is sealed with.
    #[command(flatten)]
    pub seal: SealArgs,
}

/// `secret reseal`.
#[derive(Args, Clone, Debug)]
pub struct ResealArgs {
    /// What they are sealed with.
    #[command(flatten)]
    pub seal: SealArgs,
    /// Where they are.
    #[command(flatten)]
    pub database: Database,
}

/// `client token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Makes a token with which the client reads its own calls and its agent (GET of /api/v1); it is shown this once.
    Create(OneArgs),
    /// Lists a client's tokens.
    List(ShowArgs),
    /// Revokes one, by its id.
    Revoke(RevokeArgs),
}

/// `client token revoke`.
#[derive(Args, Clone, Debug)]
pub struct RevokeArgs {
    /// The client.
    #[command(flatten)]
    pub client: OneArgs,
    /// The token's id, as `client token list` has it.
    pub token: i64,
}
