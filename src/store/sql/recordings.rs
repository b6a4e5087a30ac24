//! Queries of `recordings`.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{Conn, RunQueryDsl};
use crate::store::StoreError;
use crate::store::schema::recordings::dsl;

/// A recording that can be fetched; told again, it stays as it is.
pub(in crate::store) async fn announce(
    conn: &mut Conn,
    call_id: i64,
    url: &str,
    at: NaiveDateTime,
) -> Result<(), StoreError> {
    diesel::insert_into(dsl::recordings)
        .values((
            dsl::call_id.eq(call_id),
            dsl::source_url.eq(url),
            dsl::status.eq("pending"),
            dsl::created_at.eq(at),
            dsl::updated_at.eq(at),
        ))
        .on_conflict((dsl::call_id, dsl::source_url))
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}
