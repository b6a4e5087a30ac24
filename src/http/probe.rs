//! What probes and scrapers ask.

use std::time::{Duration, Instant, SystemTime};

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::error::Refused;
use super::{Gateway, here, operator};
use crate::telemetry;

/// How long an answer of the database's is good for: however many ask, it is asked once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// Whether the database answered, and when it was asked.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// One of those who ask at once has the database asked; the others wait for what it says.
    async fn or_ask(&self, ask: impl Future<Output = bool>) -> bool {
        let mut kept = self.0.lock().await;
        if let Some((_, answers)) = kept.filter(|(asked, _)| asked.elapsed() < FRESH) {
            return answers;
        }
        let answers = ask.await;
        *kept = Some((Instant::now(), answers));
        answers
    }
}

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
        "refused_secs_ago": health.refused.map(|(at, _)| ago(at)),
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
    let ping = async { matches!(timeout(gateway.deadline(), gateway.store.ping()).await, Ok(Ok(()))) };
    if gateway.readiness.or_ask(ping).await { Ok(()) } else { Err(Refused::StorageAway) }
}

/// `GET /metrics`, where strangers come by too: for whoever has the token, or is on this machine.
pub(super) async fn metrics(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let rules = &gateway.rules;
    if !here::may_watch(&request, &rules.trusted_proxies, &rules.public)
        && let Err(refused) = operator::check(&gateway, &request).await
    {
        return refused.answer();
    }
    open_metrics(gateway).await
}

/// `GET /metrics` of the operators' own listener: Prometheus text.
pub(super) async fn open_metrics(gateway: web::Data<Gateway>) -> HttpResponse {
    metrics::gauge!("callgate_draining").set(f64::from(u8::from(gateway.switchboard.is_draining())));
    metrics::gauge!("callgate_calls_limit").set(gateway.switchboard.limit() as f64);
    let health = gateway.switchboard.model_health();
    if let Some(answered) = health.answered_at {
        let ago = answered.elapsed().unwrap_or_default();
        metrics::gauge!("callgate_model_answered_seconds_ago").set(ago.as_secs_f64());
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(telemetry::page(&gateway.page))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[actix_web::test]
    async fn however_many_ask_at_once_the_database_is_asked_once() {
        let (readiness, asked) = (Readiness::default(), AtomicU32::new(0));
        let ask = |answers| {
            let asked = &asked;
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                answers
            }
        };
        let told = join_all((0..2000).map(|_| readiness.or_ask(ask(true)))).await;
        assert!(told.into_iter().all(|answers| answers));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // What is old is not told again.
        readiness.0.lock().await.iter_mut().for_each(|(at, _)| *at -= FRESH);
        assert!(!readiness.or_ask(ask(false)).await);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
