//! Every setting as it is listed, on the page of settings and by `callgate config`: in the order and under the headings of `.env.example`.

use clap::{Arg, Args, Command};

use super::SettingsArgs;

const EXAMPLE: &str = include_str!("../../.env.example");

/// What stands under a heading, each with its variable.
pub(super) struct Listed {
    pub(super) heading: &'static str,
    pub(super) settings: Vec<(&'static str, Arg)>,
}

/// Every setting.
pub(super) fn listed() -> Vec<Listed> {
    let command = SettingsArgs::augment_args(Command::new("serve"));
    let named = |name: &str| command.get_arguments().find(|setting| setting.get_env().is_some_and(|env| env == name));
    let mut groups: Vec<Listed> = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(heading) = line.strip_prefix("# --- ") {
            let heading = heading.trim_end_matches(['-', ' ']).split(':').next().unwrap_or_default();
            groups.push(Listed { heading, settings: Vec::new() });
        }
        let name = line.strip_prefix("# ").and_then(|line| line.split_once('=')).map(|(name, _)| name);
        if let (Some(group), Some((name, setting))) =
            (groups.last_mut(), name.and_then(|name| Some((name, named(name)?))))
        {
            group.settings.push((name, setting.clone()));
        }
    }
    groups
}

/// What a setting is when it is not set: a value, or words behind its help.
pub(super) enum Unset {
    Value(String),
    Words(String),
    Nothing,
}

/// What a setting means, and what it is when it is not set.
pub(super) fn told(setting: &Arg) -> (String, Unset) {
    let words = setting.get_help().map(ToString::to_string).unwrap_or_default();
    let (words, unset) = match words.rsplit_once(" [default: ") {
        Some((words, rest)) => (words.to_owned(), Unset::Words(rest.trim_end_matches(']').to_owned())),
        None => (words, Unset::Nothing),
    };
    let value = setting.get_default_values().first().and_then(|value| value.to_str()).filter(|value| !value.is_empty());
    (words, value.map_or(unset, |value| Unset::Value(value.to_owned())))
}

/// What kind of value it takes, as the help names it.
pub(super) fn kind(setting: &Arg) -> &str {
    setting.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
}
