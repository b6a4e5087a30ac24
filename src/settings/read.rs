//! From words to values.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use protocol::ids::Secret;
use protocol::realtime::event::AudioFormat;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::args::{self, SettingsArgs};
use super::{
    CallSettings, ExotelSettings, HttpSettings, LogSettings, ModelSettings, Need, RecordingSettings, Settings,
    SettingsError, SettingsErrors, WebhookSettings, files, secrets,
};
use crate::address::Cidr;
use crate::audit::AuditNumbers;
use crate::calls::writer::{DEFAULT_MODEL, Prices};
use crate::http::auth::AuthMethod;
use crate::http::public_url::{PublicUrl, UrlSource};
use crate::outgoing::PrivateHosts;
use crate::recordings::RecordingHosts;
use crate::redact;
use crate::store::DatabaseUrl;
use crate::telemetry::LogFormat;

pub(super) type Read<T> = Result<T, SettingsError>;

/// A day: longer calls and drains are slips of the pen.
const DAY_SECS: u64 = 86_400;
/// Exotel gives up on a webhook after about this long.
const LONGEST_DEADLINE_MS: u64 = 15_000;

/// All settings, and with `serving` what `serve` needs besides; or all that is wrong.
pub(super) fn settings(args: &SettingsArgs, serving: bool) -> Result<Settings, SettingsErrors> {
    let mut wrong = SettingsErrors::default();
    let filled = wrong.take(args.filled());
    let read = whole(filled.as_ref().unwrap_or(args), serving, &mut wrong);
    wrong.or(read)
}

fn whole(args: &SettingsArgs, serving: bool, wrong: &mut SettingsErrors) -> Option<Settings> {
    let http = wrong.take(http(args));
    let ways = wrong.take(ways(args));
    let model = wrong.take(model(args));
    if serving {
        let need = Need {
            ways: ways.as_deref().unwrap_or_default(),
            // A file that cannot be read is told as that.
            key: set(&args.webhook_key).is_some() || args.files.webhook_key_file.is_some(),
            api_key: set(&args.exotel_api_key).is_some(),
            api_token: set(&args.exotel_api_token).is_some() || args.files.exotel_api_token_file.is_some(),
            model: args.files.openai_api_key_file.is_some() || model.as_ref().is_none_or(ModelSettings::is_usable),
        };
        wrong.extend(need.missing());
    }
    let webhooks = webhooks(args, ways, http.as_ref(), wrong);
    let database = wrong.take(database(&args.database_url, &None));
    let prices = wrong.take(prices(args));
    let private_hosts = wrong.take(private_hosts(&args.private_hosts));
    let recordings = wrong.take(recordings(args, private_hosts.as_ref().unwrap_or(&PrivateHosts::default())));
    let node = wrong.take(super::node::name(set(&args.node_name)));
    let calls = calls(args, wrong);
    let admin_token = wrong.take(secrets::chosen("ADMIN_TOKEN", &args.admin_token));
    let seal = wrong.take(args.seal.read());
    let outcome = wrong.take(args.outcome.read(private_hosts.as_ref().unwrap_or(&PrivateHosts::default())));
    let traces = wrong.take(args.otel.read(node.as_deref().unwrap_or_default()));
    let audit_numbers = wrong.take(audit_numbers(args));
    let log = wrong.take(log(args));
    Some(Settings {
        http: http?,
        database: database?,
        model: model?,
        prices: prices?,
        exotel: ExotelSettings {
            api_key: secret(&args.exotel_api_key),
            api_token: secret(&args.exotel_api_token),
            account_sid: set(&args.exotel_account_sid).map(str::to_owned),
        },
        webhooks: webhooks?,
        recordings: recordings?,
        clips: PathBuf::from(or(&args.clips_dir, args::CLIPS_DIR)),
        private_hosts: private_hosts?,
        node: node?,
        calls: calls?,
        admin_token: admin_token?,
        seal: seal?,
        outcome: outcome?,
        traces: traces?,
        audit_numbers: audit_numbers?,
        log: log?,
    })
}

fn calls(args: &SettingsArgs, wrong: &mut SettingsErrors) -> Option<CallSettings> {
    let max_calls = wrong.take(number("MAX_CALLS", or(&args.max_calls, args::MAX_CALLS), 1, 1_000_000));
    let max_call = wrong.take(secs("MAX_CALL_SECS", or(&args.max_call_secs, args::MAX_CALL_SECS), 1));
    let drain = wrong.take(secs("DRAIN_SECS", or(&args.drain_secs, args::DRAIN_SECS), 0));
    Some(CallSettings { max_calls: max_calls?, max_call: max_call?, drain: drain? })
}

/// `DATABASE_URL`, or what `DATABASE_URL_FILE` holds, checked.
pub(crate) fn database(text: &str, file: &Option<PathBuf>) -> Read<DatabaseUrl> {
    let held = files::held("DATABASE_URL_FILE", file)?;
    let text = held.as_deref().unwrap_or_else(|| or(text, args::DATABASE_URL));
    text.parse().map_err(|error| SettingsError::new("DATABASE_URL", format!("is no database: {error}")))
}

