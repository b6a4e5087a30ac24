//! Writing what running calls did.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use protocol::call::end::{EndRank, EndedBy};
use protocol::exotel::status::ENDS;

use super::{Conn, RunQueryDsl, calls, jobs, turns};
use crate::store::columns::coalesce;
use crate::store::ends::{EndColumns, next_rev, outranked};
use crate::store::engine::prepared::prepared;
use crate::store::outbox::{CALL_ENDED, Event, SEND_EVENT};
use crate::store::schema::calls::dsl;
use crate::store::{Batch, CallEndReport, CallUpdate, Figures, Finish, MediaStart, StoreError};

const OURS: &str = EndedBy::Gateway.name();
const CARRIERS: &str = EndedBy::Carrier.name();

pub(in crate::store) async fn write(conn: &mut Conn, batch: &Batch) -> Result<(), StoreError> {
    for update in &batch.calls {
        write_call(conn, update).await?;
    }
    Ok(())
}

async fn write_call(conn: &mut Conn, update: &CallUpdate) -> Result<(), StoreError> {
    let id = calls::ensure(conn, &update.call_sid, update.since.naive_utc()).await?;
    if update.reopened {
        reopen(conn, id, update).await?;
    }
    if let Some(media) = &update.media {
        media_started(conn, id, media).await?;
    }
    for turn in &update.turns {
        turns::upsert(conn, id, turn).await?;
    }
    // Figures first: a finished call's are closed.
    if let Some(figures) = &update.figures {
        set_figures(conn, id, update, figures).await?;
    }
    match &update.finish {
        // The carrier's word, passed on, is a report like any other.
        Some(finish) if finish.code.by() == EndedBy::Carrier => {
            let status = Some(finish.status.clone());
            let told = CallEndReport { status, ..CallEndReport::new(update.call_sid.clone(), finish.at) };
            calls::report(conn, &told).await?;
        }
        Some(finish) => set_finish(conn, id, update.on_air, finish).await?,
        None => {}
    }
    Ok(())
}

/// A call that came back: nobody is told of the end that was none, unless they were by now. Where the carrier says that it is over, it is.
async fn reopen(conn: &mut Conn, id: i64, update: &CallUpdate) -> Result<(), StoreError> {
    let goes_on = dsl::carrier_status.is_null().or(dsl::carrier_status.ne_all(ENDS.to_vec()).assume_not_null());
    let ended = dsl::calls.find(id).filter(dsl::ended_by.is_not_null()).filter(goes_on);
    if diesel::update(ended).set((EndColumns::none(), next_rev!())).execute(conn).await? == 0 {
        return Ok(());
    }
    let told = Event { call: &update.call_sid, what: CALL_ENDED, recording: None, at: update.since };
    jobs::withdraw(conn, SEND_EVENT, &told.key()).await
}

async fn media_started(conn: &mut Conn, id: i64, media: &MediaStart) -> Result<(), StoreError> {
    // Written before it is looked at: what another node is just writing is waited for, and seen by both statements below.
    prepared(diesel::update(dsl::calls.find(id)).set(dsl::status.eq(dsl::status))).execute(conn).await?;
    // Another node may have waited for this stream, and given up; or all may have.
    let given_up = dsl::calls.find(id).filter(dsl::media_at.is_null()).filter(dsl::ended_by.ne(CARRIERS));
    prepared(diesel::update(given_up).set((EndColumns::none(), next_rev!()))).execute(conn).await?;
    let first = diesel::update(dsl::calls.find(id).filter(dsl::media_at.is_null()));
    let began = (dsl::media_at.eq(media.at.naive_utc()), dsl::stream_sid.eq(media.stream.as_str()), dsl::streams.eq(1));
    prepared(first.set(began)).execute(conn).await?;
    Ok(())
}

/// Once a gateway told the end of a call, its figures stand with it.
async fn set_figures(conn: &mut Conn, id: i64, update: &CallUpdate, figures: &Figures) -> Result<(), StoreError> {
    let end = update.finish.as_ref().map_or(EndRank::REAPER, Finish::rank);
    let theirs = dsl::ended_by.is_null().or(dsl::ended_by.ne(OURS).assume_not_null());
    let row = dsl::calls.find(id).filter(theirs.or(outranked!(end)));
    let row = row.filter(dsl::media_at.is_null().or(update.on_air.into_sql::<Bool>()));
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

async fn set_finish(conn: &mut Conn, id: i64, on_air: bool, finish: &Finish) -> Result<(), StoreError> {
    // Who did not have the call's media does not know how a call ended that had some.
    let row = dsl::calls.find(id).filter(dsl::media_at.is_null().or(on_air.into_sql::<Bool>()));
    let row = row.filter(outranked!(finish.rank()));
    prepared(diesel::update(row).set((EndColumns::of(finish, Utc::now()), next_rev!()))).execute(conn).await?;
    Ok(())
}
