//! Where the carrier's flow takes a caller whose stream is over: the Passthru applets ask.

use std::time::Duration;

use actors::Phase;
use chrono::Utc;
use protocol::call::end::{EndCode, Ended};
use protocol::exotel::status::{COMPLETED, is_end};
use protocol::ids::CallSid;
use tokio::time::timeout;

use super::{Calls, Refused};
use crate::store::{Call, CallEndReport, FlowResumed};

/// What an applet behind a stream says so soon after a further one was asked for, it says of the one before: a request that the carrier
/// repeats, or that was long on its way.
const IS_OF_THE_ONE_BEFORE: Duration = Duration::from_secs(10);

/// A stream is over, and the applet behind it asks.
#[derive(Clone, Debug)]
pub struct Handover {
    /// What the carrier reports of the call beside.
    pub report: CallEndReport,
    /// The status that the end of the stream comes to, if one was told.
    pub stream_status: Option<&'static str>,
    /// The reason that was told for the stream's end.
    pub stream_reason: Option<String>,
    /// The stream never came about.
    pub stream_failed: bool,
}

/// Which way out of a Passthru applet the flow takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// 200: to a person (Connect), or from `passthru/resume` on with the agent (a further Voicebot applet).
    On,
    /// 302: what the flow has else, which is the end where there is no more.
    Else,
}

impl Next {
    /// Behind a Voicebot applet, by how the call ended as it is on record, and whether its stream came about: on to a person is who the
    /// agent transferred, and whoever did not get an agent.
    pub(super) fn after(ended: Option<EndCode>, stream_failed: bool) -> Self {
        if stream_failed || ended.is_some_and(EndCode::hands_on) { Self::On } else { Self::Else }
    }

    /// Behind that, and behind Connect: back to the agent is whoever's call may still go on.
    fn back(may_go_on: bool, dial_status: Option<&str>) -> Self {
        let was_served = dial_status.is_some_and(|status| status.eq_ignore_ascii_case(COMPLETED));
        if may_go_on && !was_served { Self::On } else { Self::Else }
    }
}

impl Calls {
    /// `passthru`, right behind the Voicebot applet. It ends the stream, not the call.
    ///
    /// # Errors
    /// When the database is away: what was told is kept, and written later.
    pub async fn hand_over(&self, handover: Handover) -> Result<Next, Refused> {
        let Handover { mut report, stream_status, stream_reason, stream_failed } = handover;
        let stream_status = stream_status.filter(|_| !self.goes_on_by_now(&report.call_sid));
        self.stream_is_over(&report, stream_status.is_some(), stream_reason).await;
        // While the applets go on the carrier calls it in progress; for the caller's talk with us, the stream's end is the end.
        if let Some(over) = stream_status.filter(|_| !report.status.as_deref().is_some_and(is_end)) {
            report.status = Some(over.to_owned());
            report.stream_only = true;
        }
        let (call, _) = self.write_down(report).await?;
        Ok(self.decide(call, stream_failed).await?.next())
    }

    /// `passthru/resume`, behind the 302 of that one, or (with what became of the dialling) behind Connect. Where it says 302, the call is
    /// over.
    ///
    /// # Errors
    /// When the database is away: what was told is kept, and written later.
    pub async fn resume(&self, report: CallEndReport, dial_status: Option<String>) -> Result<Next, Refused> {
        let sid = report.call_sid.clone();
        // The flow came here: no stream of the call is left.
        let over = !self.goes_on_by_now(&sid);
        self.stream_is_over(&report, over, None).await;
        let report = if over { with_stream_over(report) } else { report };
        let (call, _) = self.write_down(report).await?;
        let next = Next::back(may_go_on(&call), dial_status.as_deref());
        let resumed = FlowResumed { dial_status, over: next == Next::Else, at: Utc::now() };
        self.admissions.store.resume_flow(sid.clone(), resumed).await?;
        if next == Next::Else {
            self.switchboard.forget_return(&sid);
        }
        Ok(next)
    }

    pub(super) fn goes_on_by_now(&self, call: &CallSid) -> bool {
        self.switchboard.has_just_returned(call, IS_OF_THE_ONE_BEFORE)
    }

    /// The stream is over by the time the next applet asks, whatever its socket still believes.
    pub(super) async fn stream_is_over(&self, report: &CallEndReport, over: bool, reason: Option<String>) {
        let sid: &CallSid = &report.call_sid;
        if over {
            let ended = match self.switchboard.phase(sid) {
                // If it was here at all, it was on another node.
                Some(Phase::Waiting) => Ended::NoMedia,
                _ => Ended::CallerHungUp { reason },
            };
            self.switchboard.end(sid, ended);
        }
        if let Some(status) = report.status.as_ref().filter(|status| is_end(status)) {
            self.switchboard.end(sid, Ended::CallEnd { status: status.clone() });
        }
        // The account of the end may still be on its way to the database. One that hangs must not keep the report from being kept.
        let _ = timeout(self.admissions.deadline / 4, self.admissions.writer.flush()).await;
    }
}

/// Whether a further stream takes the call back.
fn may_go_on(call: &Call) -> bool {
    call.entry.is_some() && !call.is_over_for_good(Utc::now())
}

/// Unless the carrier says that the call is over, its stream is.
pub(super) fn with_stream_over(report: CallEndReport) -> CallEndReport {
    if report.status.as_deref().is_some_and(is_end) {
        return report;
    }
    CallEndReport { status: Some(COMPLETED.to_owned()), stream_only: true, ..report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_handed_on_or_not_served_goes_to_a_person_and_everybody_else_does_not() {
        for (ended, next) in [
            (Some(EndCode::Transferred), Next::On),
            (Some(EndCode::ModelFailed), Next::On),
            (Some(EndCode::NoMedia), Next::On),
            (Some(EndCode::Reaped), Next::On),
            (Some(EndCode::AgentHungUp), Next::Else),
            (Some(EndCode::CallerHungUp), Next::Else),
            (Some(EndCode::StreamLost), Next::Else),
            (Some(EndCode::CarrierReported), Next::Else),
            (None, Next::Else),
        ] {
            assert_eq!(Next::after(ended, false), next, "{ended:?}");
            assert_eq!(Next::after(ended, true), Next::On, "the stream never came about");
        }
    }

    #[test]
    fn who_a_person_did_not_serve_goes_back_to_the_agent_while_the_call_may_go_on() {
        for (dial_status, next) in [
            (None, Next::On),
            (Some("no-answer"), Next::On),
            (Some("busy"), Next::On),
            (Some("failed"), Next::On),
            (Some("canceled"), Next::On),
            (Some("something new"), Next::On),
            (Some("completed"), Next::Else),
            (Some("Completed"), Next::Else),
        ] {
            assert_eq!(Next::back(true, dial_status), next, "{dial_status:?}");
            assert_eq!(Next::back(false, dial_status), Next::Else, "it is over");
        }
    }
}
