//! Queries of `call_transfers`.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::call::end::{EndCode, Transfer};
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, jobs, outbox};
use crate::store::ends::RETURN;
use crate::store::engine::prepared::prepared;
use crate::store::outbox::{SEND_EVENT, ended_key};
use crate::store::schema::call_transfers::dsl;
use crate::store::schema::calls;
use crate::store::transfers::MOST_SHOWN;
use crate::store::{Call, CallTransfer, Finish, HandedOn, NewTransfer, StoreError};

/// The agent handed the caller on: true if that is new. Its end is in the row.
pub(in crate::store) async fn put(
    conn: &mut Conn,
    call: &CallSid,
    finish: &Finish,
    transfer: &Transfer,
) -> Result<Option<CallTransfer>, StoreError> {
    let row = calls::table.filter(calls::call_sid.eq(call.as_str())).select(Call::as_select());
    let call: Call = row.get_result(conn).await?;
    if call.ended_code != Some(EndCode::Transferred) {
        return Ok(None);
    }
    let new = CallTransfer {
        number: call.transfer_number(),
        at: finish.at,
        destination: transfer.to.clone(),
        reason: transfer.reason.clone(),
        summary: transfer.summary.clone(),
        cause: EndCode::Transferred,
        outcome: None,
    };
    Ok(insert(conn, call.id, &new).await?.then_some(new))
}

/// Needs a transaction.
pub(in crate::store) async fn hand_on(conn: &mut Conn, new: &NewTransfer) -> Result<Option<HandedOn>, StoreError> {
    // Writing the row before reading it makes others who ask wait for the end of this transaction.
    let row = calls::table.filter(calls::call_sid.eq(new.call_sid.as_str()));
    let locked = diesel::update(row).set(calls::status.eq(calls::status)).returning(Call::as_returning());
    let Some(call) = prepared(locked).get_result::<Call>(conn).await.optional()? else { return Ok(None) };
    if call.transfer_number() != new.number || call.ended_code != new.ended_code {
        return Ok(None);
    }
    let told = CallTransfer {
        number: new.number,
        at: new.at,
        destination: Some(new.destination.clone()),
        reason: new.reason.clone(),
        summary: None,
        cause: new.ended_code.unwrap_or(EndCode::Unknown),
        outcome: None,
    };
    let decided = insert(conn, call.id, &told).await?;
    if decided {
        outbox::transferred(conn, &call, &told).await?;
    }
    let Some(stands) = of_stream(conn, call.id, new.number).await? else { return Ok(None) };
    rings_until(conn, &call, stands.at + TimeDelta::from_std(new.rings).unwrap_or(RETURN) + RETURN).await?;
    Ok(Some(HandedOn { stands, decided }))
}

/// The call may come back until then.
async fn rings_until(conn: &mut Conn, call: &Call, until: DateTime<Utc>) -> Result<(), StoreError> {
    let waits = call.ended_code.is_some_and(EndCode::is_provisional) && !call.is_over_for_good(Utc::now());
    if !waits || call.over_at.is_none_or(|over| over >= until) {
        return Ok(());
    }
    let until_then = calls::over_at.eq(until.naive_utc());
    prepared(diesel::update(calls::table.find(call.id)).set(until_then)).execute(conn).await?;
    jobs::reschedule(conn, SEND_EVENT, &ended_key(&call.call_sid), until).await
}

/// False when there is one.
async fn insert(conn: &mut Conn, call: i64, new: &CallTransfer) -> Result<bool, StoreError> {
    let added = diesel::insert_into(dsl::call_transfers)
        .values((
            dsl::call_id.eq(call),
            dsl::number.eq(new.number),
            dsl::at.eq(new.at.naive_utc()),
            dsl::destination.eq(new.destination.as_deref()),
            dsl::reason.eq(&new.reason),
            dsl::summary.eq(new.summary.as_deref()),
            dsl::cause.eq(new.cause.name()),
        ))
        .on_conflict((dsl::call_id, dsl::number))
        .do_nothing();
    Ok(added.execute(conn).await? > 0)
}

/// What became of a transfer.
pub(in crate::store) async fn came_to(conn: &mut Conn, call: &CallSid, outcome: &str) -> Result<(), StoreError> {
    let row = calls::table.filter(calls::call_sid.eq(call.as_str())).select(Call::as_select());
    let Some(call) = row.get_result::<Call>(conn).await.optional()? else { return Ok(()) };
    let transfer = dsl::call_transfers.find((call.id, call.transfer_number()));
    prepared(diesel::update(transfer).set(dsl::outcome.eq(outcome))).execute(conn).await?;
    Ok(())
}

pub(in crate::store) async fn of_stream(
    conn: &mut Conn,
    call: i64,
    number: i32,
) -> Result<Option<CallTransfer>, StoreError> {
    let found = dsl::call_transfers.find((call, number)).select(CallTransfer::as_select());
    Ok(prepared(found).get_result(conn).await.optional()?)
}

pub(in crate::store) async fn of_call(conn: &mut Conn, call: i64) -> Result<Vec<CallTransfer>, StoreError> {
    let latest = dsl::call_transfers.filter(dsl::call_id.eq(call)).order(dsl::number.desc()).limit(MOST_SHOWN);
    let mut found: Vec<CallTransfer> = latest.select(CallTransfer::as_select()).load(conn).await?;
    found.reverse();
    Ok(found)
}
