use std::time::Duration;

use clap::Parser;

use super::*;
use crate::http::public_url::UrlSource;

mod page;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: SettingsArgs,
}

fn read(words: &[&str]) -> Result<Settings, SettingsErrors> {
    let line = Line::try_parse_from(["callgate"].iter().chain(words)).unwrap();
    Settings::read(&line.settings)
}

fn refused(words: &[&str]) -> String {
    read(words).map(|_| ()).unwrap_err().to_string()
}

fn public(words: &[&str]) -> PublicUrl {
    read(words).unwrap().http.public
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let settings = read(&[]).unwrap();
    assert_eq!((settings.http.host.as_str(), settings.http.port), ("0.0.0.0", 8080));
    assert_eq!(settings.database.to_string(), "sqlite://callgate.db");
    assert_eq!(settings.model.url.as_str(), "wss://api.openai.com/v1/realtime");
    assert_eq!((settings.model.model.as_str(), settings.model.simulated), ("gpt-realtime-2.1", false));
    assert_eq!(settings.model.audio, AudioFormat::Pcm { rate: 24_000 });
    assert_eq!(settings.webhooks.auth, [AuthMethod::Signature]);
    assert_eq!(settings.webhooks.deadline, Duration::from_millis(2000));
    assert_eq!(settings.recordings.target, RecordingTarget::Folder(PathBuf::from("./recordings")));
    assert_eq!(settings.recordings.hosts.check_text("https://recordings.exotel.com/a.mp3"), Ok(()));
    assert_eq!(settings.recordings.max_bytes, 512 << 20);
    let hour = Duration::from_secs(3300);
    assert_eq!(settings.calls, CallSettings { max_calls: 1000, max_call: hour, drain: hour });
    assert_eq!((settings.log.format, settings.log.filter.as_str()), (LogFormat::Auto, "info"));
}

#[test]
fn an_empty_setting_counts_as_not_set() {
    let settings =
        read(&["--port=", "--webhook-key= ", "--database-url=", "--public-base-url=", "--simulated-model="]).unwrap();
    assert_eq!(settings.http.port, 8080);
    assert!(settings.webhooks.key.is_none() && !settings.model.simulated);
    assert_eq!(settings.http.public.source(), UrlSource::Fallback);
}

#[test]
fn the_public_url_is_what_was_set_or_railways_or_this_machine() {
    let set = ["--public-base-url", "https://calls.example/eu/", "--railway-public-domain", "x.up.railway.app"];
    assert_eq!(public(&set).source(), UrlSource::PublicBaseUrl);
    assert_eq!(public(&set).stream_url("/exotel/media/t"), "wss://calls.example/eu/exotel/media/t");
    assert_eq!(public(&set).page_url("exotel/call-start"), "https://calls.example/eu/exotel/call-start");
    assert_eq!(public(&set[2..]).stream_url("exotel/media/t"), "wss://x.up.railway.app/exotel/media/t");
    assert_eq!(public(&set[2..]).source(), UrlSource::RailwayPublicDomain);
    let mut fallback = public(&["--port", "0"]);
    fallback.bound_to(4321);
    assert_eq!(fallback.stream_url("m"), "ws://localhost:4321/m");
    let mut set = public(&["--public-base-url", "http://10.0.0.1:81"]);
    set.bound_to(4321);
    assert_eq!(set.stream_url("m"), "ws://10.0.0.1:81/m");
}

