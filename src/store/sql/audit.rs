//! Queries of `audit_log` and of where its chain ends.

use chrono::SubsecRound;
use diesel::prelude::*;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl};
use crate::store::audit::{Covered, GENESIS, Link};
use crate::store::engine::prepared::prepared;
use crate::store::schema::audit_head::dsl as head;
use crate::store::schema::audit_log::dsl;
use crate::store::schema::calls::dsl as calls;
use crate::store::{AuditEntry, AuditPage, StoreError};

/// Appends entries to the chain, in their order. Needs a transaction: all or nothing.
pub(in crate::store) async fn append(conn: &mut Conn, entries: &[AuditEntry]) -> Result<(), StoreError> {
    // Writing the head before reading it makes whoever else appends wait for the end of this transaction.
    let end = diesel::update(head::audit_head).set(head::hash.eq(head::hash)).returning(head::hash);
    let end: Option<String> = prepared(end).get_result(conn).await.optional()?;
    let mut prev = match end {
        Some(hash) => hash,
        None => last_hash(conn).await?.unwrap_or_else(|| GENESIS.to_owned()),
    };
    let mut last_id = 0;
    for entry in entries {
        let covered = covered(entry);
        let hash = covered.hash(&prev);
        last_id = diesel::insert_into(dsl::audit_log)
            .values((&covered, dsl::prev_hash.eq(&prev), dsl::hash.eq(&hash)))
            .returning(dsl::id)
            .get_result(conn)
            .await?;
        prev = hash;
    }
    if last_id > 0 {
        let end = (head::last_id.eq(last_id), head::hash.eq(&prev));
        prepared(diesel::update(head::audit_head).set(end)).execute(conn).await?;
    }
    Ok(())
}

/// Appends those entries that are not there yet. Needs a transaction.
pub(in crate::store) async fn append_again(conn: &mut Conn, entries: &[AuditEntry]) -> Result<(), StoreError> {
    // The first attempt may still be on its way: whoever has the head waits for its end, and then sees what it left.
    diesel::update(head::audit_head).set(head::hash.eq(head::hash)).execute(conn).await?;
    let mut missing = Vec::new();
    for entry in entries {
        let row = covered(entry);
        let alike = dsl::audit_log.filter(dsl::at.eq(row.at)).filter(dsl::kind.eq(&row.kind)).select(Link::as_select());
        let alike: Vec<Link> = alike.load(conn).await?;
        if !alike.iter().any(|link| link.covered() == row) {
            missing.push(entry.clone());
        }
    }
    append(conn, &missing).await
}

/// Both databases keep microseconds.
fn covered(entry: &AuditEntry) -> Covered {
    Covered {
        at: entry.at.trunc_subsecs(6).naive_utc(),
        kind: entry.kind.clone(),
        call_sid: entry.call_sid.as_ref().map(|sid| sid.as_str().to_owned()),
        remote_addr: entry.remote_addr.clone(),
        request_id: entry.request_id.clone(),
        outcome: entry.outcome.clone(),
        payload: entry.payload.to_string(),
    }
}

async fn last_hash(conn: &mut Conn) -> Result<Option<String>, StoreError> {
    let hashed = dsl::audit_log.filter(dsl::hash.is_not_null()).order(dsl::id.desc()).select(dsl::hash);
    Ok(hashed.first::<Option<String>>(conn).await.optional()?.flatten())
}

/// The id and hash of the last row, as the last append left them.
pub(in crate::store) async fn end(conn: &mut Conn) -> Result<Option<(i64, String)>, StoreError> {
    Ok(head::audit_head.select((head::last_id, head::hash)).get_result(conn).await.optional()?)
}

/// Rows of the chain behind an id.
pub(in crate::store) async fn links(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<Link>, StoreError> {
    let links = dsl::audit_log.filter(dsl::id.gt(after)).order(dsl::id).limit(limit);
    Ok(links.select(Link::as_select()).load(conn).await?)
}

pub(in crate::store) async fn of_call(conn: &mut Conn, sid: &CallSid) -> Result<Vec<AuditEntry>, StoreError> {
    let entries = dsl::audit_log.filter(dsl::call_sid.eq(sid.as_str())).order((dsl::at, dsl::id));
    Ok(entries.select(AuditEntry::as_select()).load(conn).await?)
}

pub(in crate::store) async fn page(conn: &mut Conn, page: &AuditPage) -> Result<Vec<AuditEntry>, StoreError> {
    let newest_first = dsl::audit_log.order(dsl::id.desc()).limit(page.limit);
    let mut entries = newest_first.select(AuditEntry::as_select()).into_boxed();
    if let Some(call) = &page.call {
        entries = entries.filter(dsl::call_sid.eq(call.as_str()));
    }
    if let Some(client) = page.client {
        let its_calls = calls::calls.filter(calls::client_id.eq(client)).select(calls::call_sid.nullable());
        entries = entries.filter(dsl::call_sid.eq_any(its_calls));
    }
    if let Some(kind) = &page.kind {
        let escaped = kind.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        entries = entries.filter(dsl::kind.eq(kind).or(dsl::kind.like(format!("{escaped}.%")).escape('!')));
    }
    if let Some(outcome) = &page.outcome {
        entries = entries.filter(dsl::outcome.eq(outcome));
    }
    if let Some(since) = page.since {
        entries = entries.filter(dsl::at.ge(since.naive_utc()));
    }
    if let Some(until) = page.until {
        entries = entries.filter(dsl::at.lt(until.naive_utc()));
    }
    Ok(entries.load(conn).await?)
}
