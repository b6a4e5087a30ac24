//! Queries of `nodes`. What the time is, the database says: gateways have clocks of their own.

use std::time::Duration;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::{Conn, RunQueryDsl};
use crate::store::schema::calls;
use crate::store::schema::nodes::dsl;
use crate::store::{NodeId, StoreError};

/// A gateway whose lease ran out so long ago and that left nothing behind is forgotten, s.
const KEPT_SECS: f64 = 86_400.0;

/// A time so many seconds from now, by the database's clock.
macro_rules! from_now {
    ($secs:expr) => {{
        let (before, behind) = super::clock::FROM_NOW;
        let secs: f64 = $secs;
        diesel::dsl::sql::<diesel::sql_types::Timestamp>(before).bind::<diesel::sql_types::Double, _>(secs).sql(behind)
    }};
}

/// The ids of gateways that have a lease.
macro_rules! living {
    () => {{
        use crate::store::schema::nodes::dsl as nodes;
        nodes::nodes.filter(nodes::lease_until.gt(super::nodes::from_now!(0.0))).select(nodes::id)
    }};
}

/// Renews a lease, or begins one; false when there was none any more.
pub(in crate::store) async fn renew(conn: &mut Conn, node: &NodeId, lease: Duration) -> Result<bool, StoreError> {
    let until = || from_now!(lease.as_secs_f64());
    let held = dsl::nodes.find(node.as_str()).filter(dsl::lease_until.gt(from_now!(0.0)));
    if diesel::update(held).set(dsl::lease_until.eq(until())).execute(conn).await? > 0 {
        return Ok(true);
    }
    diesel::insert_into(dsl::nodes)
        .values((
            dsl::id.eq(node.as_str()),
            dsl::name.eq(node.name()),
            dsl::started_at.eq(from_now!(0.0)),
            dsl::lease_until.eq(until()),
        ))
        .on_conflict(dsl::id)
        .do_update()
        .set(dsl::lease_until.eq(excluded(dsl::lease_until)))
        .execute(conn)
        .await?;
    Ok(false)
}

/// Whether a gateway has a lease.
pub(in crate::store) async fn lives(conn: &mut Conn, node: &NodeId) -> Result<bool, StoreError> {
    let held = dsl::nodes.find(node.as_str()).filter(dsl::lease_until.gt(from_now!(0.0)));
    Ok(held.select(dsl::id).get_result::<String>(conn).await.optional()?.is_some())
}

/// Ends a lease: who had it is gone, and said so.
pub(in crate::store) async fn give_back(conn: &mut Conn, node: &NodeId) -> Result<(), StoreError> {
    diesel::delete(dsl::nodes.find(node.as_str())).execute(conn).await?;
    Ok(())
}

/// Forgets gateways that are long gone and have no call whose end is not known.
pub(in crate::store) async fn forget(conn: &mut Conn) -> Result<usize, StoreError> {
    let open = calls::table
        .filter(calls::ended_by.is_null())
        .filter(calls::entry.is_not_null())
        .filter(calls::owner.is_not_null())
        .select(calls::owner.assume_not_null());
    let gone = dsl::nodes.filter(dsl::lease_until.lt(from_now!(-KEPT_SECS))).filter(dsl::id.ne_all(open));
    Ok(diesel::delete(gone).execute(conn).await?)
}

pub(in crate::store) use {from_now, living};
