//! Judges a file as a whole: what its parts mean together, and to this gateway.

mod destinations;
mod listening;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use protocol::call::clips::MOST_CLIPS;
use protocol::call::template::Template;
use protocol::exotel::normalise_number;
use protocol::realtime::models::{Wish, can};
use serde_json::Value;

use super::file::AgentFile;
use super::node::{self, Node};
use super::read::{Mistake, Mistakes, table};
use super::shape::{FILE, LONGEST_FILE, LONGEST_INSTRUCTIONS};
use super::silence::SilenceConfig;
use super::words;
use crate::notify::check_url;
use crate::outgoing::PrivateHosts;

/// Functions that every agent has.
const BUILT_IN: [&str; 3] = ["end_call", "transfer_call", "collect_digits"];

/// What a file is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Private hosts that its URLs may name.
    pub private: &'a PrivateHosts,
    /// Where the files are that it names; none: it may name none.
    pub folder: Option<&'a Path>,
}

/// Reads a file in TOML.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_toml(text: &str, rules: Rules<'_>) -> Result<AgentFile, Vec<Mistake>> {
    if text.len() > LONGEST_FILE {
        let problem = format!("has {} bytes: {LONGEST_FILE} are the most", text.len());
        return Err(vec![Mistake { line: None, key: String::new(), problem }]);
    }
    read(&node::of_toml(text)?, rules)
}

/// Reads the same as JSON.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_json(value: &Value, rules: Rules<'_>) -> Result<AgentFile, Vec<Mistake>> {
    read(&Node::of_json(value), rules)
}

fn read(node: &Node, rules: Rules<'_>) -> Result<AgentFile, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let mut value = table(node, &FILE, "", &mut mistakes);
    held_elsewhere(&mut value, rules.folder, &mut mistakes);
    let file = match serde_json::from_value::<AgentFile>(value) {
        Ok(mut file) => {
            judge(&mut file, rules, &mut mistakes);
            Some(file)
        }
        Err(error) => {
            mistakes.tell("", format!("cannot be read: {error}"));
            None
        }
    };
    let mistakes = mistakes.into_vec();
    match file {
        Some(file) if mistakes.is_empty() => Ok(file),
        _ => Err(mistakes),
    }
}

/// Instructions that another file holds.
fn held_elsewhere(value: &mut Value, folder: Option<&Path>, mistakes: &mut Mistakes) {
    let key = "agent.instructions_file";
    let Some(agent) = value.get_mut("agent").and_then(Value::as_object_mut) else { return };
    let Some(Value::String(name)) = agent.remove("instructions_file") else { return };
    if agent.contains_key("instructions") {
        return mistakes.tell(key, "stands beside instructions: leave one of them");
    }
    let Some(folder) = folder else {
        return mistakes.tell(key, "names a file, and here there is none: give the text itself in instructions");
    };
    let path = folder.join(name);
    match read_bounded(&path, LONGEST_INSTRUCTIONS) {
        Ok(None) => {
            mistakes.tell(key, format!("names a file of more than {LONGEST_INSTRUCTIONS} bytes: that is the most"))
        }
        Ok(Some(text)) => match words::template(&text) {
            Ok(text) => drop(agent.insert("instructions".to_owned(), Value::String(text))),
            Err(problem) => mistakes.tell(key, format!("names a file whose text will not do: it {problem}")),
        },
        Err(error) => mistakes.tell(key, format!("names {}, which cannot be read ({error})", path.display())),
    }
}

/// The text of a file; none if it has more than so many bytes.
///
/// # Errors
/// When it cannot be read, or is no UTF-8.
pub fn read_bounded(path: &Path, most: usize) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    File::open(path)?.take(most as u64 + 1).read_to_string(&mut text)?;
    Ok(Some(text).filter(|text| text.len() <= most))
}

