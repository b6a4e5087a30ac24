//! `/api/v1/clients`: the tenants.

mod told;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use protocol::exotel::normalise_number;
use protocol::ids::{PhoneNumber, Secret};
use serde_json::{Map, Value, json};

use told::{changes, endpoint_change, new_client, no_endpoint};

use super::{Asked, Done, Gateway, Refused, answer, ask, check, next};
use crate::http::audit::AuditContext;
use crate::http::body;
use crate::http::openapi::clients::LIST_CLIENTS;
use crate::notify::Endpoint;
use crate::store::{Client, ClientChanges, StoreError};
use crate::tenant::REGION;
use crate::views::client_json;

/// `GET /api/v1/clients`: in the order in which they were added, a page at a time.
pub(super) async fn list(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        let asked = Asked::of(&request, LIST_CLIENTS.query)?;
        let (after, most) = (asked.cursor()?.unwrap_or(0), asked.limit()?);
        let mut clients = ask(&gateway, gateway.store.clients_page(after, most + 1)).await?;
        let next = next(&mut clients, most, |client| client.id);
        Ok(json!({ "clients": clients.iter().map(client_json).collect::<Vec<_>>(), "next": next }))
    })
    .await
}

/// `POST /api/v1/clients`: `name` and `number` at least. 201, and where it is from now on.
pub(super) async fn add(gateway: web::Data<Gateway>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mut place = None;
    let mut response = answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let told = read(&request, payload).await?;
        let new = new_client(changes(&told)?)?;
        let Endpoint { target, made } = endpoint_change(&gateway, &told)?.endpoint(None).map_err(no_endpoint)?;
        let client = match target.flatten() {
            Some(target) => ask_write(&gateway, gateway.store.add_told_client(new, target)).await?,
            None => ask_write(&gateway, gateway.store.add_client(new)).await?,
        };
        write_down("api.client-added", &gateway, &request, told).await;
        place = Some(format!("/api/v1/clients/{}", client.id));
        Ok(Done { status: StatusCode::CREATED, body: shown_once(&client, made) })
    })
    .await;
    if let Some(place) = place.and_then(|place| header::HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// `GET /api/v1/clients/{id or number}`.
pub(super) async fn show(gateway: web::Data<Gateway>, request: HttpRequest, named: web::Path<String>) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        Ok(client_json(&find(&gateway, &named).await?))
    })
    .await
}

/// `PATCH /api/v1/clients/{id or number}`: what is not named stays as it is.
pub(super) async fn change(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    named: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let told = read(&request, payload).await?;
        let (mut changes, endpoint_change) = (changes(&told)?, endpoint_change(&gateway, &told)?);
        let id = find(&gateway, &named).await?.id;
        let mut made = None;
        if !endpoint_change.is_empty() {
            let known = ask(&gateway, gateway.store.events_target(id)).await?;
            let endpoint = endpoint_change.endpoint(known).map_err(no_endpoint)?;
            (changes.events, made) = (endpoint.target, endpoint.made);
        }
        let changed = ask_write(&gateway, gateway.store.change_client(id, changes)).await?;
        write_down("api.client-changed", &gateway, &request, told).await;
        Ok(shown_once(&changed.ok_or(Refused::NoSuchClient)?, made))
    })
    .await
}

/// `POST /api/v1/clients/{id or number}/disable`: its calls are taken no more; those that have begun go on.
pub(super) async fn disable(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    named: web::Path<String>,
) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let id = find(&gateway, &named).await?.id;
        let changes = ClientChanges { active: Some(false), ..ClientChanges::default() };
        let changed = ask_write(&gateway, gateway.store.change_client(id, changes)).await?;
        write_down("api.client-disabled", &gateway, &request, Map::new()).await;
        Ok(client_json(&changed.ok_or(Refused::NoSuchClient)?))
    })
    .await
}

/// A client by its id, or its number in any spelling.
pub(super) async fn find(gateway: &Gateway, named: &str) -> Result<Client, Refused> {
    let found = match named.parse::<i64>() {
        Ok(id) if named.len() < 7 => ask(gateway, gateway.store.client(id)).await?,
        _ => {
            let number = normalise_number(named, REGION).map(PhoneNumber::new).ok_or(Refused::NoSuchClient)?;
            ask(gateway, gateway.store.client_by_number(&number)).await?
        }
    };
    found.ok_or(Refused::NoSuchClient)
}

/// A write whose failure may be the operator's doing: that is told apart from a database that is away.
pub(super) async fn ask_write<T>(
    gateway: &Gateway,
    write: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Refused> {
    let judged = async {
        match write.await {
            Err(StoreError::Taken { id, .. }) => Ok(Err(Refused::NumberTaken(id))),
            Err(error) => Err(error),
            Ok(done) => Ok(Ok(done)),
        }
    };
    ask(gateway, judged).await?
}

pub(super) async fn write_down(
    kind: &'static str,
    gateway: &Gateway,
    request: &HttpRequest,
    mut told: Map<String, Value>,
) {
    let path = Value::String(request.path().to_owned());
    told.insert("path".to_owned(), path);
    // A secret is nobody's to read, here least of all.
    if let Some(secret) = told.get_mut("events_secret") {
        *secret = Value::String("set".to_owned());
    }
    AuditContext::new(kind, gateway, request).write(gateway, "ok", Value::Object(told), gateway.deadline()).await;
}

async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Map<String, Value>, Refused> {
    read_at_most(request, payload, body::MAX_BODY).await
}

pub(super) async fn read_at_most(
    request: &HttpRequest,
    payload: web::Payload,
    most: usize,
) -> Result<Map<String, Value>, Refused> {
    let body = body::read_at_most(payload, most).await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Refused::NotJson);
    }
    serde_json::from_slice(&body).map_err(|_| Refused::Body("a JSON object"))
}

/// A client, and the secret of its events if it was made just now: it is not shown again.
fn shown_once(client: &Client, made: Option<Secret>) -> Value {
    let mut body = client_json(client);
    if let Some(secret) = made {
        body["events_secret"] = Value::String(secret.reveal().to_owned());
    }
    body
}
