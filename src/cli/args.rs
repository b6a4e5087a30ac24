//! What can be asked for.

#![allow(rustdoc::broken_intra_doc_links, reason = "these comments are the words of --help")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::settings::{SettingsArgs, SettingsError};
use crate::store::DatabaseUrl;

mod calls;
mod client;
mod flow;
mod jobs;
mod load;
mod secret;
mod text;
mod tool;

pub use calls::{Audit, AuditListArgs, CallsArgs, WhyArgs};
pub use client::{AddArgs, ApplyArgs, Client, ClientFields, OneArgs, SetArgs, ShowArgs, Switch};
pub use flow::{BalancerArgs, Dial, Flow, FlowArgs};
pub use jobs::{JobsAction, JobsArgs, RetryArgs};
pub use load::{CompareArgs, KeptArgs, LoadAction, LoadArgs, ReportArgs};
pub use secret::{Secret, Token};
pub use text::TextModelArgs;
pub use tool::{TestArgs, Tool};

/// The version, and which build it is (`build.rs`).
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CALLGATE_BUILD"), ")");

/// For scripts.
const EXITS: &str = "Exit codes:
  0   it is done
  1   it failed, or what was looked for is not so
  3   a load test was itself too slow
  64  settings, the command line or a file are wrong: a line on standard error for each mistake";

/// A realtime media gateway: every Exotel call is a supervised actor with its own OpenAI Realtime session.
#[derive(Debug, Parser)]
#[command(name = "callgate", version = VERSION, max_term_width = 110, after_help = EXITS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the gateway.
    Serve(Box<SettingsArgs>),
    /// Places one simulated call through the real webhooks and the real media socket, and shows it.
    Demo(DemoArgs),
    /// Plays the other side of a wire.
    #[command(subcommand)]
    Simulate(Simulate),
    /// Places many simulated calls at once, and measures.
    Load(Box<LoadArgs>),
    /// The tenants.
    #[command(subcommand)]
    Client(Client),
    /// The functions of tenants' agents.
    #[command(subcommand)]
    Tool(Tool),
    /// Secrets that the agents of tenants need.
    #[command(subcommand)]
    Secret(Secret),
    /// Recent calls; or one call's timeline, transcript, figures and why it ended.
    Calls(CallsArgs),
    /// Why a call went as it did: what its caller noticed, where in the chain that came from, what shows it, what to look at next.
    Why(WhyArgs),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// What still has to be done (recordings to fetch, events to tell), and what was given up.
    Jobs(JobsArgs),
    /// Validates the settings and reaches what they name; serves nothing.
    Check(Box<SettingsArgs>),
    /// Shows what each setting is and where that came from; of a secret, that it is set.
    Config(Box<ConfigArgs>),
    /// Prints a script that lets a shell complete commands and flags.
    Completions(CompletionsArgs),
    /// Prints the manual page, or writes one of each command.
    #[command(hide = true)]
    Man(ManArgs),
}

/// `config`.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// For programs: an array of {name, value, source, secret, default}.
    #[arg(long)]
    pub json: bool,
    /// The settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// Folder that gets the page of each command.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// What a demo has go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoFault {
    /// The gateway that has the call is killed; another goes on with it.
    Crash,
}

/// `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// What goes wrong.
    #[arg(long, value_enum, conflicts_with_all = ["stay", "wav", "port"])]
    pub fault: Option<DemoFault>,
    /// Keep serving after the call.
    #[arg(long)]
    pub stay: bool,
    /// Where the stereo recording goes: left the caller, right the agent as heard.
    #[arg(long, value_name = "FILE", default_value = "demo-call.wav")]
    pub wav: PathBuf,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// What is logged besides: off, error, warn, info, debug.
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub log: String,
}

/// `simulate`.
#[derive(Debug, Subcommand)]
pub enum Simulate {
    /// A Realtime server.
    Model(ModelArgs),
    /// A text model, which finds out what came of calls.
    TextModel(TextModelArgs),
    /// One call from Exotel to a running gateway.
    Call(Box<CallArgs>),
    /// A balancer before several gateways: each connection goes to the next one that takes it.
    Balancer(BalancerArgs),
}

