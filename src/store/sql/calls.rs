//! Queries of `calls`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use protocol::ids::{CallSid, PhoneNumber};

use super::{Conn, RunQueryDsl, clients, owners, recordings, turns};
use crate::store::calls::MOST_FOLLOWED;
use crate::store::calls::merge::{merge, settle};
use crate::store::columns::coalesce;
use crate::store::ends::{EndColumns, IN_PROGRESS, next_rev};
use crate::store::engine::prepared::prepared;
use crate::store::schema;
use crate::store::schema::calls::dsl;
use crate::store::{Begun, Call, CallEndReport, CallPage, CallWithTurns, EarlierCall, Kept, NewCall, StoreError};

pub(in crate::store) async fn begin(conn: &mut Conn, new: &NewCall) -> Result<Begun, StoreError> {
    let parties = &new.parties;
    let own = (
        dsl::client_id.eq(new.client_id),
        dsl::entry.eq(new.entry.name()),
        (dsl::owner.eq(new.owner.as_str()), dsl::generation.eq(1)),
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
    // The carrier's reports may have come first: what they told stands where the beginning tells nothing. Of several beginnings one
    // finds the entry empty.
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str()));
    let claim = diesel::update(row.filter(dsl::entry.is_null()))
        .set((
            dsl::client_id.eq(new.client_id),
            dsl::entry.eq(new.entry.name()),
            (dsl::owner.eq(new.owner.as_str()), dsl::generation.eq(dsl::generation + 1)),
            dsl::started_at.eq(new.at.naive_utc()),
            dsl::from_number.eq(coalesce(parties.from.as_ref().map(PhoneNumber::reveal), dsl::from_number)),
            dsl::from_raw.eq(coalesce(parties.from_raw.as_ref().map(PhoneNumber::reveal), dsl::from_raw)),
            dsl::to_number.eq(coalesce(parties.to.as_ref().map(PhoneNumber::reveal), dsl::to_number)),
            dsl::to_raw.eq(coalesce(parties.to_raw.as_ref().map(PhoneNumber::reveal), dsl::to_raw)),
            dsl::direction.eq(coalesce(parties.direction.as_deref(), dsl::direction)),
        ))
        .returning(Call::as_returning());
    let claimed = prepared(claim).get_result(conn).await.optional()?;
    match claimed {
        Some(call) => Ok(Begun::New(end_behind_start(conn, call).await?)),
        None => owners::again(conn, new).await,
    }
}

/// The end of a call that was told before its beginning is no earlier than that.
async fn end_behind_start(conn: &mut Conn, mut call: Call) -> Result<Call, StoreError> {
    let told = call.times.ended_at;
    settle(&mut call.times);
    if call.times.ended_at != told {
        let ended = dsl::ended_at.eq(call.times.ended_at.map(|at| at.naive_utc()));
        diesel::update(dsl::calls.find(call.id)).set((ended, next_rev!())).execute(conn).await?;
    }
    Ok(call)
}

/// Makes sure of a row for a call that is spoken of before it began.
pub(in crate::store) async fn ensure(conn: &mut Conn, sid: &CallSid, at: NaiveDateTime) -> Result<i64, StoreError> {
    let inserted = diesel::insert_into(dsl::calls)
        .values((dsl::call_sid.eq(sid.as_str()), dsl::status.eq(IN_PROGRESS), dsl::started_at.eq(at)))
        .on_conflict(dsl::call_sid)
        .do_nothing()
        .returning(dsl::id)
        .get_result(conn)
        .await
        .optional()?;
    match inserted {
        Some(id) => Ok(id),
        None => Ok(dsl::calls.filter(dsl::call_sid.eq(sid.as_str())).select(dsl::id).get_result(conn).await?),
    }
}

/// Puts a report into its row, and answers with it. Needs a transaction.
pub(in crate::store) async fn report(
    conn: &mut Conn,
    report: &CallEndReport,
) -> Result<(Call, Option<Kept>), StoreError> {
    let at = report.at.naive_utc();
    let id = ensure(conn, &report.call_sid, at).await?;
    // Writing the row before reading it makes other reports of the call wait for the end of this transaction.
    let row = dsl::calls.find(id);
    let locked = diesel::update(row).set(dsl::status.eq(dsl::status)).returning(Call::as_returning());
    let mut call: Call = prepared(locked).get_result(conn).await?;
    let before = call.clone();
    if call.entry.is_none()
        && let Some(client) = clients::by_lines(conn, &report.lines).await?
    {
        // Of two that differ the same one always counts.
        call.client_id = Some(call.client_id.map_or(client.id, |known| known.min(client.id)));
    }
    merge(&mut call, report);
    if call != before {
        let parties = &call.parties;
        let merged = diesel::update(row).set((
            dsl::client_id.eq(call.client_id),
            dsl::from_number.eq(parties.from.as_ref().map(PhoneNumber::reveal)),
            dsl::from_raw.eq(parties.from_raw.as_ref().map(PhoneNumber::reveal)),
            dsl::to_number.eq(parties.to.as_ref().map(PhoneNumber::reveal)),
            dsl::to_raw.eq(parties.to_raw.as_ref().map(PhoneNumber::reveal)),
            dsl::direction.eq(parties.direction.as_deref()),
            EndColumns::of_call(&call),
            next_rev!(),
            dsl::carrier_status.eq(call.carrier_status.as_deref()),
            dsl::started_at.eq(call.times.started_at.naive_utc()),
            dsl::answered_at.eq(call.times.answered_at.map(|at| at.naive_utc())),
            dsl::duration_ms.eq(call.figures.duration_ms),
        ));
        prepared(merged).execute(conn).await?;
    }
    let kept = match &report.recording {
        Some(told) => Some(recordings::announce(conn, &call, told, at).await?),
        None => None,
    };
    Ok((call, kept))
}

