//! What is told to clients, beside the writing that it tells of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use protocol::exotel::status::is_end;
use protocol::ids::{CallSid, Secret};
use serde_json::json;

use super::{Conn, RunQueryDsl, batch, calls, clients, jobs, outcomes, recordings, steps, transfers};
use crate::store::ends::open_until;
use crate::store::outbox::{
    AfterCall, CALL_ENDED, CALL_STARTED, COMPLETED_AFTER_CALL, Event, EventSubject, EventsTarget, SEND_EVENT,
    ended_key, told_at,
};
use crate::store::outcomes::{ANALYSE_CALL, CALL_ANALYSED, OutcomeStatus};
use crate::store::schema;
use crate::store::schema::clients::dsl;
use crate::store::traces::trace_job;
use crate::store::{
    Batch, Begun, CALL_TRANSFERRED, Call, CallEndReport, CallTransfer, CallWithTurns, Kept, NewCall, NewJob, StoreError,
};
use crate::time;

/// Begins a call, and tells its client. A call whose end was told first is told to have ended as well.
pub(in crate::store) async fn begin(conn: &mut Conn, new: &NewCall) -> Result<Begun, StoreError> {
    let begun = calls::begin(conn, new).await?;
    if let Begun::New(call) = &begun {
        if new.tells {
            enqueue(conn, &Event { call: &call.call_sid, what: CALL_STARTED, recording: None, at: Utc::now() }).await?;
        }
        if call.is_over() {
            ended(conn, call).await?;
        }
    }
    Ok(begun)
}

/// Puts a report into its row, and tells the client of an end.
pub(in crate::store) async fn report(
    conn: &mut Conn,
    report: &CallEndReport,
) -> Result<(Call, Option<Kept>), StoreError> {
    let (call, kept) = calls::report(conn, report).await?;
    if call.is_over() {
        let told = ended(conn, &call).await?;
        let certain = !report.stream_only && report.status.as_deref().is_some_and(is_end);
        if let Some(at) = told.filter(|_| certain) {
            hurry_end(conn, &call.call_sid, at).await?;
        }
    }
    Ok((call, kept))
}

/// Writes a batch, and tells the clients of the calls that ended. Answers with the calls that another has by now.
pub(in crate::store) async fn write(conn: &mut Conn, batch: &Batch, traced: bool) -> Result<Vec<CallSid>, StoreError> {
    let mut superseded = Vec::new();
    for update in &batch.calls {
        let now = Utc::now();
        if !batch::write_call(conn, update, now).await? {
            superseded.push(update.call_sid.clone());
            continue;
        }
        let Some(finish) = &update.finish else { continue };
        if let Some(transfer) = &finish.transfer
            && let Some(new) = transfers::put(conn, &update.call_sid, finish, transfer).await?
            && new.destination.is_some()
            && wishes(conn, &update.call_sid).await?.told
        {
            tell_transfer(conn, &update.call_sid, &new).await?;
        }
        let comes_back_until = open_until(finish.code, now);
        let at = comes_back_until.unwrap_or(now);
        let ended = Event { call: &update.call_sid, what: CALL_ENDED, recording: None, at };
        if tell(conn, &ended).await? && comes_back_until.is_none() {
            // The carrier's word, if it waits, need not wait any longer.
            hurry_end(conn, &update.call_sid, at).await?;
        }
        if traced {
            trace(conn, &update.call_sid, at).await?;
        }
    }
    for told in &batch.reports {
        report(conn, told).await?;
    }
    Ok(superseded)
}

/// Adds the job that tells a call's trace, once its end is for good.
async fn trace(conn: &mut Conn, call: &CallSid, over_at: DateTime<Utc>) -> Result<(), StoreError> {
    let row = schema::calls::table.filter(schema::calls::call_sid.eq(call.as_str())).select(schema::calls::streams);
    if let Some(streams) = row.get_result::<i32>(conn).await.optional()? {
        jobs::enqueue(conn, &trace_job(call, streams, over_at)).await?;
    }
    Ok(())
}