fn http(args: &SettingsArgs) -> Read<HttpSettings> {
    let host = address("HOST", or(&args.host, args::HOST))?;
    let port = number("PORT", or(&args.port, args::PORT), 0, u16::MAX)?;
    // One thread carries hundreds of calls, and each more of them wakes up more often for the same frames: the other half of
    // the cores is for the database, the kernel's network and whatever else the machine does.
    let cores = || {
        let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        NonZeroUsize::new(all.get() / 2).unwrap_or(NonZeroUsize::MIN)
    };
    let workers = match set(&args.workers) {
        Some(count) => NonZeroUsize::new(number("WORKERS", count, 1, 1024)?).unwrap_or(NonZeroUsize::MIN),
        None => cores(),
    };
    let (public, operators) = (public(args, port)?, operators(args)?);
    Ok(HttpSettings { host: host.to_owned(), port, workers, public, operators })
}

/// An address or a name to listen on.
fn address<'a>(name: &'static str, host: &'a str) -> Read<&'a str> {
    let odd = host.contains(|character: char| character.is_whitespace() || character == '/');
    let problem = || format!("`{}` is no address: give one such as 0.0.0.0 or 127.0.0.1", redact::url(host));
    if odd { Err(SettingsError::new(name, problem())) } else { Ok(host) }
}

/// The listener of operators.
fn operators(args: &SettingsArgs) -> Read<Option<(String, u16)>> {
    match (set(&args.admin_host), set(&args.admin_port)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(SettingsError::new("ADMIN_PORT", "not set, and ADMIN_HOST is: give the port as well")),
        (host, Some(port)) => {
            let host = address("ADMIN_HOST", host.unwrap_or(args::ADMIN_HOST))?;
            Ok(Some((host.to_owned(), number("ADMIN_PORT", port, 0, u16::MAX)?)))
        }
    }
}

fn public(args: &SettingsArgs, port: u16) -> Read<PublicUrl> {
    if let Some(url) = set(&args.public_base_url) {
        return PublicUrl::parse(url, UrlSource::PublicBaseUrl)
            .map_err(|why| SettingsError::new("PUBLIC_BASE_URL", why));
    }
    let railway = "RAILWAY_PUBLIC_DOMAIN";
    match set(&args.railway_public_domain) {
        Some(domain) if domain.contains("://") => Err(SettingsError::new(
            railway,
            format!("`{}` is a URL: give the bare domain, or use PUBLIC_BASE_URL", redact::url(domain)),
        )),
        Some(domain) => PublicUrl::parse(&format!("https://{domain}"), UrlSource::RailwayPublicDomain)
            .map_err(|why| SettingsError::new(railway, why)),
        None => PublicUrl::localhost(port).map_err(|why| SettingsError::new("PUBLIC_BASE_URL", why)),
    }
}

fn model(args: &SettingsArgs) -> Read<ModelSettings> {
    let text = or(&args.realtime_url, args::REALTIME_URL);
    let mend = "write it as wss://host/path (or ws://)";
    let shown = redact::url(text);
    let url = Url::parse(text)
        .map_err(|error| SettingsError::new("REALTIME_URL", format!("`{shown}` is not a URL ({error}): {mend}")))?;
    if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none_or(str::is_empty) {
        return Err(SettingsError::new("REALTIME_URL", format!("`{shown}` is no WebSocket URL: {mend}")));
    }
    let audio = match or(&args.realtime_audio, args::REALTIME_AUDIO) {
        "pcm24k" => AudioFormat::Pcm { rate: 24_000 },
        "pcmu" => AudioFormat::Pcmu,
        other => {
            return Err(SettingsError::new("REALTIME_AUDIO", format!("`{other}` is not known: use pcm24k or pcmu")));
        }
    };
    let simulated = match set(&args.simulated_model).unwrap_or("off") {
        "on" | "true" | "1" | "yes" => true,
        "off" | "false" | "0" | "no" => false,
        other => return Err(SettingsError::new("SIMULATED_MODEL", format!("`{other}` is neither: use on or off"))),
    };
    let model = or(&args.realtime_model, DEFAULT_MODEL).to_owned();
    Ok(ModelSettings { key: secret(&args.openai_api_key), simulated, url, model, audio })
}

fn prices(args: &SettingsArgs) -> Read<Prices> {
    let table = set(&args.prices).map_or_else(|| Ok(Prices::default()), Prices::read);
    table.map_err(|error| SettingsError::new("PRICES", error.to_string()))
}

fn ways(args: &SettingsArgs) -> Read<Vec<AuthMethod>> {
    let mut auth = Vec::new();
    for word in list(or(&args.webhook_auth, args::WEBHOOK_AUTH)) {
        auth.push(match word {
            "signature" => AuthMethod::Signature,
            "key" => AuthMethod::Key,
            "basic" => AuthMethod::Basic,
            "none" => AuthMethod::None,
            other => {
                let problem = format!("`{other}` is not known: use signature, key, basic or none, comma-separated");
                return Err(SettingsError::new("WEBHOOK_AUTH", problem));
            }
        });
    }
    if auth.is_empty() {
        return Err(SettingsError::new(
            "WEBHOOK_AUTH",
            "lists nothing: use signature, key, basic or none, comma-separated",
        ));
    }
    Ok(auth)
}

