//! Queries of `clients`.

use std::collections::HashMap;

use chrono::Utc;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use protocol::exotel::normalise_number;
use protocol::ids::PhoneNumber;

use super::{Conn, RunQueryDsl};
use crate::store::schema::client_numbers as numbers;
use crate::store::schema::clients::dsl;
use crate::store::{Client, ClientChanges, EventsTarget, NewClient, StoreError};
use crate::tenant::REGION;

/// Regions beside [`REGION`] in which a number is read that is nobody's there.
const MOST_REGIONS: i64 = 32;

pub(in crate::store) async fn add(
    conn: &mut Conn,
    new: &NewClient,
    events: Option<&EventsTarget>,
) -> Result<Client, StoreError> {
    let now = Utc::now().naive_utc();
    let added = diesel::insert_into(dsl::clients)
        .values((
            dsl::name.eq(&new.name),
            dsl::exotel_number.eq(new.exotel_number.reveal()),
            dsl::active.eq(true),
            dsl::region.eq(&new.region),
            dsl::time_zone.eq(&new.time_zone),
            &new.agent,
            &new.limits,
            dsl::recording.eq(new.recording),
            dsl::events_url.eq(events.map(|to| &to.url)),
            dsl::events_secret.eq(events.map(|to| to.secret.reveal())),
            dsl::created_at.eq(now),
            dsl::updated_at.eq(now),
        ))
        .returning(Client::as_returning())
        .get_result(conn)
        .await;
    match added {
        Ok(client) => Ok(client),
        Err(error) => Err(taken(conn, &new.exotel_number, error).await),
    }
}

pub(in crate::store) async fn all(conn: &mut Conn) -> Result<Vec<Client>, StoreError> {
    Ok(dsl::clients.order((dsl::name, dsl::id)).select(Client::as_select()).load(conn).await?)
}

pub(in crate::store) async fn page(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<Client>, StoreError> {
    let page = dsl::clients.filter(dsl::id.gt(after)).order(dsl::id).limit(limit);
    Ok(page.select(Client::as_select()).load(conn).await?)
}

pub(in crate::store) async fn by_number(conn: &mut Conn, number: &PhoneNumber) -> Result<Option<Client>, StoreError> {
    let found = numbers::table.inner_join(dsl::clients).filter(numbers::number.eq(number.reveal()));
    Ok(found.select(Client::as_select()).get_result(conn).await.optional()?)
}

/// The client whose number is the first of those, as the carrier spelt them. Nearly always it is the first, and of [`REGION`].
pub(in crate::store) async fn by_lines(conn: &mut Conn, lines: &[PhoneNumber]) -> Result<Option<Client>, StoreError> {
    let read = |region: &str| {
        let numbers = lines.iter().filter_map(|line| normalise_number(line.reveal(), region));
        numbers.map(PhoneNumber::new).collect::<Vec<_>>()
    };
    let usual = read(REGION);
    if let [first, ..] = usual.as_slice()
        && let Some(client) = by_number(conn, first).await?
    {
        return Ok(Some(client));
    }
    if let Some(client) = first_of(conn, usual.get(1..).unwrap_or_default()).await? {
        return Ok(Some(client));
    }
    // A client abroad, and its number as it is dialled there.
    let abroad = dsl::clients.filter(dsl::region.ne(REGION)).select(dsl::region).distinct().limit(MOST_REGIONS);
    let abroad: Vec<String> = abroad.load(conn).await?;
    let numbers: Vec<PhoneNumber> = abroad.iter().flat_map(|region| read(region)).collect();
    first_of(conn, &numbers).await
}

/// The client of the first number that is one's.
async fn first_of(conn: &mut Conn, lines: &[PhoneNumber]) -> Result<Option<Client>, StoreError> {
    if lines.is_empty() {
        return Ok(None);
    }
    let known: Vec<&str> = lines.iter().map(PhoneNumber::reveal).collect();
    let found = numbers::table.inner_join(dsl::clients).filter(numbers::number.eq_any(known));
    let mut found: Vec<(String, Client)> = found.select((numbers::number, Client::as_select())).load(conn).await?;
    let first = lines.iter().find_map(|line| found.iter().position(|(number, _)| number == line.reveal()));
    Ok(first.map(|first| found.swap_remove(first).1))
}

pub(in crate::store) async fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Client>, StoreError> {
    Ok(dsl::clients.find(id).select(Client::as_select()).get_result(conn).await.optional()?)
}

pub(in crate::store) async fn change(
    conn: &mut Conn,
    id: i64,
    changes: &ClientChanges,
) -> Result<Option<Client>, StoreError> {
    let changed = diesel::update(dsl::clients.find(id))
        .set((
            (
                changes.name.as_ref().map(|to| dsl::name.eq(to)),
                changes.exotel_number.as_ref().map(|to| dsl::exotel_number.eq(to.reveal())),
                changes.active.map(|to| dsl::active.eq(to)),
                changes.region.as_ref().map(|to| dsl::region.eq(to)),
                changes.time_zone.as_ref().map(|to| dsl::time_zone.eq(to)),
                changes.recording.map(|to| dsl::recording.eq(to)),
            ),
            (
                changes.greeting.as_ref().map(|to| dsl::greeting.eq(to)),
                changes.language.as_ref().map(|to| dsl::language.eq(to)),
                changes.transcription_language.as_ref().map(|to| dsl::transcription_language.eq(to.as_deref())),
                changes.voice.as_ref().map(|to| dsl::voice.eq(to.as_deref())),
                changes.instructions.as_ref().map(|to| dsl::instructions.eq(to)),
                changes.model.as_ref().map(|to| dsl::model.eq(to.as_deref())),
                changes.tools.as_ref().map(|to| dsl::tools.eq(to)),
            ),
            (
                changes.max_concurrent.map(|to| dsl::max_concurrent.eq(to)),
                changes.calls_per_minute.map(|to| dsl::calls_per_minute.eq(to)),
                changes.caller_calls_per_minute.map(|to| dsl::caller_calls_per_minute.eq(to)),
                changes.max_call_secs.map(|to| dsl::max_call_secs.eq(to)),
            ),
            changes.events.as_ref().map(|to| {
                let to = to.as_ref();
                let secret = to.map(|to| to.secret.reveal());
                (dsl::events_url.eq(to.map(|to| &to.url)), dsl::events_secret.eq(secret))
            }),
            dsl::version.eq(dsl::version + 1),
            dsl::updated_at.eq(Utc::now().naive_utc()),
        ))
        .returning(Client::as_returning())
        .get_result(conn)
        .await
        .optional();
    match (changed, &changes.exotel_number) {
        (Ok(client), _) => Ok(client),
        (Err(error), Some(number)) => Err(taken(conn, number, error).await),
        (Err(error), None) => Err(error.into()),
    }
}

/// Says whose the number is, when that is what a write failed for.
async fn taken(conn: &mut Conn, number: &PhoneNumber, error: Error) -> StoreError {
    if !matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) {
        return error.into();
    }
    match by_number(conn, number).await {
        Ok(Some(owner)) => StoreError::Taken { number: number.clone(), client: owner.name, id: owner.id },
        Ok(None) => error.into(),
        Err(error) => error,
    }
}

/// Names by row id.
pub(in crate::store) async fn names(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, String>, StoreError> {
    let rows = dsl::clients.filter(dsl::id.eq_any(ids.to_vec())).select((dsl::id, dsl::name));
    Ok(rows.load::<(i64, String)>(conn).await?.into_iter().collect())
}
