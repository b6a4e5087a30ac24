//! What the carrier reports after the fact: statuses, recordings, and what became of a stream.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actors::Phase;
use chrono::{DateTime, Utc};
use protocol::call::fact::Ended;
use protocol::exotel::webhook::{CallEnd, FieldError, Fields, RecordingReady, StreamReport, call_sid};
use serde_json::json;

use super::super::audit::Seen;
use super::super::desk::parties;
use super::{Answer, Gateway, Refused, answer};
use crate::store::{Call, CallEndReport, End, Parties};

/// Region in which numbers of reports are read: the client is not looked up for them.
const REGION: &str = "IN";

/// `POST` or `GET /exotel/call-end`: a StatusCallback, or a Passthru applet used as one.
pub(super) async fn call_end(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let told = CallEnd::try_from(fields)?;
    seen.call = Some(told.call_sid.clone());
    let is_final = told.is_final();
    let (sid, status) = (told.call_sid.clone(), told.status.clone());
    let call = gateway.store.report_call(report_of(gateway, told, fields)).await?;
    if is_final {
        gateway.switchboard.end(&sid, Ended::CallEnd { status });
    }
    Ok(answer("ok", &json!({ "call_sid": sid.as_str(), "status": call.status })))
}

/// `POST` or `GET /exotel/recording`: where a recording is. It is kept as `pending`, and fetched by a job.
pub(super) async fn recording(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let told = RecordingReady::try_from(fields)?;
    seen.call = Some(told.call_sid.clone());
    if !gateway.is_recording_url(&told.url) {
        let problem = "is not allowed: it must be https, on one of RECORDING_HOSTS".to_owned();
        return Err(FieldError { field: "RecordingUrl", problem }.into());
    }
    let mut report = empty_report(told.call_sid.clone());
    report.recording_url = Some(told.url);
    gateway.store.report_call(report).await?;
    Ok(answer("ok", &json!({ "call_sid": told.call_sid.as_str(), "recording": "pending" })))
}

/// `GET` or `POST /exotel/passthru`, behind the Voicebot applet: 200 hands the call on, 302 hangs up.
///
/// Handed on is who the agent transferred, and whoever did not get an agent: the gateway failed, or the stream never came about.
pub(super) async fn passthru(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let sid = call_sid(fields)?;
    seen.call = Some(sid.clone());
    let stream = StreamReport::try_from(fields)?;
    // The stream is over by the time the next applet asks, whatever its socket still believes.
    let reported = stream.status.is_some() || stream.stream_sid.is_some();
    if reported {
        let ended = match gateway.switchboard.phase(&sid) {
            Some(Phase::Waiting) => Ended::NoMedia,
            _ => Ended::CallerHungUp { reason: stream.status.clone() },
        };
        gateway.switchboard.end(&sid, ended);
    }
    // The account of the end may still be on its way to the database.
    gateway.recorder.flush().await;
    let report = match CallEnd::try_from(fields) {
        Ok(told) => report_of(gateway, told, fields),
        Err(_) => empty_report(sid.clone()),
    };
    let call = gateway.store.report_call(report).await?;
    let stream_failed = stream.error.is_some() || stream.status.as_deref() == Some("failed");
    let (outcome, status, next) = match hands_on(&call) || stream_failed {
        true => ("transfer", StatusCode::OK, "transfer"),
        false => ("hang-up", StatusCode::FOUND, "hang-up"),
    };
    let body = json!({ "call_sid": sid.as_str(), "next": next });
    Ok(Answer { outcome, response: HttpResponse::build(status).json(body) })
}

/// Whether the end of a call as we stored it leaves the caller to somebody else.
fn hands_on(call: &Call) -> bool {
    let transferred = Ended::Transferred { reason: String::new() }.words();
    let ours = call.ended_by == Some(End::Gateway);
    let said = call.ended_why.as_deref().is_some_and(|why| why.starts_with(&transferred));
    ours && (said || call.status == "failed")
}

fn report_of(gateway: &Gateway, told: CallEnd, fields: &Fields) -> CallEndReport {
    let direction = fields.get("Direction").map(str::to_owned);
    // A recording elsewhere than where recordings may be is not remembered; the report itself stands.
    let recording_url = told.recording_url.filter(|url| gateway.is_recording_url(url));
    CallEndReport {
        status: Some(told.status),
        parties: parties(told.from, told.to, direction, REGION),
        answered_at: None,
        ended_at: told.ended_at.and_then(|at| DateTime::from_timestamp(at, 0)),
        duration_secs: told.conversation_secs.and_then(|secs| i64::try_from(secs).ok()),
        recording_url,
        ..empty_report(told.call_sid)
    }
}

fn empty_report(call_sid: protocol::ids::CallSid) -> CallEndReport {
    CallEndReport {
        call_sid,
        status: None,
        parties: Parties::default(),
        answered_at: None,
        ended_at: None,
        duration_secs: None,
        recording_url: None,
        at: Utc::now(),
    }
}
