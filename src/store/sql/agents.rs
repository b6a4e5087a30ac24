//! Queries of what a client's agent is beyond the row of `clients`.

use diesel::prelude::*;
use protocol::ids::PhoneNumber;

use super::{Conn, RunQueryDsl, clients};
use crate::store::schema::client_numbers::dsl;
use crate::store::schema::clients::dsl as rows;
use crate::store::{AppliedAgent, Apply, Client, NumberOwner, StoreError};

/// Needs a transaction. Of two at once the later finds another version than it saw.
pub(in crate::store) async fn apply(conn: &mut Conn, apply: &Apply) -> Result<AppliedAgent, StoreError> {
    // It is large, and whoever asks for it would carry it on the stack of a thread that serves.
    Box::pin(apply_all(conn, apply)).await
}

async fn apply_all(conn: &mut Conn, apply: &Apply) -> Result<AppliedAgent, StoreError> {
    let known: Vec<&str> = apply.numbers.iter().map(PhoneNumber::reveal).collect();
    let owned = dsl::client_numbers.filter(dsl::number.eq_any(&known)).select((dsl::number, dsl::client_id));
    let owned: Vec<(String, i64)> = owned.load(conn).await?;
    let ours = apply.over.map(|(id, _)| id);
    if let Some((number, owner)) = owned.iter().find(|(_, owner)| Some(*owner) != ours) {
        let name = clients::names(conn, &[*owner]).await?.into_values().next().unwrap_or_default();
        return Err(StoreError::Taken { number: PhoneNumber::new(number), client: name, id: *owner });
    }
    let client = match apply.over {
        Some((id, version)) => {
            let claimed = diesel::update(rows::clients.find(id).filter(rows::version.eq(version))).set((
                rows::document.eq(&apply.document),
                rows::analysed.eq(apply.analysed),
                rows::version.eq(rows::version + 1),
            ));
            if claimed.execute(conn).await? == 0 {
                return Ok(AppliedAgent::Stale);
            }
            match clients::change(conn, id, &apply.changes()).await? {
                Some(client) => client,
                None => return Ok(AppliedAgent::Stale),
            }
        }
        None => {
            let events = apply.events.as_ref().and_then(Option::as_ref);
            let added = clients::add(conn, &apply.client, events).await?;
            diesel::update(rows::clients.find(added.id))
                .set((
                    rows::document.eq(&apply.document),
                    rows::analysed.eq(apply.analysed),
                    rows::active.eq(apply.active),
                    rows::version.eq(rows::version + 1),
                ))
                .returning(Client::as_returning())
                .get_result(conn)
                .await?
        }
    };
    let gone = dsl::client_numbers.filter(dsl::client_id.eq(client.id)).filter(dsl::number.ne_all(&known));
    diesel::delete(gone).execute(conn).await?;
    let has = numbers(conn, client.id).await?;
    for number in apply.numbers.iter().filter(|number| !has.contains(number)) {
        let new = (dsl::number.eq(number.reveal()), dsl::client_id.eq(client.id));
        diesel::insert_into(dsl::client_numbers).values(new).execute(conn).await?;
    }
    Ok(AppliedAgent::Done(Box::new(client)))
}

pub(in crate::store) async fn numbers(conn: &mut Conn, client: i64) -> Result<Vec<PhoneNumber>, StoreError> {
    let first: Option<String> =
        rows::clients.find(client).select(rows::exotel_number).get_result(conn).await.optional()?;
    let all = dsl::client_numbers.filter(dsl::client_id.eq(client)).order(dsl::number).select(dsl::number);
    let mut all: Vec<String> = all.load(conn).await?;
    all.sort_by_key(|number| Some(number) != first.as_ref());
    Ok(all.into_iter().map(PhoneNumber::new).collect())
}

pub(in crate::store) async fn owners(conn: &mut Conn, of: &[PhoneNumber]) -> Result<Vec<NumberOwner>, StoreError> {
    let told: Vec<&str> = of.iter().map(PhoneNumber::reveal).collect();
    let owned = dsl::client_numbers.inner_join(rows::clients).filter(dsl::number.eq_any(told));
    let owned: Vec<(String, i64, String)> = owned.select((dsl::number, rows::id, rows::name)).load(conn).await?;
    let owner =
        |(number, id, client): (String, i64, String)| NumberOwner { number: PhoneNumber::new(number), id, client };
    Ok(owned.into_iter().map(owner).collect())
}

pub(in crate::store) async fn document(
    conn: &mut Conn,
    client: i64,
) -> Result<Option<(i32, Option<String>)>, StoreError> {
    let found = rows::clients.find(client).select((rows::version, rows::document));
    Ok(found.get_result(conn).await.optional()?)
}

/// Names are told of so many.
const MOST_TOLD: i64 = 1_000;

pub(in crate::store) async fn with_old_tools(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    let some =
        rows::clients.filter(rows::active.eq(true)).filter(rows::tools.ne("[]")).order(rows::id).limit(MOST_TOLD);
    Ok(some.select(rows::name).load(conn).await?)
}
