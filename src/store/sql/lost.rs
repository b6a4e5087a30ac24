//! Queries of calls that no gateway has any more.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::call::end::EndCode;
use protocol::ids::CallSid;
use serde_json::json;

use super::{Conn, RunQueryDsl, audit, outbox, turns};
use crate::store::ends::{EndColumns, next_rev, open_until, outranked};
use crate::store::engine::prepared::prepared;
use crate::store::lost::{CALL_LOST, WHY};
use crate::store::outbox::{CALL_ENDED, Event};
use crate::store::schema::calls::dsl;
use crate::store::{AuditEntry, Call, Finish, StoreError};

pub(in crate::store) async fn open(
    conn: &mut Conn,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<CallSid>, StoreError> {
    // The conditions of the index `calls_open`.
    let open = dsl::calls.filter(dsl::ended_by.is_null()).filter(dsl::entry.is_not_null());
    let oldest = open.filter(dsl::started_at.lt(before.naive_utc())).order(dsl::started_at).limit(limit);
    let found: Vec<String> = oldest.select(dsl::call_sid).load(conn).await?;
    Ok(found.into_iter().map(CallSid::new).collect())
}

/// Needs a transaction. Of several nodes that end the same call one finds it open.
pub(in crate::store) async fn end(conn: &mut Conn, calls: &[CallSid]) -> Result<Vec<CallSid>, StoreError> {
    let now = Utc::now();
    let code = EndCode::Reaped;
    let end = Finish { at: now, status: code.status().to_owned(), code, why: WHY.to_owned() };
    let mut done = Vec::new();
    let mut entries = Vec::new();
    for sid in calls {
        let open = dsl::calls.filter(dsl::call_sid.eq(sid.as_str())).filter(outranked!(end.rank()));
        let ended = diesel::update(open).set((EndColumns::of(&end, now), next_rev!())).returning(Call::as_returning());
        let Some(call) = prepared(ended).get_result(conn).await.optional()? else { continue };
        let last = last_seen(&call, turns::end_ms(conn, call.id).await?).min(now);
        let when = diesel::update(dsl::calls.find(call.id)).set((dsl::ended_at.eq(last.naive_utc()), next_rev!()));
        prepared(when).execute(conn).await?;
        let at = open_until(code, now).unwrap_or(now);
        outbox::tell(conn, &Event { call: sid, what: CALL_ENDED, recording: None, at }).await?;
        entries.push(AuditEntry {
            at: now,
            kind: CALL_LOST.to_owned(),
            call_sid: Some(sid.clone()),
            remote_addr: None,
            request_id: None,
            outcome: end.status.clone(),
            payload: json!({ "code": code.name(), "why": WHY, "last_seen": last }),
        });
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
