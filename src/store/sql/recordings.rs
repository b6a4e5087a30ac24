//! Queries of `recordings`.

use chrono::{NaiveDateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;
use protocol::ids::CallSid;
use serde_json::json;

use super::{Conn, RunQueryDsl, calls, jobs, outbox};
use crate::store::Stored;
use crate::store::columns::Word;
use crate::store::outbox::{Event, RECORDING_STORED, SEND_EVENT};
use crate::store::recordings::{Announced, FETCH_RECORDING, Kept, MOST_OF_CALL, MOST_WAITING};
use crate::store::schema;
use crate::store::schema::recordings::dsl;
use crate::store::{Call, Job, NewJob, Recording, RecordingStatus, StoreError};

const PENDING: &str = RecordingStatus::Pending.name();
const STORED: &str = RecordingStatus::Stored.name();
const FAILED: &str = RecordingStatus::Failed.name();
/// The sources of those that we made ourselves.
const OWN: &str = "own:%";

/// A recording of the carrier's; told again, it stays as it is, save that one which was refused and may be fetched by now is. Whoever
/// fetches it is told with it. Needs a transaction that holds the call's row: it counts before it adds.
pub(in crate::store) async fn announce(
    conn: &mut Conn,
    call: &Call,
    told: &Announced,
    at: NaiveDateTime,
) -> Result<Kept, StoreError> {
    let Announced { url, refused } = told;
    let known = dsl::recordings.filter(dsl::call_id.eq(call.id).and(dsl::source_url.eq(url)));
    let known: Option<(i64, Word<RecordingStatus>)> =
        known.select((dsl::id, dsl::status)).get_result(conn).await.optional()?;
    if let Some((id, status)) = known {
        let failed = RecordingStatus::from(status) == RecordingStatus::Failed;
        if refused.is_none() && failed && enqueue(conn, id, FETCH_RECORDING, None).await? {
            wait_again(conn, vec![id]).await?;
        }
        return Ok(if refused.is_some() { Kept::Refused } else { Kept::Waits });
    }
    let kept = match refused {
        _ if of_carrier(conn, call.id).await? >= MOST_OF_CALL => Kept::CallFull,
        Some(_) => Kept::Refused,
        None if waiting(conn, call.client_id).await? >= MOST_WAITING => Kept::ClientFull,
        None => Kept::Waits,
    };
    let reason = match (kept, refused) {
        (Kept::Refused, Some(why)) => {
            refuse(conn, call.id, url, at, why).await?;
            "policy"
        }
        (Kept::CallFull, _) => "call_full",
        (Kept::ClientFull, _) => "client_full",
        _ => {
            add(conn, call.id, url, at, FETCH_RECORDING, None).await?;
            return Ok(kept);
        }
    };
    metrics::counter!("callgate_recordings_refused_total", "reason" => reason).increment(1);
    Ok(kept)
}

/// Recordings of a call that are not our own.
async fn of_carrier(conn: &mut Conn, call_id: i64) -> Result<i64, StoreError> {
    let rows = dsl::recordings.filter(dsl::call_id.eq(call_id)).filter(dsl::source_url.not_like(OWN));
    Ok(rows.count().get_result(conn).await?)
}

/// Recordings of a client's calls that wait to be fetched, or of calls that are nobody's.
async fn waiting(conn: &mut Conn, client: Option<i64>) -> Result<i64, StoreError> {
    let rows = dsl::recordings.inner_join(schema::calls::table).filter(dsl::status.eq(PENDING));
    let rows = rows.filter(dsl::source_url.not_like(OWN)).select(count_star()).into_boxed();
    let rows = match client {
        Some(client) => rows.filter(schema::calls::client_id.eq(client)),
        None => rows.filter(schema::calls::client_id.is_null()),
    };
    Ok(rows.get_result(conn).await?)
}

/// Notes a recording that nobody fetches, and why.
async fn refuse(conn: &mut Conn, call_id: i64, url: &str, at: NaiveDateTime, why: &str) -> Result<(), StoreError> {
    diesel::insert_into(dsl::recordings)
        .values((
            dsl::call_id.eq(call_id),
            dsl::source_url.eq(url),
            dsl::status.eq(FAILED),
            dsl::error.eq(why),
            dsl::created_at.eq(at),
            dsl::updated_at.eq(at),
        ))
        .on_conflict((dsl::call_id, dsl::source_url))
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

pub(in crate::store) async fn announce_own(
    conn: &mut Conn,
    call: &CallSid,
    source: &str,
    kind: &'static str,
    node: Option<&str>,
) -> Result<i64, StoreError> {
    let now = Utc::now().naive_utc();
    let call_id = calls::ensure(conn, call, now).await?;
    let id = add(conn, call_id, source, now, kind, node).await?;
    let given_up = dsl::recordings.filter(dsl::id.eq(id).and(dsl::status.eq(FAILED)));
    if given_up.count().get_result::<i64>(conn).await? == 0 {
        return Ok(id);
    }
    // Its job failed too, perhaps so long ago that it is forgotten.
    match jobs::failed(conn, kind, &id.to_string()).await? {
        Some(job) => drop(retry(conn, Some(job)).await?),
        None if enqueue(conn, id, kind, node).await? => wait_again(conn, vec![id]).await?,
        None => {}
    }
    Ok(id)
}

async fn enqueue(conn: &mut Conn, id: i64, kind: &'static str, node: Option<&str>) -> Result<bool, StoreError> {
    let job = NewJob::new(kind, id.to_string(), json!({ "recording_id": id }));
    jobs::enqueue(conn, &NewJob { node: node.map(str::to_owned), ..job }).await
}

async fn add(
    conn: &mut Conn,
    call_id: i64,
    source: &str,
    at: NaiveDateTime,
    kind: &'static str,
    node: Option<&str>,
) -> Result<i64, StoreError> {
    let added = diesel::insert_into(dsl::recordings)
        .values((
            dsl::call_id.eq(call_id),
            dsl::source_url.eq(source),
            dsl::status.eq(PENDING),
            dsl::created_at.eq(at),
            dsl::updated_at.eq(at),
        ))
        .on_conflict((dsl::call_id, dsl::source_url))
        .do_nothing()
        .returning(dsl::id)
        .get_result::<i64>(conn)
        .await
        .optional()?;
    if let Some(id) = added {
        enqueue(conn, id, kind, node).await?;
        return Ok(id);
    }
    let known = dsl::recordings.filter(dsl::call_id.eq(call_id).and(dsl::source_url.eq(source)));
    Ok(known.select(dsl::id).get_result(conn).await?)
}

pub(in crate::store) async fn by_id(conn: &mut Conn, id: i64) -> Result<Option<(Recording, CallSid)>, StoreError> {
    let found = dsl::recordings
        .inner_join(schema::calls::table)
        .filter(dsl::id.eq(id))
        .select((Recording::as_select(), schema::calls::call_sid))
        .get_result::<(Recording, Word<CallSid>)>(conn)
        .await
        .optional()?;
    Ok(found.map(|(recording, sid)| (recording, sid.into())))
}

pub(in crate::store) async fn may_have_secret_keys(conn: &mut Conn, id: i64) -> Result<bool, StoreError> {
    let call = dsl::recordings.inner_join(schema::calls::table).filter(dsl::id.eq(id));
    let typed = call.select(schema::calls::secret_keys).get_result::<bool>(conn).await.optional()?;
    Ok(typed.unwrap_or(false))
}

pub(in crate::store) async fn of_call(conn: &mut Conn, call: &CallSid) -> Result<Vec<Recording>, StoreError> {
    let rows = dsl::recordings.inner_join(schema::calls::table).filter(schema::calls::call_sid.eq(call.as_str()));
    Ok(rows.order(dsl::id).select(Recording::as_select()).load(conn).await?)
}

pub(in crate::store) async fn stored(
    conn: &mut Conn,
    id: i64,
    stored: &Stored,
    content_type: Option<&str>,
) -> Result<(), StoreError> {
    let changed = diesel::update(dsl::recordings.filter(dsl::id.eq(id).and(dsl::status.ne(STORED))))
        .set((
            dsl::status.eq(STORED),
            dsl::stored_url.eq(&stored.url),
            dsl::bytes.eq(i64::try_from(stored.bytes).unwrap_or(i64::MAX)),
            dsl::sha256.eq(&stored.sha256),
            dsl::content_type.eq(content_type),
            dsl::error.eq(None::<String>),
            dsl::updated_at.eq(Utc::now().naive_utc()),
        ))
        .execute(conn)
        .await?;
    if changed == 0 {
        return Ok(());
    }
    if let Some((_, call)) = by_id(conn, id).await? {
        let event = Event { call: &call, what: RECORDING_STORED, recording: Some(id), at: Utc::now() };
        outbox::tell(conn, &event).await?;
    }
    Ok(())
}

/// Puts failed jobs back in line; recordings that were given up with them are waited for again.
pub(in crate::store) async fn retry(conn: &mut Conn, job: Option<i64>) -> Result<Vec<Job>, StoreError> {
    let retried = jobs::retry(conn, job).await?;
    let recordings: Vec<i64> = retried
        .iter()
        .filter(|job| job.kind != SEND_EVENT)
        .filter_map(|job| job.payload["recording_id"].as_i64())
        .collect();
    wait_again(conn, recordings).await?;
    Ok(retried)
}

async fn wait_again(conn: &mut Conn, given_up: Vec<i64>) -> Result<(), StoreError> {
    diesel::update(dsl::recordings.filter(dsl::id.eq_any(given_up).and(dsl::status.eq(FAILED))))
        .set((dsl::status.eq(PENDING), dsl::updated_at.eq(Utc::now().naive_utc())))
        .execute(conn)
        .await?;
    Ok(())
}

pub(in crate::store) async fn failed(conn: &mut Conn, id: i64, why: &str) -> Result<(), StoreError> {
    diesel::update(dsl::recordings.filter(dsl::id.eq(id).and(dsl::status.ne(STORED))))
        .set((dsl::status.eq(FAILED), dsl::error.eq(why), dsl::updated_at.eq(Utc::now().naive_utc())))
        .execute(conn)
        .await?;
    Ok(())
}

pub(in crate::store) async fn put_off(conn: &mut Conn, id: i64, why: &str) -> Result<(), StoreError> {
    let waited_for = dsl::recordings.filter(dsl::id.eq(id).and(dsl::status.eq(PENDING)));
    diesel::update(waited_for).set(dsl::error.eq(why)).execute(conn).await?;
    Ok(())
}
