//! The tables of limits and of ends say what the code does: every row of limits names its constants, and the metric that counts what is beyond.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;

/// One row: what, how much, what happens beyond it, what counts it, where it stands.
struct Row {
    cells: [String; 5],
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows() -> Vec<Row> {
    let page = read("docs/limits.md");
    let table = page.split("<!-- limits -->").nth(1).and_then(|rest| rest.split("<!-- /limits -->").next());
    let lines = table.expect("the table of limits").trim().lines().skip(2);
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let row = |line: &str| Row { cells: cells(line).try_into().unwrap_or_else(|_| panic!("not five cells: {line}")) };
    lines.map(row).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The words in which a constant's value may be told: `64 * 1024` is `64 KiB`, `Duration::from_secs(300)` is `5 min`.
fn spellings(expression: &str) -> Vec<String> {
    let inner = expression.trim().trim_start_matches("std::time::");
    let duration = |unit_ms: u64, rest: &str| {
        let ms = unit_ms * number(rest.trim_end_matches(')'));
        let mut all = vec![format!("{} ms", grouped(ms))];
        all.extend(
            [(1_000, "s"), (60_000, "min"), (3_600_000, "h")]
                .iter()
                .filter(|(unit, _)| ms.is_multiple_of(*unit))
                .map(|(unit, name)| format!("{} {name}", grouped(ms / unit))),
        );
        all
    };
    if let Some(rest) = inner.strip_prefix("Duration::from_secs(") {
        return duration(1_000, rest);
    }
    if let Some(rest) = inner.strip_prefix("Duration::from_millis(") {
        return duration(1, rest);
    }
    if let Some(rest) = inner.strip_prefix("TimeDelta::seconds(") {
        return duration(1_000, rest);
    }
    let value = number(inner);
    let mut all = vec![grouped(value), value.to_string()];
    all.extend(
        [(1 << 10, "KiB"), (1 << 20, "MiB")]
            .iter()
            .filter(|(unit, _)| value.is_multiple_of(*unit))
            .map(|(unit, name)| format!("{} {name}", grouped(value / unit))),
    );
    all
}

/// Whole numbers, products and shifts of them.
fn number(expression: &str) -> u64 {
    let plain = |word: &str| {
        let digits: String = word.trim().trim_end_matches(".0").chars().filter(|char| *char != '_').collect();
        digits.parse::<u64>().unwrap_or_else(|_| panic!("`{expression}` is no plain number"))
    };
    match expression.split_once("<<") {
        Some((number, by)) => plain(number) << plain(by),
        None => expression.split('*').map(plain).product(),
    }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Whether a text holds these words, and not as a part of longer ones.
fn holds(text: &str, words: &str) -> bool {
    let part_of = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == ',');
    text.match_indices(words).any(|(at, _)| {
        let mut after = text[at + words.len()..].chars();
        let follows = match (after.next(), after.next()) {
            (Some(','), next) => next.is_some_and(|next| next.is_ascii_digit()),
            (next, _) => next.is_some_and(char::is_alphanumeric),
        };
        !follows && !part_of(text[..at].chars().next_back())
    })
}

fn value_of(place: &str) -> String {
    let (file, name) = place.split_once(' ').unwrap_or_else(|| panic!("`{place}`: a file and a constant"));
    let source = read(file);
    if let Some(rest) = source.split(&format!("const {name}:")).nth(1) {
        return rest.split_once('=').and_then(|(_, rest)| rest.split_once(';')).expect("a value").0.trim().to_owned();
    }
    // A policy's limit: a field with its default.
    let field = format!(" {name}: ");
    let value = source
        .split(&field)
        .skip(1)
        .find(|rest| rest.starts_with("Duration::") || rest.starts_with(|c: char| c.is_ascii_digit()));
    value.and_then(|rest| rest.split_once(',')).unwrap_or_else(|| panic!("{file} has no {name}")).0.to_owned()
}

#[test]
fn the_page_tells_every_limit_as_the_code_has_it() {
    let rows = rows();
    assert!(rows.len() >= 30, "only {} rows", rows.len());
    for Row { cells: [what, much, beyond, _, places] } in &rows {
        assert!(!what.is_empty() && !beyond.is_empty(), "{what}: an empty cell");
        let places = quoted(places);
        assert!(!places.is_empty(), "{what}: where does it stand?");
        for place in places {
            let value = value_of(place);
            let said = spellings(&value);
            let told = said.iter().any(|words| holds(much, words) || holds(beyond, words));
            assert!(told, "{what}: neither `{much}` nor `{beyond}` says {said:?} ({place})");
        }
    }
}

#[test]
fn what_is_beyond_a_limit_is_counted_by_a_metric_that_there_is() {
    let (help, mut counted) = (read("src/telemetry/help.rs"), 0);
    for Row { cells: [what, _, _, metrics, _] } in &rows() {
        for metric in quoted(metrics) {
            let name = metric.split('{').next().unwrap_or_default();
            assert!(help.contains(&format!("\"{name}\"")), "{what}: nobody describes {name}");
            counted += 1;
        }
    }
    assert!(counted >= 20, "only {counted} metrics");
}

#[test]
fn a_value_is_told_in_the_units_of_people() {
    assert_eq!(spellings("64 * 1024"), ["65,536", "65536", "64 KiB"]);
    assert_eq!(spellings("Duration::from_secs(300)"), ["300,000 ms", "300 s", "5 min"]);
    assert!(holds("20 at once, 10 a second", "20") && !holds("at most 200", "20") && !holds("20,000", "20"));
}

/// `| code | by | rank | may come back | … |`, a row for each code.
#[test]
fn the_table_of_ends_says_what_the_code_does() {
    use protocol::call::end::{EndCode, EndRank};

    let page = read("docs/ends.md");
    for code in EndCode::ALL {
        let ranks = ["canceled", "completed"].map(|status| EndRank::of(code, status).number());
        let rank = if ranks[0] == ranks[1] { ranks[0].to_string() } else { format!("{}–{}", ranks[0], ranks[1]) };
        let back = if code.is_provisional() { "yes" } else { "no" };
        let row = format!("| `{}` | `{}` | {rank} | {back} | ", code.name(), code.by().name());
        assert!(page.contains(&row), "docs/ends.md has no row {row}");
    }
}
