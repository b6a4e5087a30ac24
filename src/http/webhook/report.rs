//! What the carrier reports after the fact: statuses, recordings, and what became of a stream.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actors::Phase;
use chrono::{DateTime, Utc};
use protocol::call::end::Ended;
use protocol::exotel::webhook::{CallEnd, FieldError, Fields, RecordingReady, StreamReport, call_sid, lines};
use serde_json::json;
use tokio::time::timeout;

use super::super::audit::Seen;
use super::super::desk::parties;
use super::{Answer, Gateway, Refused, answer};
use crate::store::{AuditEntry, Call, CallEndReport, End, Kept, MOST_OF_CALL, MOST_WAITING, Parties, is_end};

/// Region in which numbers of reports are read: the client is not looked up for them.
const REGION: &str = "IN";

/// `POST` or `GET /exotel/call-end`: a StatusCallback, or a Passthru applet used as one.
pub(super) async fn call_end(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let told = CallEnd::try_from(fields)?;
    seen.call = Some(told.call_sid.clone());
    let sid = told.call_sid.clone();
    // First, since it needs no database.
    if told.is_final() {
        gateway.switchboard.end(&sid, Ended::CallEnd { status: told.status.to_string() });
    }
    let (call, _) = write_down(gateway, report_of(gateway, told, fields)).await?;
    Ok(answer("ok", &json!({ "call_sid": sid.as_str(), "status": call.status })))
}

/// `POST` or `GET /exotel/recording`: where a recording is. It is kept as `pending`, and fetched by a job.
pub(super) async fn recording(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let told = RecordingReady::try_from(fields)?;
    seen.call = Some(told.call_sid.clone());
    let announced = gateway.announced(&told.url);
    let problem = announced.refused.clone();
    let report =
        CallEndReport { recording: Some(announced), lines: lines(fields), ..empty_report(told.call_sid.clone()) };
    // One that is refused is on record too, with why.
    let (_, kept) = write_down(gateway, report).await?;
    match problem {
        Some(problem) => Err(FieldError { field: "RecordingUrl", problem }.into()),
        None => {
            let state = if kept == Some(Kept::Waits) { "pending" } else { "not_kept" };
            Ok(answer("ok", &json!({ "call_sid": told.call_sid.as_str(), "recording": state })))
        }
    }
}

/// `GET` or `POST /exotel/passthru`, behind the Voicebot applet: 200 hands the call on, 302 hangs up.
///
/// Handed on is who the agent transferred, and whoever did not get an agent: the gateway failed, or the stream never came about.
pub(super) async fn passthru(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let sid = call_sid(fields)?;
    seen.call = Some(sid.clone());
    let stream = StreamReport::try_from(fields)?;
    let over = stream.call_status();
    // The stream is over by the time the next applet asks, whatever its socket still believes.
    if over.is_some() {
        let ended = match gateway.switchboard.phase(&sid) {
            // If it was here at all, it was on another node.
            Some(Phase::Waiting) => Ended::NoMedia,
            _ => Ended::CallerHungUp { reason: stream.status.clone().map(String::from) },
        };
        gateway.switchboard.end(&sid, ended);
    }
    let told = CallEnd::try_from(fields).ok();
    if let Some(told) = told.as_ref().filter(|told| told.is_final()) {
        gateway.switchboard.end(&sid, Ended::CallEnd { status: told.status.to_string() });
    }
    // The account of the end may still be on its way to the database. One that hangs must not keep the report from being kept.
    let _ = timeout(gateway.deadline() / 4, gateway.recorder.flush()).await;
    let mut report = match told {
        Some(told) => report_of(gateway, told, fields),
        None => CallEndReport { lines: lines(fields), ..empty_report(sid.clone()) },
    };
    // While the applets go on the carrier calls it in progress; for the caller's talk with us, the stream's end is the end.
    if let Some(over) = over.filter(|_| !report.status.as_deref().is_some_and(is_end)) {
        report.status = Some(over.to_owned());
        report.stream_only = true;
    }
    if report.recording.is_none() {
        report.recording = stream.recording_url.map(|url| gateway.announced(&url));
    }
    let (call, _) = write_down(gateway, report).await?;
    let stream_failed = stream.error.is_some() || stream.status.as_deref() == Some("failed");
    let (outcome, status, next) = match hands_on(&call) || stream_failed {
        true => ("transfer", StatusCode::OK, "transfer"),
        false => ("hang-up", StatusCode::FOUND, "hang-up"),
    };
    let body = json!({ "call_sid": sid.as_str(), "next": next });
    Ok(Answer { outcome, response: HttpResponse::build(status).json(body) })
}

