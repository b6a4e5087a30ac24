//! Aligned columns.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::cli::screen::shown;

/// Prints a heading and rows, each column as wide as its widest cell. The last column is not padded.
pub(super) fn print(screen: &mut impl Write, heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<Cow<'_, str>>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(cells) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        writeln!(screen, "{}", text.trim_end())
    };
    line(&mut heading.iter().copied())?;
    rows.iter().try_for_each(|row| line(&mut row.iter().map(AsRef::as_ref)))
}

/// Prints names and values, the values aligned. Further lines of a value stand below its first, where they cannot pass for names.
pub(super) fn pairs(screen: &mut impl Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    pairs.iter().try_for_each(|(name, value)| {
        let mut lines = value.split('\n').map(|line| shown(line.trim_end_matches('\r')));
        writeln!(screen, "{name:width$}  {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(screen, "{:width$}  {line}", ""))
    })
}
