//! What the carrier reports after the fact: statuses, recordings, and what became of a stream.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actors::Phase;
use chrono::{DateTime, Utc};
use protocol::call::end::{EndCode, Ended};
use protocol::exotel::status::is_end;
use protocol::exotel::webhook::{CallEnd, FieldError, Fields, RecordingReady, StreamReport, call_sid, lines};
use serde_json::json;
use tokio::time::timeout;

use super::super::audit::Seen;
use super::super::desk::parties;
use super::{Answer, Gateway, Refused, answer};
use crate::store::{AuditEntry, Call, CallEndReport, Kept, MOST_OF_CALL, MOST_WAITING};
use crate::tenant::REGION;

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
        Some(problem) => Err(FieldError::malformed("RecordingUrl", problem).into()),
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
    let (over, stream_failed) = (stream.call_status(), stream.has_failed());
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
    let next = Next::after(call.ended_code, stream_failed);
    let body = json!({ "call_sid": sid.as_str(), "next": next.name() });
    Ok(Answer { outcome: next.name(), response: HttpResponse::build(next.status()).json(body) })
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

/// Where the carrier's flow takes a caller whose stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// To a person.
    Transfer,
    /// Nowhere.
    HangUp,
}

impl Next {
    /// By how the call ended as we stored it, and whether the stream came about.
    fn after(ended: Option<EndCode>, stream_failed: bool) -> Self {
        if stream_failed || ended.is_some_and(EndCode::hands_on) { Self::Transfer } else { Self::HangUp }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::HangUp => "hang-up",
        }
    }

    /// What the Passthru applet goes by.
    const fn status(self) -> StatusCode {
        match self {
            Self::Transfer => StatusCode::OK,
            Self::HangUp => StatusCode::FOUND,
        }
    }
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
    CallEndReport::new(call_sid, Utc::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_handed_on_or_not_served_goes_to_a_person_and_everybody_else_hangs_up() {
        for (ended, next) in [
            (Some(EndCode::Transferred), Next::Transfer),
            (Some(EndCode::ModelFailed), Next::Transfer),
            (Some(EndCode::NoMedia), Next::Transfer),
            (Some(EndCode::Reaped), Next::Transfer),
            (Some(EndCode::AgentHungUp), Next::HangUp),
            (Some(EndCode::CallerHungUp), Next::HangUp),
            (Some(EndCode::CarrierReported), Next::HangUp),
            (None, Next::HangUp),
        ] {
            assert_eq!(Next::after(ended, false), next, "{ended:?}");
            assert_eq!(Next::after(ended, true), Next::Transfer, "the stream never came about");
        }
    }
}