/// What a function came to behind its call's end: the result of its step, and told to the client.
pub(in crate::store) async fn completed_after_call(conn: &mut Conn, done: &AfterCall) -> Result<(), StoreError> {
    let call = done.call.as_str();
    let row = schema::calls::table.filter(schema::calls::call_sid.eq(call)).select(schema::calls::id);
    let Some(id) = row.get_result::<i64>(conn).await.optional()? else { return Ok(()) };
    steps::returned(conn, id, i64::from(done.number), &done.output).await?;
    if !wishes(conn, &done.call).await?.told {
        return Ok(());
    }
    let AfterCall { number, tool, ok, output, .. } = done;
    let payload = json!({ "id": new_event(), "type": COMPLETED_AFTER_CALL, "call_sid": call, "at": time::told(Utc::now()),
        "tool": { "tool_call_id": number.to_string(), "tool": tool, "ok": ok, "output": output } });
    let key = format!("{COMPLETED_AFTER_CALL}/{call}/{number}");
    jobs::enqueue(conn, &NewJob::new(SEND_EVENT, key, payload).ordered(call)).await?;
    Ok(())
}

/// Tells that a caller is handed on whose stream is over: before its end, which is told already, and waits.
pub(in crate::store) async fn transferred(
    conn: &mut Conn,
    call: &Call,
    transfer: &CallTransfer,
) -> Result<(), StoreError> {
    let Wishes { told, analysed } = wishes(conn, &call.call_sid).await?;
    if !told && !analysed {
        return Ok(());
    }
    withdraw_end(conn, &call.call_sid).await?;
    if told {
        tell_transfer(conn, &call.call_sid, transfer).await?;
    }
    if call.is_over() {
        ended(conn, call).await?;
    }
    Ok(())
}

async fn tell_transfer(conn: &mut Conn, call: &CallSid, transfer: &CallTransfer) -> Result<(), StoreError> {
    let CallTransfer { number, destination, reason, summary, cause, .. } = transfer;
    let sid = call.as_str();
    let payload = json!({ "id": new_event(), "type": CALL_TRANSFERRED, "call_sid": sid, "at": time::told(Utc::now()),
        "transfer": { "to": destination, "reason": reason, "summary": summary, "cause": cause.name() } });
    let key = format!("{CALL_TRANSFERRED}/{sid}/{number}");
    jobs::enqueue(conn, &NewJob::new(SEND_EVENT, key, payload).ordered(sid)).await?;
    Ok(())
}

/// Tells of an end in its time; when that is, if anybody listens.
async fn ended(conn: &mut Conn, call: &Call) -> Result<Option<DateTime<Utc>>, StoreError> {
    let at = told_at(call, Utc::now());
    let told = tell(conn, &Event { call: &call.call_sid, what: CALL_ENDED, recording: None, at }).await?;
    Ok(told.then_some(at))
}

/// Adds the job that tells, once for all, and behind an end the one that finds out what came of the call; false when the call's client wants
/// neither.
pub(in crate::store) async fn tell(conn: &mut Conn, event: &Event<'_>) -> Result<bool, StoreError> {
    let Wishes { told, analysed } = wishes(conn, event.call).await?;
    if told {
        enqueue(conn, event).await?;
    }
    let analysed = analysed && event.what == CALL_ENDED;
    if analysed {
        outcomes::wish(conn, event.call, event.at).await?;
    }
    Ok(told || analysed)
}

/// What is known of a call is told, or that nothing can be found out.
pub(in crate::store) async fn analysed(
    conn: &mut Conn,
    call: &CallSid,
    status: OutcomeStatus,
) -> Result<(), StoreError> {
    if !wishes(conn, call).await?.told {
        return Ok(());
    }
    let sid = call.as_str();
    let payload = json!({ "id": new_event(), "type": CALL_ANALYSED, "call_sid": sid, "at": time::told(Utc::now()) });
    // One that failed may be tried again by hand, and is told once more if that helps.
    let key = match status {
        OutcomeStatus::Done => format!("{CALL_ANALYSED}/{sid}"),
        other => format!("{CALL_ANALYSED}/{sid}/{}", other.name()),
    };
    jobs::enqueue(conn, &NewJob::new(SEND_EVENT, key, payload).ordered(sid)).await?;
    Ok(())
}

/// What follows an end need not wait any longer, if nobody has tried it yet.
async fn hurry_end(conn: &mut Conn, call: &CallSid, at: DateTime<Utc>) -> Result<(), StoreError> {
    jobs::hurry(conn, SEND_EVENT, &ended_key(call), at).await?;
    jobs::hurry(conn, ANALYSE_CALL, call.as_str(), at).await
}

