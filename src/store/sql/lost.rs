//! Queries of calls that no gateway has any more.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use serde_json::json;

use super::nodes::living;
use super::{Conn, RunQueryDsl, audit, jobs, nodes, outbox, turns};
use crate::store::ends::{EndColumns, next_rev, open_until, outranked};
use crate::store::engine::prepared::prepared;
use crate::store::lost::{CALL_LOST, WHY};
use crate::store::outbox::{CALL_ENDED, Event};
use crate::store::schema::calls::dsl;
use crate::store::traces::trace_job;
use crate::store::{AuditEntry, Call, Finish, LostCall, NodeId, StoreError};

/// Calls that `$node` takes for lost, but for those that are too young to tell: its own, and those of gateways that have no leases.
macro_rules! abandoned {
    ($node:expr) => {
        dsl::owner
            .is_null()
            .or(dsl::owner.eq($node.as_str()).assume_not_null())
            .or(dsl::owner.assume_not_null().ne_all(living!()))
    };
}

pub(in crate::store) async fn find(
    conn: &mut Conn,
    node: &NodeId,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<LostCall>, StoreError> {
    // The conditions of the index `calls_open`.
    let open = dsl::calls.filter(dsl::ended_by.is_null()).filter(dsl::entry.is_not_null());
    let others = dsl::owner.is_not_null().and(dsl::owner.ne(node.as_str()).assume_not_null());
    let lost = open.filter(abandoned!(node)).filter(others.or(dsl::started_at.lt(before.naive_utc())));
    let oldest = lost.order(dsl::started_at).limit(limit).select((dsl::call_sid, dsl::generation, dsl::owner));
    let found: Vec<(String, i32, Option<String>)> = oldest.load(conn).await?;
    let lost = |(sid, generation, owner): (String, i32, Option<String>)| LostCall {
        call_sid: CallSid::new(sid),
        generation,
        owner: owner.map(NodeId::stored),
    };
    Ok(found.into_iter().map(lost).collect())
}

/// Needs a transaction. Of several nodes that end the same call one finds it open.
pub(in crate::store) async fn end(
    conn: &mut Conn,
    node: &NodeId,
    calls: &[LostCall],
    traced: bool,
) -> Result<Vec<CallSid>, StoreError> {
    if !nodes::lives(conn, node).await? {
        return Ok(Vec::new());
    }
    let now = Utc::now();
    let code = EndCode::Reaped;
    let end = Finish { at: now, status: code.status().to_owned(), code, why: WHY.to_owned(), transfer: None };
    let mut done = Vec::new();
    let mut entries = Vec::new();
    for LostCall { call_sid: sid, generation, owner } in calls {
        let row = dsl::calls.filter(dsl::call_sid.eq(sid.as_str())).filter(dsl::generation.eq(*generation));
        let open = row.filter(outranked!(end.rank())).filter(abandoned!(node));
        let ended = diesel::update(open).set((EndColumns::of(&end, now), next_rev!())).returning(Call::as_returning());
        let Some(call) = prepared(ended).get_result(conn).await.optional()? else { continue };
        let last = last_seen(&call, turns::end_ms(conn, call.id).await?).min(now);
        let when = diesel::update(dsl::calls.find(call.id)).set((dsl::ended_at.eq(last.naive_utc()), next_rev!()));
        prepared(when).execute(conn).await?;
        let at = open_until(code, now).unwrap_or(now);
        outbox::tell(conn, &Event { call: sid, what: CALL_ENDED, recording: None, at }).await?;
        if traced {
            jobs::enqueue(conn, &trace_job(sid, call.ownership.streams, at)).await?;
        }
        let told =
            json!({ "code": code.name(), "why": WHY, "last_seen": last, "node": owner.as_ref().map(NodeId::as_str) });
        entries.push(AuditEntry::step(sid, now, CALL_LOST, &end.status, told));
        done.push(sid.clone());
    }
    if !entries.is_empty() {
        audit::append(conn, &entries).await?;
    }
    Ok(done)
}

/// The last that is on record of a call.
fn last_seen(call: &Call, turns_end_ms: Option<i64>) -> DateTime<Utc> {
    let times = &call.times;
    let spoken = turns_end_ms.and_then(TimeDelta::try_milliseconds);
    let spoken = times.media_at.zip(spoken).and_then(|(media, spoken)| media.checked_add_signed(spoken));
    [times.answered_at, times.media_at, spoken].into_iter().flatten().fold(times.started_at, Ord::max)
}
