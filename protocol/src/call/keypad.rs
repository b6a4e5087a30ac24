//! The caller's keys, collected: the model is told an entry, and asked once.
//!
//! What was pressed is in the history, and so outlives sessions and faults of ours.

use std::time::Duration;

use super::context::Context;
use super::fact::Fact;

/// So long without a key ends an entry.
const PAUSE: Duration = Duration::from_millis(1_500);
/// So many keys end it too.
pub(super) const LONGEST_ENTRY: usize = 32;
/// This key ends it at once, and is no part of it unless it is all there is.
const TERMINATOR: char = '#';

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next key of an entry.
    Key,
}

/// A call is rebuilt: an entry that was begun goes on.
pub(super) fn resume(cx: &mut Context) {
    if is_collecting(cx) {
        cx.deadlines.set(Timer::Key, cx.now + PAUSE);
    }
}

/// Whether an entry was begun.
pub(super) fn is_collecting(cx: &Context) -> bool {
    !cx.history.keys().is_empty()
}

/// A key was pressed. True when it ends the entry.
pub(super) fn pressed(cx: &mut Context, digit: char) -> bool {
    cx.record(Fact::Dtmf { digit });
    cx.deadlines.set(Timer::Key, cx.now + PAUSE);
    digit == TERMINATOR || cx.history.keys().len() >= LONGEST_ENTRY
}

/// The entry is over: what was entered.
pub(super) fn entered(cx: &mut Context) -> String {
    cx.deadlines.clear(Timer::Key);
    let keys = cx.history.keys();
    let keys = keys.strip_suffix(TERMINATOR).filter(|keys| !keys.is_empty()).unwrap_or(keys).to_owned();
    cx.record(Fact::KeysEntered { keys: keys.clone() });
    keys
}
