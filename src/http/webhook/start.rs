//! A call asks for its stream: call-start in XML, voicebot in JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actors::{Admission, Announced, Phase};
use protocol::exotel::answer_xml;
use protocol::exotel::webhook::{CallStart, Fields};
use serde_json::json;

use super::super::audit::Seen;
use super::super::desk::{Opened, Opening};
use super::{Answer, Gateway, Refused};
use crate::calls::token::TOKEN_LIFE;
use crate::http::admission::max_concurrent;
use crate::store::{Client, Entry};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST` or `GET /exotel/call-start`: the greeting by `<Say>`, then the stream.
pub(super) async fn call_start(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let opened = open(gateway, fields, seen, Entry::CallStart).await?;
    let agent = &opened.client.agent;
    let (url, conversed) = stream(gateway, &opened);
    // Who has talked with the agent already was greeted.
    let greeting = if conversed { "" } else { &agent.greeting };
    let xml = answer_xml(greeting, &agent.language, &url);
    Ok(answer(&opened, HttpResponse::Ok().content_type("application/xml").body(xml)))
}

/// `GET` or `POST /exotel/voicebot`: the stream's URL. The model speaks the greeting.
pub(super) async fn voicebot(gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
    let opened = open(gateway, fields, seen, Entry::Voicebot).await?;
    Ok(answer(&opened, HttpResponse::Ok().json(json!({ "url": stream(gateway, &opened).0 }))))
}

/// Writes the call down and admits it, which dials the model at once. A replay finds both done; on a node that does not have the
/// call it starts nothing: should the stream come here, it is admitted then. A call that came back is admitted again, and one that is
/// over is not.
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
    let mut opened = gateway.desk.open(opening, room).await?;
    let (switchboard, sid) = (&gateway.switchboard, opened.call.call_sid.clone());
    if switchboard.phase(&sid).is_some() {
        return Ok(opened);
    }
    // One that waited here in vain may have its stream on another node.
    let had_it = |left_in: Phase| left_in == Phase::Live || opened.call.times.media_at.is_none();
    opened.returns = switchboard.left_in(&sid).is_some_and(had_it) && !opened.call.is_over_for_the_carrier();
    if opened.returns {
        // The place and the model are the same call's again; the row follows.
        switchboard.admit(opened.admission.clone())?;
    } else if gateway.desk.is_over(&opened).await? {
        return Err(Refused::CallOver);
    } else if opened.ours {
        switchboard.admit(opened.admission.clone())?;
        gateway.desk.settled(&sid);
    } else {
        let Admission { client, max_concurrent, .. } = &opened.admission;
        switchboard.check_room(client, *max_concurrent)?;
    }
    Ok(opened)
}

/// The URL of the stream that the call waits for, or has. The life of the first one's token counts from the row, so that it is the same
/// on every node. And whether the call has come back to a conversation.
fn stream(gateway: &Gateway, opened: &Opened) -> (String, bool) {
    let (call, tokens) = (&opened.call, &gateway.tokens);
    let announced = gateway.switchboard.announce(&call.call_sid, TOKEN_LIFE);
    let token = match announced {
        Some(Announced { stream, since, .. }) if stream > 1 => tokens.mint_stream(&call.call_sid, stream, since),
        _ => tokens.mint(&call.call_sid, call.times.started_at.into()),
    };
    (gateway.stream_url(&token), announced.is_some_and(|announced| announced.conversed))
}

fn answer(opened: &Opened, mut response: HttpResponse) -> Answer {
    let outcome = match (opened.returns, opened.replayed) {
        (true, _) => "returned",
        (false, true) => "replayed",
        (false, false) => "ok",
    };
    if outcome == "replayed" {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Answer { outcome, response }
}
