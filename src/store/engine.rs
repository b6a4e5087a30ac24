//! The engines: SQLite and PostgreSQL, their pools, and the versions of the tables.

pub(super) mod migrations;
pub(super) mod pools;
pub(super) mod postgres;
pub(super) mod prepared;
pub(super) mod sqlite;
pub(super) mod url;
