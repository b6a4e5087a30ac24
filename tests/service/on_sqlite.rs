//! Each of these on SQLite.

#![allow(clippy::duplicate_mod)]

#[path = "agents.rs"]
mod agents;
#[path = "documented.rs"]
mod documented;
#[path = "every_hook.rs"]
mod every_hook;
#[path = "lost.rs"]
mod lost;
#[path = "media.rs"]
mod media;
#[path = "nodes.rs"]
mod nodes;
#[path = "operators.rs"]
mod operators;
#[path = "page.rs"]
mod page;
#[path = "python.rs"]
mod python;
#[path = "races.rs"]
mod races;
#[path = "recorded.rs"]
mod recorded;
#[path = "refusals.rs"]
mod refusals;
#[path = "reports.rs"]
mod reports;
#[path = "resume.rs"]
mod resume;
#[path = "starts.rs"]
mod starts;
#[path = "strangers.rs"]
mod strangers;
#[path = "streams.rs"]
mod streams;
#[path = "texts.rs"]
mod texts;
#[path = "told.rs"]
mod told;
#[path = "transfers.rs"]
mod transfers;
#[path = "watching.rs"]
mod watching;
#[path = "wear.rs"]
mod wear;
#[path = "work.rs"]
mod work;

mod support {
    pub(super) use crate::support::*;

    pub(super) type Gateway = crate::support::TestGateway<crate::database::Sqlite>;
}
