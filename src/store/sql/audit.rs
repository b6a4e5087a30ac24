//! Queries of `audit_log`.

use diesel::prelude::*;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl};
use crate::store::schema::audit_log::dsl;
use crate::store::{AuditEntry, StoreError};

pub(in crate::store) async fn append(conn: &mut Conn, entry: &AuditEntry) -> Result<(), StoreError> {
    diesel::insert_into(dsl::audit_log)
        .values((
            dsl::at.eq(entry.at.naive_utc()),
            dsl::kind.eq(&entry.kind),
            dsl::call_sid.eq(entry.call_sid.as_ref().map(CallSid::as_str)),
            dsl::remote_addr.eq(entry.remote_addr.as_deref()),
            dsl::request_id.eq(entry.request_id.as_deref()),
            dsl::outcome.eq(&entry.outcome),
            dsl::payload.eq(entry.payload.to_string()),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

pub(in crate::store) async fn of_call(conn: &mut Conn, sid: &CallSid) -> Result<Vec<AuditEntry>, StoreError> {
    let entries = dsl::audit_log.filter(dsl::call_sid.eq(sid.as_str())).order((dsl::at, dsl::id));
    Ok(entries.select(AuditEntry::as_select()).load(conn).await?)
}

pub(in crate::store) async fn recent(conn: &mut Conn, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
    Ok(dsl::audit_log.order(dsl::id.desc()).limit(limit).select(AuditEntry::as_select()).load(conn).await?)
}
