//! A call asks for its stream: call-start in XML, voicebot in JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actors::Admission;
use protocol::exotel::answer_xml;
use protocol::exotel::webhook::{CallStart, Fields};
use serde_json::json;

use super::super::audit::Seen;
use super::super::desk::{Opened, Opening};
use super::{Answer, Gateway, Refused};
use crate::http::admission::max_concurrent;
use crate::store::{Client, Entry};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST` or `GET /exotel/call-start`: the greeting by `<Say>`, then the stream.
pub(super) async fn call_start(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let opened = open(gateway, fields, seen, Entry::CallStart).await?;
    let agent = &opened.client.agent;
    let xml = answer_xml(&agent.greeting, &agent.language, &url(gateway, &opened));
    Ok(answer(&opened, HttpResponse::Ok().content_type("application/xml").body(xml)))
}

/// `GET` or `POST /exotel/voicebot`: the stream's URL. The model speaks the greeting.
pub(super) async fn voicebot(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let opened = open(gateway, fields, seen, Entry::Voicebot).await?;
    Ok(answer(&opened, HttpResponse::Ok().json(json!({ "url": url(gateway, &opened) }))))
}

/// Writes the call down and admits it, which dials the model at once. A replay finds both done; on a node that does not have the
/// call it starts nothing: should the stream come here, it is admitted then.
async fn open(gateway: &Gateway, fields: &Fields, seen: &mut Seen, entry: Entry) -> Result<Opened, Refused> {
    let start = CallStart::try_from(fields)?;
    seen.call = Some(start.call_sid.clone());
    // A node that takes no calls writes none down. The switchboard decides again below, where it cannot change its mind.
    let here = gateway.switchboard.phase(&start.call_sid).is_some();
    if !here {
        gateway.check_room()?;
    }
    let direction = fields.text::<64>("Direction").map(String::from);
    let opening =
        Opening { call: start.call_sid, from: start.from, to: start.to, lines: start.lines, direction, entry };
    let switchboard = gateway.switchboard.clone();
    let room = move |client: &Client| match here {
        true => Ok(()),
        false => Ok(switchboard.check_room(&client.id.to_string(), max_concurrent(client))?),
    };
    let opened = gateway.desk.open(opening, room).await?;
    if !is_over(gateway, &opened).await? {
        if opened.ours {
            gateway.switchboard.admit(opened.admission.clone())?;
            gateway.desk.settled(&opened.call.call_sid);
        } else if gateway.switchboard.phase(&opened.call.call_sid).is_none() {
            let Admission { client, max_concurrent, .. } = &opened.admission;
            gateway.switchboard.check_room(client, *max_concurrent)?;
        }
    }
    Ok(opened)
}

/// Whether nothing may be started for a call any more. A call that left the switchboard may have its end still on the way to the row.
async fn is_over(gateway: &Gateway, opened: &Opened) -> Result<bool, Refused> {
    let sid = &opened.call.call_sid;
    if opened.call.is_over() || !opened.replayed || gateway.switchboard.phase(sid).is_some() {
        return Ok(opened.call.is_over());
    }
    gateway.recorder.flush().await;
    Ok(gateway.store.call(sid).await?.is_some_and(|found| found.call.is_over()))
}

/// The token's life counts from the row, so a replay gets the same URL.
fn url(gateway: &Gateway, opened: &Opened) -> String {
    let call = &opened.call;
    gateway.stream_url(&gateway.tokens.mint(&call.call_sid, call.times.started_at.into()))
}

fn answer(opened: &Opened, mut response: HttpResponse) -> Answer {
    if opened.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Answer { outcome: if opened.replayed { "replayed" } else { "ok" }, response }
}