#[test]
fn a_wrong_setting_is_named_with_its_mend_on_one_line() {
    let cases: [(&[&str], &str, &str); 27] = [
        (&["--port", "80x"], "PORT", "from 0 to 65535"),
        (&["--port", "65536"], "PORT", "from 0 to 65535"),
        (&["--host", "http://a"], "HOST", "0.0.0.0"),
        (&["--workers", "0"], "WORKERS", "from 1"),
        (&["--public-base-url", "calls.example"], "PUBLIC_BASE_URL", "https://host"),
        (&["--public-base-url", "ftp://calls.example"], "PUBLIC_BASE_URL", "neither http nor https"),
        (&["--public-base-url", "https://"], "PUBLIC_BASE_URL", "https://host"),
        (&["--public-base-url", "https://a.example/?x=1"], "PUBLIC_BASE_URL", "query"),
        (&["--railway-public-domain", "https://x"], "RAILWAY_PUBLIC_DOMAIN", "bare domain"),
        (&["--database-url", "mysql://x"], "DATABASE_URL", "sqlite://"),
        (&["--database-url", "sqlite://:memory:"], "DATABASE_URL", "name a file"),
        (&["--realtime-url", "https://api.openai.com"], "REALTIME_URL", "wss://"),
        (&["--realtime-audio", "opus"], "REALTIME_AUDIO", "pcm24k or pcmu"),
        (&["--simulated-model=maybe"], "SIMULATED_MODEL", "on or off"),
        (&["--webhook-auth", "hmac"], "WEBHOOK_AUTH", "signature, key, basic or none"),
        (&["--webhook-auth", ","], "WEBHOOK_AUTH", "signature, key, basic or none"),
        (&["--webhook-auth", "key,none"], "WEBHOOK_AUTH", "HOST=127.0.0.1"),
        (&["--allowed-ips", "10.0.0.0/33"], "ALLOWED_IPS", "CIDR"),
        (&["--trusted-proxies", "proxy"], "TRUSTED_PROXIES", "CIDR"),
        (&["--webhook-deadline-ms", "0"], "WEBHOOK_DEADLINE_MS", "from 1"),
        (&["--recording-format", "mp3"], "RECORDING_FORMAT", "auto, opus or wav"),
        (&["--recordings-url", "/var/rec"], "RECORDINGS_URL", "file://"),
        (&["--recordings-url", "s3:///x"], "RECORDINGS_URL", "s3://bucket"),
        (&["--recording-hosts", "https://exotel.com"], "RECORDING_HOSTS", "exotel.com"),
        (&["--max-calls", "-1"], "MAX_CALLS", "from 1"),
        (&["--log-format", "xml"], "LOG_FORMAT", "auto, pretty or json"),
        (&["--rust-log", "a=b=c"], "RUST_LOG", "info"),
    ];
    for (words, name, mend) in cases {
        let line: Vec<String> = match words {
            [flag, value] => vec![format!("{flag}={value}")],
            other => other.iter().map(ToString::to_string).collect(),
        };
        let error = refused(&line.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(mend), "{words:?}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn anybody_is_let_in_on_loopback_only() {
    for host in ["127.0.0.1", "localhost", "::1", "[::1]"] {
        assert_eq!(
            read(&["--host", host, "--webhook-auth", "none"]).unwrap().webhooks.auth,
            [AuthMethod::None],
            "{host}"
        );
    }
    for host in ["0.0.0.0", "::", "10.0.0.1", "localhost.example"] {
        assert!(refused(&["--host", host, "--webhook-auth", "none"]).starts_with("WEBHOOK_AUTH: "), "{host}");
    }
    // A proxy on this machine has the world behind it.
    let here = ["--host", "127.0.0.1", "--webhook-auth", "key,none"];
    for outside in [
        ["--public-base-url", "https://gateway.example.com"],
        ["--public-base-url", "http://10.0.0.1:8080"],
        ["--railway-public-domain", "x.up.railway.app"],
        ["--trusted-proxies", "127.0.0.1"],
    ] {
        assert!(refused(&[&here[..], &outside].concat()).starts_with("WEBHOOK_AUTH: `none`"), "{outside:?}");
    }
    for inside in ["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000/x"] {
        assert!(read(&[&here[..], &["--public-base-url", inside]].concat()).is_ok(), "{inside}");
    }
}

#[test]
fn operators_have_a_listener_of_their_own_when_they_ask_for_one() {
    assert_eq!(read(&[]).unwrap().http.operators, None);
    let operators = |words: &[&str]| read(words).unwrap().http.operators;
    assert_eq!(operators(&["--admin-port", "9090"]), Some(("127.0.0.1".to_owned(), 9090)));
    assert_eq!(operators(&["--admin-host", "10.0.0.1", "--admin-port", "9090"]), Some(("10.0.0.1".to_owned(), 9090)));
    assert!(refused(&["--admin-host", "10.0.0.1"]).starts_with("ADMIN_PORT: "));
    assert!(refused(&["--admin-port", "x"]).starts_with("ADMIN_PORT: "));
    assert!(refused(&["--admin-host", "a b", "--admin-port", "1"]).starts_with("ADMIN_HOST: "));
}

#[test]
fn serving_needs_the_secrets_of_its_ways_and_a_model() {
    let missing = |words: &[&str]| -> Vec<&str> {
        let missing = read(words).unwrap().check_serving().err().unwrap_or_default();
        let line = Line::try_parse_from(["callgate"].iter().chain(words)).unwrap();
        assert_eq!(Settings::read_to_serve(&line.settings).err().unwrap_or_default(), missing);
        missing.iter().map(|error| error.name).collect()
    };
    let model = "--simulated-model";
    assert_eq!(missing(&[]), ["EXOTEL_API_TOKEN", "OPENAI_API_KEY"]);
    assert_eq!(missing(&[model]), ["EXOTEL_API_TOKEN"]);
    assert_eq!(missing(&[model, "--webhook-auth", "key"]), ["WEBHOOK_KEY"]);
    assert_eq!(missing(&[model, "--webhook-auth", "basic"]), ["EXOTEL_API_KEY", "EXOTEL_API_TOKEN"]);
    assert_eq!(missing(&[model, "--webhook-auth", "basic", "--exotel-api-key", "k"]), ["EXOTEL_API_TOKEN"]);
    let all = ["EXOTEL_API_KEY", "EXOTEL_API_TOKEN", "WEBHOOK_KEY", "OPENAI_API_KEY"];
    assert_eq!(missing(&["--webhook-auth", "signature,key,basic"]), all);
    let key = ["--webhook-auth", "key", "--webhook-key", "sixteen-letters-"];
    assert_eq!(missing(&key), ["OPENAI_API_KEY"]);
    for model in
        [&["--simulated-model"][..], &["--openai-api-key", "k"], &["--realtime-url", "ws://localhost:9/v1/realtime"]]
    {
        assert!(missing(&[&key[..], model].concat()).is_empty(), "{model:?}");
    }
}

#[test]
fn no_secret_is_shown() {
    let words = [
        ["--openai-api-key", "hush"],
        ["--exotel-api-token", "hush"],
        ["--webhook-key", "hush-hush-lullaby"],
        ["--admin-token", "hush-hush-lullaby"],
        ["--database-url", "postgres://me:hush@db/x"],
    ];
    assert!(!format!("{:?}", read(&words.concat()).unwrap()).contains("hush"));
    for (flag, url) in [
        ("--public-base-url", "https://me:hush@x.example"),
        ("--public-base-url", "https//me:hush@x.example"),
        ("--public-base-url", "ftp://x.example/?token=hush"),
        ("--railway-public-domain", "https://me:hush@x.example"),
        ("--realtime-url", "https://me:hush@x.example/?api-key=hush"),
        ("--realtime-url", "wss//me:hu?hush@x.example"),
        ("--database-url", "postgres:me:hush@db/x"),
        ("--database-url", "postgres://me:hush@db/x?sslmode=hush"),
        ("--recordings-url", "s3://me:hush@bucket/prefix"),
        ("--recordings-url", "https://me:hush@bucket/prefix?hush"),
        ("--prices", "https://me:hush@x.example/prices.json"),
        ("--host", "http://me:hush@x"),
    ] {
        let error = refused(&[flag, url]);
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn all_that_is_wrong_or_missing_is_told_at_once() {
    let words =
        ["--port", "x", "--webhook-auth", "key", "--webhook-key", "short", "--max-calls", "0", "--allowed-ips", "y"];
    let line = Line::try_parse_from(["callgate"].iter().chain(&words)).unwrap();
    let wrong = Settings::read_to_serve(&line.settings).unwrap_err();
    let names: Vec<&str> = wrong.iter().map(|error| error.name).collect();
    assert_eq!(names, ["PORT", "OPENAI_API_KEY", "WEBHOOK_KEY", "ALLOWED_IPS", "MAX_CALLS"]);
    let told = wrong.to_string();
    assert!(told.lines().zip(&names).all(|(line, name)| line.starts_with(&format!("{name}: "))), "{told}");
}

#[test]
fn secrets_may_lie_in_files() {
    let folder = std::env::temp_dir().join(format!("callgate-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let (key, url) = (file("key", "sixteen-letters-\n"), file("url", "postgres://me:hush@db/x\r\n"));
    let settings = read(&["--webhook-key-file", &key, "--database-url-file", &url]).unwrap();
    assert_eq!(settings.webhooks.key.unwrap().reveal(), "sixteen-letters-");
    assert_eq!(settings.database.to_string(), "postgres://db/x");
    for (words, told) in [
        (&["--admin-token-file", &*file("short", "hush\n")][..], "ADMIN_TOKEN: can be guessed: its length is 4"),
        (&["--admin-token-file", &file("empty", "\n")], "is empty"),
        (&["--admin-token-file", &file("lines", "hush\nhush\n")], "more than one line"),
        (&["--admin-token-file", "/nowhere/hush"], "ADMIN_TOKEN_FILE: /nowhere/hush cannot be read"),
        (&["--webhook-key-file", &key, "--webhook-key", "sixteen-letters-"], "WEBHOOK_KEY_FILE: is set, and so is"),
    ] {
        let error = refused(words);
        assert!(error.contains(told), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_example_names_every_setting_with_its_default() {
    let example = include_str!("../../.env.example");
    let told: std::collections::BTreeMap<&str, &str> =
        example.lines().filter_map(|line| line.strip_prefix("# ")?.split_once('=')).collect();
    let command = <SettingsArgs as clap::Args>::augment_args(clap::Command::new("serve"));
    let mut settings = 0;
    for setting in command.get_arguments() {
        let Some(name) = setting.get_env().and_then(|name| name.to_str()) else { continue };
        let default = setting.get_default_values().first().and_then(|value| value.to_str()).unwrap_or_default();
        assert_eq!(told.get(name), Some(&default), "{name} in .env.example");
        settings += 1;
    }
    let named = told.keys().filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')).count();
    assert_eq!(named, settings, ".env.example names a setting that is none");
}