pub(in crate::store) async fn with_turns(conn: &mut Conn, sid: &CallSid) -> Result<Option<CallWithTurns>, StoreError> {
    let found = dsl::calls
        .filter(dsl::call_sid.eq(sid.as_str()))
        .select(Call::as_select())
        .get_result(conn)
        .await
        .optional()?;
    let Some(call) = found else { return Ok(None) };
    let client = clients::names(conn, call.client_id.as_slice()).await?.into_values().next();
    let turns = turns::of_call(conn, call.id).await?;
    Ok(Some(CallWithTurns { call, client, turns }))
}

pub(in crate::store) async fn recent(conn: &mut Conn, limit: i64) -> Result<Vec<(Call, Option<String>)>, StoreError> {
    let newest_first = (dsl::started_at.desc(), dsl::id.desc());
    let calls: Vec<Call> = dsl::calls.order(newest_first).limit(limit).select(Call::as_select()).load(conn).await?;
    named(conn, calls).await
}

pub(in crate::store) async fn page(
    conn: &mut Conn,
    page: &CallPage,
) -> Result<Vec<(Call, Option<String>)>, StoreError> {
    let mut calls = dsl::calls.order(dsl::id.desc()).limit(page.limit).select(Call::as_select()).into_boxed();
    if let Some(client) = page.client {
        calls = calls.filter(dsl::client_id.eq(client));
    }
    if let Some(status) = &page.status {
        calls = calls.filter(dsl::status.eq(status));
    }
    if page.live {
        calls = calls.filter(dsl::ended_by.is_null().and(dsl::entry.is_not_null()));
    }
    if let Some(code) = page.ended {
        calls = calls.filter(dsl::ended_code.eq(code.name()));
    }
    if let Some(ms) = page.slow_ms {
        calls = calls.filter(dsl::answer_max_ms.ge(ms).or(dsl::first_audio_ms.ge(ms)));
    }
    if let Some(since) = page.since {
        calls = calls.filter(dsl::started_at.ge(since.naive_utc()));
    }
    if let Some(until) = page.until {
        calls = calls.filter(dsl::started_at.lt(until.naive_utc()));
    }
    if let Some(after) = page.after {
        calls = calls.filter(dsl::id.lt(after));
    }
    let calls = calls.load(conn).await?;
    named(conn, calls).await
}

pub(in crate::store) async fn followed(
    conn: &mut Conn,
    client: Option<i64>,
    behind: i64,
    among: &[i64],
) -> Result<Vec<(Call, Option<String>)>, StoreError> {
    let open = dsl::calls.filter(dsl::id.eq_any(among)).order(dsl::id.desc()).limit(MOST_FOLLOWED.into());
    let mut open: Vec<Call> = open.select(Call::as_select()).load(conn).await?;
    // The oldest of them: the rest comes with the next look.
    let later =
        dsl::calls.filter(dsl::id.gt(behind)).order(dsl::id).limit(MOST_FOLLOWED.into()).select(Call::as_select());
    let mut calls: Vec<Call> = match client {
        Some(client) => later.filter(dsl::client_id.eq(client)).load(conn).await?,
        None => later.load(conn).await?,
    };
    calls.reverse();
    calls.append(&mut open);
    named(conn, calls).await
}

pub(in crate::store) async fn earlier(
    conn: &mut Conn,
    client: i64,
    caller: &PhoneNumber,
    this: &CallSid,
    limit: i64,
) -> Result<Vec<EarlierCall>, StoreError> {
    let theirs = dsl::calls.filter(dsl::client_id.eq(client)).filter(dsl::from_number.eq(caller.reveal()));
    let before = theirs.filter(dsl::call_sid.ne(this.as_str())).filter(dsl::entry.is_not_null());
    let latest = before.order(dsl::started_at.desc()).limit(limit).select((dsl::started_at, dsl::duration_ms));
    let rows: Vec<(NaiveDateTime, Option<i64>)> = latest.load(conn).await?;
    Ok(rows.into_iter().map(|(at, duration_ms)| EarlierCall { at: at.and_utc(), duration_ms }).collect())
}

/// Calls with their clients' names.
async fn named(conn: &mut Conn, calls: Vec<Call>) -> Result<Vec<(Call, Option<String>)>, StoreError> {
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
        .get_result::<Option<String>>(conn)
        .await
        .optional()?;
    Ok(model.flatten())
}
