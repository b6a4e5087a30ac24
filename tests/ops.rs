//! What `ops/` and the runbooks say is so: alerts have pages, pages have commands that run, and rules name metrics that there are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

#[path = "support/account.rs"]
mod account;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;

use process::TestProcess;

const RULES: &str = "ops/prometheus/callgate.rules.yml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands behind each `KEY:` of the rules.
fn values<'a>(rules: &'a str, key: &str) -> Vec<&'a str> {
    let found = rules.lines().filter_map(|line| Some(line.split_once(key)?.1.trim()));
    found.map(|value| value.split([' ', ',']).next().unwrap()).collect()
}

fn pages() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_alert_has_a_page_that_names_it_and_every_page_is_some_alerts() {
    let rules = read(RULES);
    let (alerts, runbooks) = (values(&rules, "alert:"), values(&rules, "runbook:"));
    assert_eq!((alerts.len(), alerts.len() > 10), (runbooks.len(), true), "each has one");
    for (alert, page) in alerts.iter().zip(&runbooks) {
        assert!(read(page).contains(&format!("`{alert}`")), "{page} does not name {alert}");
    }
    let linked: BTreeSet<PathBuf> = runbooks.iter().map(|page| root().join(page)).collect();
    assert_eq!(linked, pages().into_iter().collect());
    let cases = read("ops/prometheus/callgate.test.yml");
    for alert in alerts {
        assert!(cases.contains(&format!("alertname: {alert}")), "no case has {alert}");
    }
}

/// Each staged incident (`tests/calls/incidents.rs`), an alert that it sets off, and what of its page leads to the cause.
const INCIDENTS: [(&str, &str, &str); 14] = [
    ("slow model", "CallgateAnsweredLate", "callgate why CALL_SID"),
    ("slow network", "CallgateAnsweredLate", "callgate why CALL_SID"),
    ("slow tool", "CallgateDeadAir", "callgate why CALL_SID"),
    ("slow us", "CallgateStalls", "callgate why CALL_SID"),
    ("lossy carrier", "CallgateLineLoses", "callgate why CALL_SID"),
    ("deaf model", "CallgateDeadAir", "callgate why CALL_SID"),
    ("deaf model, few calls", "CallgateModelSilent", "callgate why CALL_SID"),
    ("refused key", "CallgateModelRefuses", "OPENAI_API_KEY"),
    ("rate limit", "CallgateModelFails", "rate_limit_exceeded"),
    ("expired session", "CallgateModelLost", "callgate why CALL_SID"),
    ("panic", "CallgateRestarts", "callgate why CALL_SID"),
    ("full disk of recordings", "CallgateSpoolNearlyFull", "df -h"),
    ("full disk of the database", "CallgateAuditLag", "full disk"),
    ("database away", "CallgateTurnsCallersAway", "database.md"),
];

#[test]
fn whoever_reads_the_alert_of_an_incident_and_its_page_is_led_to_its_cause() {
    let rules = read(RULES);
    let pages: Vec<(&str, &str)> = values(&rules, "alert:").into_iter().zip(values(&rules, "runbook:")).collect();
    for (incident, alert, leads) in INCIDENTS {
        let (_, page) =
            pages.iter().find(|(name, _)| *name == alert).unwrap_or_else(|| panic!("{incident}: no {alert}"));
        let text = read(page);
        assert!(text.contains(leads), "{incident}: {page} has no `{leads}`");
        let looks =
            text.split("```").nth(1).unwrap_or_default().lines().filter(|line| !line.is_empty() && *line != "sh");
        assert!(looks.count() >= 3, "{page}: three commands");
    }
}

#[test]
fn rules_name_metrics_that_there_are() {
    let (rules, ours) = (read(RULES), read("src/telemetry/help.rs") + &read("src/telemetry/process.rs"));
    let named = rules.lines().filter(|line| !line.trim_start().starts_with(['#', '-'])).flat_map(|line| {
        line.split(|character: char| !character.is_ascii_alphanumeric() && character != '_' && character != ':')
    });
    let named: BTreeSet<&str> =
        named.filter(|word| word.starts_with("callgate_") || word.starts_with("process_")).collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(ours.contains(&format!("\"{base}\"")), "{name}");
    }
}

