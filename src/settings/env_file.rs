//! `.env`: lines of NAME=value. What is in the environment already wins.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, Command};
use dotenvy::Error;

use super::{SettingsArgs, SettingsError, SettingsErrors};

/// What else is commonly set beside us and read by what we are made of: object stores, the runtime, platforms.
const OTHERS: [&str; 13] = [
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "RAILWAY_",
    "RUST_",
    "OTEL_",
    "COMPOSE_",
    "DOCKER_",
    "POSTGRES_",
    "PG",
    "NO_COLOR",
    "TZ",
    "PATH",
];
/// Names less alike than this are not meant for each other.
const ALIKE: f64 = 0.8;

/// What a file of settings had to say.
#[derive(Clone, Debug, Default)]
pub struct EnvFile {
    /// What is odd about it, in words.
    pub odd: Vec<String>,
    /// Whose values it gave: the environment had none.
    gave: BTreeSet<String>,
}

impl EnvFile {
    /// Whether a variable's value is the file's.
    pub(super) fn gave(&self, name: &str) -> bool {
        self.gave.contains(name)
    }
}

/// Reads a file of settings into the environment, if it is there. Call it before any thread is started.
///
/// # Errors
/// When the file is there and cannot be read, or with each line that is not understood.
pub fn load_env_file(path: &Path) -> Result<EnvFile, SettingsErrors> {
    let (mut told, mut errors, mut behind) = (EnvFile::default(), SettingsErrors::default(), 0);
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(told),
        Err(error) => return Err(wrong(path, error, &mut behind).into()),
    };
    for line in lines {
        match line {
            Ok((name, _)) => {
                told.odd.extend(unknown(&name));
                if std::env::var_os(&name).is_none() {
                    told.gave.insert(name);
                }
            }
            Err(error) => {
                // What cannot be read would be read for ever.
                let is_last = !matches!(error, Error::LineParse(..));
                errors.take::<(), _>(Err(wrong(path, error, &mut behind)));
                if is_last {
                    break;
                }
            }
        }
    }
    errors.or(Some(()))?;
    dotenvy::from_path(path).map_err(|error| wrong(path, error, &mut behind))?;
    Ok(told)
}

/// What is wrong with a file; of a line that is not understood, looking for it behind those that were told.
fn wrong(path: &Path, error: Error, behind: &mut usize) -> SettingsError {
    let problem = match error {
        // The line itself may be a secret: of it, what has the form of a name is told.
        Error::LineParse(part, _) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let found = line_of(&text, &part, *behind);
            let number = found.map_or_else(|| "a line".to_owned(), |(number, _)| format!("line {number}"));
            *behind = found.map_or(*behind, |(number, _)| number);
            let line = found.map_or(part.as_str(), |(_, line)| line);
            let named = name(line).map(|name| format!(" (`{name}`)")).unwrap_or_default();
            format!("{number}{named} is not understood: write NAME=value, and quote what has spaces")
        }
        error => format!("cannot be read ({error}): mend or remove it"),
    };
    SettingsError::new(".env", problem)
}

/// The number of a line and the line, by its end: of some, only the value is known.
fn line_of<'a>(text: &'a str, part: &str, behind: usize) -> Option<(usize, &'a str)> {
    let part = part.lines().next().map(str::trim).filter(|part| !part.is_empty())?;
    let mut lines = (1..).zip(text.lines()).skip(behind);
    lines.find(|(_, line)| line.trim().ends_with(part))
}

fn name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (name, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let first = name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_');
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (first && name.len() <= 64 && name.bytes().all(plain)).then_some(name)
}

/// What is wrong with a name that no setting has, if so.
fn unknown(name: &str) -> Option<String> {
    let command = SettingsArgs::augment_args(Command::new("serve"));
    let settings: Vec<&str> = command.get_arguments().filter_map(|setting| setting.get_env()?.to_str()).collect();
    if settings.contains(&name) || OTHERS.iter().any(|other| name.starts_with(other)) {
        return None;
    }
    let alike = |setting: &&str| strsim::jaro(&name.to_ascii_uppercase(), setting);
    let nearest = settings.iter().map(|setting| (alike(setting), *setting)).max_by(|a, b| a.0.total_cmp(&b.0));
    Some(match nearest {
        Some((likeness, nearest)) if likeness >= ALIKE => {
            format!(".env sets `{name}`, which is no setting: is {nearest} meant?")
        }
        _ => format!(".env sets `{name}`, which is no setting of callgate"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_setting_has_is_told_with_the_nearest() {
        for (name, meant) in [
            ("WEBHOKO_KEY", "WEBHOOK_KEY"),
            ("WEBHOOKKEY", "WEBHOOK_KEY"),
            ("webhook_key", "WEBHOOK_KEY"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("OPENAI_KEY", "OPENAI_API_KEY"),
            ("MAX_CALL", "MAX_CALLS"),
            ("ADMIN_TOKN", "ADMIN_TOKEN"),
        ] {
            let told = unknown(name).unwrap();
            assert!(told.contains(name) && told.contains(&format!("is {meant} meant?")), "{told}");
        }
        assert!(unknown("TOTALLY_DIFFERENT_THING").unwrap().ends_with("no setting of callgate"));
        for known in ["WEBHOOK_KEY", "WEBHOOK_KEY_FILE", "RUST_LOG", "AWS_REGION", "RAILWAY_RUN_UID", "NO_COLOR"] {
            assert_eq!(unknown(known), None);
        }
    }

    #[test]
    fn only_what_has_the_form_of_a_name_is_told_of_a_line_that_is_not_understood() {
        assert_eq!(name("ADMIN_TOKEN='hush"), Some("ADMIN_TOKEN"));
        assert_eq!(name("export ADMIN_TOKEN='hush"), Some("ADMIN_TOKEN"));
        for line in
            ["WEBHOOK_KEY hush", "hush", "hush=", "Hush=x", "sk-hush=", "A B=c", "=hush", "9A=x", &"A".repeat(65)]
        {
            assert_eq!(name(line), None, "{line}");
        }
    }
}
