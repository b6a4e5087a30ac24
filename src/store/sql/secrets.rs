//! Queries of `client_secrets` and `client_tokens`.

use chrono::{NaiveDateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;

use super::{Conn, RunQueryDsl};
use crate::store::schema::client_secrets::dsl;
use crate::store::schema::client_tokens::dsl as tokens;
use crate::store::schema::clients::dsl as clients;
use crate::store::{Client, StoreError};

/// Rows of one client that are listed at most.
const MOST_LISTED: i64 = 1_000;

/// What was had of the client's secrets is another version of it: whoever keeps it asks again.
async fn outdate(conn: &mut Conn, client: i64) -> Result<(), StoreError> {
    let version = clients::version.eq(clients::version + 1);
    diesel::update(clients::clients.find(client)).set(version).execute(conn).await?;
    Ok(())
}

/// Needs a transaction: it counts before it adds.
pub(in crate::store) async fn set(
    conn: &mut Conn,
    client: i64,
    name: &str,
    sealed: &str,
    most: i64,
) -> Result<bool, StoreError> {
    let now = dsl::updated_at.eq(Utc::now().naive_utc());
    let known = dsl::client_secrets.find((client, name));
    if diesel::update(known).set((dsl::sealed.eq(sealed), now)).execute(conn).await? > 0 {
        outdate(conn, client).await?;
        return Ok(true);
    }
    let of_client = dsl::client_secrets.filter(dsl::client_id.eq(client));
    let count: i64 = of_client.select(count_star()).get_result(conn).await?;
    if count >= most {
        return Ok(false);
    }
    let new = (dsl::client_id.eq(client), dsl::name.eq(name), dsl::sealed.eq(sealed), now);
    diesel::insert_into(dsl::client_secrets).values(new).execute(conn).await?;
    outdate(conn, client).await?;
    Ok(true)
}

pub(in crate::store) async fn reseal(
    conn: &mut Conn,
    client: i64,
    name: &str,
    was: &str,
    sealed: &str,
) -> Result<bool, StoreError> {
    let known = dsl::client_secrets.filter(dsl::client_id.eq(client)).filter(dsl::name.eq(name));
    let known = known.filter(dsl::sealed.eq(was));
    Ok(diesel::update(known).set(dsl::sealed.eq(sealed)).execute(conn).await? > 0)
}

pub(in crate::store) async fn one(conn: &mut Conn, client: i64, name: &str) -> Result<Option<String>, StoreError> {
    let known = dsl::client_secrets.filter(dsl::client_id.eq(client)).filter(dsl::name.eq(name));
    Ok(known.select(dsl::sealed).get_result(conn).await.optional()?)
}

pub(in crate::store) async fn names(conn: &mut Conn, client: i64) -> Result<Vec<String>, StoreError> {
    let known = dsl::client_secrets.filter(dsl::client_id.eq(client)).order(dsl::name).limit(MOST_LISTED);
    Ok(known.select(dsl::name).load(conn).await?)
}

pub(in crate::store) async fn after(
    conn: &mut Conn,
    client: i64,
    name: &str,
    limit: i64,
) -> Result<Vec<(i64, String, String)>, StoreError> {
    let behind = dsl::client_id.gt(client).or(dsl::client_id.eq(client).and(dsl::name.gt(name)));
    let page = dsl::client_secrets.filter(behind).order((dsl::client_id, dsl::name)).limit(limit);
    Ok(page.select((dsl::client_id, dsl::name, dsl::sealed)).load(conn).await?)
}

/// Needs a transaction.
pub(in crate::store) async fn remove(conn: &mut Conn, client: i64, name: &str) -> Result<bool, StoreError> {
    let gone = diesel::delete(dsl::client_secrets.find((client, name))).execute(conn).await? > 0;
    if gone {
        outdate(conn, client).await?;
    }
    Ok(gone)
}

/// Needs a transaction: it counts before it adds.
pub(in crate::store) async fn add_token(
    conn: &mut Conn,
    client: i64,
    hash: &str,
    most: i64,
) -> Result<Option<i64>, StoreError> {
    let of_client = tokens::client_tokens.filter(tokens::client_id.eq(client));
    let count: i64 = of_client.select(count_star()).get_result(conn).await?;
    if count >= most {
        return Ok(None);
    }
    let now = Utc::now().naive_utc();
    let new = (tokens::client_id.eq(client), tokens::hash.eq(hash), tokens::created_at.eq(now));
    let added = diesel::insert_into(tokens::client_tokens).values(new).returning(tokens::id);
    Ok(Some(added.get_result(conn).await?))
}

pub(in crate::store) async fn tokens(conn: &mut Conn, client: i64) -> Result<Vec<(i64, NaiveDateTime)>, StoreError> {
    let known = tokens::client_tokens.filter(tokens::client_id.eq(client)).order(tokens::id).limit(MOST_LISTED);
    Ok(known.select((tokens::id, tokens::created_at)).load(conn).await?)
}

pub(in crate::store) async fn revoke(conn: &mut Conn, client: i64, token: i64) -> Result<bool, StoreError> {
    let known = tokens::client_tokens.filter(tokens::id.eq(token)).filter(tokens::client_id.eq(client));
    Ok(diesel::delete(known).execute(conn).await? > 0)
}

pub(in crate::store) async fn of_token(conn: &mut Conn, hash: &str) -> Result<Option<Client>, StoreError> {
    let known = tokens::client_tokens.inner_join(clients::clients).filter(tokens::hash.eq(hash));
    Ok(known.select(Client::as_select()).get_result(conn).await.optional()?)
}