/// Writes a report down. One that a database that is away did not take is kept, and written later: the carrier is told to come again, and
/// may not. A recording that there is no room for is noted: the report stands without it.
async fn write_down(gateway: &Gateway, report: CallEndReport) -> Result<(Call, Option<Kept>), Refused> {
    let (store, recorder) = (gateway.store.clone(), gateway.recorder.clone());
    // By itself: whoever asked may stop waiting.
    let written = actix_rt::spawn(async move {
        let kept = report.clone();
        let written = store.report_call_and_recording(report).await;
        match &written {
            Err(error) if error.is_away() => recorder.report(kept),
            Ok((call, Some(Kept::CallFull))) => recorder.audit(not_kept(call, "call_full")),
            Ok((call, Some(Kept::ClientFull))) => recorder.audit(not_kept(call, "client_full")),
            _ => {}
        }
        written
    });
    Ok(written.await.map_err(|_| Refused::StorageAway)??)
}

/// A recording beyond what is kept of one call, or may wait for one client.
fn not_kept(call: &Call, outcome: &str) -> AuditEntry {
    AuditEntry {
        at: Utc::now(),
        kind: "recording.refused".to_owned(),
        call_sid: Some(call.call_sid.clone()),
        remote_addr: None,
        request_id: None,
        outcome: outcome.to_owned(),
        payload: json!({ "most_of_call": MOST_OF_CALL, "most_waiting": MOST_WAITING }),
    }
}

/// Whether the end of a call as we stored it leaves the caller to somebody else.
fn hands_on(call: &Call) -> bool {
    let transferred = Ended::Transferred { reason: String::new() }.words();
    let ours = matches!(call.ended_by, Some(End::Gateway | End::Upkeep));
    let said = call.ended_why.as_deref().is_some_and(|why| why.starts_with(&transferred));
    ours && (said || call.status == "failed")
}

fn report_of(gateway: &Gateway, told: CallEnd, fields: &Fields) -> CallEndReport {
    let direction = fields.text::<64>("Direction").map(String::from);
    CallEndReport {
        status: Some(told.status.into()),
        parties: parties(told.from, told.to, direction, REGION),
        lines: told.lines,
        started_at: told.started_at.and_then(|at| DateTime::from_timestamp(at, 0)),
        answered_at: told.answered_at.and_then(|at| DateTime::from_timestamp(at, 0)),
        ended_at: told.ended_at.and_then(|at| DateTime::from_timestamp(at, 0)),
        duration_secs: told.conversation_secs.and_then(|secs| i64::try_from(secs).ok()),
        // One elsewhere than where recordings may be is remembered as that; the report itself stands.
        recording: told.recording_url.map(|url| gateway.announced(&url)),
        ..empty_report(told.call_sid)
    }
}

fn empty_report(call_sid: protocol::ids::CallSid) -> CallEndReport {
    CallEndReport {
        call_sid,
        status: None,
        parties: Parties::default(),
        lines: vec![],
        started_at: None,
        answered_at: None,
        ended_at: None,
        duration_secs: None,
        recording: None,
        at: Utc::now(),
        stream_only: false,
    }
}
