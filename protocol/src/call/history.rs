//! The fold of a call's facts: what a restart after a panic, a redial, a roll or a returning call begins from.
//!
//! It is never the state that panicked, only what was recorded.

use std::time::Instant;

use codecs::SampleRate;

use super::fact::{Fact, Turn, Who};
use crate::ids::{ItemId, StreamSid};
use crate::realtime::command::NewItem;

/// What is known of a call from its facts.
#[derive(Clone, Debug, Default)]
pub struct History {
    stream: Option<(StreamSid, SampleRate, Instant)>,
    entries: Vec<Entry>,
    dials: u32,
    resumes: u32,
    pending_tools: Vec<NewItem>,
}

/// One turn as it grows.
#[derive(Clone, Debug)]
struct Entry {
    item: ItemId,
    who: Who,
    text: String,
    at_ms: u64,
    heard_ms: u64,
    generated_ms: u64,
    interrupted: bool,
    /// The caller stopped speaking, or the agent was heard out or cut.
    ended: bool,
    /// Tool calls and results that followed this turn.
    tools: Vec<NewItem>,
}

impl History {
    /// Folds one fact.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::MediaStarted { stream, rate, at } => self.stream = Some((stream.clone(), *rate, *at)),
            Fact::ModelDialled { attempt } => self.dials = *attempt,
            Fact::Resumed => self.resumes += 1,
            Fact::CallerSpoke { item, at_ms } => self.open(item, Who::Caller, *at_ms),
            Fact::CallerStopped { item, at_ms } => self.with(item, |e| {
                e.heard_ms = at_ms.saturating_sub(e.at_ms);
                e.ended = true;
            }),
            Fact::CallerText { item, text } => self.with(item, |e| e.text.clone_from(text)),
            Fact::AgentBegan { item, at_ms } => self.open(item, Who::Agent, *at_ms),
            Fact::AgentText { item, delta } => self.with(item, |e| e.text.push_str(delta)),
            Fact::Heard { item, generated_ms, heard_ms } => self.with(item, |e| {
                e.generated_ms = *generated_ms;
                e.heard_ms = *heard_ms;
            }),
            Fact::Interrupted { item, heard_ms, .. } => self.with(item, |e| {
                e.heard_ms = *heard_ms;
                e.interrupted = true;
                e.ended = true;
            }),
            Fact::ToolCalled { call_id, name, arguments } => self.tool(NewItem::FunctionCall {
                call_id: call_id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
            }),
            Fact::ToolReturned { call_id, output } => {
                self.tool(NewItem::FunctionOutput { call_id: call_id.clone(), output: output.clone() });
            }
            _ => {}
        }
    }

    fn open(&mut self, item: &ItemId, who: Who, at_ms: u64) {
        if self.entries.iter().any(|e| e.item == *item) {
            return;
        }
        self.entries.push(Entry {
            item: item.clone(),
            who,
            text: String::new(),
            at_ms,
            heard_ms: 0,
            generated_ms: 0,
            interrupted: false,
            ended: false,
            tools: std::mem::take(&mut self.pending_tools),
        });
    }

    /// The newest turns are the ones that move: search from the end.
    fn with(&mut self, item: &ItemId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|e| e.item == *item) {
            change(entry);
        }
    }

    fn tool(&mut self, item: NewItem) {
        match self.entries.last_mut() {
            Some(entry) => entry.tools.push(item),
            None => self.pending_tools.push(item),
        }
    }

    /// How a turn stands, once it is over.
    pub(crate) fn settle(&mut self, item: &ItemId) -> Option<Turn> {
        let index = self.entries.iter().rposition(|e| e.item == *item)?;
        self.entries[index].ended = true;
        Some(self.turn(index))
    }

    /// Every turn as it stands.
    pub fn turns(&self) -> impl Iterator<Item = Turn> + '_ {
        (0..self.entries.len()).map(|index| self.turn(index))
    }

    /// The items of turns that nobody has called over yet.
    pub(crate) fn unsettled(&self) -> Vec<ItemId> {
        self.entries.iter().filter(|e| !e.ended).map(|e| e.item.clone()).collect()
    }

    fn turn(&self, index: usize) -> Turn {
        let entry = &self.entries[index];
        Turn {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            who: entry.who,
            text: entry.words().to_owned(),
            at_ms: entry.at_ms,
            heard_ms: entry.heard_ms,
            generated_ms: entry.generated_ms,
            interrupted: entry.interrupted,
        }
    }

    /// The stream, its rate, and when it began.
    #[must_use]
    pub fn stream(&self) -> Option<&(StreamSid, SampleRate, Instant)> {
        self.stream.as_ref()
    }

    /// When the media stream began.
    #[must_use]
    pub fn started(&self) -> Option<Instant> {
        self.stream.as_ref().map(|(_, _, at)| *at)
    }

    /// Model connections dialled so far.
    #[must_use]
    pub fn dials(&self) -> u32 {
        self.dials
    }

    /// Times the call was rebuilt.
    #[must_use]
    pub fn resumes(&self) -> u32 {
        self.resumes
    }

    /// Whether the agent was ever heard.
    #[must_use]
    pub fn agent_heard(&self) -> bool {
        self.entries.iter().any(|e| e.who == Who::Agent && e.heard_ms > 0)
    }

    /// Whether no words of a turn are known yet.
    pub(crate) fn is_wordless(&self, item: &ItemId) -> bool {
        self.entries.iter().rev().find(|e| e.item == *item).is_none_or(|e| e.text.is_empty())
    }

    /// What the model owes the caller when it comes back.
    #[must_use]
    pub(crate) fn owed(&self) -> Owed {
        // Words that no audio followed were no answer.
        match self.entries.iter().rev().find(|e| e.who == Who::Caller || e.generated_ms > 0) {
            Some(e) if e.who == Who::Caller && e.ended => Owed::Answer,
            Some(e) if e.who == Who::Caller => Owed::Ear,
            Some(e) if e.who == Who::Agent && !e.ended && e.heard_ms < e.generated_ms => Owed::Rest,
            _ => Owed::Nothing,
        }
    }

    /// The last `turns` turns as items for a new session: what was said and *heard*, tool calls with their results.
    #[must_use]
    pub(crate) fn replay(&self, turns: usize) -> Vec<NewItem> {
        let from = self.entries.len().saturating_sub(turns);
        let mut items = Vec::new();
        for entry in &self.entries[from..] {
            let words = entry.words();
            match entry.who {
                Who::Caller if words.is_empty() => items.push(NewItem::User("[inaudible]".to_owned())),
                Who::Caller => items.push(NewItem::User(words.to_owned())),
                Who::Agent if words.is_empty() => {}
                Who::Agent => items.push(NewItem::Assistant(words.to_owned())),
            }
            items.extend(paired(&entry.tools));
        }
        items
    }
}

