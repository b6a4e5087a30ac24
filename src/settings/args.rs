//! The settings as words: flags, environment variables of the same name, and their defaults.

#![allow(rustdoc::broken_intra_doc_links, reason = "these comments are the words of --help")]

use clap::Args;

use super::{OtelArgs, OutcomeArgs, SealArgs, SecretFiles};
use crate::calls::writer::DEFAULT_MODEL;

pub(super) const HOST: &str = "0.0.0.0";
pub(super) const PORT: &str = "8080";
pub(super) const ADMIN_HOST: &str = "127.0.0.1";
pub(crate) const DATABASE_URL: &str = "sqlite://callgate.db";
pub(super) const REALTIME_URL: &str = "wss://api.openai.com/v1/realtime";
pub(super) const REALTIME_AUDIO: &str = "pcm24k";
pub(super) const WEBHOOK_AUTH: &str = "signature";
pub(super) const WEBHOOK_DEADLINE_MS: &str = "2000";
pub(super) const RECORDINGS_URL: &str = "file://./recordings";
pub(super) const SPOOL_DIR: &str = "./spool";
pub(super) const RECORDING_FORMAT: &str = "auto";
pub(super) const CLIPS_DIR: &str = "./clips";
pub(super) const RECORDING_HOSTS: &str = "exotel.com,exotel.in,s3-ap-southeast-1.amazonaws.com/exotelrecordings/";
pub(super) const RECORDING_MAX_MIB: &str = "512";
pub(super) const MAX_CALLS: &str = "1000";
pub(super) const MAX_CALL_SECS: &str = "3300";
pub(super) const DRAIN_SECS: &str = "3300";
pub(super) const AUDIT_NUMBERS: &str = "full";
pub(super) const LOG_FORMAT: &str = "auto";
pub(super) const RUST_LOG: &str = "info";

/// Every setting, unchecked. An empty one counts as not set.
#[derive(Args, Clone, Debug, Default)]
#[command(
    next_help_heading = "Settings (flag, environment variable or line of .env; every user of the machine can read flags: no secrets there)"
)]
pub struct SettingsArgs {
    /// Address to listen on.
    #[arg(long, env = "HOST", hide_env_values = true, value_name = "ADDRESS", default_value = HOST)]
    pub host: String,

    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", hide_env_values = true, value_name = "PORT", default_value = PORT)]
    pub port: String,

    /// Threads that serve HTTP, media sockets and calls [default: one for every two cores].
    #[arg(long, env = "WORKERS", hide_env_values = true, value_name = "COUNT")]
    pub workers: Option<String>,

    /// This gateway's URL as Exotel reaches it, https://host[:port][/prefix] [default: https://RAILWAY_PUBLIC_DOMAIN, else http://localhost:PORT].
    #[arg(long, env = "PUBLIC_BASE_URL", hide_env_values = true, value_name = "URL")]
    pub public_base_url: Option<String>,

    /// Domain that Railway gave this service; used when PUBLIC_BASE_URL is not set.
    #[arg(long, env = "RAILWAY_PUBLIC_DOMAIN", hide_env_values = true, value_name = "DOMAIN")]
    pub railway_public_domain: Option<String>,

    /// Database: sqlite://FILE or postgres://user:password@host/database?sslmode=disable|prefer|require|verify-ca|verify-full&sslrootcert=FILE.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", default_value = DATABASE_URL)]
    pub database_url: String,

    /// Key of the Realtime server; without it OpenAI cannot be used.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub openai_api_key: Option<String>,

    /// Use the built-in simulated model instead of a Realtime server.
    #[arg(long, env = "SIMULATED_MODEL", hide_env_values = true, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub simulated_model: Option<String>,

    /// Realtime server, ws:// or wss://.
    #[arg(long, env = "REALTIME_URL", hide_env_values = true, value_name = "URL", default_value = REALTIME_URL)]
    pub realtime_url: String,

    /// Model, appended to REALTIME_URL as ?model=; a client may name its own.
    #[arg(long, env = "REALTIME_MODEL", hide_env_values = true, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub realtime_model: String,

    /// Audio format of the model leg, pcm24k or pcmu; what the server says it uses wins.
    #[arg(long, env = "REALTIME_AUDIO", hide_env_values = true, value_name = "FORMAT", default_value = REALTIME_AUDIO)]
    pub realtime_audio: String,

    /// Prices for the estimated cost of a call, US dollars for a million tokens: JSON, or a file that holds it [default: OpenAI's list prices].
    #[arg(long, env = "PRICES", hide_env_values = true, value_name = "JSON|FILE")]
    pub prices: Option<String>,

    /// API key of the Exotel account: user name of Basic credentials.
    #[arg(long, env = "EXOTEL_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub exotel_api_key: Option<String>,

    /// API token of the Exotel account: password of Basic credentials, and key of the webhook signature.
    #[arg(long, env = "EXOTEL_API_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub exotel_api_token: Option<String>,

    /// Exotel's name of the account.
    #[arg(long, env = "EXOTEL_ACCOUNT_SID", hide_env_values = true, value_name = "SID")]
    pub exotel_account_sid: Option<String>,

    /// How webhooks are authenticated: any of signature, key, basic, none, comma-separated; one must hold. none is for this machine only (HOST and PUBLIC_BASE_URL loopback, no TRUSTED_PROXIES).
    #[arg(long, env = "WEBHOOK_AUTH", hide_env_values = true, value_name = "WAYS", default_value = WEBHOOK_AUTH)]
    pub webhook_auth: String,

    /// The secret of ?key= in webhook URLs: 16 characters or more.
    #[arg(long, env = "WEBHOOK_KEY", hide_env_values = true, value_name = "KEY")]
    pub webhook_key: Option<String>,