fn webhooks(
    args: &SettingsArgs,
    auth: Option<Vec<AuthMethod>>,
    http: Option<&HttpSettings>,
    wrong: &mut SettingsErrors,
) -> Option<WebhookSettings> {
    let deadline_ms = or(&args.webhook_deadline_ms, args::WEBHOOK_DEADLINE_MS);
    let key = wrong.take(secrets::chosen("WEBHOOK_KEY", &args.webhook_key));
    let allowed_ips = wrong.take(blocks("ALLOWED_IPS", &args.allowed_ips));
    let trusted_proxies = wrong.take(blocks("TRUSTED_PROXIES", &args.trusted_proxies));
    if let (Some(auth), Some(http), Some(proxies)) = (&auth, http, &trusted_proxies) {
        wrong.take(super::open::check(auth, http, proxies));
    }
    let deadline = wrong.take(number("WEBHOOK_DEADLINE_MS", deadline_ms, 1, LONGEST_DEADLINE_MS));
    Some(WebhookSettings {
        auth: auth?,
        key: key?,
        allowed_ips: allowed_ips?,
        trusted_proxies: trusted_proxies?,
        deadline: Duration::from_millis(deadline?),
    })
}

/// `PRIVATE_HOSTS`, checked.
pub(crate) fn private_hosts(text: &Option<String>) -> Read<PrivateHosts> {
    let hosts = set(text).unwrap_or_default().parse();
    hosts.map_err(|problem: String| SettingsError::new("PRIVATE_HOSTS", problem))
}

fn recordings(args: &SettingsArgs, private: &PrivateHosts) -> Read<RecordingSettings> {
    let target = or(&args.recordings_url, args::RECORDINGS_URL).parse();
    let target = target.map_err(|problem: String| SettingsError::new("RECORDINGS_URL", problem))?;
    let hosts = or(&args.recording_hosts, args::RECORDING_HOSTS).parse::<RecordingHosts>();
    let hosts = hosts.map_err(|problem| SettingsError::new("RECORDING_HOSTS", problem))?.with_private(private);
    let max_mib = number("RECORDING_MAX_MIB", or(&args.recording_max_mib, args::RECORDING_MAX_MIB), 1, 1 << 20)?;
    let spool = PathBuf::from(or(&args.spool_dir, args::SPOOL_DIR));
    let format = or(&args.recording_format, args::RECORDING_FORMAT).parse();
    let format = format.map_err(|problem: String| SettingsError::new("RECORDING_FORMAT", problem))?;
    Ok(RecordingSettings { target, spool, format, hosts, max_bytes: max_mib << 20 })
}

fn audit_numbers(args: &SettingsArgs) -> Read<AuditNumbers> {
    match or(&args.audit_numbers, args::AUDIT_NUMBERS) {
        "full" => Ok(AuditNumbers::Full),
        "masked" => Ok(AuditNumbers::Masked),
        "none" => Ok(AuditNumbers::None),
        other => Err(SettingsError::new("AUDIT_NUMBERS", format!("`{other}` is not known: use full, masked or none"))),
    }
}

fn log(args: &SettingsArgs) -> Read<LogSettings> {
    let format = match or(&args.log_format, args::LOG_FORMAT) {
        "auto" => LogFormat::Auto,
        "pretty" => LogFormat::Pretty,
        "json" => LogFormat::Json,
        other => {
            return Err(SettingsError::new("LOG_FORMAT", format!("`{other}` is not known: use auto, pretty or json")));
        }
    };
    let filter = or(&args.rust_log, args::RUST_LOG);
    if EnvFilter::try_new(filter).is_err() {
        let problem =
            format!("`{filter}` is no filter: use a level such as info, or directives such as info,supervisor=debug");
        return Err(SettingsError::new("RUST_LOG", problem));
    }
    Ok(LogSettings { format, filter: filter.to_owned() })
}

/// What is set; empty counts as not set.
pub(super) fn set(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// What is set, else the default.
fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.trim().is_empty() { default } else { text.trim() }
}

fn secret(text: &Option<String>) -> Option<Secret> {
    set(text).map(Secret::new)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn blocks(name: &'static str, text: &Option<String>) -> Read<Vec<Cidr>> {
    let parse = |word: &str| word.parse().map_err(|error| SettingsError::new(name, format!("{error}")));
    list(set(text).unwrap_or_default()).map(parse).collect()
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(name: &'static str, text: &str, least: T, most: T) -> Read<T> {
    let within = text.parse().ok().filter(|number| *number >= least && *number <= most);
    within.ok_or_else(|| {
        SettingsError::new(name, format!("`{text}` will not do: give a whole number from {least} to {most}"))
    })
}

fn secs(name: &'static str, text: &str, least: u64) -> Read<Duration> {
    number(name, text, least, DAY_SECS).map(Duration::from_secs)
}
