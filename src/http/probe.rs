//! What probes and scrapers ask.

use std::time::SystemTime;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

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
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready", "live": live, "model": model(&gateway) })),
        Err(refused) => refused.answer_uncounted(),
    }
}

/// How the model's provider does, as this node's calls saw it: anybody may read that, so no more than a word of a refusal's cause. It
/// makes no node unready: all nodes have the same provider, and a flow is better off with a call that hands its caller on.
fn model(gateway: &Gateway) -> Value {
    let health = gateway.switchboard.model_health();
    let ago = |at: SystemTime| at.elapsed().unwrap_or_default().as_secs();
    json!({
        "answered_secs_ago": health.answered_at.map(ago),
        "refused_secs_ago": health.refused.as_ref().map(|(at, _)| ago(*at)),
        "refused_for": health.reason(),
        "refusals_since_answer": health.refusals,
    })
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
