//! The caller's keys.
//!
//! What the model asks for (`collect_digits`) is an entry of its own: it ends with so many keys or a terminator, and its deadlines are here.
//! Whatever is typed until 3 s after its last key belongs to it, and is never told as anything else. Keys that nobody asked for are an entry
//! as well, over after a pause: the model is told it, and asked once.
//!
//! Keys that nobody shall know are here and nowhere else, and gone with the call or a fault of ours. All others are in the history, and so
//! outlive sessions and faults.

mod ask;
mod unasked;

use std::time::{Duration, Instant};

use super::context::Context;
use super::digits::{self, Digits, SecretDigits};
use super::fact::Fact;
use super::io::EffectId;
use super::prompts;
use crate::exotel::stream::UNREADABLE_KEY;
pub(super) use ask::Ask;
use unasked::{PAUSE, is_collecting, pressed};
pub(super) use unasked::{entered, entered_in_secret};

/// So many keys end it too.
pub(super) const LONGEST_ENTRY: usize = digits::LONGEST_ENTRY;
/// This key ends it at once, and is no part of it unless it is all there is.
const TERMINATOR: char = '#';
/// How long the first key of an entry that was asked for may take, from when the question was heard.
const FIRST_KEY: Duration = Duration::from_secs(8);
/// And the next ones.
const NEXT_KEY: Duration = Duration::from_secs(5);
/// And all of it.
const WHOLE_ENTRY: Duration = Duration::from_secs(40);
/// So long after its last key an entry has all that is typed, and nobody hears its caller: a tone comes before its event.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next key of an entry that nobody asked for.
    Key,
    /// The first or next key of one that was.
    Asked,
    /// The end of that.
    Whole,
    /// Nothing more is typed into the last one.
    Afterwards,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Keypad {
    entry: Option<Entry>,
    /// The one before it, to which belongs what is still typed.
    former: Option<Former>,
    kept: SecretDigits,
    /// Secret entries that a model was told of.
    numbered: u32,
    /// The secret entry that was asked for last did not come about: who types later than that types it still.
    owed: bool,
}

/// Keys as they are pressed, for the model's eyes or not.
#[derive(Debug)]
struct Entry {
    /// By whom it was asked for; none: by nobody.
    by: Option<EffectId>,
    ask: Ask,
    typed: Digits,
    unreadable: bool,
    last_key: Option<Instant>,
}

/// An entry that is over.
#[derive(Clone, Copy, Debug)]
struct Former {
    secret: bool,
    /// It was asked for: what is typed now is no entry of its own.
    swallows: bool,
    terminator: Option<char>,
    /// The agent was heard since: whoever types answers that.
    answered: bool,
}

/// What a key comes to.
#[derive(Debug)]
pub(super) enum Pressed {
    /// Nothing for now.
    Nothing,
    /// What was typed unasked is an entry.
    Told,
    /// It belongs to an entry that was asked for, and is the first of it; or ends one.
    Entry { first: bool, done: Option<Done> },
}

/// An entry is over.
#[derive(Debug)]
pub(super) struct Done {
    /// By whom it was asked for; none: by nobody.
    pub(super) by: Option<EffectId>,
    /// The model is told so: as the function's result, or as what the caller did.
    pub(super) told: String,
}

/// How an entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Complete,
    TimedOut,
    Spoken,
}

impl Keypad {
    /// A call is rebuilt. An entry that was begun unasked goes on, as far as it may be known; of one that was asked for nothing is left, and
    /// whoever asked is told so.
    pub(super) fn resume(&mut self, cx: &mut Context) {
        if is_collecting(cx) {
            cx.deadlines.set(Timer::Key, cx.now + PAUSE);
        }
        self.numbered = cx.history.secret_entries();
        let always = cx.setup.secret_keys;
        let last = cx.history.last_entry();
        self.owed = last.is_some_and(|call| always || Ask::read(&call.arguments, always).is_ok_and(|ask| ask.secret));
        let lost = cx.history.open_entries();
        let unasked = cx.history.types_in_secret();
        if !lost.is_empty() || unasked {
            let secret = self.owed || unasked;
            self.close(cx, Former { secret, swallows: true, terminator: None, answered: false }, cx.now);
        }
        if unasked {
            // Of it nothing is left: as of keys that could not be read.
            cx.record(Fact::KeysEntered { keys: UNREADABLE_KEY.to_string() });
        }
        for (id, call_id) in lost {
            cx.record(Fact::ToolReturned { id, call_id, output: prompts::ENTRY_LOST.to_owned() });
        }
    }

