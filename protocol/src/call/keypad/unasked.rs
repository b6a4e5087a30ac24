//! Keys that nobody asked for and anybody may know. They are in the history, and nowhere else.

use std::time::Duration;

use super::{LONGEST_ENTRY, TERMINATOR, Timer};
use crate::call::context::Context;
use crate::call::fact::Fact;

/// So long without a key ends an entry.
pub(super) const PAUSE: Duration = Duration::from_millis(1_500);

/// Whether keys wait that anybody may know.
pub(super) fn is_collecting(cx: &Context) -> bool {
    !cx.history.keys().is_empty()
}

/// A key that anybody may know was pressed, unasked. True when it ends the entry.
pub(super) fn pressed(cx: &mut Context, key: char) -> bool {
    cx.record(Fact::Dtmf { digit: key });
    cx.deadlines.set(Timer::Key, cx.now + PAUSE);
    key == TERMINATOR || cx.history.keys().len() >= LONGEST_ENTRY
}

/// The entry of such keys is over: what was entered.
pub(in crate::call) fn entered(cx: &mut Context) -> String {
    cx.deadlines.clear(Timer::Key);
    let keys = cx.history.keys();
    let keys = keys.strip_suffix(TERMINATOR).filter(|keys| !keys.is_empty()).unwrap_or(keys).to_owned();
    cx.record(Fact::KeysEntered { keys: keys.clone() });
    keys
}

/// The entry of others is over: this stands for it.
pub(in crate::call) fn entered_in_secret(cx: &mut Context, keys: String) -> String {
    cx.record(Fact::KeysEntered { keys: keys.clone() });
    keys
}