fn judge(file: &mut AgentFile, rules: Rules<'_>, mistakes: &mut Mistakes) {
    numbers(file, mistakes);
    urls(file, rules.private, mistakes);
    functions(file, mistakes);
    let sentences = file.document().fixed_sentences().len();
    if sentences > MOST_CLIPS {
        mistakes
            .tell("tools", format!("have {sentences} different sentences with hold_words, nudge_words and closed_words: {MOST_CLIPS} are the most"));
    }
    if file.agent.voice.is_some() && file.agent.unlisted_voice.is_some() {
        mistakes.tell("agent.unlisted_voice", "stands beside voice: leave one of them");
    }
    let asks = file.context.is_some();
    for (key, text) in [("agent.greeting", &file.agent.greeting), ("agent.instructions", &file.agent.instructions)] {
        // What is no template was told.
        let unfilled = Template::parse(text).map(|template| template.unfilled(asks)).unwrap_or_default();
        if !unfilled.is_empty() {
            mistakes.tell(key, unfilled.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and "));
        }
    }
    if file.hours.is_none() && file.agent.closed_words.is_some() {
        mistakes.tell("agent.closed_words", "is never said without [hours]: say when it is open, or leave it out");
    }
    destinations::judge(file, mistakes);
    listening::judge(file, mistakes);
    if let Some(name) = file.follow_up.silence.as_ref().and_then(SilenceConfig::destination) {
        destinations::known(file, "silence.then", name, mistakes);
    }
    model(file, mistakes);
}

/// Each number in the one spelling it is kept in: the first stays the first, the others have no order.
fn numbers(file: &mut AgentFile, mistakes: &mut Mistakes) {
    if file.numbers.is_empty() {
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, told) in file.numbers.iter_mut().enumerate() {
        let key = format!("numbers[{index}]");
        match normalise_number(told, &file.region) {
            Some(number) if seen.insert(number.clone()) => *told = number,
            Some(_) => mistakes.tell(&key, "is there twice: leave one of them"),
            None => mistakes.tell(&key, "is no phone number: give it as +918047112233, or 08047112233"),
        }
    }
    file.numbers[1..].sort_unstable();
}

fn urls(file: &AgentFile, private: &PrivateHosts, mistakes: &mut Mistakes) {
    let mut check = |key: String, url: &str| {
        if let Err(problem) = check_url(url, private) {
            mistakes.tell(&key, problem);
        }
    };
    if let Some(context) = &file.context {
        check("context.url".to_owned(), &context.url);
    }
    if let Some(events) = &file.events {
        check("events.url".to_owned(), &events.url);
    }
    file.tools.iter().enumerate().for_each(|(index, tool)| check(format!("tools[{index}].url"), &tool.url));
    file.mcp.iter().enumerate().for_each(|(index, server)| check(format!("mcp[{index}].url"), &server.url));
}

/// The model calls a function by its name alone.
fn functions(file: &AgentFile, mistakes: &mut Mistakes) {
    let mut names = BTreeSet::new();
    for (index, tool) in file.tools.iter().enumerate() {
        let key = format!("tools[{index}].name");
        if BUILT_IN.contains(&tool.name.as_str()) {
            mistakes.tell(&key, format!("is {}, which every agent has: give it another name", tool.name));
        } else if !names.insert(&tool.name) {
            mistakes.tell(&key, format!("is {}, as that of another tool is: give it one of its own", tool.name));
        }
    }
    let mut labels = BTreeSet::new();
    for (index, server) in file.mcp.iter().enumerate() {
        if !labels.insert(&server.label) {
            let key = format!("mcp[{index}].label");
            mistakes.tell(&key, format!("is {}, as that of another server is: give it one of its own", server.label));
        }
    }
}

/// What the model cannot take: one such field costs the whole of a session's configuration.
fn model(file: &AgentFile, mistakes: &mut Mistakes) {
    let Some(model) = &file.agent.model else { return };
    if !can(model, Wish::Conversation) {
        return mistakes.tell(
            "agent.model",
            format!(
                "is {model}, which holds no conversation over the Realtime protocol: give one such as gpt-realtime-2.1"
            ),
        );
    }
    if let Some(voice) = file.agent.voice.as_deref().filter(|voice| !can(model, Wish::Voice(voice))) {
        mistakes.tell(
            "agent.voice",
            format!("is {voice}, which {model} does not have: choose another voice, or another model"),
        );
    }
    if !(file.tools.is_empty() && file.mcp.is_empty() || can(model, Wish::Functions)) {
        mistakes.tell(
            "agent.model",
            format!("is {model}, which calls no functions: leave tools and mcp out, or choose another model"),
        );
    }
}
