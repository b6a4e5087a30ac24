//! What probes and scrapers ask.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Gateway;
use super::error::Refused;

/// `GET /healthz`: this process answers.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

/// `GET /readyz`: this node would take a call; else why not.
pub(super) async fn ready(gateway: web::Data<Gateway>) -> HttpResponse {
    let live = gateway.switchboard.live();
    match check(&gateway).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready", "live": live })),
        Err(refused) => refused.answer_uncounted(),
    }
}

async fn check(gateway: &Gateway) -> Result<(), Refused> {
    gateway.check_room()?;
    // One that can be read may still take nothing: a full disk.
    if gateway.recorder.is_stuck() {
        return Err(Refused::StorageAway);
    }
    let ping = tokio::time::timeout(gateway.deadline(), gateway.store.ping()).await;
    if matches!(ping, Ok(Ok(()))) { Ok(()) } else { Err(Refused::StorageAway) }
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    metrics::gauge!("callgate_draining").set(f64::from(u8::from(gateway.switchboard.is_draining())));
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(gateway.page.render())
}
