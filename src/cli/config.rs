//! `config`: what each setting is, and where that came from.

use std::io::{self, Write};

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::ConfigArgs;
use super::{Failure, table};
use crate::settings::{EnvFile, Group, effective};

/// Prints every setting, and fails with those that are wrong.
pub(super) fn run(
    args: &ConfigArgs,
    line: &ArgMatches,
    env_file: &EnvFile,
    screen: &mut impl Write,
) -> Result<(), Failure> {
    // What was said behind `config`.
    let line = line.subcommand().map_or(line, |(_, line)| line);
    let (groups, wrong) = effective(&args.settings, line, env_file);
    let printed = if args.json { writeln!(screen, "{:#}", for_programs(&groups)) } else { for_people(&groups, screen) };
    printed.map_err(anyhow::Error::from)?;
    Ok(wrong.or(Some(()))?)
}

fn for_programs(groups: &[Group]) -> Value {
    let settings = groups.iter().flat_map(|group| &group.settings);
    settings
        .map(|setting| {
            json!({
                "name": setting.name,
                "value": setting.value,
                "source": setting.source.to_string(),
                "secret": setting.secret,
                "default": setting.default,
            })
        })
        .collect()
}

fn for_people(groups: &[Group], screen: &mut impl Write) -> io::Result<()> {
    let rows = |group: &Group| {
        let row = group.settings.iter().map(|setting| {
            let value = setting.value.clone().unwrap_or_else(|| "not set".to_owned());
            let wrong = if setting.wrong { "  (wrong)" } else { "" };
            vec![format!("  {}", setting.name), setting.source.to_string(), format!("{value}{wrong}")]
        });
        row.collect::<Vec<_>>()
    };
    let all: Vec<(&str, Vec<Vec<String>>)> = groups.iter().map(|group| (group.heading, rows(group))).collect();
    let mut lines = table::Lines::wide_enough(all.iter().flat_map(|(_, rows)| rows));
    for (index, (heading, rows)) in all.iter().enumerate() {
        writeln!(screen, "{}{heading}", if index == 0 { "" } else { "\n" })?;
        rows.iter().try_for_each(|row| lines.print(screen, row))?;
    }
    Ok(())
}
