//! Writing what running calls did.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use protocol::call::end::{EndCode, EndRank, EndedBy};
use protocol::exotel::status::ENDS;
use protocol::ids::CallSid;

use super::{Conn, RunQueryDsl, calls, outbox, steps, turns};
use crate::store::columns::coalesce;
use crate::store::ends::{EndColumns, next_rev, outranked};
use crate::store::engine::prepared::prepared;
use crate::store::schema::calls::dsl;
use crate::store::{CallEndReport, CallUpdate, Figures, Finish, MediaStart, StoreError};

const OURS: &str = EndedBy::Gateway.name();

/// Writes what is new of a call; false when another has it by now: then nothing is.
pub(in crate::store) async fn write_call(
    conn: &mut Conn,
    update: &CallUpdate,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some((id, ended_code)) = held(conn, update).await? else { return Ok(false) };
    // Reaped while its gateway was cut off from the database: here it is, and the call goes on or has an end of its own.
    if update.reopened || ended_code.as_deref() == Some(EndCode::Reaped.name()) {
        reopen(conn, id, &update.call_sid).await?;
    }
    if let Some(media) = &update.media {
        media_started(conn, id, media).await?;
    }
    for turn in &update.turns {
        turns::upsert(conn, id, turn).await?;
    }
    for step in &update.steps {
        steps::upsert(conn, id, step).await?;
    }
    if update.secret_keys {
        let typed = diesel::update(dsl::calls.find(id)).set(dsl::secret_keys.eq(true));
        prepared(typed).execute(conn).await?;
    }
    // Figures first: a finished call's are closed.
    if let Some(figures) = &update.figures {
        set_figures(conn, id, update.finish.as_ref(), figures).await?;
    }
    match &update.finish {
        // The carrier's word, passed on, is a report like any other.
        Some(finish) if finish.code.by() == EndedBy::Carrier => {
            let status = Some(finish.status.clone());
            let told = CallEndReport { status, ..CallEndReport::new(update.call_sid.clone(), finish.at) };
            calls::report(conn, &told).await?;
        }
        Some(finish) => set_finish(conn, id, finish, now).await?,
        None => {}
    }
    Ok(true)
}

/// The row, if whoever writes still has the call, and the code of its end. It is written, so that whoever would take or end the call
/// waits for the end of this transaction.
async fn held(conn: &mut Conn, update: &CallUpdate) -> Result<Option<(i64, Option<String>)>, StoreError> {
    let any = update.generation.is_none().into_sql::<Bool>();
    let row = dsl::calls
        .filter(dsl::call_sid.eq(update.call_sid.as_str()))
        .filter(dsl::owner.eq(update.owner.as_str()))
        .filter(dsl::generation.eq(update.generation.unwrap_or_default()).or(any));
    let locked = diesel::update(row).set(dsl::status.eq(dsl::status)).returning((dsl::id, dsl::ended_code));
    Ok(prepared(locked).get_result(conn).await.optional()?)
}

/// A call that came back: nobody is told of the end that was none, unless they were by now. Where the carrier says that it is over, it is.
async fn reopen(conn: &mut Conn, id: i64, call: &CallSid) -> Result<(), StoreError> {
    let goes_on = dsl::carrier_status.is_null().or(dsl::carrier_status.ne_all(ENDS.to_vec()).assume_not_null());
    let ended = dsl::calls.find(id).filter(dsl::ended_by.is_not_null()).filter(goes_on);
    if diesel::update(ended).set((EndColumns::none(), next_rev!())).execute(conn).await? == 0 {
        return Ok(());
    }
    outbox::withdraw_end(conn, call).await
}

/// Whoever took the call with this stream has written it down already.
async fn media_started(conn: &mut Conn, id: i64, media: &MediaStart) -> Result<(), StoreError> {
    let row = dsl::calls.find(id).filter(dsl::streams.lt(media.number));
    let began = diesel::update(row).set((
        dsl::media_at.eq(coalesce(dsl::media_at, media.at.naive_utc())),
        dsl::stream_sid.eq(coalesce(dsl::stream_sid, media.stream.as_str())),
        dsl::streams.eq(media.number),
        (dsl::asked_at.eq(None::<NaiveDateTime>), dsl::dial_status.eq(None::<String>)),
    ));
    prepared(began).execute(conn).await?;
    Ok(())
}

/// Once a gateway told the end of a call, its figures stand with it.
async fn set_figures(conn: &mut Conn, id: i64, finish: Option<&Finish>, figures: &Figures) -> Result<(), StoreError> {
    let end = finish.map_or(EndRank::REAPER, Finish::rank);
    let theirs = dsl::ended_by.is_null().or(dsl::ended_by.ne(OURS).assume_not_null());
    let row = dsl::calls.find(id).filter(theirs.or(outranked!(end)));
    let tokens = figures.tokens.as_ref().and_then(|tokens| serde_json::to_string(tokens).ok());
    let set = diesel::update(row).set((
        dsl::duration_ms.eq(coalesce(figures.duration_ms, dsl::duration_ms)),
        dsl::caller_talk_ms.eq(figures.caller_talk_ms),
        dsl::agent_talk_ms.eq(figures.agent_talk_ms),
        dsl::turn_count.eq(figures.turn_count),
        dsl::interruptions.eq(figures.interruptions),
        dsl::first_audio_ms.eq(figures.first_audio_ms),
        dsl::answer_p50_ms.eq(figures.answer_p50_ms),
        dsl::answer_p95_ms.eq(figures.answer_p95_ms),
        dsl::answer_max_ms.eq(figures.answer_max_ms),
        dsl::unheard_ms.eq(figures.unheard_ms),
        dsl::model_reconnects.eq(figures.model_reconnects),
        dsl::frames_lost.eq(figures.frames_lost),
        dsl::tokens.eq(tokens),
        dsl::cost_microusd.eq(figures.cost_microusd),
    ));
    prepared(set).execute(conn).await?;
    Ok(())
}

async fn set_finish(conn: &mut Conn, id: i64, finish: &Finish, now: DateTime<Utc>) -> Result<(), StoreError> {
    let row = dsl::calls.find(id).filter(outranked!(finish.rank()));
    prepared(diesel::update(row).set((EndColumns::of(finish, now), next_rev!()))).execute(conn).await?;
    Ok(())
}
