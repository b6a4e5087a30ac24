//! Reads a file by its shape: everything that is wrong with it is told at once, with line, key and mend.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::node::{Held, Node};
use super::shape::{Key, Kind, LONGEST_HEADER, MOST_HEADERS, Shape};
use super::words;
use super::{MOST_MISTAKES, schema};

/// So alike are two keys, of 1, that one may be a slip of the pen for the other.
const ALIKE: f64 = 0.85;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// In TOML, from 1.
    pub line: Option<usize>,
    /// Such as `tools[0].url`; empty for the file as a whole.
    pub key: String,
    /// What is wrong, and the mend.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match self.key.as_str() {
            "" => write!(f, "the file {}", self.problem),
            key => write!(f, "{key} {}", self.problem),
        }
    }
}

/// What was found to be wrong, each key once.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    lines: BTreeMap<String, Option<usize>>,
}

impl Mistakes {
    /// Tells of a key, in the line it stands in or that of the table that misses it.
    pub(super) fn tell(&mut self, key: &str, problem: impl Into<String>) {
        let mut near = key;
        let line = loop {
            match (self.lines.get(near), near.rfind(['.', '['])) {
                (Some(line), _) => break *line,
                (None, Some(end)) => near = &near[..end],
                (None, None) => break None,
            }
        };
        let first = !self.found.iter().any(|mistake| mistake.key == key);
        if first && self.found.len() < MOST_MISTAKES {
            self.found.push(Mistake { line, key: key.to_owned(), problem: problem.into() });
        }
    }

    /// What was told, in the order of the file.
    pub(super) fn into_vec(mut self) -> Vec<Mistake> {
        self.found.sort_by_key(|mistake| mistake.line);
        self.found
    }
}

/// A table by its shape. What is wrong is told, and left out or stood in for, so that the rest can be looked at too.
pub(super) fn table(node: &Node, shape: &Shape, at: &str, mistakes: &mut Mistakes) -> Value {
    let Held::Table(entries) = &node.held else {
        mistakes.tell(at, format!("is {}, and must be a table", node.kind()));
        return Value::Object(stand_ins(shape, Map::new()));
    };
    let mut read = Map::new();
    for (name, node) in entries {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let path: String = path.chars().take(200).collect();
        mistakes.lines.insert(path.clone(), node.line);
        let Some(key) = shape.keys.iter().find(|key| key.name == name) else {
            mistakes.tell(&path, unknown(name, shape));
            continue;
        };
        if let Some(value) = value(node, key, &path, mistakes) {
            read.insert(name.clone(), value);
        }
    }
    for key in shape.keys.iter().filter(|key| key.needed && !entries.iter().any(|(name, _)| name == key.name)) {
        let path = if at.is_empty() { key.name.to_owned() } else { format!("{at}.{}", key.name) };
        mistakes.tell(&path, format!("is missing: {}", key.about));
    }
    Value::Object(stand_ins(shape, read))
}

/// What is needed and is not there, or not right: told already.
fn stand_ins(shape: &Shape, mut read: Map<String, Value>) -> Map<String, Value> {
    for key in shape.keys.iter().filter(|key| key.needed) {
        read.entry(key.name).or_insert_with(|| match key.kind {
            Kind::Texts { .. } => Value::Array(Vec::new()),
            _ => Value::String(String::new()),
        });
    }
    read
}

