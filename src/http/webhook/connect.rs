//! The Connect applet asks whom to dial.

use protocol::exotel::webhook::{Fields, call_sid};

use super::super::audit::AuditContext;
use super::report::of_the_call_alone;
use super::{Answer, Gateway, Refused, answer};

/// `GET` or `POST /exotel/connect`, the dynamic URL of a Connect applet behind the Voicebot applet.
pub(super) async fn connect(gateway: &Gateway, fields: &Fields, audited: &mut AuditContext) -> Result<Answer, Refused> {
    let sid = call_sid(fields)?;
    audited.call = Some(sid.clone());
    let dial = gateway.calls.connect(of_the_call_alone(&sid, fields)).await?;
    Ok(answer("transfer", &dial.to_json()))
}
