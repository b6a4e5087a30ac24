//! What an agent file may say, as data: its reader, its JSON Schema and the words of its mistakes come from here.

mod destinations;
mod keypad;
mod listening;

use super::outcome::OUTCOME;
use super::silence::SILENCE;
use super::{hours, words};

/// Bytes of a file, whichever way it comes.
pub const LONGEST_FILE: usize = 256 * 1024;
/// Tools of a client; each server's tools are counted when they are listed.
pub const MOST_TOOLS: usize = 32;
/// Servers of functions.
pub const MOST_SERVERS: usize = 8;
/// Numbers of a client.
pub const MOST_NUMBERS: usize = 64;
/// Entries of opening hours.
pub const MOST_HOURS: usize = 32;
/// Headers of one request.
pub const MOST_HEADERS: usize = 16;
/// Bytes of a header's value.
pub const LONGEST_HEADER: usize = 1024;
/// Bytes of what is said of a tool.
pub const LONGEST_DESCRIPTION: usize = 1024;
/// Bytes of instructions.
pub const LONGEST_INSTRUCTIONS: usize = 64 * 1024;
/// Bytes of a greeting, and of anything else that is said.
pub const LONGEST_SAID: usize = 4 * 1024;
/// Bytes of a name for people.
pub const LONGEST_NAME: usize = 256;

/// Bytes of a fixed sentence: its characters have up to four.
pub const LONGEST_SENTENCE_BYTES: usize = 4 * crate::clips::LONGEST_SENTENCE;

/// Bytes of a model's name.
pub const LONGEST_MODEL: usize = 128;

/// A check of a text, which gives it back as it is kept.
pub(super) type ReadText = fn(&str) -> Result<String, String>;

/// What stands behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text of so many bytes that comes through its check, as the check gives it back.
    Text { most: usize, read: fn(&str) -> Result<String, String> },
    /// True or false; `on` or `off`.
    Flag,
    /// A whole number.
    Count { least: i64, most: i64 },
    /// A number.
    Number { least: f64, most: f64 },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// So many texts; one may stand alone.
    Texts { most: usize, each: usize, read: fn(&str) -> Result<String, String> },
    /// So many texts, by so many names.
    NamedTexts { most_names: usize, name: ReadText, most: usize, each: usize, read: ReadText },
    /// Headers of a request.
    Headers,
    /// A JSON Schema: a table, or JSON in a text.
    Schema,
    /// A table.
    Table(&'static Shape),
    /// So many tables.
    Tables { shape: &'static Shape, most: usize },
    /// So many tables, each by a name that comes through its check.
    Named { shape: &'static Shape, most: usize, name: fn(&str) -> Result<String, String> },
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) needed: bool,
    pub(super) about: &'static str,
}

/// A table.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) keys: &'static [Key],
}

pub(super) const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, needed: false, about }
}

pub(super) const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, needed: true, about }
}

const fn said(most: usize) -> Kind {
    Kind::Text { most, read: words::template }
}

pub(super) const fn text(most: usize, read: fn(&str) -> Result<String, String>) -> Kind {
    Kind::Text { most, read }
}

const LIMIT: Kind = Kind::Count { least: 1, most: i32::MAX as i64 };
const URL: Kind = text(crate::outgoing::LONGEST_URL, words::url);
const HEADERS: Key =
    key("headers", Kind::Headers, "Sent with each request; the value secret:NAME stands for a sealed secret");
const EFFECT: Key = key(
    "effect",
    Kind::OneOf(&["read", "write"]),
    "read: it only looks, and may be asked again. write (the default): it is asked once",
);

/// The whole file.
pub(super) const FILE: Shape = Shape {
    keys: &[
        needed("name", text(LONGEST_NAME, words::filled), "What the client is called, for people"),
        needed(
            "numbers",
            Kind::Texts { most: MOST_NUMBERS, each: 64, read: words::filled },
            "ExoPhones whose calls it takes, in any spelling; it is known by the first",
        ),
        key("active", Kind::Flag, "Takes calls (default true)"),
        key("time_zone", text(64, crate::tenant::time_zone), "IANA name (default Asia/Kolkata)"),
        key("region", text(8, words::region), "Country in which numbers are read, ISO 3166 (default IN)"),
        key("recording", Kind::Flag, "Calls are recorded (default false)"),
        key("max_concurrent", LIMIT, "Live calls (default: as many as the gateway)"),
        key("calls_per_minute", LIMIT, "Calls a minute, over all callers (default 600)"),
        key("caller_calls_per_minute", LIMIT, "Calls a minute of one caller (default 10)"),
        key("max_call_secs", LIMIT, "Longest call, s (default: the gateway's)"),
        key("agent", Kind::Table(&AGENT), "What callers meet"),
        key("listening", Kind::Table(&listening::LISTENING), "How callers are understood"),
        key("context", Kind::Table(&CONTEXT), "Who is asked who calls"),
        key("events", Kind::Table(&EVENTS), "Where the client is told of its calls"),
        key(
            "tools",
            Kind::Tables { shape: &TOOL, most: MOST_TOOLS },
            "Functions that are HTTP endpoints of the client's own",
        ),
        key("mcp", Kind::Tables { shape: &MCP, most: MOST_SERVERS }, "MCP servers whose tools the agent may call"),
        key("hours", Kind::Table(&HOURS), "When the agent answers (default: always)"),
        key("silence", Kind::Table(&SILENCE), "What a caller hears who has fallen silent (default: nothing)"),
        keypad::KEYPAD,
        destinations::DESTINATIONS,
        destinations::FAILURE,
        key(
            "outcome",
            Kind::Table(&OUTCOME),
            "What a text model is to find out of a call that is over (default: nothing)",
        ),
    ],
};

