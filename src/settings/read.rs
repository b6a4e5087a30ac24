//! From words to values.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use protocol::ids::Secret;
use protocol::realtime::event::AudioFormat;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::args::{self, SettingsArgs};
use super::{
    CallSettings, ExotelSettings, LogSettings, ModelSettings, Need, RecordingSettings, Settings, SettingsError,
    SettingsErrors, WebhookSettings, files, listen, secrets,
};
use crate::address::Cidr;
use crate::audit::AuditNumbers;
use crate::calls::writer::{DEFAULT_MODEL, Prices};
use crate::http::auth::AuthMethod;
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
    let filled = args.filled(&mut wrong);
    let read = whole(&filled, serving, &mut wrong);
    wrong.or(read)
}

pub(super) fn whole(args: &SettingsArgs, serving: bool, wrong: &mut SettingsErrors) -> Option<Settings> {
    let http = listen::http(args, wrong);
    let ways = wrong.take(ways(args));
    let model = model(args, wrong);
    if serving {
        let need = Need {
            ways: ways.as_deref().unwrap_or_default(),
            // A file that cannot be read is told as that.
            key: set(&args.webhook_key).is_some() || args.files.webhook_key_file.is_some(),
            api_key: set(&args.exotel_api_key).is_some(),
            api_token: set(&args.exotel_api_token).is_some() || args.files.exotel_api_token_file.is_some(),
            model: args.files.openai_api_key_file.is_some() || may_have_a_model(args),
        };
        wrong.extend(need.missing());
    }
    let webhooks = webhooks(args, ways, wrong);
    let database = wrong.take(database(&args.database_url, &None));
    let prices = wrong.take(prices(args));
    let private_hosts = wrong.take(private_hosts(&args.private_hosts));
    let recordings = recordings(args, private_hosts.as_ref().unwrap_or(&PrivateHosts::default()), wrong);
    let node = wrong.take(super::node::name(set(&args.node_name)));
    let calls = calls(args, wrong);
    let admin_token = wrong.take(secrets::chosen("ADMIN_TOKEN", &args.admin_token));
    let seal = wrong.take(args.seal.read());
    let outcome = wrong.take(args.outcome.read(private_hosts.as_ref().unwrap_or(&PrivateHosts::default())));
    let traces = wrong.take(args.otel.read(node.as_deref().unwrap_or_default()));
    let audit_numbers = wrong.take(audit_numbers(args));
    let log = log(args, wrong);
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

fn model(args: &SettingsArgs, wrong: &mut SettingsErrors) -> Option<ModelSettings> {
    let url = wrong.take(realtime_url(args));
    let audio = wrong.take(match or(&args.realtime_audio, args::REALTIME_AUDIO) {
        "pcm24k" => Ok(AudioFormat::Pcm { rate: 24_000 }),
        "pcmu" => Ok(AudioFormat::Pcmu),
        other => Err(SettingsError::new("REALTIME_AUDIO", format!("`{other}` is not known: use pcm24k or pcmu"))),
    });
    let simulated = wrong.take(simulated(args));
    let model = or(&args.realtime_model, DEFAULT_MODEL).to_owned();
    Some(ModelSettings { key: secret(&args.openai_api_key), simulated: simulated?, url: url?, model, audio: audio? })
}

fn realtime_url(args: &SettingsArgs) -> Read<Url> {
    let text = or(&args.realtime_url, args::REALTIME_URL);
    let mend = "write it as wss://host/path (or ws://)";
    let shown = redact::url(text);
    let url = Url::parse(text)
        .map_err(|error| SettingsError::new("REALTIME_URL", format!("`{shown}` is not a URL ({error}): {mend}")))?;
    if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none_or(str::is_empty) {
        return Err(SettingsError::new("REALTIME_URL", format!("`{shown}` is no WebSocket URL: {mend}")));
    }
    Ok(url)
}

fn simulated(args: &SettingsArgs) -> Read<bool> {
    match set(&args.simulated_model).unwrap_or("off") {
        "on" | "true" | "1" | "yes" => Ok(true),
        "off" | "false" | "0" | "no" => Ok(false),
        other => Err(SettingsError::new("SIMULATED_MODEL", format!("`{other}` is neither: use on or off"))),
    }
}

/// Whether calls could be answered if what is wrong were right: that is told by itself.
fn may_have_a_model(args: &SettingsArgs) -> bool {
    let simulated = simulated(args).unwrap_or(true);
    realtime_url(args).map_or(true, |url| super::is_usable(set(&args.openai_api_key).is_some(), simulated, &url))
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

fn webhooks(args: &SettingsArgs, auth: Option<Vec<AuthMethod>>, wrong: &mut SettingsErrors) -> Option<WebhookSettings> {
    let deadline_ms = or(&args.webhook_deadline_ms, args::WEBHOOK_DEADLINE_MS);
    let key = wrong.take(secrets::chosen("WEBHOOK_KEY", &args.webhook_key));
    let allowed_ips = wrong.take(blocks("ALLOWED_IPS", &args.allowed_ips));
    let trusted_proxies = wrong.take(blocks("TRUSTED_PROXIES", &args.trusted_proxies));
    let here = (listen::host(args).ok(), listen::public(args).ok());
    if let (Some(auth), (Some(host), Some(public)), Some(proxies)) = (&auth, here, &trusted_proxies) {
        wrong.take(super::open::check(auth, host, &public, proxies));
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

fn recordings(args: &SettingsArgs, private: &PrivateHosts, wrong: &mut SettingsErrors) -> Option<RecordingSettings> {
    let told = |name| move |problem: String| SettingsError::new(name, problem);
    let target = or(&args.recordings_url, args::RECORDINGS_URL).parse();
    let target = wrong.take(target.map_err(told("RECORDINGS_URL")));
    let hosts = or(&args.recording_hosts, args::RECORDING_HOSTS).parse::<RecordingHosts>();
    let hosts = wrong.take(hosts.map_err(told("RECORDING_HOSTS")));
    let max_mib = number("RECORDING_MAX_MIB", or(&args.recording_max_mib, args::RECORDING_MAX_MIB), 1, 1 << 20);
    let max_mib: Option<u64> = wrong.take(max_mib);
    let spool = PathBuf::from(or(&args.spool_dir, args::SPOOL_DIR));
    let format = or(&args.recording_format, args::RECORDING_FORMAT).parse();
    let format = wrong.take(format.map_err(told("RECORDING_FORMAT")));
    let hosts = hosts.map(|hosts| hosts.with_private(private));
    Some(RecordingSettings { target: target?, spool, format: format?, hosts: hosts?, max_bytes: max_mib? << 20 })
}

fn audit_numbers(args: &SettingsArgs) -> Read<AuditNumbers> {
    match or(&args.audit_numbers, args::AUDIT_NUMBERS) {
        "full" => Ok(AuditNumbers::Full),
        "masked" => Ok(AuditNumbers::Masked),
        "none" => Ok(AuditNumbers::None),
        other => Err(SettingsError::new("AUDIT_NUMBERS", format!("`{other}` is not known: use full, masked or none"))),
    }
}

fn log(args: &SettingsArgs, wrong: &mut SettingsErrors) -> Option<LogSettings> {
    let format = wrong.take(match or(&args.log_format, args::LOG_FORMAT) {
        "auto" => Ok(LogFormat::Auto),
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        other => Err(SettingsError::new("LOG_FORMAT", format!("`{other}` is not known: use auto, pretty or json"))),
    });
    let filter = or(&args.rust_log, args::RUST_LOG);
    let filter = wrong.take(EnvFilter::try_new(filter).map(|_| filter.to_owned()).map_err(|_| {
        let problem =
            format!("`{filter}` is no filter: use a level such as info, or directives such as info,supervisor=debug");
        SettingsError::new("RUST_LOG", problem)
    }));
    Some(LogSettings { format: format?, filter: filter? })
}

/// What is set; empty counts as not set.
pub(super) fn set(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// What is set, else the default.
pub(super) fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
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

pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    name: &'static str,
    text: &str,
    least: T,
    most: T,
) -> Read<T> {
    let within = text.parse().ok().filter(|number| *number >= least && *number <= most);
    within.ok_or_else(|| {
        SettingsError::new(name, format!("`{text}` will not do: give a whole number from {least} to {most}"))
    })
}

fn secs(name: &'static str, text: &str, least: u64) -> Read<Duration> {
    number(name, text, least, DAY_SECS).map(Duration::from_secs)
}
