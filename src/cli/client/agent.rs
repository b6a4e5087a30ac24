//! `client apply`, `client export`: a client's agent as one file.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::super::Failure;
use super::super::args::{ApplyArgs, OneArgs};
use super::super::screen::shown;
use super::super::tool::runner;
use super::{find, open_at, open_existing};
use crate::agent::{ApplyError, LONGEST_FILE, Mistake, OnRecord, Plan, Rules, read_bounded, read_toml};
use crate::settings::{SettingsErrors, private_hosts};
use crate::tools::ask_servers;

/// Makes a client's agent what a file says.
pub(super) async fn apply(args: &ApplyArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let name = args.file.display();
    let text = read_bounded(&args.file, LONGEST_FILE)
        .map_err(|error| Failure::Usage(format!("{name} cannot be read: {error}")))?
        .ok_or_else(|| Failure::Usage(format!("{name} has more than {LONGEST_FILE} bytes, which are the most")))?;
    let mut wrong = SettingsErrors::default();
    let (private, url) = (wrong.take(private_hosts(&args.private_hosts)), wrong.take(args.database.url()));
    let (private, url) = wrong.or(private.zip(url))?;
    let rules = Rules { private: &private, folder: Some(args.file.parent().unwrap_or(Path::new("."))) };
    let file = read_toml(&text, rules).map_err(|mistakes| told(&args.file, &mistakes))?;
    let store = open_at(&url).await?;
    let mut plan = Plan::new(&store, file).await.map_err(|error| refused(&args.file, error))?;
    if !plan.servers().is_empty() {
        let runner = Arc::new(runner(&store, &private, &args.seal.read()?)?);
        for left_out in ask_servers(&runner, &mut plan).await {
            writeln!(screen, "{}", shown(&left_out)).map_err(anyhow::Error::from)?;
        }
    }
    let changes = plan.changes();
    let who = match plan.stands() {
        Some(stands) => format!("client {} ({})", stands.client.id, stands.client.name),
        None => "a new client".to_owned(),
    };
    for change in &changes {
        writeln!(screen, "{change}").map_err(anyhow::Error::from)?;
    }
    if changes.is_empty() {
        return writeln!(screen, "{who}: nothing to change").map_err(|error| Failure::Other(error.into()));
    }
    if args.dry_run {
        return writeln!(screen, "\n{who}: {} changes, none of them made (--dry-run)", changes.len())
            .map_err(|error| Failure::Other(error.into()));
    }
    let wanted = plan.secrets();
    let applied = plan.carry_out(&store, &private).await.map_err(|error| refused(&args.file, error))?;
    if let Some(secret) = applied.made {
        writeln!(screen, "\nThe secret of its events, shown this once: {}", secret.reveal())
            .map_err(anyhow::Error::from)?;
    }
    let number = applied.client.exotel_number.reveal();
    let stored = store.secret_names(applied.client.id).await.context("looking the client's secrets up")?;
    for name in wanted.iter().filter(|name| !stored.contains(name)) {
        writeln!(screen, "\nThe secret {name} is not stored yet: `callgate secret set {number} {name}`")
            .map_err(anyhow::Error::from)?;
    }
    writeln!(screen, "\nclient {} ({}): applied, {} changes", applied.client.id, applied.client.name, changes.len())
        .map_err(|error| Failure::Other(error.into()))
}

/// Prints the file of a client.
pub(super) async fn export(args: &OneArgs, screen: &mut impl Write) -> Result<(), Failure> {
    let store = open_existing(&args.database).await?;
    let client = find(&store, &args.client).await?;
    let stands = OnRecord::of(&store, client).await.context("looking the client's agent up")?;
    let text = stands.file().to_toml().map_err(|why| anyhow!("the client's agent cannot be written as TOML: {why}"))?;
    write!(screen, "{text}").map_err(|error| Failure::Other(error.into()))
}

fn told(file: &Path, mistakes: &[Mistake]) -> Failure {
    let file = file.display();
    let mut lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| match mistake.line {
            Some(_) => format!("{file}, {mistake}"),
            None => format!("{file}: {mistake}"),
        })
        .collect();
    lines.push(format!("{file} has {} mistakes, and nothing was applied", mistakes.len()));
    Failure::File(lines)
}

fn refused(file: &Path, error: ApplyError) -> Failure {
    match error {
        ApplyError::Store(error) => Failure::Other(anyhow::Error::from(error).context("applying the file")),
        error => Failure::Usage(format!("{}: {error}", file.display())),
    }
}