    /// What was entered in secret.
    pub(super) const fn kept(&self) -> &SecretDigits {
        &self.kept
    }

    /// Whether an entry was begun, or is waited for.
    pub(super) fn is_collecting(&self, cx: &Context) -> bool {
        self.entry.is_some() || is_collecting(cx)
    }

    /// Whether the model waits for keys.
    pub(super) fn is_asked(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.by.is_some())
    }

    /// Whether nobody may hear the caller: keys have tones.
    pub(super) fn is_muted(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.ask.secret) || self.former.is_some_and(|former| former.secret)
    }

    /// The model asks for keys. What was typed just now and is not told yet is the beginning of them.
    pub(super) fn ask(&mut self, cx: &mut Context, by: EffectId, ask: Ask, is_live: bool) -> Option<Done> {
        let typed = self.entry.take().map(|entry| entry.typed.reveal().to_owned());
        let typed = typed.unwrap_or_else(|| cx.history.keys().to_owned());
        cx.deadlines.clear(Timer::Key);
        self.entry = Some(Entry::new(Some(by), ask));
        if is_live {
            self.begins(cx);
        }
        typed.chars().filter(|key| *key != TERMINATOR).find_map(|key| self.take(cx, key).1)
    }

    /// The caller is there, and can type.
    pub(super) fn begins(&self, cx: &mut Context) {
        if self.is_asked() {
            cx.deadlines.set(Timer::Asked, cx.now + FIRST_KEY);
            cx.deadlines.set(Timer::Whole, cx.now + WHOLE_ENTRY);
        }
    }

    /// The agent speaks: nobody types before they have heard what.
    pub(super) fn agent_speaks(&self, cx: &mut Context) {
        if self.entry.as_ref().is_some_and(|entry| entry.by.is_some() && entry.last_key.is_none()) {
            cx.deadlines.set(Timer::Asked, cx.now + FIRST_KEY);
        }
    }

    /// The agent is heard.
    pub(super) fn agent_heard(&mut self) {
        self.former.iter_mut().for_each(|former| former.answered = true);
    }

    /// A key was pressed.
    pub(super) fn pressed(&mut self, cx: &mut Context, key: char) -> Pressed {
        if self.is_of_former(key) {
            cx.count("keys_surplus", 1);
            cx.deadlines.set(Timer::Afterwards, cx.now + AFTERWARDS);
            return Pressed::Nothing;
        }
        if self.entry.is_none() {
            if !cx.setup.secret_keys && !self.owed {
                return if pressed(cx, key) { Pressed::Told } else { Pressed::Nothing };
            }
            self.entry = Some(Entry::new(None, Ask::nobodys()));
        }
        let (first, done) = self.take(cx, key);
        Pressed::Entry { first, done }
    }

    /// Whether a key belongs to the entry that is over: unless the agent was heard since, and it is no terminator that comes late.
    fn is_of_former(&self, key: char) -> bool {
        let Some(former) = self.former.filter(|former| former.swallows) else { return false };
        match &self.entry {
            None => true,
            Some(entry) => entry.typed.len() == 0 && (!former.answered || former.terminator == Some(key)),
        }
    }

    /// A key of the entry at hand: whether it is the first of one that was asked for, and the entry if it ends it.
    fn take(&mut self, cx: &mut Context, key: char) -> (bool, Option<Done>) {
        let Some(entry) = &mut self.entry else { return (false, None) };
        let first = entry.last_key.is_none();
        entry.last_key = Some(cx.now);
        let (asked, secret) = (entry.by.is_some(), entry.ask.secret);
        let ends = Some(key) == entry.ask.terminator;
        if key == UNREADABLE_KEY {
            entry.unreadable = true;
        } else if !ends {
            entry.typed.push(key);
        }
        let ends = ends || entry.typed.len() >= entry.ask.count.unwrap_or(LONGEST_ENTRY);
        if first {
            cx.record(Fact::KeysCollected { secret, asked });
        }
        match asked {
            true => cx.deadlines.set(Timer::Asked, cx.now + NEXT_KEY),
            false => cx.deadlines.set(Timer::Key, cx.now + if self.owed { NEXT_KEY } else { PAUSE }),
        }
        let done = if ends { self.finish(cx, How::Complete) } else { None };
        (first && asked, done)
    }

    /// It is time. The agent may still be about to say what is to be typed.
    pub(super) fn expired(&mut self, cx: &mut Context, timer: Timer, says: bool) -> Pressed {
        let done = match (timer, &self.entry) {
            (Timer::Afterwards, _) => {
                self.former = None;
                None
            }
            (Timer::Key, None) if is_collecting(cx) => return Pressed::Told,
            (Timer::Key, _) => self.finish(cx, How::Complete),
            (Timer::Asked, Some(Entry { last_key: None, .. })) if says => {
                cx.deadlines.set(Timer::Asked, cx.now + FIRST_KEY);
                None
            }
            (Timer::Asked, Some(entry)) if entry.ask.ends_by_pause() && entry.typed.len() > 0 => {
                self.finish(cx, How::Complete)
            }
            (Timer::Asked | Timer::Whole, _) => self.finish(cx, How::TimedOut),
        };
        Pressed::Entry { first: false, done }
    }

    /// The caller said something instead: who may be heard, and types nothing, is not waited for.
    pub(super) fn spoken(&mut self, cx: &mut Context) -> Option<Done> {
        let entry = self.entry.as_ref().filter(|entry| entry.by.is_some() && !entry.ask.secret)?;
        if entry.last_key.is_some() { None } else { self.finish(cx, How::Spoken) }
    }

    /// The entry at hand is over.
    fn finish(&mut self, cx: &mut Context, how: How) -> Option<Done> {
        let Entry { by, ask, typed, unreadable, last_key } = self.entry.take()?;
        [Timer::Key, Timer::Asked, Timer::Whole].into_iter().for_each(|timer| cx.deadlines.clear(timer));
        let former = Former { secret: ask.secret, swallows: by.is_some(), terminator: ask.terminator, answered: false };
        last_key.into_iter().for_each(|at| self.close(cx, former, at));
        let count = typed.len();
        let complete = how == How::Complete && count > 0 && !unreadable;
        self.owed = match (ask.secret, complete) {
            (_, true) => false,
            (secret, false) => self.owed || secret && by.is_some(),
        };
        let digits = match (complete, ask.secret) {
            (true, true) => {
                self.numbered += 1;
                self.kept.keep(self.numbered, typed);
                Some(digits::name(self.numbered))
            }
            (true, false) => Some(typed.reveal().to_owned()),
            (false, _) => None,
        };
        let told = match (digits, by) {
            (Some(digits), Some(_)) => prompts::entry(&digits, count),
            (Some(digits), None) => prompts::secret_keys(&digits, count),
            (None, None) if unreadable => UNREADABLE_KEY.to_string(),
            (None, None) => TERMINATOR.to_string(),
            (None, Some(_)) if how == How::TimedOut => {
                cx.count("entry_timed_out", 1);
                prompts::entry_timed_out(count, ask.count)
            }
            (None, Some(_)) if how == How::Spoken => prompts::entry_failed("the caller spoke and typed nothing", count),
            (None, Some(_)) if unreadable => prompts::entry_failed(prompts::UNREADABLE_KEYS, count),
            (None, Some(_)) => prompts::entry_failed("the caller ended it without a key before", count),
        };
        Some(Done { by, told })
    }

    /// What is typed so soon after that key is of an entry that is over.
    fn close(&mut self, cx: &mut Context, former: Former, last_key: Instant) {
        let until = last_key + AFTERWARDS;
        if until > cx.now {
            self.former = Some(former);
            cx.deadlines.set(Timer::Afterwards, until);
        }
    }

    /// Everything that was entered is forgotten.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Entry {
    fn new(by: Option<EffectId>, ask: Ask) -> Self {
        Self { by, ask, typed: Digits::new(), unreadable: false, last_key: None }
    }
}
