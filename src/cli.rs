//! The command line: what can be asked for, and the way there.

pub mod args;
mod audit;
mod calls;
mod check;
mod client;
mod completions;
mod config;
mod demo;
mod jobs;
mod load;
pub(crate) mod screen;
mod secret;
mod simulate;
mod table;
mod tool;
mod transcript;
mod why;

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::cli::screen::{Screen, is_reader_gone, shown};
use crate::serve::{serve, signals};
use crate::settings::private::keep_to_ourselves;
use crate::settings::{EnvFile, Settings, SettingsError, SettingsErrors, load_env_file};
use crate::telemetry;
use args::{Cli, Command};

/// Wrong or missing settings.
const USAGE: u8 = 64;
/// A load test that was itself too slow.
const VOID: u8 = 3;

/// What is asked of the program itself: a shell that starts in the folder of another program is told nothing of that one's `.env`.
const OF_ITSELF: [&str; 7] = ["completions", "man", "help", "--help", "-h", "--version", "-V"];

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Mend the settings: exit 64.
    #[error(transparent)]
    Settings(#[from] SettingsErrors),
    /// Mend the command line: exit 64.
    #[error("{0}")]
    Usage(String),
    /// Mend a file, of which each line names a mistake: exit 64.
    #[error("{}", .0.join("; "))]
    File(Vec<String>),
    /// A measurement that tells nothing, since what measured was itself too slow: exit 3.
    #[error("this run is void: {0}")]
    Void(String),
    /// Anything else: exit 1.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error.into())
    }
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    keep_to_ourselves();
    let env_file = if reads_settings() { load_env_file(Path::new(".env")) } else { Ok(EnvFile::default()) };
    let env_file = match env_file {
        Ok(told) => told,
        Err(error) => return fail(&error.into()),
    };
    let line = Cli::command().try_get_matches();
    let (cli, line) = match line.and_then(|line| Ok((Cli::from_arg_matches(&line)?, line))) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return match error.print() {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
                _ => ExitCode::SUCCESS,
            };
        }
        Err(error) => return fail(&Failure::Usage(one_line(&error))),
    };
    // Where there is a log, it says so there.
    if !matches!(cli.command, Command::Serve(_) | Command::Check(_)) {
        env_file.odd.iter().for_each(|odd| tell(&format!("warning: {odd}")));
    }
    match actix_rt::System::new().block_on(run(cli.command, &line, env_file)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Other(error)) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn reads_settings() -> bool {
    let first = std::env::args_os().nth(1);
    !first.is_some_and(|first| OF_ITSELF.iter().any(|word| first == *word))
}

/// Does one command; false when it was carried out and what it looked for was not so.
async fn run(command: Command, line: &ArgMatches, env_file: EnvFile) -> Result<bool, Failure> {
    // Fails only when one was installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut screen = Screen::new(stdout());
    match command {
        Command::Serve(args) => {
            let settings = Settings::read_to_serve(&args)?;
            telemetry::install(settings.log.format, &settings.log.filter);
            env_file.odd.iter().for_each(|odd| tracing::warn!("{odd}"));
            serve(settings, signals()).await.map_err(mended_by_settings)?;
        }
        Command::Demo(args) => {
            telemetry::install(telemetry::LogFormat::Auto, &args.log);
            if args.fault == Some(args::DemoFault::Crash) {
                return Ok(demo::crash::run(&mut screen).await?);
            }
            let demo = demo::Demo { stay: args.stay, wav: args.wav, port: args.port };
            return Ok(demo::run(&demo, &mut screen).await?);
        }
        Command::Simulate(args::Simulate::Model(args)) => simulate::model(&args, &mut screen).await?,
        Command::Simulate(args::Simulate::TextModel(args)) => simulate::text::serve(&args, &mut screen).await?,
        Command::Simulate(args::Simulate::Balancer(args)) => simulate::flow::balancer(&args, &mut screen).await?,
        Command::Simulate(args::Simulate::Call(args)) => return simulate::call(&args, &mut screen).await,
        Command::Load(args) => return load::run(&args, &mut screen).await,
        Command::Client(args) => client::run(args, &mut screen).await?,
        Command::Secret(args) => secret::run(args, &mut screen).await?,
        Command::Calls(args) => return calls::run(&args, &mut screen).await,
        Command::Why(args) => return why::run(&args, &mut screen).await,
        Command::Audit(args) => return audit::run(args, &mut screen).await,
        Command::Tool(args) => return tool::run(args, &mut screen).await,
        Command::Jobs(args) => jobs::run(&args, &mut screen).await?,
        Command::Check(args) => return check::run(&args, env_file.odd, &mut screen).await,
        Command::Completions(args) => completions::completions(&args)?,
        Command::Man(args) => completions::man(&args)?,
        Command::Config(args) => config::run(&args, line, &env_file, &mut screen)?,
    }
    screen.flush().map_err(anyhow::Error::from)?;
    Ok(true)
}

/// What a start stumbles over may be a setting all the same.
fn mended_by_settings(error: anyhow::Error) -> Failure {
    match error.downcast::<SettingsError>() {
        Ok(error) => error.into(),
        Err(error) => Failure::Other(error),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Settings(wrong) => wrong.iter().for_each(|error| tell(&error.to_string())),
        Failure::File(lines) => lines.iter().for_each(|line| tell(line)),
        failure => tell(&failure.to_string()),
    }
    ExitCode::from(match failure {
        Failure::Other(_) => 1,
        Failure::Void(_) => VOID,
        Failure::Settings(_) | Failure::Usage(_) | Failure::File(_) => USAGE,
    })
}

fn tell(line: &str) {
    // There is nobody to tell when even this cannot be written.
    let _ = writeln!(std::io::stderr(), "callgate: {}", shown(line));
}

/// clap says what is wrong, and then explains itself over several lines: the first says what to mend.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:")).collect();
    let said = said.join(" ").trim().to_owned();
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    let said = said.split("For more information").next().unwrap_or(said).trim();
    if said.is_empty() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing: see `callgate --help`".to_owned();
    }
    format!("{said} (see `callgate --help`)")
}
