//! `callgate config`: what each setting is, where that came from, and no secret.

use serde_json::Value;

use crate::commands::Folder;

/// A setting's source and value, of what people are shown.
fn row<'a>(shown: &'a str, name: &str) -> (&'a str, &'a str) {
    let line = shown.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name}: {shown}")).trim_start();
    let (source, value) = line[name.len()..].trim_start().split_once("  ").unwrap();
    (source, value.trim_start())
}

#[test]
fn each_setting_is_shown_with_its_value_and_where_that_came_from() {
    let folder = Folder::new();
    std::fs::write(folder.0.join(".env"), "PORT=9000\nMAX_CALLS=5\nWEBHOOK_KEY=sixteen-letters-\nLOG_FORMAT=\n")
        .unwrap();
    std::fs::write(folder.0.join("admin"), "sixteen-letters-\n").unwrap();
    std::fs::write(folder.0.join("database"), "postgres://me:hush@db/x\n").unwrap();
    let words = ["config", "--host", "127.0.0.1", "--spool-dir", "/var/spool/a b", "--simulated-model"];
    let mut command = folder.command(&words);
    command.env("MAX_CALLS", "7").env("ADMIN_TOKEN_FILE", "admin").env("DATABASE_URL_FILE", "database");
    let output = command.env("ADMIN_PORT", "9090").env("DRAIN_SECS", " ").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    for (name, source, value) in [
        ("HOST", "flag", "127.0.0.1"),
        ("PORT", ".env", "9000"),
        ("MAX_CALLS", "environment", "7"),
        ("DRAIN_SECS", "default", "3300"),
        ("LOG_FORMAT", "default", "auto"),
        ("SPOOL_DIR", "flag", "/var/spool/a b"),
        ("SIMULATED_MODEL", "flag", "on"),
        ("WEBHOOK_KEY", ".env", "set"),
        ("OPENAI_API_KEY", "default", "not set"),
        ("ADMIN_TOKEN", "ADMIN_TOKEN_FILE", "set"),
        ("ADMIN_TOKEN_FILE", "environment", "admin"),
        ("DATABASE_URL", "DATABASE_URL_FILE", "postgres://db/x"),
        // What is made of other settings, or of the machine.
        ("PUBLIC_BASE_URL", "default", "http://localhost:9000"),
        ("ADMIN_HOST", "default", "127.0.0.1"),
        ("NODE_NAME", "default", std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim()),
    ] {
        assert_eq!(row(&shown, name), (source, value), "{name}");
    }
    assert!(row(&shown, "WORKERS").1.parse::<u32>().unwrap() > 0);
    let railway = folder.said(&["config", "--railway-public-domain", "x.up.railway.app"]);
    assert_eq!(row(&railway, "PUBLIC_BASE_URL"), ("RAILWAY_PUBLIC_DOMAIN", "https://x.up.railway.app"));
}

#[test]
fn settings_stand_in_the_order_and_under_the_headings_of_their_page() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md")).unwrap();
    let told = |line: &str| {
        let name = line.strip_prefix("| `").and_then(|rest| rest.split('`').next());
        line.strip_prefix("## ").or(name).map(str::to_owned)
    };
    let page: Vec<String> = page.lines().filter_map(told).collect();
    let shown = Folder::new().said(&["config"]);
    let line = |line: &str| {
        let heading = line.strip_prefix("  ").is_none().then(|| line.to_owned());
        heading.or_else(|| line.split_whitespace().next().map(str::to_owned))
    };
    let shown: Vec<String> = shown.lines().filter(|line| !line.is_empty()).filter_map(line).collect();
    assert!(shown == page && shown.len() > 60, "{shown:?}");
}

#[test]
fn programs_are_given_the_same_and_no_secret_is_shown_to_anybody() {
    let folder = Folder::new();
    let all: Value = serde_json::from_str(&folder.said(&["config", "--json"])).unwrap();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|setting| setting["name"].as_str().unwrap()).collect();
    // Every setting that takes words holds a secret, as it might by mistake: in a URL's credentials, and as a key or token.
    let mut command = folder.command(&["config", "--json"]);
    let mut people = folder.command(&["config"]);
    for name in names.iter().filter(|name| !name.ends_with("_FILE")) {
        let text = match *name {
            "DATABASE_URL" => "postgres://me:hush@db/x?password=hush",
            "OTEL_EXPORTER_OTLP_HEADERS" => "authorization=hush-hush",
            name if name.ends_with("_URL") || name.ends_with("ENDPOINT") => "https://me:hush@x.example/a?key=hush",
            name if ["_KEY", "_TOKEN", "_OLD", "_SECRET", "_PASSWORD"].iter().any(|end| name.ends_with(end)) => {
                "hush-hush-lullaby-of-32-characters"
            }
            _ => continue,
        };
        command.env(name, text);
        people.env(name, text);
    }
    let (json, people) = (command.output().unwrap(), people.output().unwrap());
    for bytes in [&json.stdout, &json.stderr, &people.stdout, &people.stderr] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("hush") && !text.is_empty(), "{text}");
    }
    let all: Value = serde_json::from_slice(&json.stdout).unwrap();
    let one = |name: &str| all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let token = serde_json::json!({ "name": "ADMIN_TOKEN", "value": "set", "source": "environment", "secret": true, "default": null });
    assert_eq!(one("ADMIN_TOKEN"), token);
    let port =
        serde_json::json!({ "name": "PORT", "value": "8080", "source": "default", "secret": false, "default": "8080" });
    assert_eq!(one("PORT"), port);
    assert_eq!(one("DATABASE_URL")["value"], "postgres://db/x");
    assert_eq!((&one("ALLOWED_IPS")["value"], &one("ALLOWED_IPS")["default"]), (&Value::Null, &"any".into()));
}

#[test]
fn a_setting_that_is_wrong_is_told_beside_those_that_are_right() {
    let folder = Folder::new();
    let words = ["config", "--port", "http", "--max-calls", "7", "--database-url", "host=db password=hush"];
    let output = folder.command(&words).env("ADMIN_TOKEN_FILE", "nowhere").output().unwrap();
    let (shown, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(64), "{error}");
    assert_eq!(row(&shown, "MAX_CALLS"), ("flag", "7"));
    assert_eq!(row(&shown, "PORT"), ("flag", "http  (wrong)"));
    assert_eq!(row(&shown, "DATABASE_URL"), ("flag", "set  (wrong)"));
    assert_eq!(row(&shown, "ADMIN_TOKEN"), ("ADMIN_TOKEN_FILE", "not set"));
    assert_eq!(row(&shown, "ADMIN_TOKEN_FILE"), ("environment", "nowhere  (wrong)"));
    for (line, name) in error.lines().zip(["ADMIN_TOKEN_FILE", "PORT", "DATABASE_URL"]) {
        assert!(line.starts_with(&format!("callgate: {name}: ")), "{error}");
    }
    assert!(error.lines().count() == 3 && !format!("{shown}{error}").contains("hush"), "{shown}{error}");
}
