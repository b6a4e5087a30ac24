//! What the carrier reports after the fact: statuses, recordings, and what became of a stream.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use protocol::exotel::webhook::{CallEnd, FieldError, Fields, RecordingReady, StreamReport, call_sid, lines};
use protocol::ids::CallSid;
use serde_json::json;

use super::super::audit::AuditContext;
use super::{Answer, Gateway, Refused, answer};
use crate::calls::{Handover, Next, parties};
use crate::store::{CallEndReport, Kept};
use crate::tenant::REGION;

/// `POST` or `GET /exotel/call-end`: a StatusCallback, or a Passthru applet used as one.
pub(super) async fn call_end(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    let told = CallEnd::try_from(fields)?;
    audited.call = Some(told.call_sid.clone());
    let sid = told.call_sid.clone();
    let (call, _) = gateway.calls.report(report_of(gateway, told, fields)).await?;
    Ok(answer("ok", &json!({ "call_sid": sid.as_str(), "status": call.status })))
}

/// `POST` or `GET /exotel/recording`: where a recording is. It is kept as `pending`, and fetched by a job.
pub(super) async fn recording(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    let told = RecordingReady::try_from(fields)?;
    audited.call = Some(told.call_sid.clone());
    let announced = gateway.announced(&told.url);
    let problem = announced.refused.clone();
    let report =
        CallEndReport { recording: Some(announced), lines: lines(fields), ..empty_report(told.call_sid.clone()) };
    // One that is refused is on record too, with why.
    let (_, kept) = gateway.calls.report(report).await?;
    match problem {
        Some(problem) => Err(FieldError::malformed("RecordingUrl", problem).into()),
        None => {
            let state = if kept == Some(Kept::Waits) { "pending" } else { "not_kept" };
            Ok(answer("ok", &json!({ "call_sid": told.call_sid.as_str(), "recording": state })))
        }
    }
}

/// `GET` or `POST /exotel/passthru`, behind the Voicebot applet: 200 hands the call on, 302 does not.
pub(super) async fn passthru(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    let sid = call_sid(fields)?;
    audited.call = Some(sid.clone());
    let stream = StreamReport::try_from(fields)?;
    let (stream_status, stream_failed) = (stream.call_status(), stream.has_failed());
    let mut report = match CallEnd::try_from(fields).ok() {
        Some(told) => report_of(gateway, told, fields),
        None => CallEndReport { lines: lines(fields), ..empty_report(sid.clone()) },
    };
    if report.recording.is_none() {
        report.recording = stream.recording_url.map(|url| gateway.announced(&url));
    }
    let stream_reason = stream.status.map(String::from);
    let handover = Handover { report, stream_status, stream_reason, stream_failed };
    let next = gateway.calls.hand_over(handover).await?;
    Ok(routed(&sid, next, ["transfer", "hang-up"]))
}

/// `GET` or `POST /exotel/passthru/resume`, a further Passthru applet: 200 goes on with the agent, 302 is the end. With `DialCallStatus`
/// it is the one behind Connect.
pub(super) async fn resume(gateway: &Gateway, fields: &Fields, audited: &mut AuditContext) -> Result<Answer, Refused> {
    let sid = call_sid(fields)?;
    audited.call = Some(sid.clone());
    let report = of_the_call_alone(&sid, fields);
    let dial_status = fields.text::<64>("DialCallStatus").map(String::from);
    let next = gateway.calls.resume(report, dial_status).await?;
    Ok(routed(&sid, next, ["resume", "over"]))
}

/// Of the other fields behind a stream some are of the person who was dialled.
pub(super) fn of_the_call_alone(sid: &CallSid, fields: &Fields) -> CallEndReport {
    let status = fields.text::<64>("CallStatus").or_else(|| fields.text::<64>("Status")).map(String::from);
    CallEndReport { status, lines: lines(fields), ..empty_report(sid.clone()) }
}

/// What a Passthru applet goes by: its status.
fn routed(sid: &CallSid, next: Next, [on, otherwise]: [&'static str; 2]) -> Answer {
    let (status, outcome) = match next {
        Next::On => (StatusCode::OK, on),
        Next::Else => (StatusCode::FOUND, otherwise),
    };
    let body = json!({ "call_sid": sid.as_str(), "next": outcome });
    Answer { outcome, response: HttpResponse::build(status).json(body) }
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

fn empty_report(call_sid: CallSid) -> CallEndReport {
    CallEndReport::new(call_sid, Utc::now())
}
