//! The queries, compiled for PostgreSQL: the same sources as in `lite`, on purpose.

#![allow(clippy::duplicate_mod)]

pub(super) use super::engine::postgres::run::RunQueryDsl;

pub(super) use super::engine::postgres::PgConn as Conn;

#[path = "sql/agents.rs"]
pub(super) mod agents;
#[path = "sql/audit.rs"]
pub(super) mod audit;
#[path = "sql/batch.rs"]
pub(super) mod batch;
#[path = "sql/calls.rs"]
pub(super) mod calls;
#[path = "sql/clients.rs"]
pub(super) mod clients;
#[path = "engine/clock/pg.rs"]
pub(super) mod clock;
#[path = "sql/health.rs"]
pub(super) mod health;
#[path = "sql/jobs.rs"]
pub(super) mod jobs;
#[path = "engine/locking/pg.rs"]
pub(super) mod locking;
#[path = "sql/lost.rs"]
pub(super) mod lost;
#[path = "sql/nodes.rs"]
pub(super) mod nodes;
#[path = "sql/outbox.rs"]
pub(super) mod outbox;
#[path = "sql/outcomes.rs"]
pub(super) mod outcomes;
#[path = "sql/owners.rs"]
pub(super) mod owners;
#[path = "sql/recordings.rs"]
pub(super) mod recordings;
#[path = "sql/secrets.rs"]
pub(super) mod secrets;
#[path = "sql/steps.rs"]
pub(super) mod steps;
#[path = "sql/transfers.rs"]
pub(super) mod transfers;
#[path = "sql/turns.rs"]
pub(super) mod turns;
