//! `/api/v1`: clients and calls for operators, behind `ADMIN_TOKEN`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use protocol::call::fact::{Ended, Turn, Who};
use protocol::exotel::webhook::{FieldError, Fields};
use protocol::ids::{CallSid, PhoneNumber};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::audit::Seen;
use super::error::Refused;
use super::{Gateway, auth};
use crate::store::{Call, Client, Figures, Recording, StoreError};

/// Calls listed unless asked otherwise, and at most.
const LISTED: i64 = 50;
const MOST_LISTED: i64 = 500;

/// `GET /api/v1/clients`.
pub(super) async fn clients(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        let clients = ask(&gateway, gateway.store.clients()).await?;
        Ok(json!({ "clients": clients.iter().map(client_json).collect::<Vec<_>>() }))
    })
    .await
}

/// `GET /api/v1/calls`: the latest, newest first.
pub(super) async fn calls(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        let limit = limit(request.query_string())?;
        let calls = ask(&gateway, gateway.store.recent_calls(limit)).await?;
        let calls: Vec<Value> =
            calls.iter().map(|(call, client)| call_json(&gateway, call, client.as_deref())).collect();
        Ok(json!({ "calls": calls }))
    })
    .await
}

/// `GET /api/v1/calls/{sid}`: one call with its transcript.
pub(super) async fn call(gateway: web::Data<Gateway>, request: HttpRequest, sid: web::Path<String>) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        let found =
            ask(&gateway, gateway.store.call(&CallSid::new(sid.as_str()))).await?.ok_or(Refused::UnknownCall)?;
        let mut call = call_json(&gateway, &found.call, found.client.as_deref());
        call["turns"] = found.turns.iter().map(turn_json).collect();
        let recordings = ask(&gateway, gateway.store.recordings_of_call(&found.call.call_sid)).await?;
        call["recordings"] = recordings.iter().map(recording_json).collect();
        Ok(call)
    })
    .await
}

/// `POST /api/v1/calls/{sid}/hangup`: ends a live call; its flow goes on to the next applet.
pub(super) async fn hang_up(gateway: web::Data<Gateway>, request: HttpRequest, sid: web::Path<String>) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        let call = CallSid::new(sid.as_str());
        let mut seen = Seen::new("api.hangup", &gateway, &request);
        seen.call = Some(call.clone());
        let ended = gateway.switchboard.end(&call, Ended::Operator);
        seen.write(&gateway, if ended { "ok" } else { "not_live" }, json!({}), gateway.deadline()).await;
        if ended {
            return Ok(json!({ "call_sid": call.as_str(), "hangup": "requested" }));
        }
        let known = ask(&gateway, gateway.store.call(&call)).await?;
        Err(known.map_or(Refused::UnknownCall, |_| Refused::NotLive))
    })
    .await
}

/// `?limit=`.
fn limit(query: &str) -> Result<i64, Refused> {
    let malformed =
        |_| FieldError { field: "limit", problem: format!("is malformed: a number from 1 to {MOST_LISTED}") };
    match Fields::from_urlencoded(query.as_bytes()).get("limit") {
        Some(limit) => Ok(limit.parse::<i64>().map_err(malformed)?.clamp(1, MOST_LISTED)),
        None => Ok(LISTED),
    }
}

async fn answer(work: impl Future<Output = Result<Value, Refused>>) -> HttpResponse {
    match work.await {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(refused) => refused.answer(),
    }
}

/// Wrong tokens are audited, and counted against their address like every failed authentication.
async fn check(gateway: &Gateway, request: &HttpRequest) -> Result<(), Refused> {
    let expected = gateway.rules.admin_token.as_ref().ok_or(Refused::ApiOff)?;
    if auth::bearer(request.headers(), expected) {
        return Ok(());
    }
    let seen = Seen::new("api", gateway, request);
    let refused = gateway.guessed_wrong(seen.address, Refused::Operator);
    seen.write_refusal(gateway, &refused, json!({ "path": request.path() }), gateway.deadline()).await;
    Err(refused)
}

async fn ask<T>(gateway: &Gateway, query: impl Future<Output = Result<T, StoreError>>) -> Result<T, Refused> {
    Ok(timeout(gateway.deadline(), query).await.map_err(|_| Refused::StorageAway)??)
}

fn client_json(client: &Client) -> Value {
    let agent = &client.agent;
    let limits = &client.limits;
    json!({
        "id": client.id,
        "name": client.name,
        "number": client.exotel_number.reveal(),
        "active": client.active,
        "greeting": agent.greeting,
        "language": agent.language,
        "voice": agent.voice,
        "instructions": agent.instructions,
        "model": agent.model,
        "time_zone": client.time_zone,
        "region": client.region,
        "max_concurrent": limits.max_concurrent,
        "calls_per_minute": limits.calls_per_minute,
        "caller_calls_per_minute": limits.caller_calls_per_minute,
        "max_call_secs": limits.max_call_secs,
        "recording": if client.recording { "on" } else { "off" },
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    })
}

fn call_json(gateway: &Gateway, call: &Call, client: Option<&str>) -> Value {
    let number = |number: &Option<PhoneNumber>| number.as_ref().map(|number| number.reveal().to_owned());
    let times = &call.times;
    json!({
        "call_sid": call.call_sid.as_str(),
        "client": client,
        "from": number(&call.parties.from).or(number(&call.parties.from_raw)),
        "to": number(&call.parties.to).or(number(&call.parties.to_raw)),
        "direction": call.parties.direction,
        "entry": call.entry.map(crate::store::Entry::name),
        "status": call.status,
        "carrier_status": call.carrier_status,
        "ended_by": call.ended_by.map(crate::store::End::name),
        "ended_why": call.ended_why,
        "live": gateway.switchboard.phase(&call.call_sid).is_some(),
        "started_at": times.started_at,
        "answered_at": at(times.answered_at),
        "media_at": at(times.media_at),
        "ended_at": at(times.ended_at),
        "figures": figures_json(&call.figures),
    })
}

fn at(time: Option<DateTime<Utc>>) -> Option<String> {
    time.map(|time| time.to_rfc3339())
}

fn figures_json(figures: &Figures) -> Value {
    json!({
        "duration_ms": figures.duration_ms,
        "caller_talk_ms": figures.caller_talk_ms,
        "agent_talk_ms": figures.agent_talk_ms,
        "turns": figures.turn_count,
        "interruptions": figures.interruptions,
        "first_audio_ms": figures.first_audio_ms,
        "answer_p50_ms": figures.answer_p50_ms,
        "answer_p95_ms": figures.answer_p95_ms,
        "answer_max_ms": figures.answer_max_ms,
        "unheard_ms": figures.unheard_ms,
        "model_reconnects": figures.model_reconnects,
        "frames_lost": figures.frames_lost,
        "tokens": figures.tokens,
        "cost_microusd": figures.cost_microusd,
    })
}

fn recording_json(recording: &Recording) -> Value {
    json!({
        "id": recording.id,
        "source": recording.source_url,
        "status": recording.status,
        "url": recording.stored_url,
        "bytes": recording.bytes,
        "sha256": recording.sha256,
        "content_type": recording.content_type,
        "error": recording.error,
        "created_at": recording.created_at,
        "updated_at": recording.updated_at,
    })
}

fn turn_json(turn: &Turn) -> Value {
    json!({
        "index": turn.index,
        "who": match turn.who { Who::Caller => "caller", Who::Agent => "agent" },
        "text": turn.text,
        "at_ms": turn.at_ms,
        "heard_ms": turn.heard_ms,
        "generated_ms": turn.generated_ms,
        "interrupted": turn.interrupted,
    })
}
