//! Exotel's webhooks: limit -> authenticate -> typed -> insert (the unique key decides) -> switchboard -> answer.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use protocol::exotel::webhook::Fields;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::audit::AuditContext;
use raw_request::RawRequest;

use super::Gateway;
use super::error::Refused;

mod account;
mod connect;
mod raw_request;
mod report;
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
    /// A further one asks whether the agent goes on.
    Resume,
    /// The Connect applet asks whom to dial.
    Connect,
}

impl Hook {
    /// Every one of them.
    pub(super) const ALL: [Self; 7] =
        [Self::CallStart, Self::Voicebot, Self::CallEnd, Self::Recording, Self::Passthru, Self::Resume, Self::Connect];

    /// Where it is served, below any prefix.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::CallStart => "/exotel/call-start",
            Self::Voicebot => "/exotel/voicebot",
            Self::CallEnd => "/exotel/call-end",
            Self::Recording => "/exotel/recording",
            Self::Passthru => "/exotel/passthru",
            Self::Resume => "/exotel/passthru/resume",
            Self::Connect => "/exotel/connect",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::CallStart => "webhook.call-start",
            Self::Voicebot => "webhook.voicebot",
            Self::CallEnd => "webhook.call-end",
            Self::Recording => "webhook.recording",
            Self::Passthru => "webhook.passthru",
            Self::Resume => "webhook.resume",
            Self::Connect => "webhook.connect",
        }
    }

    /// The content type of what it answers.
    const fn content_type(self) -> &'static str {
        match self {
            Self::CallStart => "application/xml",
            _ => "application/json",
        }
    }

    async fn serve(self, gateway: &Gateway, fields: &Fields, audited: &mut AuditContext) -> Result<Answer, Refused> {
        match self {
            Self::CallStart => start::call_start(gateway, fields, audited).await,
            Self::Voicebot => start::voicebot(gateway, fields, audited).await,
            Self::CallEnd => report::call_end(gateway, fields, audited).await,
            Self::Recording => report::recording(gateway, fields, audited).await,
            Self::Passthru => report::passthru(gateway, fields, audited).await,
            Self::Resume => report::resume(gateway, fields, audited).await,
            Self::Connect => connect::connect(gateway, fields, audited).await,
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
    let mut audited = AuditContext::new(hook.kind(), gateway, request);
    let (outcome, response) = match attend(hook, gateway, request, payload, &mut audited).await {
        Ok(answer) => (answer.outcome, answer.response),
        Err(refused) => (refused.code(), refused.answer()),
    };
    let after = arrived.elapsed();
    metrics::histogram!("callgate_webhook_seconds", "hook" => hook.kind()).record(after);
    metrics::counter!("callgate_webhooks_total", "hook" => hook.kind(), "outcome" => outcome).increment(1);
    audited.log(outcome, response.status().as_u16(), after);
    response
}

async fn attend(
    hook: Hook,
    gateway: &Gateway,
    request: &HttpRequest,
    payload: web::Payload,
    audited: &mut AuditContext,
) -> Result<Answer, Refused> {
    // The rest of the deadline is the audit's.
    let rest = gateway.deadline() / 4;
    let mut sent = RawRequest::new(request, hook.path(), payload);
    let fields = match sent.judge(gateway, audited).await {
        Ok(fields) => fields,
        Err(refused) => {
            audited.write_refusal(gateway, &refused, sent.kept(gateway, &refused), rest).await;
            return Err(refused);
        }
    };
    // Some flows look first: that begins nothing.
    if request.method() == Method::HEAD {
        let response = HttpResponse::Ok().content_type(hook.content_type()).finish();
        audited.write(gateway, "head", fields.to_json(), rest).await;
        return Ok(Answer { outcome: "head", response });
    }
    if let Some(kind) = account::kind(&fields) {
        metrics::counter!("callgate_account_events_total", "kind" => kind).increment(1);
        return Ok(answer("account-event", &json!({ "event": kind })));
    }
    let served = timeout(gateway.deadline() * 3 / 4, hook.serve(gateway, &fields, audited)).await;
    let served = served.unwrap_or(Err(Refused::StorageAway));
    match &served {
        Ok(answer) => {
            audited.write(gateway, answer.outcome, fields.to_json(), rest).await;
        }
        Err(refused) => {
            let told = async { json!({ "fields": fields.to_json() }) };
            audited.write_refusal(gateway, refused, told, rest).await;
        }
    }
    served
}

/// A JSON answer.
fn answer(outcome: &'static str, body: &Value) -> Answer {
    Answer { outcome, response: HttpResponse::Ok().json(body) }
}
