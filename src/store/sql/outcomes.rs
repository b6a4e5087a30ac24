//! Queries of `call_outcomes`.

use diesel::prelude::*;
use diesel::upsert::excluded;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, jobs, outbox};
use crate::store::outcomes::{ANALYSE_CALL, CallOutcome, OutcomeStatus};
use crate::store::schema::call_outcomes::dsl;
use crate::store::schema::calls;
use crate::store::{NewJob, StoreError};

/// Needs a transaction.
pub(in crate::store) async fn set(conn: &mut Conn, call: &CallSid, outcome: &CallOutcome) -> Result<bool, StoreError> {
    let row = calls::table.filter(calls::call_sid.eq(call.as_str())).select(calls::id);
    let Some(id) = row.get_result::<i64>(conn).await.optional()? else { return Ok(false) };
    if of_call(conn, id).await?.is_some_and(|known| known.status == OutcomeStatus::Done) {
        return Ok(true);
    }
    diesel::insert_into(dsl::call_outcomes)
        .values((
            dsl::call_id.eq(id),
            dsl::status.eq(outcome.status.name()),
            dsl::outcome.eq(outcome.outcome.as_ref().map(ToString::to_string)),
            dsl::why.eq(outcome.why.as_deref()),
            dsl::model.eq(outcome.model.as_deref()),
            dsl::updated_at.eq(outcome.updated_at.naive_utc()),
        ))
        .on_conflict(dsl::call_id)
        .do_update()
        .set((
            dsl::status.eq(excluded(dsl::status)),
            dsl::outcome.eq(excluded(dsl::outcome)),
            dsl::why.eq(excluded(dsl::why)),
            dsl::model.eq(excluded(dsl::model)),
            dsl::updated_at.eq(excluded(dsl::updated_at)),
        ))
        .execute(conn)
        .await?;
    if outcome.status.is_final() {
        outbox::analysed(conn, call, outcome.status).await?;
    }
    Ok(true)
}

/// What is known of a call.
pub(in crate::store) async fn of_call(conn: &mut Conn, call: i64) -> Result<Option<CallOutcome>, StoreError> {
    type Row = (String, Option<String>, Option<String>, Option<String>, chrono::NaiveDateTime);
    let columns = (dsl::status, dsl::outcome, dsl::why, dsl::model, dsl::updated_at);
    let row: Option<Row> = dsl::call_outcomes.find(call).select(columns).get_result(conn).await.optional()?;
    Ok(row.map(|(status, outcome, why, model, updated_at)| CallOutcome {
        status: OutcomeStatus::stored(&status),
        outcome: outcome.and_then(|outcome| serde_json::from_str(&outcome).ok()),
        why,
        model,
        updated_at: updated_at.and_utc(),
    }))
}

/// A call's outcome is to be found out, once for all, not before that.
pub(in crate::store) async fn wish(
    conn: &mut Conn,
    call: &CallSid,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), StoreError> {
    let payload = serde_json::json!({ "call_sid": call.as_str() });
    jobs::enqueue(conn, &NewJob::new(ANALYSE_CALL, call.as_str(), payload).at(at)).await?;
    Ok(())
}
