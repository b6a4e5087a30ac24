//! The faults that come by themselves, at their time.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Due, Ending, Session};

const PING_EVERY: Duration = Duration::from_secs(1);
const JUNK_EVERY: Duration = Duration::from_secs(1);
/// 15 a second.
const FLOOD_EVERY: Duration = Duration::from_millis(67);

/// A fault that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Drop,
    Expire,
    Ping,
    Junk,
    Flood,
}

impl Session {
    /// Puts the faults in force on the agenda, in place of those that were.
    pub(in crate::model) fn arm_faults(&mut self, now: Instant) {
        self.agenda.retain(|(_, due)| !matches!(due, Due::Fault(_)));
        let faults = self.shared.faults.get();
        let after = |ms| self.began + Duration::from_millis(ms);
        let armed = [
            (faults.drop_after_ms.map(after), Fault::Drop),
            (faults.expire_after_ms.map(after), Fault::Expire),
            (faults.json_ping.then_some(now), Fault::Ping),
            (faults.junk.then_some(now), Fault::Junk),
        ];
        self.agenda.extend(armed.into_iter().filter_map(|(at, fault)| Some((at?, Due::Fault(fault)))));
        if self.tracked.update(|log| log.configured) {
            self.arm_flood(now);
        }
    }

    /// The flood begins once the session is configured.
    pub(super) fn arm_flood(&mut self, now: Instant) {
        let armed = self.agenda.iter().any(|(_, due)| matches!(due, Due::Fault(Fault::Flood)));
        if self.shared.faults.get().error_flood && !armed {
            self.agenda.push((now + FLOOD_EVERY, Due::Fault(Fault::Flood)));
        }
    }

    pub(super) fn run_fault(&mut self, fault: Fault, now: Instant) {
        let again = match fault {
            Fault::Drop => {
                self.ending = Some(Ending::Reset);
                return;
            }
            Fault::Expire => {
                let reason = "Your session hit the maximum duration of 60 minutes.";
                self.error("session_expired", reason, None, None);
                self.ending = Some(Ending::Close { code: 1001, reason });
                return;
            }
            Fault::Ping => {
                let timestamp = self.began.elapsed().as_millis() as u64;
                self.emit("ping", json!({"timestamp": timestamp}));
                PING_EVERY
            }
            Fault::Junk => {
                self.out.push(Message::text("this is not JSON"));
                self.out.push(Message::text(r#"[{"type":7}]"#));
                self.out.push(Message::text(r#"{"type":"response.output_audio.delta","delta":{"not":"base64"}}"#));
                self.out.push(Message::binary(Bytes::from_static(&[0xff, 0x00, 0x7b])));
                JUNK_EVERY
            }
            Fault::Flood => {
                let message = "The server had an error while processing your request. Sorry about that!";
                self.error("server_error", message, None, None);
                FLOOD_EVERY
            }
        };
        self.agenda.push((now + again, Due::Fault(fault)));
    }
}
