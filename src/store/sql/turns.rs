//! Queries of `turns`.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel::upsert::excluded;
use protocol::call::fact::Turn;

use super::{Conn, RunQueryDsl};
use crate::store::StoreError;
use crate::store::columns::{TurnRow, who_name};
use crate::store::engine::prepared::prepared;
use crate::store::schema::turns::dsl;

pub(in crate::store) async fn upsert(conn: &mut Conn, call_id: i64, turn: &Turn) -> Result<(), StoreError> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let written = diesel::insert_into(dsl::turns)
        .values((
            dsl::call_id.eq(call_id),
            dsl::index.eq(i32::try_from(turn.index).unwrap_or(i32::MAX)),
            dsl::who.eq(who_name(turn.who)),
            dsl::text.eq(&turn.text),
            dsl::at_ms.eq(whole(turn.at_ms)),
            dsl::heard_ms.eq(whole(turn.heard_ms)),
            dsl::generated_ms.eq(whole(turn.generated_ms)),
            dsl::interrupted.eq(turn.interrupted),
            dsl::answer_ms.eq(turn.answer_ms.map(whole)),
            dsl::clip.eq(turn.clip),
            dsl::backchannel.eq(turn.backchannel),
            dsl::latency.eq(turn.latency.as_ref().map(|latency| latency.to_json().to_string())),
        ))
        .on_conflict((dsl::call_id, dsl::index))
        .do_update()
        .set((
            dsl::who.eq(excluded(dsl::who)),
            dsl::text.eq(excluded(dsl::text)),
            dsl::at_ms.eq(excluded(dsl::at_ms)),
            dsl::heard_ms.eq(excluded(dsl::heard_ms)),
            dsl::generated_ms.eq(excluded(dsl::generated_ms)),
            dsl::interrupted.eq(excluded(dsl::interrupted)),
            dsl::answer_ms.eq(excluded(dsl::answer_ms)),
            dsl::clip.eq(excluded(dsl::clip)),
            dsl::backchannel.eq(excluded(dsl::backchannel)),
            dsl::latency.eq(excluded(dsl::latency)),
        ));
    prepared(written).execute(conn).await?;
    Ok(())
}

pub(in crate::store) async fn of_call(conn: &mut Conn, call_id: i64) -> Result<Vec<Turn>, StoreError> {
    let rows = dsl::turns.filter(dsl::call_id.eq(call_id)).order(dsl::index).select(TurnRow::as_select());
    Ok(rows.load(conn).await?.into_iter().map(TurnRow::turn).collect())
}

/// When the last of a call's turns was over, ms since its media stream began.
pub(in crate::store) async fn end_ms(conn: &mut Conn, call_id: i64) -> Result<Option<i64>, StoreError> {
    let end = max(dsl::at_ms + dsl::heard_ms);
    Ok(dsl::turns.filter(dsl::call_id.eq(call_id)).select(end).get_result(conn).await?)
}
