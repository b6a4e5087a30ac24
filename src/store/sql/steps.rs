//! Queries of `call_steps`.

use diesel::prelude::*;
use diesel::upsert::excluded;
use protocol::call::fact::Turn;
use protocol::call::history::StoredStep;

use super::{Conn, RunQueryDsl, turns};
use crate::store::StoreError;
use crate::store::engine::prepared::prepared;
use crate::store::schema::call_steps::dsl;
use crate::store::steps::{MOST_READ, StepRow, TOOL, row, step};

/// A step that is new, or better known.
pub(in crate::store) async fn upsert(conn: &mut Conn, call_id: i64, step: &StoredStep) -> Result<(), StoreError> {
    let (kind, number, at_ms, tool_call_id, name, wait_ms, output, input) = row(step);
    let written = diesel::insert_into(dsl::call_steps)
        .values((
            dsl::call_id.eq(call_id),
            dsl::kind.eq(kind),
            dsl::number.eq(number),
            dsl::at_ms.eq(at_ms),
            dsl::tool_call_id.eq(tool_call_id),
            dsl::name.eq(name),
            dsl::wait_ms.eq(wait_ms),
            dsl::output.eq(output),
            dsl::input.eq(input),
        ))
        .on_conflict((dsl::call_id, dsl::kind, dsl::number))
        .do_update()
        .set(dsl::output.eq(excluded(dsl::output)));
    prepared(written).execute(conn).await?;
    Ok(())
}

/// What a function came to whose call is over.
pub(in crate::store) async fn returned(
    conn: &mut Conn,
    call_id: i64,
    number: i64,
    output: &str,
) -> Result<(), StoreError> {
    let step = dsl::call_steps.find((call_id, TOOL, number));
    diesel::update(step).set(dsl::output.eq(output)).execute(conn).await?;
    Ok(())
}

/// The turns of a call and the latest of what happened between them.
pub(in crate::store) async fn of_call(
    conn: &mut Conn,
    call_id: i64,
) -> Result<(Vec<Turn>, Vec<StoredStep>), StoreError> {
    let turns = turns::of_call(conn, call_id).await?;
    let columns =
        (dsl::kind, dsl::number, dsl::at_ms, dsl::tool_call_id, dsl::name, dsl::wait_ms, dsl::output, dsl::input);
    let latest = dsl::call_steps.filter(dsl::call_id.eq(call_id)).order(dsl::at_ms.desc()).limit(MOST_READ);
    let rows: Vec<StepRow> = latest.select(columns).load(conn).await?;
    Ok((turns, rows.into_iter().filter_map(step).collect()))
}
