//! A call asks for its stream: call-start in XML, voicebot in JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use protocol::exotel::answer_xml;
use protocol::exotel::webhook::{CallStart, Fields};
use serde_json::json;

use super::super::audit::AuditContext;
use super::{Answer, Gateway, Refused};
use crate::calls::{Answered, Arrival, How};
use crate::store::Entry;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST` or `GET /exotel/call-start`: the greeting by `<Say>`, then the stream.
pub(super) async fn call_start(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    let Answered { url, greeting, language, how } = begin(gateway, fields, audited, Entry::CallStart).await?;
    let xml = answer_xml(&greeting, &language, &url);
    Ok(answer(how, HttpResponse::Ok().content_type("application/xml").body(xml)))
}

/// `GET` or `POST /exotel/voicebot`: the stream's URL. The model speaks the greeting.
pub(super) async fn voicebot(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    let Answered { url, how, .. } = begin(gateway, fields, audited, Entry::Voicebot).await?;
    Ok(answer(how, HttpResponse::Ok().json(json!({ "url": url }))))
}

async fn begin(
    gateway: &Gateway,
    fields: &Fields,
    audited: &mut AuditContext,
    entry: Entry,
) -> Result<Answered, Refused> {
    let start = CallStart::try_from(fields)?;
    audited.call = Some(start.call_sid.clone());
    let direction = fields.text::<64>("Direction").map(String::from);
    let CallStart { call_sid: call, from, to, lines, custom_field, .. } = start;
    let custom_field = custom_field.map(String::from);
    Ok(gateway.calls.begin(Arrival { call, from, to, lines, direction, custom_field, entry }).await?)
}

fn answer(how: How, mut response: HttpResponse) -> Answer {
    let outcome = match how {
        How::Began => "ok",
        How::Replayed => "replayed",
        How::Returned => "returned",
    };
    if how == How::Replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Answer { outcome, response }
}
