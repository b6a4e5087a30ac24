//! The settings that are in force: what each is, and where that came from. No secret is among the values.

use std::fmt;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{self, SettingsArgs};
use super::listed::{Unset, kind, listed, told};
use super::read::set;
use super::{EnvFile, SettingsErrors, listen, node, read};
use crate::http::public_url::UrlSource;
use crate::outcomes::OUTCOME_URL;
use crate::redact;
use crate::store::DatabaseUrl;

/// What stands for a secret that is set, and for what may hold one.
const SET: &str = "set";

/// Settings that belong together.
pub(crate) struct Group {
    /// As the page of settings has it.
    pub(crate) heading: &'static str,
    /// Each of them.
    pub(crate) settings: Vec<Effective>,
}

/// A setting as it is in force.
pub(crate) struct Effective {
    /// The variable.
    pub(crate) name: &'static str,
    /// What it is, if anything; of a secret that it is set, of a URL what is no secret.
    pub(crate) value: Option<String>,
    /// Where that came from.
    pub(crate) source: Source,
    /// Whether its value is never shown.
    pub(crate) secret: bool,
    /// What it is when it is not set: a value, or words.
    pub(crate) default: Option<String>,
    /// Whether it will not do.
    pub(crate) wrong: bool,
}

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was not set.
    Default,
    /// A line of `.env`.
    EnvFile,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
    /// Another setting: the file that holds it, or what stands in for it.
    Setting(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::EnvFile => ".env",
            Self::Environment => "environment",
            Self::Flag => "flag",
            Self::Setting(name) => name,
        })
    }
}

/// Every setting, grouped and in the order of the page of settings; and what is wrong with them.
pub(crate) fn effective(args: &SettingsArgs, line: &ArgMatches, env_file: &EnvFile) -> (Vec<Group>, SettingsErrors) {
    let mut wrong = SettingsErrors::default();
    let filled = args.filled(&mut wrong);
    let _ = read::whole(&filled, false, &mut wrong);
    let listed = listed();
    let files: Vec<&'static str> = listed
        .iter()
        .flat_map(|group| &group.settings)
        .map(|(name, _)| *name)
        .filter(|name| name.ends_with("_FILE"))
        .collect();
    let given = Given { filled: &filled, wrong: &wrong, line, env_file, files };
    let groups = listed.iter().map(|group| {
        let settings = group.settings.iter().map(|(name, setting)| {
            let (value, source) = given.of(name, setting);
            let secret = is_secret(setting);
            let default = match told(setting).1 {
                Unset::Value(text) | Unset::Words(text) => Some(text),
                Unset::Nothing => None,
            };
            let wrong = wrong.names(name);
            Effective { name, value: value.map(|value| shown(name, setting, value)), source, secret, default, wrong }
        });
        Group { heading: group.heading, settings: settings.collect() }
    });
    (groups.collect(), wrong)
}

/// Whether a setting's value is a secret: by the kind of value that its help names.
fn is_secret(setting: &clap::Arg) -> bool {
    matches!(kind(setting), "KEY" | "TOKEN" | "HEADERS")
}

/// A value as it may be shown.
fn shown(name: &str, setting: &clap::Arg, value: String) -> String {
    match kind(setting) {
        _ if is_secret(setting) => SET.to_owned(),
        // What is no URL may be the words of a driver, a password among them.
        _ if name == "DATABASE_URL" => value.parse().map_or(SET.to_owned(), |url: DatabaseUrl| url.to_string()),
        "FILE" | "FOLDER" => value,
        _ => redact::url(&value),
    }
}

/// What was given, and how.
struct Given<'a> {
    /// With what files hold.
    filled: &'a SettingsArgs,
    wrong: &'a SettingsErrors,
    line: &'a ArgMatches,
    env_file: &'a EnvFile,
    /// The settings that are such files.
    files: Vec<&'static str>,
}

impl Given<'_> {
    /// What a setting is, and where that came from.
    fn of(&self, name: &'static str, setting: &clap::Arg) -> (Option<String>, Source) {
        let file = self.files.iter().find(|file| file.strip_suffix("_FILE") == Some(name));
        let file = file.copied().filter(|file| self.own(&file.to_ascii_lowercase()).is_some());
        let own = self.own(setting.get_id().as_str());
        let is_url = name == "DATABASE_URL";
        if let Some(file) = file
            && (is_url || own.is_none())
        {
            let held = if is_url { self.filled.database_url.clone() } else { SET.to_owned() };
            return (Some(held).filter(|_| !self.wrong.names(file)), Source::Setting(file));
        }
        match own {
            Some(value) => (Some(value), self.source(name, setting)),
            None => self.stand_in(name, setting),
        }
    }

    /// The text of a setting that is set; its default is none.
    fn own(&self, id: &str) -> Option<String> {
        if self.line.value_source(id) == Some(ValueSource::DefaultValue) {
            return None;
        }
        let text = self.line.get_raw(id)?.next()?.to_string_lossy();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn source(&self, name: &str, setting: &clap::Arg) -> Source {
        match self.line.value_source(setting.get_id().as_str()) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) if self.env_file.gave(name) => Source::EnvFile,
            Some(ValueSource::EnvVariable) => Source::Environment,
            _ => Source::Default,
        }
    }

    /// What a setting is that was not set.
    fn stand_in(&self, name: &str, setting: &clap::Arg) -> (Option<String>, Source) {
        let args = self.filled;
        let value = match name {
            "WORKERS" => listen::workers(args).ok().map(|count| count.to_string()),
            "PUBLIC_BASE_URL" => {
                let Ok(public) = listen::public(args) else { return (None, Source::Default) };
                let source = match public.source() {
                    UrlSource::RailwayPublicDomain => Source::Setting("RAILWAY_PUBLIC_DOMAIN"),
                    UrlSource::PublicBaseUrl | UrlSource::Fallback => Source::Default,
                };
                return (Some(public.base().as_str().trim_end_matches('/').to_owned()), source);
            }
            "ADMIN_HOST" => set(&args.admin_port).map(|_| args::ADMIN_HOST.to_owned()),
            "NODE_NAME" => node::name(None).ok(),
            "OUTCOME_URL" => {
                let has_key =
                    set(&args.outcome.outcome_api_key).is_some() || args.outcome.outcome_api_key_file.is_some();
                has_key.then(|| OUTCOME_URL.to_owned())
            }
            _ => match told(setting).1 {
                Unset::Value(text) => Some(text),
                Unset::Words(_) | Unset::Nothing => None,
            },
        };
        (value, Source::Default)
    }
}