/// `simulate model`.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    pub port: u16,
    /// Decides everything that varies.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What it says: demo, hindi, load, tone, or a file.
    #[arg(long, default_value = "demo")]
    pub script: String,
    /// The only key that is let in [default: any, or none].
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
    /// What goes wrong, as often as wanted: refuse-handshake[=401], stall, refuse-update[=N], ignore-update, mute,
    /// fail-response[=N[:CODE]], drop-after-ms=N, expire-after-ms=N, json-ping, unknown-events, junk, effective-format, slow-ms=N, network-ms=N, error-flood.
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
}

/// How a simulated call gets its media socket's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// POST to `/exotel/call-start`: the carrier speaks the greeting.
    CallStart,
    /// GET of `/exotel/voicebot`: the model speaks the greeting.
    Voicebot,
    /// A static URL: `--media-url`.
    Media,
}

/// What webhooks are authenticated with.
#[derive(Args, Clone, Debug)]
pub struct AuthArgs {
    /// Value of `?key=`. The process list shows it to every user of this machine: the variable does not.
    #[arg(long, env = "WEBHOOK_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Key of the X-Exotel-Signature header. As with the key, better by the variable.
    #[arg(long, value_name = "TOKEN", env = "EXOTEL_API_TOKEN", hide_env_values = true)]
    pub signature_token: Option<String>,
    /// Basic credentials, for the process list too.
    #[arg(long, value_name = "USER:PASSWORD")]
    pub basic: Option<String>,
}

/// `simulate call`.
#[derive(Args, Clone, Debug)]
pub struct CallArgs {
    /// The gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub gateway: Url,
    /// The number called.
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// The caller's number.
    #[arg(long, value_name = "NUMBER", default_value = "+919876543210")]
    pub from: String,
    /// How the media socket's URL is come by.
    #[arg(long, value_enum, default_value = "voicebot")]
    pub mode: Mode,
    /// The static URL of `--mode media`, user:password@ and all.
    #[arg(long, value_name = "URL")]
    pub media_url: Option<Url>,
    /// What the caller says: a WAV file, 16 bits; as often as wanted. Each waits for the agent to finish [default: a recorded question and goodbye].
    #[arg(long = "wav", value_name = "FILE")]
    pub wavs: Vec<PathBuf>,
    /// Keys that the caller types, tones and all, once the agent has answered what was said first; as often as wanted.
    #[arg(long = "keys", value_name = "KEYS")]
    pub keys: Vec<String>,
    /// Interrupt the agent's second answer with the next WAV, this many ms after it began.
    #[arg(long, value_name = "MS")]
    pub barge_in: Option<u64>,
    /// Cough into the agent's answer to what is said first, this many ms after it began; nobody waits for an answer to that.
    #[arg(long, value_name = "MS")]
    pub cough: Option<u64>,
    /// Caller audio in a message, ms: 20 or 100; 0 for odd sizes.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub frame_ms: u32,
    /// Sample rate both ways, Hz: 8000, 16000 or 24000.
    #[arg(long, value_name = "HZ", default_value_t = 8000)]
    pub rate: u32,
    /// Decides everything that varies.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Everything goes wrong that can, by the seed.
    #[arg(long)]
    pub rude: bool,
    /// The call's id [default: one made from the seed and the time].
    #[arg(long, value_name = "SID")]
    pub call_sid: Option<String>,
    /// Wait for the gateway to hang up instead of hanging up after the last answer.
    #[arg(long)]
    pub listen: bool,
    /// The longest the call may take, s.
    #[arg(long, default_value_t = 120)]
    pub timeout_secs: u64,
    /// Where the stereo recording goes: left the caller, right the agent as heard.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What is around it.
    #[command(flatten)]
    pub flow: FlowArgs,
    /// Credentials.
    #[command(flatten)]
    pub auth: AuthArgs,
}

/// Where the tenants and calls are.
#[derive(Args, Clone, Debug)]
pub struct Database {
    /// Database: sqlite://FILE or postgres://user:password@host/database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", default_value = crate::settings::DATABASE_URL)]
    pub database_url: String,
    /// A file that holds DATABASE_URL, or - for standard input.
    #[arg(long, env = "DATABASE_URL_FILE", hide_env_values = true, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
}

impl Database {
    /// The database, if it is one.
    pub(super) fn url(&self) -> Result<DatabaseUrl, SettingsError> {
        crate::settings::database(&self.database_url, &self.database_url_file)
    }
}