fn unknown(name: &str, shape: &Shape) -> String {
    let known = || shape.keys.iter().map(|key| key.name);
    let meant = match name.len() <= 64 {
        true => {
            known().map(|key| (strsim::jaro_winkler(key, name), key)).max_by(|one, other| one.0.total_cmp(&other.0))
        }
        false => None,
    };
    match meant.filter(|(likeness, _)| *likeness > ALIKE) {
        Some((_, key)) => format!("is no key that is known: is it {key}?"),
        None => format!("is no key that is known: there are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// What stands behind a key, as it is kept; none if it is wrong, or nothing.
fn value(node: &Node, key: &Key, path: &str, mistakes: &mut Mistakes) -> Option<Value> {
    match (key.kind, &node.held) {
        // JSON says so of what is left out.
        (_, Held::Nothing) if !key.needed => return None,
        (Kind::Table(shape), _) => return Some(table(node, shape, path, mistakes)),
        (Kind::Headers, Held::Table(entries)) => return Some(headers(entries, path, mistakes)),
        (Kind::Tables { shape, most }, Held::List(list)) => return Some(tables(list, shape, most, path, mistakes)),
        (Kind::NamedTexts { most_names, name, most, each, read }, Held::Table(entries)) => {
            let lists = |node: &Node, path: &str, mistakes: &mut Mistakes| match &node.held {
                Held::List(list) => texts(list, most, each, read, path, mistakes),
                _ => texts(std::slice::from_ref(node), most, each, read, path, mistakes),
            };
            return Some(named(entries, lists, most_names, name, path, mistakes));
        }
        (Kind::Named { shape, most, name }, Held::Table(entries)) => {
            let table = |node: &Node, path: &str, mistakes: &mut Mistakes| table(node, shape, path, mistakes);
            return Some(named(entries, table, most, name, path, mistakes));
        }
        (Kind::Texts { .. }, Held::List(list)) if key.needed && list.is_empty() => {
            mistakes.tell(path, format!("is empty: {}", key.about));
            return None;
        }
        (Kind::Texts { most, each, read }, Held::List(list)) => {
            return Some(texts(list, most, each, read, path, mistakes));
        }
        _ => {}
    }
    let read = match (key.kind, &node.held) {
        (Kind::Text { most, read }, Held::Text(told)) => text(told, most, read).map(Value::String),
        (Kind::Texts { each, read, .. }, Held::Text(told)) => text(told, each, read).map(|told| vec![told].into()),
        (Kind::Flag, Held::Flag(flag)) => Ok(Value::Bool(*flag)),
        (Kind::Flag, Held::Text(told)) if told == "on" || told == "off" => Ok(Value::Bool(told == "on")),
        (Kind::Count { least, most }, Held::Whole(count)) if (least..=most).contains(count) => Ok(Value::from(*count)),
        (Kind::Number { least, most }, Held::Whole(_) | Held::Real(_)) => {
            let told = node.json().as_f64().filter(|told| (least..=most).contains(told));
            told.map(Value::from).ok_or_else(|| format!("must be a number from {least} to {most}"))
        }
        (Kind::OneOf(listed), Held::Text(told)) if listed.contains(&told.as_str()) => Ok(Value::String(told.clone())),
        (Kind::Schema, Held::Table(_)) => schema::judge(&node.json()).map(|()| node.json()),
        (Kind::Schema, Held::Text(told)) => match serde_json::from_str::<Value>(told) {
            Ok(read) => schema::judge(&read).map(|()| read),
            Err(error) => Err(format!("is no JSON ({error}): give a JSON Schema, as a table or as JSON in a text")),
        },
        (Kind::Text { .. }, _) => Err(format!("is {}, and must be a text: put it in quotes", node.kind())),
        (Kind::Texts { .. }, _) => Err(format!("is {}, and must be a list of texts", node.kind())),
        (Kind::Flag, _) => Err("must be true or false".to_owned()),
        (Kind::Count { least, most }, _) => Err(format!("must be a whole number from {least} to {most}")),
        (Kind::Number { least, most }, _) => Err(format!("must be a number from {least} to {most}")),
        (Kind::NamedTexts { .. }, _) => Err(format!("is {}, and must be a table of lists of texts", node.kind())),
        (Kind::OneOf(listed), _) => Err(format!("must be one of {}", listed.join(", "))),
        (Kind::Headers, _) => Err(format!("is {}, and must be a table of names and values", node.kind())),
        (Kind::Schema, _) => Err(format!("is {}, and must be a JSON Schema: a table, or JSON in a text", node.kind())),
        (Kind::Tables { .. }, _) => Err(format!("is {}, and must be a list of tables: [[{path}]]", node.kind())),
        (Kind::Named { .. }, _) => Err(format!("is {}, and must be tables with names: [{path}.NAME]", node.kind())),
        (Kind::Table(_), _) => return None,
    };
    read.map_err(|problem| mistakes.tell(path, problem)).ok()
}

fn text(told: &str, most: usize, read: fn(&str) -> Result<String, String>) -> Result<String, String> {
    if told.len() > most {
        return Err(format!("has {} bytes: {most} are the most", told.len()));
    }
    read(told)
}

fn texts(
    list: &[Node],
    most: usize,
    each: usize,
    read: fn(&str) -> Result<String, String>,
    path: &str,
    mistakes: &mut Mistakes,
) -> Value {
    if list.len() > most {
        mistakes.tell(path, format!("has {} entries: {most} are the most", list.len()));
    }
    let mut kept = Vec::new();
    for (index, node) in list.iter().enumerate().take(most) {
        let path = format!("{path}[{index}]");
        mistakes.lines.insert(path.clone(), node.line);
        match &node.held {
            Held::Text(told) => match text(told, each, read) {
                Ok(told) => kept.push(Value::String(told)),
                Err(problem) => mistakes.tell(&path, problem),
            },
            _ => mistakes.tell(&path, format!("is {}, and must be a text: put it in quotes", node.kind())),
        }
    }
    Value::Array(kept)
}

fn tables(list: &[Node], shape: &Shape, most: usize, path: &str, mistakes: &mut Mistakes) -> Value {
    if list.len() > most {
        mistakes.tell(path, format!("has {} entries: {most} are the most", list.len()));
    }
    let mut kept = Vec::new();
    for (index, node) in list.iter().enumerate().take(most) {
        let path = format!("{path}[{index}]");
        mistakes.lines.insert(path.clone(), node.line);
        kept.push(table(node, shape, &path, mistakes));
    }
    Value::Array(kept)
}

fn named(
    entries: &[(String, Node)],
    held: impl Fn(&Node, &str, &mut Mistakes) -> Value,
    most: usize,
    name: fn(&str) -> Result<String, String>,
    path: &str,
    mistakes: &mut Mistakes,
) -> Value {
    if entries.len() > most {
        mistakes.tell(path, format!("has {} entries: {most} are the most", entries.len()));
    }
    let mut kept = Map::new();
    for (told, node) in entries.iter().take(most) {
        let path = format!("{path}.{}", told.chars().take(64).collect::<String>());
        mistakes.lines.insert(path.clone(), node.line);
        match name(told) {
            Ok(name) => drop(kept.insert(name, held(node, &path, mistakes))),
            Err(problem) => mistakes.tell(&path, problem),
        }
    }
    Value::Object(kept)
}

fn headers(entries: &[(String, Node)], path: &str, mistakes: &mut Mistakes) -> Value {
    if entries.len() > MOST_HEADERS {
        mistakes.tell(path, format!("has {} entries: {MOST_HEADERS} are the most", entries.len()));
    }
    let mut kept: Map<String, Value> = Map::new();
    for (name, node) in entries.iter().take(MOST_HEADERS) {
        let path = format!("{path}.{}", name.chars().take(64).collect::<String>());
        mistakes.lines.insert(path.clone(), node.line);
        let twice = kept.keys().any(|known| known.eq_ignore_ascii_case(name));
        let told = match &node.held {
            _ if twice => Err("is there twice: header names are the same in capitals and small letters".to_owned()),
            Held::Text(told) if told.len() > LONGEST_HEADER => {
                Err(format!("has {} bytes: {LONGEST_HEADER} are the most", told.len()))
            }
            Held::Text(told) => {
                words::header_name(name).and_then(|()| words::header_value(told)).map(|()| told.clone())
            }
            _ => Err(format!("is {}, and must be a text: put it in quotes", node.kind())),
        };
        match told {
            Ok(told) => drop(kept.insert(name.clone(), Value::String(told))),
            Err(problem) => mistakes.tell(&path, problem),
        }
    }
    Value::Object(kept)
}
