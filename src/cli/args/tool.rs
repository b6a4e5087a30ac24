//! `tool`.

use clap::{Args, Subcommand};

use super::Database;
use crate::settings::SealArgs;

/// `tool`.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Calls a function of a client's as a call would, and prints both sides and the time. It is done: a function that books, books.
    Test(Box<TestArgs>),
}

/// `tool test`.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Its Exotel number, in any spelling, or its id.
    #[arg(value_name = "NUMBER|ID")]
    pub client: String,
    /// The function.
    pub tool: String,
    /// A JSON object.
    #[arg(default_value = "{}")]
    pub arguments: String,
    /// Who calls, as the endpoint is told.
    #[arg(long, value_name = "NUMBER")]
    pub caller: Option<String>,
    /// The gateway's PRIVATE_HOSTS, which the function's URL may name.
    #[arg(long, env = "PRIVATE_HOSTS", hide_env_values = true, value_name = "HOSTS")]
    pub private_hosts: Option<String>,
    /// What the client's secrets are sealed with.
    #[command(flatten)]
    pub seal: SealArgs,
    /// Where the client is.
    #[command(flatten)]
    pub database: Database,
}
