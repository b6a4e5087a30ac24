//! What can be done with clients.

use protocol::exotel::webhook::FieldError;

use super::calls::{AFTER, LIMIT, NEXT};
use super::refusals::malformed;
use super::{Operation, Who};
use crate::http::error::Refused;
use crate::json_schema::{Field, Kind, Object, field, optional, optional_or_null};
use crate::views::schema::CLIENT;

pub(in crate::http) static LIST_CLIENTS: Operation = Operation {
    id: "listClients",
    about: "The clients, in the order in which they were added, a page at a time",
    who: Who::Operator,
    query: &[AFTER, LIMIT],
    takes: None,
    gives: (200, Kind::Of(&CLIENTS)),
    refusals: &[],
};

const CLIENTS: Object = Object {
    name: "Clients",
    about: "A page of clients.",
    fields: &[&[field("clients", Kind::List(&Kind::Of(&CLIENT)), "In the order in which they were added."), NEXT]],
};

pub(in crate::http) static ADD_CLIENT: Operation = Operation {
    id: "addClient",
    about: "A new client; the answer shows the secret of its events if one was made, once",
    who: Who::Operator,
    query: &[],
    takes: Some(Kind::Of(&NEW_CLIENT)),
    gives: (201, Kind::Of(&CLIENT)),
    refusals: &[missing, malformed, unknown, || Refused::NumberTaken(1)],
};

pub(in crate::http) static GET_CLIENT: Operation = Operation {
    id: "getClient",
    about: "One client",
    who: Who::Operator,
    query: &[],
    takes: None,
    gives: (200, Kind::Of(&CLIENT)),
    refusals: &[|| Refused::NoSuchClient],
};

pub(in crate::http) static CHANGE_CLIENT: Operation = Operation {
    id: "changeClient",
    about: "Changes what is named of a client, and nothing else",
    who: Who::Operator,
    query: &[],
    takes: Some(Kind::Of(&CHANGED_CLIENT)),
    gives: (200, Kind::Of(&CLIENT)),
    refusals: &[malformed, unknown, || Refused::NoSuchClient, || Refused::NumberTaken(1)],
};

pub(in crate::http) static DISABLE_CLIENT: Operation = Operation {
    id: "disableClient",
    about: "A client's calls are taken no more; those that have begun go on",
    who: Who::Operator,
    query: &[],
    takes: None,
    gives: (200, Kind::Of(&CLIENT)),
    refusals: &[|| Refused::NoSuchClient],
};

fn missing() -> Refused {
    FieldError::missing("NAME", "a new client needs one").into()
}

fn unknown() -> Refused {
    Refused::UnknownField("NAME".to_owned())
}

const NEW_CLIENT: Object = Object {
    name: "NewClient",
    about: "A client that is to be. What is left out is as `callgate client add` has it.",
    fields: &[&[field("name", Kind::Text, NAME), field("number", Kind::Text, NUMBER)], REST],
};

const CHANGED_CLIENT: Object = Object {
    name: "ClientChanges",
    about: "What shall be different. What is left out stays as it is.",
    fields: &[&[optional("name", Kind::Text, NAME), optional("number", Kind::Text, NUMBER)], REST],
};

const NAME: &str = "What it is called, for people.";
const NUMBER: &str = "Its ExoPhone, in any spelling; of `region`, where it has no country code.";
/// As flags may be told.
const FLAG: Kind = Kind::Either(&[Kind::Flag, Kind::Word(|| vec!["on", "off"])]);
const LIMIT_OF_CALLS: Kind = Kind::Whole(Some(0), Some(i32::MAX as i64));

/// What bodies may say of a client beside; `clients::told` reads it.
const REST: &[Field] = &[
    optional("active", FLAG, "Takes calls."),
    optional("region", Kind::Text, "Country in which numbers are read, ISO 3166."),
    optional("time_zone", Kind::Text, "IANA name."),
    optional("greeting", Kind::Text, "What callers are greeted with; a template."),
    optional("language", Kind::Text, "Of the agent, BCP 47: `hi-IN`."),
    optional_or_null(
        "transcription_language",
        Kind::Text,
        "Of its callers, ISO 639-1; null or empty: they mix languages.",
    ),
    optional_or_null(
        "voice",
        Kind::Text,
        "One of the usual server's, or an own one's id (`voice_…`); null or empty: the model's default.",
    ),
    optional_or_null("unlisted_voice", Kind::Text, "One of any other server's, instead of `voice`."),
    optional("instructions", Kind::Text, "System prompt; a template."),
    optional_or_null("model", Kind::Text, "Null or empty: the gateway's."),
    optional_or_null("tools", Kind::List(&Kind::Anything), "Empty or null: functions stand in the agent file."),
    optional("recording", FLAG, "Whether calls are recorded."),
    optional_or_null("max_concurrent", LIMIT_OF_CALLS, "Live calls; null or 0: as many as the gateway."),
    optional_or_null("calls_per_minute", LIMIT_OF_CALLS, "Calls a minute, over all callers; null or 0: the default."),
    optional_or_null(
        "caller_calls_per_minute",
        LIMIT_OF_CALLS,
        "Calls a minute of one caller; null or 0: the default.",
    ),
    optional_or_null("max_call_secs", LIMIT_OF_CALLS, "Longest call, s; null or 0: the gateway's."),
    optional_or_null(
        "events_url",
        Kind::Text,
        "Where it is told of its calls: https and public, or at one of `PRIVATE_HOSTS`; null or empty: nowhere.",
    ),
    optional(
        "events_secret",
        Kind::Text,
        "What its events are signed with, 16 characters or more; without it one is made.",
    ),
];
