//! Who has a call: asked for by a webhook, shown by a media stream.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, jobs, outbox, transfers};
use crate::store::columns::coalesce;
use crate::store::ends::{EndColumns, RETURN, next_rev};
use crate::store::engine::prepared::prepared;
use crate::store::outbox::{SEND_EVENT, ended_key};
use crate::store::schema::calls::dsl;
use crate::store::{Begun, Call, FlowResumed, NewCall, NewStream, StoreError, StreamClaim};

/// A stream that was asked for so long ago is asked for anew: its URL still has to open something.
const ASKED_LATELY: TimeDelta = TimeDelta::seconds(30);

/// A call that had begun is asked for again. Needs a transaction.
pub(in crate::store) async fn again(conn: &mut Conn, new: &NewCall) -> Result<Begun, StoreError> {
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str())).select(Call::as_select());
    let call: Call = row.get_result(conn).await?;
    let ours = call.ownership.owner.as_ref() == Some(&new.owner);
    // As often as anything: nothing is written.
    if !call.is_over() && call.streams() == 0 {
        return Ok(if ours { Begun::Ours(call) } else { Begun::Elsewhere(call) });
    }
    let call = locked(conn, call.id).await?;
    let ours = call.ownership.owner.as_ref() == Some(&new.owner);
    match (call.is_over(), ours) {
        (true, _) if call.is_over_for_good(new.at) || !withdraw_end(conn, &call.call_sid).await? => {
            Ok(Begun::Over(call))
        }
        (true, ours) => goes_on(conn, call, new, ours).await,
        (false, true) => Ok(Begun::Ours(asked(conn, call, new.at).await?)),
        (false, false) => Ok(Begun::Elsewhere(asked(conn, call, new.at).await?)),
    }
}

/// A call that had ended for a while goes on with whoever asks.
async fn goes_on(conn: &mut Conn, call: Call, new: &NewCall, ours: bool) -> Result<Begun, StoreError> {
    let taken = (
        dsl::owner.eq(new.owner.as_str()),
        dsl::generation.eq(dsl::generation + i32::from(!ours)),
        dsl::asked_at.eq(new.at.naive_utc()),
        dsl::dial_status.eq(None::<String>),
        EndColumns::none(),
        next_rev!(),
    );
    let row = prepared(diesel::update(dsl::calls.find(call.id)).set(taken).returning((dsl::generation, dsl::asked_at)));
    let (generation, asked_at): (i32, Option<chrono::NaiveDateTime>) = row.get_result(conn).await?;
    let mut call = call;
    let was = call.ownership.clone();
    call.ownership.owner = Some(new.owner.clone());
    (call.ownership.generation, call.ownership.asked_at) = (generation, asked_at.map(|at| at.and_utc()));
    Ok(Begun::Returned { call, was })
}

/// A further stream is asked for while the call is live: it is left where it is until that stream begins.
async fn asked(conn: &mut Conn, mut call: Call, at: DateTime<Utc>) -> Result<Call, StoreError> {
    if call.streams() > 0 && call.ownership.asked_at.is_none_or(|asked| at - asked >= ASKED_LATELY) {
        prepared(diesel::update(dsl::calls.find(call.id)).set(dsl::asked_at.eq(at.naive_utc()))).execute(conn).await?;
        call.ownership.asked_at = Some(at);
    }
    Ok(call)
}

/// A media stream began: whose it is, has the call. Needs a transaction.
pub(in crate::store) async fn take(conn: &mut Conn, new: &NewStream) -> Result<StreamClaim, StoreError> {
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str())).filter(dsl::entry.is_not_null());
    let Some(id) = row.select(dsl::id).get_result::<i64>(conn).await.optional()? else {
        return Ok(StreamClaim::Unknown);
    };
    let was = locked(conn, id).await?;
    if was.is_over() && (was.is_over_for_good(new.at) || !withdraw_end(conn, &was.call_sid).await?) {
        return Ok(StreamClaim::Over);
    }
    let stream = was.streams() + 1;
    if new.number.is_some_and(|number| !was.awaits(number)) {
        return Ok(StreamClaim::Used);
    }
    let generation = was.ownership.generation + 1;
    let media_at = was.times.media_at.unwrap_or(new.at).naive_utc();
    let stream_sid = was.stream_sid.as_ref().unwrap_or(&new.stream);
    let taken = (
        (dsl::owner.eq(new.owner.as_str()), dsl::generation.eq(generation)),
        dsl::streams.eq(i32::try_from(stream).unwrap_or(i32::MAX)),
        (dsl::asked_at.eq(None::<chrono::NaiveDateTime>), dsl::dial_status.eq(None::<String>)),
        (dsl::media_at.eq(media_at), dsl::stream_sid.eq(stream_sid.as_str())),
    );
    prepared(diesel::update(dsl::calls.find(id)).set(taken)).execute(conn).await?;
    if was.is_over() {
        prepared(diesel::update(dsl::calls.find(id)).set((EndColumns::none(), next_rev!()))).execute(conn).await?;
    }
    Ok(StreamClaim::Granted { was: Box::new(was), generation, stream })
}

/// Where the carrier's flow takes a call. Needs a transaction.
pub(in crate::store) async fn resume_flow(
    conn: &mut Conn,
    call: &CallSid,
    flow: &FlowResumed,
) -> Result<(), StoreError> {
    let until = if flow.over { flow.at } else { flow.at + RETURN };
    let ended = dsl::calls.filter(dsl::call_sid.eq(call.as_str())).filter(dsl::ended_by.is_not_null());
    let dial_status = coalesce(flow.dial_status.as_deref(), dsl::dial_status);
    let noted = (dsl::over_at.eq(until.naive_utc()), dsl::dial_status.eq(dial_status));
    prepared(diesel::update(ended).set(noted)).execute(conn).await?;
    if let Some(outcome) = &flow.dial_status {
        transfers::came_to(conn, call, outcome).await?;
    }
    outbox::reschedule_end(conn, call, until).await
}

/// Whether a call of that client has begun.
pub(in crate::store) async fn has_begun(conn: &mut Conn, call: &CallSid, client: i64) -> Result<bool, StoreError> {
    let begun = dsl::calls.filter(dsl::call_sid.eq(call.as_str())).filter(dsl::client_id.eq(client));
    let begun = begun.filter(dsl::entry.is_not_null()).select(dsl::id);
    Ok(begun.get_result::<i64>(conn).await.optional()?.is_some())
}

/// The row. Written before it is read: whoever else takes or ends the call waits for the end of this transaction.
async fn locked(conn: &mut Conn, id: i64) -> Result<Call, StoreError> {
    let locked = diesel::update(dsl::calls.find(id)).set(dsl::status.eq(dsl::status)).returning(Call::as_returning());
    Ok(prepared(locked).get_result(conn).await?)
}

/// Nobody is told of an end that was none; false when they were by now.
async fn withdraw_end(conn: &mut Conn, call: &CallSid) -> Result<bool, StoreError> {
    outbox::withdraw_end(conn, call).await?;
    Ok(!jobs::is_known(conn, SEND_EVENT, &ended_key(call)).await?)
}
