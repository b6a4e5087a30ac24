//! `[keypad]`.

use super::{Key, Kind, Shape, key};

pub(super) const KEYPAD: Key = key("keypad", Kind::Table(&TABLE), "How keys that callers press are taken");

const TABLE: Shape = Shape {
    keys: &[key(
        "secret",
        Kind::OneOf(&["asked", "always"]),
        "asked (the default): keys are kept from the model where it asks for that. always: all of them are",
    )],
};
