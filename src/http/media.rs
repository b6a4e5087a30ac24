//! The media sockets' front door: who may open one, and for which call.

use std::time::SystemTime;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Result, web};
use actors::MediaEntry;
use serde_json::json;

use super::audit::AuditContext;
use super::error::Refused;
use super::{Gateway, let_in};
use crate::calls::Awaited;

/// `GET /exotel/media/{token}`: the socket of a call that a webhook announced.
pub(super) async fn by_token(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let mut audited = AuditContext::new("media.token", &gateway, &request);
    let entry = check_token(&gateway, &request, &token, &mut audited).await;
    open(&gateway, &request, entry, audited).await
}

/// `GET /exotel/media`: a static URL in the applet. Which call it is comes with the `start` event.
pub(super) async fn by_account(gateway: web::Data<Gateway>, request: HttpRequest) -> Result<HttpResponse> {
    let audited = AuditContext::new("media.static", &gateway, &request);
    let entry = check_account(&gateway, &request).map(|()| MediaEntry::Static);
    open(&gateway, &request, entry, audited).await
}

async fn check_token(
    gateway: &Gateway,
    request: &HttpRequest,
    token: &str,
    audited: &mut AuditContext,
) -> Result<MediaEntry, Refused> {
    gateway.check_address(audited.address)?;
    let (call, stream) = gateway.calls.verify(token, SystemTime::now())?;
    audited.call = Some(call.clone());
    check_upgrade(request)?;
    match gateway.calls.awaits(&call, stream).await? {
        Awaited::Here => Ok(MediaEntry::Token(call)),
        Awaited::Elsewhere => gateway.check_room().map(|()| MediaEntry::Elsewhere(call, stream)),
    }
}

fn check_account(gateway: &Gateway, request: &HttpRequest) -> Result<(), Refused> {
    let address = gateway.address(request);
    gateway.check_address(address)?;
    match gateway.authenticator.basic(request.headers()) {
        Ok(()) => {}
        Err(_) if gateway.authenticator.is_open() => gateway.check_page(request)?,
        Err(error) => return Err(gateway.guessed_wrong(address, error)),
    }
    check_upgrade(request)?;
    gateway.check_room()
}

fn check_upgrade(request: &HttpRequest) -> Result<(), Refused> {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    let asked = upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    if asked { Ok(()) } else { Err(Refused::NoUpgrade) }
}

async fn open(
    gateway: &Gateway,
    request: &HttpRequest,
    entry: Result<MediaEntry, Refused>,
    audited: AuditContext,
) -> Result<HttpResponse> {
    match entry {
        Ok(entry) => {
            let_in(request);
            gateway.switchboard.media(request, entry)
        }
        Err(refused) => {
            audited.write_refusal(gateway, &refused, async { json!({}) }, gateway.deadline()).await;
            Ok(refused.answer())
        }
    }
}