#[test]
fn every_command_of_a_runbook_runs_as_it_stands() {
    let folder = std::env::temp_dir().join(format!("callgate-ops-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(words).current_dir(&folder).env_clear().output().unwrap()
    };
    assert!(run(&["client", "list"]).status.success(), "the database is made");
    let mut ran = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
        assert!(!blocks.is_empty(), "{}: nothing to look at", page.display());
        let lines = blocks.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("callgate "));
        for line in lines {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words == ["check"] {
                // It wants the settings of a gateway.
                words.push("--help");
            }
            let output = run(&words);
            let code = if words.contains(&"CALL_SID") { 1 } else { 0 };
            assert_eq!(output.status.code(), Some(code), "{}: {line}: {output:?}", page.display());
            ran += 1;
        }
    }
    assert!(ran > 12, "{ran}");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn tool(what: &str) -> Output {
    // Two tests at once would unpack the same package twice.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap();
    Command::new(root().join("tools/prometheus.sh")).arg(what).output().unwrap()
}

/// Where Prometheus is, or none, which is told.
fn prometheus(test: &str) -> Option<PathBuf> {
    let found = tool("bin");
    if found.status.success() {
        return Some(PathBuf::from(String::from_utf8(found.stdout).unwrap().trim()));
    }
    // Past the harness, which keeps what a test prints that does not fail.
    let why = String::from_utf8_lossy(&found.stderr).into_owned();
    let mut past = std::io::stderr();
    writeln!(past, "SKIPPED test {test}: {}", why.trim()).unwrap();
    None
}

#[test]
fn prometheus_takes_the_rules_and_their_cases_hold() {
    if prometheus("prometheus_takes_the_rules_and_their_cases_hold").is_some() {
        let checked = tool("rules");
        let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}");
    }
}

/// A process that is gone with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every query of the dashboard, with what a viewer fills in.
fn queries() -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&read("ops/grafana/callgate.json")).unwrap();
    let panels = board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let of = |panel: &Value| -> Vec<(String, String)> {
        let title = panel["title"].as_str().unwrap().to_owned();
        assert!(
            panel["description"].as_str().is_some_and(|about| !about.is_empty()),
            "{title} does not say what it shows"
        );
        let targets = panel["targets"].as_array().unwrap().iter();
        let exprs = targets.map(|target| target["expr"].as_str().unwrap());
        exprs.map(|expr| (title.clone(), expr.replace("$__rate_interval", "1m").replace("$instance", ".*"))).collect()
    };
    panels.flat_map(of).collect()
}

/// What is not there, or not well formed.
async fn without_an_answer(client: &reqwest::Client, prometheus: &str) -> Vec<String> {
    let mut without = vec![];
    for (title, query) in queries() {
        let asked = client.get(format!("{prometheus}/api/v1/query")).query(&[("query", &query)]).send().await;
        let Ok(answer) = asked else { return vec!["Prometheus".to_owned()] };
        // While it starts it says so in plain words.
        if answer.status().as_u16() == 503 {
            return vec!["Prometheus".to_owned()];
        }
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{title}: {query}: {answer}");
        if answer["data"]["result"].as_array().unwrap().is_empty() {
            without.push(format!("{title}: {query}"));
        }
    }
    without
}

#[actix_rt::test]
async fn every_panel_of_the_dashboard_shows_something_once_there_are_calls() {
    let test = "every_panel_of_the_dashboard_shows_something_once_there_are_calls";
    let Some(bin) = prometheus(test) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut gateway = TestProcess::new();
    let added = gateway.command(&["client", "add", "--name", "Clinic", "--number", "08047112233"]).status();
    assert!(added.unwrap().success());
    gateway.serve(&mut gateway.command(&["serve"])).await;

    let config = gateway.folder().join("prometheus.yml");
    let jobs = format!("[{{ job_name: callgate, static_configs: [{{ targets: ['{}'] }}] }}]", gateway.address());
    std::fs::write(&config, format!("global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs: {jobs}\n"))
        .unwrap();
    let address = format!("127.0.0.1:{}", port::free_port());
    let mut command = Command::new(bin.join("prometheus"));
    command.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address={address}"));
    command.arg(format!("--storage.tsdb.path={}", gateway.folder().join("tsdb").display()));
    let _server = Killed(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    let url = gateway.url("");
    let ring = || {
        let words = ["simulate", "call", "--gateway", &url, "--to", "08047112233", "--key", account::WEBHOOK_KEY];
        Killed(gateway.command(&words).spawn().unwrap())
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown = async {
        // One call after another: a rate wants a series that grows while it is looked at.
        let mut calls = vec![ring()];
        let mut look = tokio::time::interval(Duration::from_secs(1));
        while !without_an_answer(&client, &format!("http://{address}")).await.is_empty() {
            look.tick().await;
            if calls.iter_mut().all(|call| call.0.try_wait().unwrap().is_some()) {
                calls.push(ring());
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(120), shown).await.is_err() {
        panic!("nothing to see: {:#?}", without_an_answer(&client, &format!("http://{address}")).await);
    }
}