const AGENT: Shape = Shape {
    keys: &[
        key("greeting", said(LONGEST_SAID), "What callers are greeted with; a template"),
        key("instructions", said(LONGEST_INSTRUCTIONS), "The system prompt; a template"),
        key(
            "instructions_file",
            text(4096, words::filled),
            "A file beside this one that holds the instructions instead",
        ),
        key("language", text(64, words::language), "BCP 47 (default en-IN)"),
        key("voice", text(64, words::voice), "A voice of OpenAI's, or an own voice's id (default: the model's)"),
        key("unlisted_voice", text(64, words::unlisted_voice), "A voice of another server, or a newer one, instead"),
        key("model", text(LONGEST_MODEL, words::model), "The model (default: the gateway's)"),
        key(
            "speed",
            Kind::Number { least: 0.25, most: 1.5 },
            "How fast the voice speaks (default: as it does, which is 1)",
        ),
        key(
            "hold_words",
            Kind::Texts { most: 8, each: LONGEST_SENTENCE_BYTES, read: words::sentence },
            "What a caller hears who waits for a function without say_while, one at a time",
        ),
        key(
            "closed_words",
            text(LONGEST_SAID, words::fixed),
            "What callers hear outside of hours, before they are hung up on or handed on",
        ),
    ],
};

const HOURS: Shape = Shape {
    keys: &[
        needed(
            "open",
            Kind::Texts { most: MOST_HOURS, each: 256, read: hours::entry },
            "Days and times in the time zone, as in \"Mon-Fri 09:00-18:00\"",
        ),
        destinations::OUTSIDE_HOURS,
    ],
};

const CONTEXT: Shape = Shape {
    keys: &[
        needed("url", URL, "Who is asked: https and public, or one of PRIVATE_HOSTS"),
        HEADERS,
        key(
            "deadline_ms",
            Kind::Count { least: 50, most: 10_000 },
            "How long the call's beginning waits, ms (default 800)",
        ),
    ],
};

const EVENTS: Shape = Shape {
    keys: &[needed(
        "url",
        URL,
        "Where: https and public, or one of PRIVATE_HOSTS. Its secret is shown when it is set first",
    )],
};

const TOOL: Shape = Shape {
    keys: &[
        needed("name", text(64, words::function), "As the model calls it"),
        needed("description", text(LONGEST_DESCRIPTION, words::filled), "What the model is told of it"),
        key("parameters", Kind::Schema, "JSON Schema of its arguments, an object's (default: none)"),
        needed("url", URL, "The endpoint: https and public, or one of PRIVATE_HOSTS"),
        key("method", Kind::OneOf(&["POST", "PUT", "PATCH"]), "How it is asked (default POST)"),
        HEADERS,
        key(
            "timeout_ms",
            Kind::Count { least: 100, most: 120_000 },
            "How long an answer is waited for, ms (default 15000)",
        ),
        EFFECT,
        key(
            "say_while",
            Kind::Texts { most: 8, each: LONGEST_SENTENCE_BYTES, read: words::sentence },
            "What the caller hears while it runs, one at a time",
        ),
        key("answer", Kind::OneOf(&["speak", "silent"]), "Whether the model says something then (default speak)"),
    ],
};

const MCP: Shape = Shape {
    keys: &[
        needed("label", text(32, words::function), "Its tools are called LABEL_NAME"),
        needed("url", URL, "The server, streamable HTTP: https and public, or one of PRIVATE_HOSTS"),
        HEADERS,
        key(
            "allowed",
            Kind::Texts { most: MOST_TOOLS, each: 128, read: words::filled },
            "The tools that are offered, by the server's names (default: all)",
        ),
        EFFECT,
        key("secret_digits", Kind::Flag, "Whether it may be given keys that were pressed in secret (default false)"),
    ],
};
