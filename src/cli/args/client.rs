//! `client`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Database, Token};
use crate::settings::SealArgs;

/// `client`.
#[derive(Debug, Subcommand)]
pub enum Client {
    /// Adds a tenant.
    Add(Box<AddArgs>),
    /// Lists the tenants.
    List(ListArgs),
    /// Shows one.
    Show(ShowArgs),
    /// Changes one; flags that are not given leave things as they are.
    Set(Box<SetArgs>),
    /// Takes one's calls no more.
    Disable(OneArgs),
    /// Makes a client's agent what a file says (docs/agent.md): a new client, or the one that has its numbers.
    Apply(ApplyArgs),
    /// Prints the file that says what a client's agent is.
    Export(OneArgs),
    /// Tokens with which a client reads what is its own.
    #[command(subcommand)]
    Token(Token),
}

/// `client apply`.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// The agent file, TOML.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The gateway's PRIVATE_HOSTS, which the file's URLs may name.
    #[arg(long, env = "PRIVATE_HOSTS", hide_env_values = true, value_name = "HOSTS")]
    pub private_hosts: Option<String>,
    /// What the client's secrets are sealed with: its MCP servers are asked what they have.
    #[command(flatten)]
    pub seal: SealArgs,
    /// Where it goes.
    #[command(flatten)]
    pub database: Database,
}

/// Names one tenant.
#[derive(Args, Clone, Debug)]
pub struct OneArgs {
    /// Its Exotel number, in any spelling, or its id.
    #[arg(value_name = "NUMBER|ID")]
    pub client: String,
    /// Where it is.
    #[command(flatten)]
    pub database: Database,
}

/// A list.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Print JSON, as the API has it.
    #[arg(long)]
    pub json: bool,
    /// Where they are.
    #[command(flatten)]
    pub database: Database,
}

/// One tenant, or a list of what is its own.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Which.
    #[command(flatten)]
    pub one: OneArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `client add`.
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// For people.
    #[arg(long)]
    pub name: String,
    /// The Exotel number (ExoPhone) whose calls it takes, in any spelling.
    #[arg(long)]
    pub number: String,
    /// The rest.
    #[command(flatten)]
    pub fields: ClientFields,
    /// Where it goes.
    #[command(flatten)]
    pub database: Database,
}

/// `client set`.
#[derive(Args, Clone, Debug)]
pub struct SetArgs {
    /// Its Exotel number, in any spelling, or its id.
    #[arg(value_name = "NUMBER|ID")]
    pub client: String,
    /// For people.
    #[arg(long)]
    pub name: Option<String>,
    /// Another Exotel number.
    #[arg(long)]
    pub number: Option<String>,
    /// Takes calls.
    #[arg(long, value_enum, value_name = "on|off")]
    pub active: Option<Switch>,
    /// The rest.
    #[command(flatten)]
    pub fields: ClientFields,
    /// Where it is.
    #[command(flatten)]
    pub database: Database,
}

/// What can be set of a tenant.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFields {
    /// What callers are greeted with.
    #[arg(long)]
    pub greeting: Option<String>,
    /// BCP 47, e.g. hi-IN [default for a new one: en-IN].
    #[arg(long)]
    pub language: Option<String>,
    /// Country in which its callers' numbers are read, in two letters [default for a new one: IN].
    #[arg(long)]
    pub region: Option<String>,
    /// IANA name [default for a new one: Asia/Kolkata].
    #[arg(long)]
    pub time_zone: Option<String>,
    /// The language that its callers are written down in, in two letters (hi); empty, the default, where they mix languages.
    #[arg(long)]
    pub transcription_language: Option<String>,
    /// Voice: alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse or an own voice's id; empty for the model's default.
    #[arg(long)]
    pub voice: Option<String>,
    /// A voice that is none of these: of another server, or newer than this program.
    #[arg(long, value_name = "VOICE", conflicts_with = "voice")]
    pub unlisted_voice: Option<String>,
    /// System prompt.
    #[arg(long, conflicts_with = "instructions_file")]
    pub instructions: Option<String>,
    /// A file that holds the system prompt.
    #[arg(long, value_name = "FILE")]
    pub instructions_file: Option<PathBuf>,
    /// Model; empty for the gateway's.
    #[arg(long)]
    pub model: Option<String>,
    /// Live calls; 0 for as many as the node.
    #[arg(long, value_name = "COUNT")]
    pub max_concurrent: Option<i32>,
    /// Calls a minute, over all callers; 0 for the default.
    #[arg(long, value_name = "COUNT")]
    pub calls_per_minute: Option<i32>,
    /// Calls a minute of one caller; 0 for the default.
    #[arg(long, value_name = "COUNT")]
    pub caller_calls_per_minute: Option<i32>,
    /// Longest call, s; 0 for the node's.
    #[arg(long, value_name = "SECONDS")]
    pub max_call_secs: Option<i32>,
    /// Calls are recorded.
    #[arg(long, value_enum, value_name = "on|off")]
    pub recording: Option<Switch>,
    /// Where the client is told of its calls, https and public, or one of PRIVATE_HOSTS; empty for nowhere.
    #[arg(long, value_name = "URL")]
    pub events_url: Option<String>,
    /// What its events are signed with [default: one is made, and shown once]. The process list shows it to every user of this machine.
    #[arg(long, value_name = "SECRET", conflicts_with = "events_secret_file")]
    pub events_secret: Option<String>,
    /// A file that holds the secret its events are signed with, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub events_secret_file: Option<PathBuf>,
    /// The gateway's PRIVATE_HOSTS, which events may go to.
    #[arg(long, env = "PRIVATE_HOSTS", hide_env_values = true, value_name = "HOSTS")]
    pub private_hosts: Option<String>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}
