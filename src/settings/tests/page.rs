//! `docs/settings.md`: written from the words of `--help`, in the order and under the headings of `.env.example`.

use std::fmt::Write as _;

use clap::Arg;

use crate::settings::listed::{Listed, Unset, kind, listed, told};

const INTRO: &str = "# Settings

Every setting: an environment variable, a line of a `.env` file in the working folder, or a flag of `callgate serve`. The environment counts more than
`.env`, a flag more than both; an empty one counts as not set. [.env.example](../.env.example) is a file to start from, [deploying](deploying.md) says
which ones to begin with. `callgate config` shows what each of yours is and where that came from, `callgate check` reaches what they name.

(Written from the program: `CALLGATE_WRITE_DOCS=1 cargo test --lib the_page_of_settings` writes this page anew.)
";

/// A cell of a table, on one line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn row(name: &str, setting: &Arg) -> String {
    let (words, unset) = told(setting);
    let default = match unset {
        Unset::Value(value) => format!("`{}`", cell(&value)),
        Unset::Words(words) => cell(&words),
        Unset::Nothing => String::new(),
    };
    let flag = setting.get_long().unwrap_or_default();
    format!("| `{name}` | `--{flag}` | {} | {default} | {} |\n", cell(kind(setting)), cell(&words))
}

fn page() -> String {
    let mut page = INTRO.to_owned();
    for Listed { heading, settings } in listed() {
        write!(page, "\n## {heading}\n\n| variable | flag | value | default | meaning |\n|---|---|---|---|---|\n")
            .unwrap();
        page.extend(settings.iter().map(|(name, setting)| row(name, setting)));
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
