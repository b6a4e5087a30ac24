//! Where callers may be handed on to.

use super::{Key, Kind, LONGEST_DESCRIPTION, MOST_HOURS, Shape, key, needed, text};
use crate::agent::{hours, words};

/// Destinations of a client: each is told the model.
pub const MOST_DESTINATIONS: usize = 32;
/// Bytes of a number or a SIP address.
const LONGEST_TO: usize = 256;
/// Bytes of what whoever picks up hears first.
const LONGEST_WHISPER: usize = 1024;

pub(super) const DESTINATIONS: Key = key(
    "destinations",
    Kind::Named { shape: &DESTINATION, most: MOST_DESTINATIONS, name: words::destination },
    "Where the agent may hand a caller on to, each by its name",
);

pub(super) const FAILURE: Key =
    key("failure", Kind::Table(&TO), "Where a caller goes whom the agent failed, or who was refused");

pub(super) const OUTSIDE_HOURS: Key =
    key("to", text(64, words::destination), "A destination: where a caller goes outside of them (default: nowhere)");

const TO: Shape = Shape { keys: &[needed("to", text(64, words::destination), "A destination")] };

const DESTINATION: Shape = Shape {
    keys: &[
        needed("to", text(LONGEST_TO, words::filled), "A phone number in any spelling, or a SIP address (sip:...)"),
        key("when", text(LONGEST_DESCRIPTION, words::filled), "What it is for, as the model is told"),
        key(
            "hours",
            Kind::Texts { most: MOST_HOURS, each: 256, read: hours::entry },
            "When somebody is there, as in [hours] open (default: always)",
        ),
        key("caller_id", text(64, words::filled), "An ExoPhone that it shows (default: the carrier's choice)"),
        key("ring_secs", Kind::Count { least: 5, most: 120 }, "How long it rings, s (default 45)"),
        key(
            "whisper",
            text(LONGEST_WHISPER, words::fixed),
            "What whoever picks up hears first: words, or the https URL of a sound",
        ),
    ],
};