    /// Addresses that may call webhooks and media sockets: CIDR blocks, comma-separated [default: any].
    #[arg(long, env = "ALLOWED_IPS", hide_env_values = true, value_name = "CIDRS")]
    pub allowed_ips: Option<String>,

    /// Proxies whose X-Forwarded-For is believed: CIDR blocks, comma-separated [default: none].
    #[arg(long, env = "TRUSTED_PROXIES", hide_env_values = true, value_name = "CIDRS")]
    pub trusted_proxies: Option<String>,

    /// A webhook is answered within this many ms, whatever the database does.
    #[arg(long, env = "WEBHOOK_DEADLINE_MS", hide_env_values = true, value_name = "MS", default_value = WEBHOOK_DEADLINE_MS)]
    pub webhook_deadline_ms: String,

    /// Where recordings are kept: file://FOLDER, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix.
    #[arg(long, env = "RECORDINGS_URL", hide_env_values = true, value_name = "URL", default_value = RECORDINGS_URL)]
    pub recordings_url: String,

    /// Folder of our own recordings until they are stored: on a local disk, one that outlives the process, 115 MB an hour of call at 8 kHz.
    #[arg(long, env = "SPOOL_DIR", hide_env_values = true, value_name = "FOLDER", default_value = SPOOL_DIR)]
    pub spool_dir: String,

    /// What our own recordings are kept as: opus, wav (G.711, four times as large), or auto, which is opus, and wav while the disk of SPOOL_DIR would be full before all that waits is encoded.
    #[arg(long, env = "RECORDING_FORMAT", hide_env_values = true, value_name = "FORMAT", default_value = RECORDING_FORMAT)]
    pub recording_format: String,

    /// Folder of clients' fixed sentences as audio, up to 256 MiB: what is lost is made again.
    #[arg(long, env = "CLIPS_DIR", hide_env_values = true, value_name = "FOLDER", default_value = CLIPS_DIR)]
    pub clips_dir: String,

    /// Hosts a RecordingUrl may point to, comma-separated: name or name:port, subdomains included, or name/path/, which is that host alone and what lies below the path; https only, save for this machine (localhost, 127.0.0.1) and PRIVATE_HOSTS.
    #[arg(long, env = "RECORDING_HOSTS", hide_env_values = true, value_name = "HOSTS", default_value = RECORDING_HOSTS)]
    pub recording_hosts: String,

    /// Private hosts that clients' URLs (events, recordings) may point to, over plain http too: host, host:port or CIDR, comma-separated; all else is https to public addresses [default: none].
    #[arg(long, env = "PRIVATE_HOSTS", hide_env_values = true, value_name = "HOSTS")]
    pub private_hosts: Option<String>,

    /// Largest recording that is fetched, MiB.
    #[arg(long, env = "RECORDING_MAX_MIB", hide_env_values = true, value_name = "MIB", default_value = RECORDING_MAX_MIB)]
    pub recording_max_mib: String,

    /// Name of this node among those that share the database; jobs that need a file of this machine are bound to it [default: the host's name].
    #[arg(long, env = "NODE_NAME", hide_env_values = true, value_name = "NAME")]
    pub node_name: Option<String>,

    /// Live calls on this node.
    #[arg(long, env = "MAX_CALLS", hide_env_values = true, value_name = "COUNT", default_value = MAX_CALLS)]
    pub max_calls: String,

    /// Longest call, s. The same on all gateways of a database: they end what is older and nobody has any more.
    #[arg(long, env = "MAX_CALL_SECS", hide_env_values = true, value_name = "SECONDS", default_value = MAX_CALL_SECS)]
    pub max_call_secs: String,

    /// How long SIGTERM waits for live calls, s.
    #[arg(long, env = "DRAIN_SECS", hide_env_values = true, value_name = "SECONDS", default_value = DRAIN_SECS)]
    pub drain_secs: String,

    /// Address of a listener of operators' own, which takes /api and /metrics off the public port [default: 127.0.0.1 once ADMIN_PORT is set].
    #[arg(long, env = "ADMIN_HOST", hide_env_values = true, value_name = "ADDRESS")]
    pub admin_host: Option<String>,

    /// Port of that listener; 0 takes a free one [default: none, and /api and /metrics are on the public port].
    #[arg(long, env = "ADMIN_PORT", hide_env_values = true, value_name = "PORT")]
    pub admin_port: Option<String>,

    /// Bearer token of /api, and of /metrics where others reach it, 16 characters or more; without it /api answers 403.
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub admin_token: Option<String>,

    /// Phone numbers in the audit log: full (as they came), masked (the last two digits) or none.
    #[arg(long, env = "AUDIT_NUMBERS", hide_env_values = true, value_name = "POLICY", default_value = AUDIT_NUMBERS)]
    pub audit_numbers: String,

    /// What a log line looks like: auto (pretty on a terminal, else json), pretty or json.
    #[arg(long, env = "LOG_FORMAT", hide_env_values = true, value_name = "FORMAT", default_value = LOG_FORMAT)]
    pub log_format: String,

    /// What is logged: off, error, warn, info, debug, trace, or directives such as info,supervisor=debug. Libraries are not asked for more than info: below it they show keys and bodies.
    #[arg(long, env = "RUST_LOG", hide_env_values = true, value_name = "FILTER", default_value = RUST_LOG)]
    pub rust_log: String,

    /// What clients' secrets are sealed with.
    #[command(flatten)]
    pub seal: SealArgs,

    /// The text model that finds out what came of calls.
    #[command(flatten)]
    pub outcome: OutcomeArgs,

    /// Where traces are told.
    #[command(flatten)]
    pub otel: OtelArgs,

    /// Secrets that are held in files.
    #[command(flatten)]
    pub files: SecretFiles,
}
