//! A file as it came, TOML or JSON: values, and in TOML the lines they stand in.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1; JSON has none.
    pub(super) line: Option<usize>,
    pub(super) held: Held,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Held {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    Nothing,
}

impl Node {
    /// What it is, in words.
    pub(super) const fn kind(&self) -> &'static str {
        match self.held {
            Held::Text(_) => "a text",
            Held::Whole(_) | Held::Real(_) => "a number",
            Held::Flag(_) => "true or false",
            Held::List(_) => "a list",
            Held::Table(_) => "a table",
            Held::Nothing => "nothing",
        }
    }

    /// As JSON, whatever it is.
    pub(super) fn json(&self) -> Value {
        match &self.held {
            Held::Text(text) => Value::String(text.clone()),
            Held::Whole(number) => Value::from(*number),
            Held::Real(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Held::Flag(flag) => Value::Bool(*flag),
            Held::List(list) => list.iter().map(Self::json).collect(),
            Held::Table(table) => {
                table.iter().map(|(key, node)| (key.clone(), node.json())).collect::<Map<_, _>>().into()
            }
            Held::Nothing => Value::Null,
        }
    }

    /// Of the API's JSON.
    pub(super) fn of_json(value: &Value) -> Self {
        let held = match value {
            Value::Null => Held::Nothing,
            Value::Bool(flag) => Held::Flag(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Held::Whole(whole),
                None => Held::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Held::Text(text.clone()),
            Value::Array(list) => Held::List(list.iter().map(Self::of_json).collect()),
            Value::Object(table) => {
                Held::Table(table.iter().map(|(key, value)| (key.clone(), Self::of_json(value))).collect())
            }
        };
        Self { line: None, held }
    }
}

/// Lines of a text.
struct Lines<'t>(&'t str);

impl Lines<'_> {
    fn at(&self, byte: usize) -> Option<usize> {
        let before = self.0.as_bytes().get(..byte.min(self.0.len()))?;
        Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }
}

/// Reads TOML.
///
/// # Errors
/// All that is not TOML in it.
pub(super) fn of_toml(text: &str) -> Result<Node, Vec<Mistake>> {
    let lines = Lines(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node { line: None, held: Held::Table(of_table(table.get_ref(), &lines)) });
    }
    let told = errors.iter().map(|error| Mistake {
        line: error.span().and_then(|span| lines.at(span.start)),
        key: String::new(),
        problem: format!("is not TOML: {}", error.message().replace('\n', ", ")),
    });
    Err(told.take(super::MOST_MISTAKES).collect())
}

fn of_table(table: &DeTable<'_>, lines: &Lines<'_>) -> Vec<(String, Node)> {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let mut node = of_value(value, lines);
        node.line = lines.at(key.span().start);
        (key.get_ref().to_string(), node)
    };
    let mut entries: Vec<_> = table.iter().map(entry).collect();
    entries.sort_by_key(|(_, node)| node.line);
    entries
}

fn of_value(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Node {
    let held = match value.get_ref() {
        DeValue::String(text) => Held::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
            Ok(number) => Held::Whole(number),
            Err(_) => Held::Real(f64::INFINITY),
        },
        DeValue::Float(number) => Held::Real(number.as_str().replace('_', "").parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Held::Flag(*flag),
        DeValue::Datetime(time) => Held::Text(time.to_string()),
        DeValue::Array(list) => Held::List(list.iter().map(|value| of_value(value, lines)).collect()),
        DeValue::Table(table) => Held::Table(of_table(table, lines)),
    };
    Node { line: lines.at(value.span().start), held }
}
