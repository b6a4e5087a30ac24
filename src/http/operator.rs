//! `/api/v1`: clients and calls for operators, behind `ADMIN_TOKEN`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use protocol::call::end::Ended;
use protocol::exotel::is_sid;
use protocol::exotel::webhook::FieldError;
use protocol::ids::CallSid;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::audit::AuditContext;
use super::error::Refused;
use super::openapi::calls::LIST_CALLS;
use super::{Gateway, auth, let_in};
use crate::agent as agent_room;
use crate::store::{Call, CallPage, StoreError};
use crate::views::{WholeCall, call_json, whole_call_json};
use crate::why as why_room;

mod agent;
mod asked;
mod clients;
mod places;

use asked::Asked;
pub(super) use asked::{LISTED, MOST_LISTED};
pub(super) use places::PLACES;
#[cfg(test)]
pub(super) use places::api_document;

/// `GET /api/v1/calls`: the latest, newest first, a page at a time.
pub(super) async fn calls(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        let reader = reader(&gateway, &request).await?;
        let asked = Asked::of(&request, LIST_CALLS.query)?;
        let page = CallPage {
            client: match asked.text("client") {
                Some(named) => Some(reader.may_see(clients::find(&gateway, named).await?.id, Refused::NoSuchClient)?),
                None => reader.only(),
            },
            status: asked.status()?,
            live: asked.flag("live")?,
            ended: asked.ended()?,
            slow_ms: asked.millis("slow")?,
            since: asked.time("since")?,
            until: asked.time("until")?,
            after: asked.cursor()?,
            // One more shows whether there are more.
            limit: asked.limit()? + 1,
        };
        let most = page.limit - 1;
        let mut calls = ask(&gateway, gateway.store.calls_page(page)).await?;
        let next = next(&mut calls, most, |(call, _)| call.id);
        let calls: Vec<Value> =
            calls.iter().map(|(call, client)| call_json(call, client.as_deref(), is_live(&gateway, call))).collect();
        Ok(json!({ "calls": calls, "next": next }))
    })
    .await
}

/// `GET /api/v1/calls/{sid}`: one call with its transcript and its timeline.
pub(super) async fn call(gateway: web::Data<Gateway>, request: HttpRequest, sid: web::Path<String>) -> HttpResponse {
    answer(async {
        let reader = reader(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let sid = named(&sid)?;
        let found = ask(&gateway, gateway.store.call(&sid)).await?.ok_or(Refused::UnknownCall)?;
        reader.may_see(found.call.client_id.unwrap_or(NOBODYS), Refused::UnknownCall)?;
        let live = is_live(&gateway, &found.call);
        let whole = ask(&gateway, WholeCall::of(&gateway.store, found)).await?;
        Ok(whole_call_json(&whole, live))
    })
    .await
}

/// `GET /api/v1/calls/{sid}/why`: why it went as it did.
pub(super) async fn why(gateway: web::Data<Gateway>, request: HttpRequest, sid: web::Path<String>) -> HttpResponse {
    answer(async {
        let reader = reader(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let sid = named(&sid)?;
        let known = ask(&gateway, gateway.store.call(&sid)).await?;
        // Of a call that was refused nothing says whose it is.
        reader.may_see(known.and_then(|found| found.call.client_id).unwrap_or(NOBODYS), Refused::UnknownCall)?;
        let verdict = ask(&gateway, why_room::of_call(&gateway.store, &sid)).await?;
        Ok(verdict.ok_or(Refused::UnknownCall)?.to_json())
    })
    .await
}

/// `POST /api/v1/calls/{sid}/hangup`: ends a live call; its flow goes on to the next applet.
pub(super) async fn hang_up(gateway: web::Data<Gateway>, request: HttpRequest, sid: web::Path<String>) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let call = named(&sid)?;
        let mut audited = AuditContext::new("api.hangup", &gateway, &request);
        audited.call = Some(call.clone());
        let ended = gateway.switchboard.end(&call, Ended::Operator);
        audited.write(&gateway, if ended { "ok" } else { "not_live" }, json!({}), gateway.deadline()).await;
        if ended {
            return Ok(json!({ "call_sid": call.as_str(), "hangup": "requested" }));
        }
        let known = ask(&gateway, gateway.store.call(&call)).await?;
        Err(known.map_or(Refused::UnknownCall, |_| Refused::NotLive))
    })
    .await
}

