//! What `ops/` and the runbooks say is so: alerts have pages, pages have commands that run, and rules name metrics that there are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[test]
fn prometheus_takes_the_rules_and_their_cases_hold() {
    let tool = |what: &str| Command::new(root().join("tools/prometheus.sh")).arg(what).output().unwrap();
    let found = tool("bin");
    if !found.status.success() {
        let why = String::from_utf8_lossy(&found.stderr).into_owned();
        // Past the harness, which keeps what a test prints that does not fail.
        writeln!(std::io::stderr(), "SKIPPED test prometheus_takes_the_rules_and_their_cases_hold: {}", why.trim())
            .unwrap();
        return;
    }
    let checked = tool("rules");
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
