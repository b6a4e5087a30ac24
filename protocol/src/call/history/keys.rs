//! Keys of the caller's that are no entry yet, and entries that have names instead of keys.

use crate::call::digits::names_digits;
use crate::call::keypad::LONGEST_ENTRY;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Pressed since the last entry of them.
    pub(super) pressed: String,
    /// Keys that nobody is told are being pressed, unasked.
    pub(super) in_secret: bool,
    /// Entries that may have got a number: no other one may have it.
    pub(super) secret_entries: u32,
}

impl Keys {
    pub(super) fn pressed(&mut self, key: char) {
        if self.pressed.len() < LONGEST_ENTRY {
            self.pressed.push(key);
        }
    }

    /// An entry began that those belong to which were pressed just now.
    pub(super) fn collected(&mut self, secret: bool, asked: bool) {
        self.pressed.clear();
        self.in_secret = secret && !asked;
    }

    pub(super) fn entered(&mut self, keys: &str) {
        self.pressed.clear();
        self.in_secret = false;
        self.secret_entries += u32::from(names_digits(keys));
    }
}
