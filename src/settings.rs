//! Settings: read as words, checked once, then typed. What is wrong is named together with its mend.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use actors::ModelEndpoint;
use protocol::ids::Secret;
use protocol::realtime::event::AudioFormat;
use url::Url;

use crate::address::Cidr;
use crate::audit::{AuditNumbers, Secrets};
use crate::calls::writer::Prices;
use crate::http::auth::AuthMethod;
use crate::http::connections::files::open_file_warning;
use crate::http::public_url::PublicUrl;
use crate::outcomes::TextModel;
use crate::outgoing::PrivateHosts;
use crate::recordings::RecordingHosts;
use crate::recordings::format::RecordingFormat;
use crate::recordings::objects::RecordingTarget;
use crate::store::DatabaseUrl;
use crate::telemetry::LogFormat;

pub(crate) mod args;
mod effective;
mod env_file;
mod error;
mod files;
mod listed;
mod listen;
mod need;
mod node;
mod open;
mod otel;
mod outcome;
pub(crate) mod private;
mod read;
mod seal;
mod secrets;

#[cfg(test)]
mod tests;

pub(crate) use args::DATABASE_URL;
pub use args::SettingsArgs;
pub(crate) use effective::{Group, effective};
pub use env_file::{EnvFile, load_env_file};
pub use error::{SettingsError, SettingsErrors};
pub use files::SecretFiles;
pub(crate) use files::read_secret;
pub use otel::{OtelArgs, TraceSettings};
pub use outcome::OutcomeArgs;
pub(crate) use read::{database, private_hosts};
pub use seal::{SealArgs, SealSettings};

use need::Need;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens, and how it is reached.
    pub http: HttpSettings,
    /// `DATABASE_URL`.
    pub database: DatabaseUrl,
    /// The Realtime server.
    pub model: ModelSettings,
    /// `PRICES`.
    pub prices: Prices,
    /// The Exotel account.
    pub exotel: ExotelSettings,
    /// Who may call webhooks, and how soon they are answered.
    pub webhooks: WebhookSettings,
    /// Where recordings come from and go to.
    pub recordings: RecordingSettings,
    /// `CLIPS_DIR`: where the fixed sentences of clients are kept as audio.
    pub clips: PathBuf,
    /// `PRIVATE_HOSTS`: what clients may have asked although it is no public host.
    pub private_hosts: PrivateHosts,
    /// `NODE_NAME`: jobs that need what lies on this machine are bound to it.
    pub node: String,
    /// Limits on calls.
    pub calls: CallSettings,
    /// `ADMIN_TOKEN`.
    pub admin_token: Option<Secret>,
    /// `SECRETS_KEY`, and the one before it.
    pub seal: SealSettings,
    /// `OUTCOME_URL`: the text model that finds out what came of calls, if there is one.
    pub outcome: Option<TextModel>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces are told.
    pub traces: TraceSettings,
    /// `AUDIT_NUMBERS`.
    pub audit_numbers: AuditNumbers,
    /// What is logged.
    pub log: LogSettings,
}

/// Where the gateway listens, and how it is reached.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `HOST`: an address or a name.
    pub host: String,
    /// `PORT`; 0 takes a free one.
    pub port: u16,
    /// `WORKERS`.
    pub workers: NonZeroUsize,
    /// `PUBLIC_BASE_URL` or what stands in for it.
    pub public: PublicUrl,
    /// `ADMIN_HOST` and `ADMIN_PORT`: where operators are listened to, and nobody else is.
    pub operators: Option<(String, u16)>,
}

/// The Realtime server.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// `OPENAI_API_KEY`.
    pub key: Option<Secret>,
    /// `--simulated-model`.
    pub simulated: bool,
    /// `REALTIME_URL`.
    pub url: Url,
    /// `REALTIME_MODEL`.
    pub model: String,
    /// `REALTIME_AUDIO`.
    pub audio: AudioFormat,
}

