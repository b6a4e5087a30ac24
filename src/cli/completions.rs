//! `completions`, `man`: what a shell and its reader are given, written from the words of `--help`.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::Failure;
use super::args::{Cli, CompletionsArgs, ManArgs};
use super::screen::gone;

const NAME: &str = "callgate";

/// Prints a script that completes commands and flags.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print(&script)
}

/// Prints the page of the program itself, or writes a page of each command.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(anyhow::Error::from)?;
        return print(&page);
    };
    Ok(write_all(folder).with_context(|| format!("writing man pages below {}", folder.display()))?)
}

fn write_all(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

/// A script is for a shell and a page for a formatter: neither goes through the screen, which would spell out what they act on.
fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(text).and_then(|()| out.flush()).map_err(gone).map_err(anyhow::Error::from)?)
}
