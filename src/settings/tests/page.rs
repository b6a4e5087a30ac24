//! `docs/settings.md`: written from the words of `--help`, in the order and under the headings of `.env.example`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Arg, Args, Command};

use crate::settings::SettingsArgs;

const INTRO: &str = "# Settings

Every setting: an environment variable, a line of a `.env` file in the working folder, or a flag of `callgate serve`. The environment counts more than
`.env`, a flag more than both; an empty one counts as not set. [.env.example](../.env.example) is a file to start from, [deploying](deploying.md) says
which ones to begin with, and `callgate check` tells what is wrong with those that you have.

(Written from the program: `CALLGATE_WRITE_DOCS=1 cargo test --lib the_page_of_settings` writes this page anew.)
";

/// A cell of a table, on one line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn row(name: &str, setting: &Arg) -> String {
    let default = setting.get_default_values().first().and_then(|value| value.to_str()).unwrap_or_default();
    let words = setting.get_help().map(ToString::to_string).unwrap_or_default();
    // What stands for a default in words is told in its own cell.
    let (words, in_words) = match words.rsplit_once(" [default: ") {
        Some((words, rest)) => (words.to_owned(), rest.trim_end_matches(']')),
        None => (words, ""),
    };
    let default = if default.is_empty() { cell(in_words) } else { format!("`{}`", cell(default)) };
    let values = setting.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let flag = setting.get_long().unwrap_or_default();
    format!("| `{name}` | `--{flag}` | {} | {default} | {} |\n", cell(&values), cell(&words))
}

fn page() -> String {
    let command = SettingsArgs::augment_args(Command::new("serve"));
    let named = |setting: &Arg| Some(setting.get_env()?.to_str()?.to_owned());
    let settings: BTreeMap<String, &Arg> =
        command.get_arguments().filter_map(|setting| Some((named(setting)?, setting))).collect();
    let mut page = INTRO.to_owned();
    for line in include_str!("../../../.env.example").lines() {
        if let Some(heading) = line.strip_prefix("# --- ") {
            let heading = heading.trim_end_matches(['-', ' ']).split(':').next().unwrap_or_default();
            write!(page, "\n## {heading}\n\n| variable | flag | value | default | meaning |\n|---|---|---|---|---|\n")
                .unwrap();
        }
        let name = line.strip_prefix("# ").and_then(|line| line.split_once('=')).map(|(name, _)| name);
        if let Some((name, setting)) = name.and_then(|name| Some((name, settings.get(name)?))) {
            page += &row(name, setting);
        }
    }
    page
}

#[test]
fn the_page_of_settings_says_what_the_help_says() {
    let page = page();
    if std::env::var_os("CALLGATE_WRITE_DOCS").is_some() {
        std::fs::write("docs/settings.md", &page).unwrap();
    }
    let kept = std::fs::read_to_string("docs/settings.md").unwrap_or_default();
    assert!(kept == page, "CALLGATE_WRITE_DOCS=1 cargo test --lib the_page_of_settings writes docs/settings.md anew");
}
