//! Some of them on PostgreSQL.

#![allow(clippy::duplicate_mod)]

#[path = "conversation.rs"]
mod conversation;
#[path = "flows.rs"]
mod flows;
#[path = "functions.rs"]
mod functions;
#[path = "listening.rs"]
mod listening;
#[path = "outcomes.rs"]
mod outcomes;
#[path = "traces.rs"]
mod traces;

mod support {
    pub(super) use crate::support::*;

    pub(super) type Gateway = crate::support::TestGateway<crate::database::Postgres>;
}
