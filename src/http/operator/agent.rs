//! `/api/v1/clients/{client}/agent`: a client's agent as one document, and the JSON Schema of such documents.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::clients::{ask_write, find, read_at_most, write_down};
use super::{Asked, Gateway, Refused, answer, ask, check, malformed, reader};
use crate::agent::{AgentFile, ApplyError, Change, LONGEST_FILE, OnRecord, Plan, Rules, json_schema, read_json};
use crate::clips::Voice;
use crate::store::StoreError;
use crate::tools::ask_servers;

/// Keys of a change that the audit log names.
const NAMED: usize = 50;

/// What of MCP servers is not offered, and why: in the answer of a PUT.
const LEFT_OUT: &str = "left_out";

/// `GET /api/v1/schemas/agent.json`.
pub(super) async fn schema(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    answer(async {
        reader(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        Ok(json_schema())
    })
    .await
}

/// `GET /api/v1/clients/{id or number}/agent`: the file as JSON, and its `version`.
pub(super) async fn show(gateway: web::Data<Gateway>, request: HttpRequest, named: web::Path<String>) -> HttpResponse {
    answer(async {
        let reader = reader(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let client = find(&gateway, &named).await?;
        reader.may_see(client.id, Refused::NoSuchClient)?;
        let stands = ask(&gateway, OnRecord::of(&gateway.store, client)).await?;
        Ok(shown(&stands))
    })
    .await
}

/// `PUT /api/v1/clients/{id or number}/agent`: what it is from now on, whole. With the `version` that was read it is applied over that
/// one alone.
pub(super) async fn put(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    named: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    answer(async {
        check(&gateway, &request).await?;
        Asked::of(&request, &[])?;
        let mut told = read_at_most(&request, payload, LONGEST_FILE).await?;
        let audited = told.remove("version").map(|version| version_of(&version)).transpose()?;
        // Shown once, by a PUT: whoever puts that answer back means nothing by it.
        told.remove("events_secret");
        told.remove(LEFT_OUT);
        let rules = Rules { private: &gateway.rules.private_hosts, folder: None };
        let file = read_json(&Value::Object(told), rules).map_err(Refused::AgentFile)?;
        let (changes, body) = Box::pin(apply(&gateway, &named, audited, file)).await?;
        if !changes.is_empty() {
            write_down("api.agent-applied", &gateway, &request, keys(&changes)).await;
        }
        Ok(body)
    })
    .await
}

/// Applies a file over what stands of a client, and says what was changed and what stands now.
async fn apply(
    gateway: &Gateway,
    named: &str,
    audited: Option<i32>,
    file: AgentFile,
) -> Result<(Vec<Change>, Value), Refused> {
    let client = find(gateway, named).await?;
    let id = client.id;
    if audited.is_some_and(|audited| audited != client.version) {
        return Err(Refused::Stale);
    }
    let stands = ask(gateway, OnRecord::of(&gateway.store, client)).await?;
    let mut plan = Plan::over(stands, file);
    let left_out = ask_servers(&gateway.runner, &mut plan).await;
    let changes = plan.changes();
    let carried_out = stored(plan.carry_out(&gateway.store, &gateway.rules.private_hosts));
    let applied = ask_write(gateway, Box::pin(carried_out)).await??;
    let client = ask(gateway, gateway.store.client(id)).await?.ok_or(Refused::NoSuchClient)?;
    let stands = ask(gateway, OnRecord::of(&gateway.store, client)).await?;
    // Those that are new are made before the first caller needs them.
    let _ = gateway.clips.of(&Voice::of(&stands.client.agent), stands.document.fixed_sentences());
    let mut body = shown(&stands);
    if let Some(secret) = applied.made {
        body["events_secret"] = Value::String(secret.reveal().to_owned());
    }
    if !left_out.is_empty() {
        body[LEFT_OUT] = left_out.into();
    }
    Ok((changes, body))
}

/// What failed of the database stays apart from what the file is refused for.
async fn stored<T>(work: impl Future<Output = Result<T, ApplyError>>) -> Result<Result<T, Refused>, StoreError> {
    match work.await {
        Ok(done) => Ok(Ok(done)),
        Err(ApplyError::Store(error)) => Err(error),
        Err(ApplyError::Stale) => Ok(Err(Refused::Stale)),
        Err(ApplyError::Taken { id, .. }) => Ok(Err(Refused::NumberTaken(id))),
        Err(error) => Ok(Err(Refused::NotApplied(error.to_string()))),
    }
}

fn shown(stands: &OnRecord) -> Value {
    let mut body = serde_json::to_value(stands.file()).unwrap_or_default();
    body["version"] = stands.client.version.into();
    body
}

fn version_of(told: &Value) -> Result<i32, Refused> {
    let version = told.as_i64().and_then(|version| i32::try_from(version).ok());
    version.ok_or_else(|| malformed("version", "the one that GET answered with"))
}

/// Which keys were changed: what they hold is on record.
fn keys(changes: &[Change]) -> Map<String, Value> {
    let named: Value = changes.iter().take(NAMED).map(|change| change.key.clone()).collect();
    Map::from_iter([("changed".to_owned(), named), ("changes".to_owned(), changes.len().into())])
}
