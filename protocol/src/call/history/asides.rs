//! What happened between the turns: functions that were called, and keys that were pressed.

use super::{Entry, History};
use crate::call::digits::names_digits;
use crate::call::fact::ToolCall;
use crate::call::io::EffectId;
use crate::call::prompts;
use crate::call::tools::COLLECT_DIGITS;
use crate::realtime::command::NewItem;

/// Function calls and entries of keys kept with one turn.
pub(super) const MAX_ASIDES: usize = 64;

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Aside {
    /// A function was called; its result, once there is one.
    Call(ToolCall, Option<String>),
    /// Keys were entered.
    Keys(String),
    /// A result that came too late to be one, as it was told.
    Late(String),
}

impl Aside {
    /// As a session is told it. A call that has no result, and a result without its call, would be refused.
    pub(super) fn items(&self) -> Vec<NewItem> {
        match self {
            Self::Call(call, Some(output)) => call.items(output).into(),
            Self::Call(_, None) => Vec::new(),
            Self::Keys(keys) => vec![NewItem::User(prompts::keys(keys))],
            Self::Late(words) => vec![NewItem::System(words.clone())],
        }
    }

    /// Whether the model, told of it last, has something to say to it.
    pub(super) fn wants_answer(&self) -> bool {
        !matches!(self, Self::Call(_, None) | Self::Late(_))
    }

    pub(super) fn weight(&self) -> usize {
        let text = match self {
            Self::Call(call, output) => {
                call.call_id.len() + call.name.len() + call.arguments.len() + output.as_ref().map_or(0, String::len)
            }
            Self::Keys(text) | Self::Late(text) => text.len(),
        };
        size_of::<Self>() + text
    }
}

impl History {
    /// Something happened after what was said last. False when there is no room for it.
    pub(super) fn aside(&mut self, aside: Aside) -> bool {
        let asides = self.entries.last_mut().map_or(&mut self.before, |entry| &mut entry.asides);
        let room = asides.len() < MAX_ASIDES;
        if room {
            asides.push(aside);
        }
        room
    }

    /// A function returned: its result stands beside its call, however much was said meanwhile.
    pub(super) fn returned(&mut self, id: EffectId, output: &str) {
        let asides = self.entries.iter_mut().rev().flat_map(|entry| &mut entry.asides).chain(&mut self.before);
        for aside in asides {
            match aside {
                Aside::Call(call, result @ None) if call.id == id => {
                    *result = Some(output.to_owned());
                    return;
                }
                _ => {}
            }
        }
    }

    /// Functions called so far.
    #[must_use]
    pub fn effects(&self) -> u32 {
        self.effects
    }

    /// Keys that were pressed and are no entry yet.
    #[must_use]
    pub fn keys(&self) -> &str {
        &self.keys.pressed
    }

    /// Entries that may have got a number.
    pub(crate) fn secret_entries(&self) -> u32 {
        self.keys.secret_entries
    }

    /// Whether keys are being pressed that nobody is told, and that nobody asked for.
    pub(crate) const fn types_in_secret(&self) -> bool {
        self.keys.in_secret
    }

    /// Calls of the function that asks for keys, whose entries have not ended: each with its session's name for it.
    pub(crate) fn open_entries(&self) -> Vec<(EffectId, String)> {
        let asides = self.before.iter().chain(self.entries.iter().flat_map(|entry| &entry.asides));
        let open = asides.filter_map(|aside| match aside {
            Aside::Call(call, None) if call.name == COLLECT_DIGITS => Some((call.id, call.call_id.clone())),
            _ => None,
        });
        open.collect()
    }

    /// The call that asked for keys last, unless digits came of it or were entered since.
    pub(crate) fn last_entry(&self) -> Option<&ToolCall> {
        let mut asides =
            self.entries.iter().rev().flat_map(|entry| entry.asides.iter().rev()).chain(self.before.iter().rev());
        asides.find_map(|aside| match aside {
            Aside::Call(call, result) if call.name == COLLECT_DIGITS => {
                Some(Some(call).filter(|_| !result.as_deref().is_some_and(names_digits)))
            }
            Aside::Keys(keys) if names_digits(keys) => Some(None),
            _ => None,
        })?
    }

    /// A call of a function, and its result.
    pub(crate) fn call_of(&self, id: EffectId) -> Option<(&ToolCall, Option<&str>)> {
        let mut asides = self.entries.iter().rev().flat_map(|entry| &entry.asides).chain(&self.before);
        asides.find_map(|aside| match aside {
            Aside::Call(call, result) if call.id == id => Some((call, result.as_deref())),
            _ => None,
        })
    }

    /// The turn after which a function was called.
    pub(crate) fn turn_of_call(&self, id: EffectId) -> Option<usize> {
        let called = |entry: &Entry| entry.asides.iter().any(|a| matches!(a, Aside::Call(call, _) if call.id == id));
        self.entries.iter().rposition(called)
    }

    /// Functions that are to return, and whether the caller has spoken since they were called.
    pub(crate) fn running(&self) -> Vec<(ToolCall, bool)> {
        let last = self.entries.iter().rposition(Entry::is_turn_of_caller);
        let turns = self.entries.iter().enumerate().map(|(index, entry)| (Some(index), &entry.asides));
        let all = std::iter::once((None, &self.before)).chain(turns);
        let running = all.flat_map(|(index, asides)| asides.iter().map(move |aside| (index, aside)));
        running
            .filter_map(|(index, aside)| match aside {
                Aside::Call(call, None) if call.wait_ms.is_some() => Some((call.clone(), index < last)),
                _ => None,
            })
            .collect()
    }
}