/// What a model that comes back should do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    Nothing,
    /// The caller spoke and had no answer.
    Answer,
    /// The caller was speaking when they were last listened to.
    Ear,
    /// The agent was lost in the middle of one.
    Rest,
}

impl Entry {
    /// The words; of the agent only the part that was heard, cut at a word.
    fn words(&self) -> &str {
        if self.who == Who::Caller || self.heard_ms >= self.generated_ms && self.generated_ms > 0 {
            return self.text.trim();
        }
        if self.heard_ms == 0 {
            return "";
        }
        let chars = self.text.chars().count() as u64;
        let keep = usize::try_from(chars * self.heard_ms / self.generated_ms.max(1)).unwrap_or(usize::MAX);
        let end = self.text.char_indices().nth(keep).map_or(self.text.len(), |(at, _)| at);
        let cut = &self.text[..end];
        if self.text[end..].starts_with(char::is_whitespace) {
            return cut.trim();
        }
        cut.rfind(char::is_whitespace).map_or("", |at| &cut[..at]).trim()
    }
}

/// Tool calls that have a result, and those results: an orphan of either kind is refused by servers.
fn paired(tools: &[NewItem]) -> impl Iterator<Item = NewItem> + '_ {
    let id = |item: &NewItem| match item {
        NewItem::FunctionCall { call_id, .. } | NewItem::FunctionOutput { call_id, .. } => Some(call_id.clone()),
        _ => None,
    };
    tools.iter().filter(move |&item| tools.iter().filter(|&other| id(other) == id(item)).count() == 2).cloned()
}

#[cfg(test)]
mod tests;
