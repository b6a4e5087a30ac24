//! Who has a call: asked for by a webhook, shown by a media stream.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, jobs};
use crate::store::ends::{EndColumns, next_rev};
use crate::store::engine::prepared::prepared;
use crate::store::outbox::{SEND_EVENT, ended_key};
use crate::store::schema::calls::dsl;
use crate::store::{Begun, Call, NewCall, NewStream, StoreError, Taken};

/// A stream that was asked for so long ago is asked for anew: its URL still has to open something.
const ASKED_LATELY: TimeDelta = TimeDelta::seconds(30);

/// A call that had begun is asked for again. Needs a transaction.
pub(in crate::store) async fn again(conn: &mut Conn, new: &NewCall) -> Result<Begun, StoreError> {
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str())).select(Call::as_select());
    let call: Call = row.get_result(conn).await?;
    let ours = call.ownership.owner.as_ref() == Some(&new.owner);
    match (call.is_over(), ours) {
        // Whoever has it opens the row again when it goes on; to ask for it changes nothing.
        (true, true) if !call.is_over_for_good(new.at) => Ok(Begun::Ours(call)),
        (true, _) => Ok(Begun::Over(call)),
        (false, true) => Ok(Begun::Ours(asked(conn, call, new.at).await?)),
        (false, false) => Ok(Begun::Elsewhere(asked(conn, call, new.at).await?)),
    }
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
pub(in crate::store) async fn take(conn: &mut Conn, new: &NewStream) -> Result<Taken, StoreError> {
    let row = dsl::calls.filter(dsl::call_sid.eq(new.call_sid.as_str())).filter(dsl::entry.is_not_null());
    let Some(id) = row.select(dsl::id).get_result::<i64>(conn).await.optional()? else { return Ok(Taken::Unknown) };
    let was = locked(conn, id).await?;
    if was.is_over() && (was.is_over_for_good(new.at) || !withdraw_end(conn, &was.call_sid).await?) {
        return Ok(Taken::Over);
    }
    let stream = was.streams() + 1;
    if new.number.is_some_and(|number| !was.awaits(number)) {
        return Ok(Taken::Used);
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
    Ok(Taken::Taken { was: Box::new(was), generation, stream })
}

/// The row. Written before it is read: whoever else takes or ends the call waits for the end of this transaction.
async fn locked(conn: &mut Conn, id: i64) -> Result<Call, StoreError> {
    let locked = diesel::update(dsl::calls.find(id)).set(dsl::status.eq(dsl::status)).returning(Call::as_returning());
    Ok(prepared(locked).get_result(conn).await?)
}

/// Nobody is told of an end that was none; false when they were by now.
async fn withdraw_end(conn: &mut Conn, call: &CallSid) -> Result<bool, StoreError> {
    let key = ended_key(call);
    jobs::withdraw(conn, SEND_EVENT, &key).await?;
    Ok(!jobs::is_known(conn, SEND_EVENT, &key).await?)
}
