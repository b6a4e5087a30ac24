//! Queries of `calls`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use protocol::ids::{CallSid, PhoneNumber};

use super::{Conn, RunQueryDsl, clients, recordings, turns};
use crate::store::calls::rank;
use crate::store::columns::coalesce;
use crate::store::schema;
use crate::store::schema::calls::dsl;
use crate::store::{Begun, Call, CallEndReport, CallWithTurns, End, NewCall, Parties, StoreError};

/// The status of a call whose end nobody told.
const IN_PROGRESS: &str = "in-progress";

pub(in crate::store) async fn begin(conn: &mut Conn, new: &NewCall) -> Result<Begun, StoreError> {
    let parties = &new.parties;
    let own = (
        dsl::client_id.eq(new.client_id),
        dsl::entry.eq(new.entry.name()),
        dsl::started_at.eq(new.at.naive_utc()),
        dsl::from_number.eq(parties.from.as_ref().map(PhoneNumber::reveal)),
        dsl::from_raw.eq(parties.from_raw.as_ref().map(PhoneNumber::reveal)),
        dsl::to_number.eq(parties.to.as_ref().map(PhoneNumber::reveal)),
        dsl::to_raw.eq(parties.to_raw.as_ref().map(PhoneNumber::reveal)),
        dsl::direction.eq(parties.direction.as_deref()),
    );
    let inserted = diesel::insert_into(dsl::calls)
        .values((dsl::call_sid.eq(new.call_sid.as_str()), dsl::status.eq(IN_PROGRESS), own))
        .on_conflict(dsl::call_sid)
        .do_nothing()
        .returning(Call::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    if let Some(call) = inserted {
        return Ok(Begun::New(call));
    }
    // The carrier's reports may have come first. Of several beginnings one finds the entry empty.
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str()));
    let claimed = diesel::update(row.filter(dsl::entry.is_null()))
        .set(own)
        .returning(Call::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    match claimed {
        Some(call) => Ok(Begun::New(call)),
        None => Ok(Begun::Known(row.select(Call::as_select()).first(conn).await?)),
    }
}

/// Makes sure of a row for a call that is spoken of before it began.
pub(in crate::store) async fn ensure(conn: &mut Conn, sid: &CallSid, at: NaiveDateTime) -> Result<i64, StoreError> {
    let row = dsl::calls.filter(dsl::call_sid.eq(sid.as_str())).select(dsl::id);
    if let Some(id) = row.first(conn).await.optional()? {
        return Ok(id);
    }
    diesel::insert_into(dsl::calls)
        .values((dsl::call_sid.eq(sid.as_str()), dsl::status.eq(IN_PROGRESS), dsl::started_at.eq(at)))
        .on_conflict(dsl::call_sid)
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(row.first(conn).await?)
}

pub(in crate::store) async fn report(conn: &mut Conn, report: &CallEndReport) -> Result<Call, StoreError> {
    let at = report.at.naive_utc();
    let id = ensure(conn, &report.call_sid, at).await?;
    fill(conn, id, report).await?;
    if let Some(status) = &report.status {
        carrier_status(conn, id, status, report).await?;
    }
    if let Some(url) = &report.recording_url {
        recordings::announce(conn, id, url, at).await?;
    }
    Ok(dsl::calls.find(id).select(Call::as_select()).first(conn).await?)
}

/// Fills what nobody told yet.
async fn fill(conn: &mut Conn, id: i64, report: &CallEndReport) -> Result<(), StoreError> {
    let Parties { from, from_raw, to, to_raw, direction } = &report.parties;
    diesel::update(dsl::calls.find(id))
        .set((
            dsl::from_number.eq(coalesce(dsl::from_number, from.as_ref().map(PhoneNumber::reveal))),
            dsl::from_raw.eq(coalesce(dsl::from_raw, from_raw.as_ref().map(PhoneNumber::reveal))),
            dsl::to_number.eq(coalesce(dsl::to_number, to.as_ref().map(PhoneNumber::reveal))),
            dsl::to_raw.eq(coalesce(dsl::to_raw, to_raw.as_ref().map(PhoneNumber::reveal))),
            dsl::direction.eq(coalesce(dsl::direction, direction.as_deref())),
            dsl::answered_at.eq(coalesce(dsl::answered_at, report.answered_at.map(|at| at.naive_utc()))),
            dsl::duration_ms.eq(coalesce(dsl::duration_ms, report.duration_secs.map(|secs| secs.saturating_mul(1000)))),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Keeps the most final status; an end is the call's end unless the gateway tells of one.
async fn carrier_status(conn: &mut Conn, id: i64, status: &str, report: &CallEndReport) -> Result<(), StoreError> {
    let (as_final, is_end) = rank(status);
    let row = dsl::calls.find(id);
    let less_final = dsl::carrier_status.is_null().or(dsl::carrier_status.ne_all(as_final.to_vec()).assume_not_null());
    diesel::update(row.filter(less_final)).set(dsl::carrier_status.eq(status)).execute(conn).await?;
    if !is_end {
        return Ok(());
    }
    let ours_to_say = dsl::ended_by.is_null().or(dsl::ended_by.ne(End::Gateway.name()).assume_not_null());
    let ended_at = report.ended_at.unwrap_or(report.at).naive_utc();
    diesel::update(row.filter(dsl::carrier_status.eq(status)).filter(ours_to_say))
        .set((
            dsl::status.eq(status),
            dsl::ended_by.eq(End::Carrier.name()),
            dsl::ended_why.eq(format!("the carrier reported the call as {status}")),
            dsl::ended_at.eq(coalesce(dsl::ended_at, Some(ended_at))),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

pub(in crate::store) async fn with_turns(conn: &mut Conn, sid: &CallSid) -> Result<Option<CallWithTurns>, StoreError> {
    let found =
        dsl::calls.filter(dsl::call_sid.eq(sid.as_str())).select(Call::as_select()).first(conn).await.optional()?;
    let Some(call) = found else { return Ok(None) };
    let client = clients::names(conn, call.client_id.as_slice()).await?.into_values().next();
    let turns = turns::of_call(conn, call.id).await?;
    Ok(Some(CallWithTurns { call, client, turns }))
}

pub(in crate::store) async fn recent(conn: &mut Conn, limit: i64) -> Result<Vec<(Call, Option<String>)>, StoreError> {
    let newest_first = (dsl::started_at.desc(), dsl::id.desc());
    let calls: Vec<Call> = dsl::calls.order(newest_first).limit(limit).select(Call::as_select()).load(conn).await?;
    let clients: Vec<i64> = calls.iter().filter_map(|call| call.client_id).collect();
    let names = clients::names(conn, &clients).await?;
    let named = |call: Call| {
        let name = call.client_id.and_then(|id| names.get(&id).cloned());
        (call, name)
    };
    Ok(calls.into_iter().map(named).collect())
}

pub(in crate::store) async fn model(conn: &mut Conn, sid: &CallSid) -> Result<Option<String>, StoreError> {
    let model = dsl::calls
        .inner_join(schema::clients::table)
        .filter(dsl::call_sid.eq(sid.as_str()))
        .select(schema::clients::model)
        .first::<Option<String>>(conn)
        .await
        .optional()?;
    Ok(model.flatten())
}