/// Whether a server would answer: the usual one wants a key.
fn is_usable(has_key: bool, simulated: bool, url: &Url) -> bool {
    has_key || simulated || url.host_str() != Some("api.openai.com")
}

impl ModelSettings {
    /// Whether calls can be answered.
    fn is_usable(&self) -> bool {
        is_usable(self.key.is_some(), self.simulated, &self.url)
    }

    /// The server as the actors dial it.
    #[must_use]
    pub fn endpoint(&self) -> ModelEndpoint {
        ModelEndpoint { url: self.url.clone(), key: self.key.clone(), model: self.model.clone() }
    }
}

/// The Exotel account.
#[derive(Clone, Debug)]
pub struct ExotelSettings {
    /// `EXOTEL_API_KEY`.
    pub api_key: Option<Secret>,
    /// `EXOTEL_API_TOKEN`.
    pub api_token: Option<Secret>,
    /// `EXOTEL_ACCOUNT_SID`.
    pub account_sid: Option<String>,
}

/// Who may call webhooks, and how soon they are answered.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// `WEBHOOK_AUTH`: one of these must hold.
    pub auth: Vec<AuthMethod>,
    /// `WEBHOOK_KEY`.
    pub key: Option<Secret>,
    /// `ALLOWED_IPS`; empty: any.
    pub allowed_ips: Vec<Cidr>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<Cidr>,
    /// `WEBHOOK_DEADLINE_MS`.
    pub deadline: Duration,
}

/// Where recordings come from and go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingSettings {
    /// `RECORDINGS_URL`.
    pub target: RecordingTarget,
    /// `SPOOL_DIR`: where our own are written during a call.
    pub spool: PathBuf,
    /// `RECORDING_FORMAT`: what those become.
    pub format: RecordingFormat,
    /// `RECORDING_HOSTS`.
    pub hosts: RecordingHosts,
    /// `RECORDING_MAX_MIB`, in bytes.
    pub max_bytes: u64,
}

/// Limits on calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// `MAX_CALLS`.
    pub max_calls: usize,
    /// `MAX_CALL_SECS`.
    pub max_call: Duration,
    /// `DRAIN_SECS`.
    pub drain: Duration,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `RUST_LOG`.
    pub filter: String,
}

impl Settings {
    /// Checks every setting by itself.
    ///
    /// # Errors
    /// Names all that are wrong, and the mends.
    pub fn read(args: &SettingsArgs) -> Result<Self, SettingsErrors> {
        read::settings(args, false)
    }

    /// The same, and what `serve` needs besides: a way for webhooks to authenticate, and a model.
    ///
    /// # Errors
    /// Names all that are wrong or missing, and the mends.
    pub fn read_to_serve(args: &SettingsArgs) -> Result<Self, SettingsErrors> {
        read::settings(args, true)
    }

    /// What works, and is not as it should be: told at start and by `check`.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let files = open_file_warning(self.calls.max_calls);
        let odd = self.traces.odd.iter().cloned();
        secrets::warnings(self).chain(private::warnings(self)).chain(files).chain(odd).collect()
    }

    /// All that must not be written down.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        let Self { webhooks, exotel, model, admin_token, seal, outcome, traces, .. } = self;
        let secrets =
            [&webhooks.key, &exotel.api_token, &exotel.api_key, &model.key, admin_token, &seal.key, &seal.old];
        let of_outcomes = outcome.as_ref().and_then(|model| model.key.as_ref());
        // `Bearer` is none.
        let headers = traces.target.iter().flat_map(|target| &target.headers);
        let of_traces: Vec<Secret> =
            headers.filter_map(|(_, value)| value.reveal().split_whitespace().last()).map(Secret::new).collect();
        Secrets::new(secrets.into_iter().map(Option::as_ref).chain([of_outcomes]).chain(of_traces.iter().map(Some)))
    }

    /// Checks what `serve` needs besides settings that are right.
    ///
    /// # Errors
    /// Names the settings that are missing, and the mends.
    pub fn check_serving(&self) -> Result<(), SettingsErrors> {
        Need::of(self).missing().or(Some(()))
    }
}
