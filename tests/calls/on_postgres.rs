//! Some of them on PostgreSQL.

#![allow(clippy::duplicate_mod)]

#[path = "conversation.rs"]
mod conversation;

mod house {
    pub(super) use crate::house::*;

    pub(super) type House = crate::house::HouseOn<crate::database::Postgres>;
}