/// What follows an end is done then, whenever it was to be.
pub(in crate::store) async fn reschedule_end(
    conn: &mut Conn,
    call: &CallSid,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    jobs::reschedule(conn, SEND_EVENT, &ended_key(call), at).await?;
    jobs::reschedule(conn, ANALYSE_CALL, call.as_str(), at).await
}

/// Nothing follows an end that was none.
pub(in crate::store) async fn withdraw_end(conn: &mut Conn, call: &CallSid) -> Result<(), StoreError> {
    jobs::withdraw(conn, SEND_EVENT, &ended_key(call)).await?;
    jobs::withdraw(conn, ANALYSE_CALL, call.as_str()).await
}

/// What the client of a call wants.
#[derive(Default)]
struct Wishes {
    /// To be told of it.
    told: bool,
    /// To have it found out what came of it.
    analysed: bool,
}

async fn wishes(conn: &mut Conn, call: &CallSid) -> Result<Wishes, StoreError> {
    let wishes: Option<(bool, bool)> = schema::calls::table
        .inner_join(schema::clients::table)
        .filter(schema::calls::call_sid.eq(call.as_str()))
        // What only the carrier tells of never was ours to answer: nothing is told of it, unless it begins after all.
        .filter(schema::calls::entry.is_not_null())
        .select((dsl::events_url.is_not_null(), dsl::analysed))
        .get_result(conn)
        .await
        .optional()?;
    Ok(wishes.map_or_else(Wishes::default, |(told, analysed)| Wishes { told, analysed }))
}

fn new_event() -> String {
    format!("evt_{}", uuid::Uuid::now_v7().simple())
}

/// Adds the job that tells, once for all.
async fn enqueue(conn: &mut Conn, event: &Event<'_>) -> Result<(), StoreError> {
    let call = event.call.as_str();
    let payload = json!({ "id": new_event(), "type": event.what, "call_sid": call, "recording_id": event.recording,
        "at": time::told(Utc::now()) });
    jobs::enqueue(conn, &NewJob::new(SEND_EVENT, event.key(), payload).at(event.at).ordered(call)).await?;
    Ok(())
}

pub(in crate::store) async fn target(conn: &mut Conn, client: i64) -> Result<Option<EventsTarget>, StoreError> {
    let columns = (dsl::events_url, dsl::events_secret);
    let found = dsl::clients.find(client).select(columns).get_result::<(Option<String>, Option<String>)>(conn).await;
    Ok(match found.optional()? {
        Some((Some(url), Some(secret))) => Some(EventsTarget { url, secret: Secret::new(secret) }),
        _ => None,
    })
}

pub(in crate::store) async fn set_target(
    conn: &mut Conn,
    client: i64,
    target: Option<&EventsTarget>,
) -> Result<bool, StoreError> {
    let set = diesel::update(dsl::clients.find(client)).set((
        dsl::events_url.eq(target.map(|target| &target.url)),
        dsl::events_secret.eq(target.map(|target| target.secret.reveal())),
        dsl::updated_at.eq(Utc::now().naive_utc()),
    ));
    let known = set.execute(conn).await? > 0;
    // What could not be told where it was told before may be told there.
    jobs::unpark(conn, SEND_EVENT, &[client]).await?;
    Ok(known)
}

pub(in crate::store) async fn told(
    conn: &mut Conn,
    sid: &CallSid,
    recording: Option<i64>,
) -> Result<Option<EventSubject>, StoreError> {
    let Some(CallWithTurns { call, turns, .. }) = calls::with_turns(conn, sid).await? else { return Ok(None) };
    let Some(id) = call.client_id else { return Ok(None) };
    let Some(client) = clients::by_id(conn, id).await? else { return Ok(None) };
    let recording = match recording {
        Some(id) => recordings::by_id(conn, id).await?.map(|(recording, _)| recording),
        None => None,
    };
    let tools = steps::told_tools(conn, call.id).await?;
    let transfers = transfers::of_call(conn, call.id).await?;
    let outcome = outcomes::of_call(conn, call.id).await?;
    let recordings = recordings::of_call(conn, sid).await?;
    Ok(Some(EventSubject { call, turns, tools, transfers, outcome, client, recordings, recording }))
}