/// Whether this gateway has the call.
fn is_live(gateway: &Gateway, call: &Call) -> bool {
    gateway.switchboard.phase(&call.call_sid).is_some()
}

/// The call that a path names; what is no CallSid names none.
fn named(sid: &str) -> Result<CallSid, Refused> {
    if is_sid(sid) { Ok(CallSid::new(sid)) } else { Err(Refused::UnknownCall) }
}

fn malformed(field: &'static str, wanted: &str) -> Refused {
    FieldError::malformed(field, format!("is malformed: {wanted}")).into()
}

/// Cuts a page to its size; what comes after it, if anything, begins behind the row that is named.
fn next<T>(rows: &mut Vec<T>, most: i64, id: impl Fn(&T) -> i64) -> Option<String> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if rows.len() <= most {
        return None;
    }
    rows.truncate(most);
    rows.last().map(|row| id(row).to_string())
}

/// What an operator is told, and with which status.
struct Done {
    status: StatusCode,
    body: Value,
}

impl From<Value> for Done {
    fn from(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }
}

async fn answer<T: Into<Done>>(work: impl Future<Output = Result<T, Refused>>) -> HttpResponse {
    match work.await.map(Into::into) {
        Ok(Done { status, body }) => HttpResponse::build(status).json(body),
        Err(refused) => refused.answer(),
    }
}

/// Of no client.
const NOBODYS: i64 = -1;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Whoever has the `ADMIN_TOKEN`: everything.
    Operator,
    /// Whoever has a token of that client: what is the client's, and nothing else is there for them.
    Client(i64),
}

impl Reader {
    /// The one client that is read of, if not all are.
    const fn only(self) -> Option<i64> {
        match self {
            Self::Operator => None,
            Self::Client(own) => Some(own),
        }
    }

    /// The client, if it may be audited.
    fn may_see(self, client: i64, not_there: Refused) -> Result<i64, Refused> {
        if self.only().is_none_or(|own| own == client) { Ok(client) } else { Err(not_there) }
    }
}

/// Lets in whoever may read, with the token of a client or as [`check`] does.
pub(super) async fn reader(gateway: &Gateway, request: &HttpRequest) -> Result<Reader, Refused> {
    if let Some(token) = auth::bearer_token(request.headers()).filter(|_| gateway.rules.admin_token.is_some()) {
        gateway.may_guess(gateway.address(request))?;
        if let Some(client) = ask(gateway, agent_room::client_of(&gateway.store, token)).await? {
            let_in(request);
            return Ok(Reader::Client(client.id));
        }
    }
    check(gateway, request).await.map(|()| Reader::Operator)
}

/// Wrong tokens are audited, and counted against their address like every failed authentication. An address that guessed too often is
/// not listened to, whatever it says now: else the right guess would be answered all the same.
pub(super) async fn check(gateway: &Gateway, request: &HttpRequest) -> Result<(), Refused> {
    let expected = gateway.rules.admin_token.as_ref().ok_or(Refused::ApiOff)?;
    gateway.may_guess(gateway.address(request))?;
    if auth::bearer(request.headers(), expected) {
        let_in(request);
        return Ok(());
    }
    let audited = AuditContext::new("api", gateway, request);
    let refused = gateway.guessed_wrong(audited.address, Refused::Operator);
    let told = async { json!({ "fields": { "path": request.path() } }) };
    audited.write_refusal(gateway, &refused, told, gateway.deadline()).await;
    Err(refused)
}

async fn ask<T>(gateway: &Gateway, query: impl Future<Output = Result<T, StoreError>>) -> Result<T, Refused> {
    Ok(timeout(gateway.deadline(), query).await.map_err(|_| Refused::StorageAway)??)
}
