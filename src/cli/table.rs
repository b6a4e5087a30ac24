//! Aligned columns.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::cli::screen::shown;

/// Lines of cells. Each column is as wide as its widest cell so far; the last one is not padded.
pub(super) struct Lines {
    widths: Vec<usize>,
}

impl Lines {
    /// Columns at least as wide as their headings.
    pub(super) fn new(heading: &[&str]) -> Self {
        Self { widths: heading.iter().map(|cell| cell.chars().count()).collect() }
    }

    /// Columns without headings, as wide as these rows need.
    pub(super) fn wide_enough<'a>(rows: impl Iterator<Item = &'a Vec<String>> + Clone) -> Self {
        let columns = rows.clone().map(Vec::len).max().unwrap_or_default();
        let mut lines = Self { widths: vec![0; columns] };
        rows.for_each(|row| lines.widen(&row.iter().map(|cell| shown(cell)).collect::<Vec<_>>()));
        lines
    }

    fn widen(&mut self, cells: &[Cow<'_, str>]) {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }

    /// Prints one line.
    pub(super) fn print(&mut self, screen: &mut impl Write, cells: &[String]) -> io::Result<()> {
        let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| shown(cell)).collect();
        self.widen(&cells);
        let mut text = String::new();
        for (width, cell) in self.widths.iter().zip(&cells) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        writeln!(screen, "{}", text.trim_end())
    }
}

/// Prints a heading and rows, each column as wide as its widest cell.
pub(super) fn print(screen: &mut impl Write, heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut lines = Lines::new(heading);
    for row in rows {
        lines.widen(&row.iter().map(|cell| shown(cell)).collect::<Vec<_>>());
    }
    lines.print(screen, &heading.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| lines.print(screen, row))
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
