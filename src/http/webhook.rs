//! Exotel's webhooks: limit -> authenticate -> typed -> insert (the unique key decides) -> switchboard -> answer.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use protocol::exotel::webhook::Fields;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::audit::Seen;
use sent::Sent;

use super::Gateway;
use super::error::Refused;

mod report;
mod sent;
mod start;

/// Which webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// A call asks for its stream, greeted by `<Say>`.
    CallStart,
    /// The Voicebot applet asks for its stream's URL.
    Voicebot,
    /// The carrier reports a call's status.
    CallEnd,
    /// A recording can be fetched.
    Recording,
    /// The applet behind the Voicebot applet asks where to go.
    Passthru,
}

impl Hook {
    const fn kind(self) -> &'static str {
        match self {
            Self::CallStart => "webhook.call-start",
            Self::Voicebot => "webhook.voicebot",
            Self::CallEnd => "webhook.call-end",
            Self::Recording => "webhook.recording",
            Self::Passthru => "webhook.passthru",
        }
    }

    /// The content type of what it answers.
    const fn content_type(self) -> &'static str {
        match self {
            Self::CallStart => "application/xml",
            _ => "application/json",
        }
    }

    async fn serve(self, gateway: &Gateway, fields: &Fields, seen: &mut Seen) -> Result<Answer, Refused> {
        match self {
            Self::CallStart => start::call_start(gateway, fields, seen).await,
            Self::Voicebot => start::voicebot(gateway, fields, seen).await,
            Self::CallEnd => report::call_end(gateway, fields, seen).await,
            Self::Recording => report::recording(gateway, fields, seen).await,
            Self::Passthru => report::passthru(gateway, fields, seen).await,
        }
    }
}

/// A webhook that was served.
struct Answer {
    /// For the audit and the log.
    outcome: &'static str,
    response: HttpResponse,
}

/// Serves one webhook within its deadline, whatever the database does, and writes it down.
pub(super) async fn handle(
    hook: Hook,
    gateway: &Gateway,
    request: &HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let arrived = Instant::now();
    let mut seen = Seen::new(hook.kind(), gateway, request);
    let (result, told) = match Sent::read(request, payload).await.judge(gateway, &seen) {
        // The rest of the deadline is the audit's.
        // Some flows look first: that begins nothing.
        Ok(fields) if request.method() == Method::HEAD => {
            let response = HttpResponse::Ok().content_type(hook.content_type()).finish();
            (Ok(Answer { outcome: "head", response }), fields.to_json())
        }
        Ok(fields) => {
            let served = timeout(gateway.deadline() * 3 / 4, hook.serve(gateway, &fields, &mut seen)).await;
            let served = served.unwrap_or(Err(Refused::StorageAway));
            let told = if served.is_ok() { fields.to_json() } else { json!({ "fields": fields.to_json() }) };
            (served, told)
        }
        Err((refused, kept)) => (Err(refused), kept),
    };
    let rest = gateway.deadline() / 4;
    let (outcome, response) = match result {
        Ok(answer) => {
            gateway.jobs.wake();
            seen.write(gateway, answer.outcome, told, rest).await;
            (answer.outcome, answer.response)
        }
        Err(refused) => {
            seen.write_refusal(gateway, &refused, told, rest).await;
            (refused.code(), refused.answer())
        }
    };
    let after = arrived.elapsed();
    metrics::histogram!("callgate_webhook_seconds", "hook" => hook.kind()).record(after);
    metrics::counter!("callgate_webhooks_total", "hook" => hook.kind(), "outcome" => outcome).increment(1);
    seen.log(outcome, response.status().as_u16(), after);
    response
}

/// A JSON answer.
fn answer(outcome: &'static str, body: &Value) -> Answer {
    Answer { outcome, response: HttpResponse::Ok().json(body) }
}
