//! Queries of `call_steps`.

use diesel::prelude::*;
use diesel::upsert::excluded;
use protocol::call::fact::Turn;
use protocol::call::history::StoredStep;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, turns};
use crate::store::StoreError;
use crate::store::engine::prepared::prepared;
use crate::store::schema::call_steps::dsl;
use crate::store::schema::calls;
use crate::store::steps::{MOST_READ, MOST_SHOWN, StepRow, TOOL, ToolRun, row, step};

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

/// What a function came to, whole.
pub(in crate::store) async fn keep_whole(
    conn: &mut Conn,
    call: &CallSid,
    number: i64,
    output: &str,
) -> Result<(), StoreError> {
    let row = calls::table.filter(calls::call_sid.eq(call.as_str())).select(calls::id);
    let Some(id) = row.get_result::<i64>(conn).await.optional()? else { return Ok(()) };
    diesel::update(dsl::call_steps.find((id, TOOL, number))).set(dsl::whole.eq(output)).execute(conn).await?;
    Ok(())
}

/// The latest functions that a call had run, in their order.
pub(in crate::store) async fn tools(conn: &mut Conn, call_id: i64) -> Result<Vec<ToolRun>, StoreError> {
    type Row = (i64, i64, Option<String>, String, Option<String>, Option<String>);
    let columns = (dsl::number, dsl::at_ms, dsl::name, dsl::input, dsl::output, dsl::whole);
    let of_call = dsl::call_steps.filter(dsl::call_id.eq(call_id)).filter(dsl::kind.eq(TOOL));
    let latest = of_call.order(dsl::number.desc()).limit(MOST_SHOWN).select(columns);
    let rows: Vec<Row> = prepared(latest).load(conn).await?;
    let run = |(number, at_ms, name, arguments, output, whole): Row| ToolRun {
        number,
        at_ms,
        name: name.unwrap_or_default(),
        arguments,
        output: whole.or(output),
    };
    Ok(rows.into_iter().rev().map(run).collect())
}

/// The latest functions that a call had run, in their order, with what its model was told that they came to: a whole result may be large.
pub(in crate::store) async fn told_tools(conn: &mut Conn, call_id: i64) -> Result<Vec<ToolRun>, StoreError> {
    type Row = (i64, i64, Option<String>, String, Option<String>);
    let columns = (dsl::number, dsl::at_ms, dsl::name, dsl::input, dsl::output);
    let of_call = dsl::call_steps.filter(dsl::call_id.eq(call_id)).filter(dsl::kind.eq(TOOL));
    let latest = of_call.order(dsl::number.desc()).limit(MOST_SHOWN).select(columns);
    let rows: Vec<Row> = prepared(latest).load(conn).await?;
    let run = |(number, at_ms, name, arguments, output): (_, _, Option<String>, _, _)| ToolRun {
        number,
        at_ms,
        name: name.unwrap_or_default(),
        arguments,
        output,
    };
    Ok(rows.into_iter().rev().map(run).collect())
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
