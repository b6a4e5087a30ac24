//! Names of our events, by which an error says which of them it answers.

use std::fmt::{self, Display};

use serde::{Serialize, Serializer};

use super::command::ClientEvent;
use super::event::ServerError;

/// An event of ours on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// What it is.
    pub kind: EventKind,
    /// Counts the events of a call that have a name, from 1.
    pub number: u32,
}

/// What of ours may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `session.update`.
    Update,
    /// `conversation.item.create`.
    Item,
    /// `conversation.item.truncate`.
    Truncate,
    /// `conversation.item.delete`.
    Delete,
    /// `response.create`.
    Response,
    /// `response.cancel`.
    Cancel,
}

/// Servers make ids of their own: these are not taken for ours.
const OURS: &str = "cg";
const KINDS: [EventKind; 6] = [
    EventKind::Update,
    EventKind::Item,
    EventKind::Truncate,
    EventKind::Delete,
    EventKind::Response,
    EventKind::Cancel,
];

impl EventKind {
    /// Of an event; audio has no name: it is sent by the frame, and nothing follows from its refusal.
    #[must_use]
    pub const fn of(event: &ClientEvent) -> Option<Self> {
        match event {
            ClientEvent::SessionUpdate(_) | ClientEvent::Transcribe { .. } => Some(Self::Update),
            ClientEvent::Append(_) => None,
            ClientEvent::CreateItem(_) => Some(Self::Item),
            ClientEvent::Truncate { .. } => Some(Self::Truncate),
            ClientEvent::DeleteItem { .. } => Some(Self::Delete),
            ClientEvent::CreateResponse { .. } => Some(Self::Response),
            ClientEvent::CancelResponse { .. } => Some(Self::Cancel),
        }
    }

    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Update => "session.update",
            Self::Item => "conversation.item.create",
            Self::Truncate => "conversation.item.truncate",
            Self::Delete => "conversation.item.delete",
            Self::Response => "response.create",
            Self::Cancel => "response.cancel",
        }
    }

    /// In an id.
    const fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Item => "item",
            Self::Truncate => "truncate",
            Self::Delete => "delete",
            Self::Response => "response",
            Self::Cancel => "cancel",
        }
    }
}

impl EventId {
    /// Reads an id; none if it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, number) = text.strip_prefix(OURS)?.strip_prefix('-')?.split_once('-')?;
        let kind = KINDS.into_iter().find(|known| known.word() == kind)?;
        let digits = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { kind, number: number.parse().ok().filter(|_| digits)? })
    }
}

impl Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{OURS}-{}-{}", self.kind.word(), self.number)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ServerError {
    /// Which event of ours it answers, if it names one that can be ours.
    #[must_use]
    pub fn answers(&self) -> Option<EventId> {
        self.event_id.as_deref().and_then(EventId::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_went_out_and_no_other_is_taken_for_ours() {
        for kind in KINDS {
            for number in [1, 9, 10, u32::MAX] {
                let id = EventId { kind, number };
                assert_eq!(EventId::parse(&id.to_string()), Some(id));
            }
        }
        for foreign in [
            "",
            "event_TODO",
            "cfg-1",
            "cg",
            "cg-",
            "cg-item",
            "cg-item-",
            "cg-item-0",
            "cg-item-01",
            "cg-item-+1",
            "cg-item-1x",
            "cg-item-4294967296",
            "cg-append-1",
            "item-1",
            "event_E6U0x5zQRGJVzr6MR41ud",
        ] {
            assert_eq!(EventId::parse(foreign), None, "{foreign}");
        }
    }
}
