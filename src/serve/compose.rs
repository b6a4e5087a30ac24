//! The parts of the service, made from the settings and put together.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use actors::{Limits, ModelEndpoint, Recorder, Switchboard};
use anyhow::Context;
use protocol::call::policy::Policy;
use protocol::ids::CallSid;
use simulator::model::{ModelHandle, ModelOptions, ModelServer};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::agent::Secrets;
use crate::calls::token::TokenKey;
use crate::calls::writer::{RecordRules, RecordWriter};
use crate::calls::{Admissions, Calls, LEASE, Lease, MediaAdmissions, Reaper, StreamUrls};
use crate::clips::ClipLibrary;
use crate::http::auth::Authenticator;
use crate::http::{AbuseLimits, Gateway, Readiness, Rules};
use crate::recordings::spool::{RecorderWithAudio, SpoolHandle};
use crate::settings::Settings;
use crate::store::{NodeId, Store};
use crate::tools::{Runner, Tools};
use crate::traces::{Exporter, Exporting, Traces};

/// Restarts of one actor within `RESTART_WINDOW` before its call is given up.
const RESTARTS: u32 = 3;
const RESTART_WINDOW: Duration = Duration::from_secs(10);
/// The carrier's handshake is over within it.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(10);

/// With `--simulated-model`, the model is in this process, on a port of its own.
pub(super) async fn simulated_model(settings: &mut Settings) -> anyhow::Result<Option<ModelHandle>> {
    if !settings.model.simulated {
        return Ok(None);
    }
    let server = ModelServer::bind((Ipv4Addr::LOCALHOST, 0).into(), ModelOptions::default()).await;
    let server = server.context("the simulated model's port")?;
    let handle = server.handle();
    settings.model.url = format!("ws://{}/v1/realtime", server.addr()).parse().context("the simulated model's URL")?;
    settings.model.key = None;
    tracing::info!(url = %settings.model.url, "the model is simulated");
    actix_rt::spawn(server.run());
    Ok(Some(handle))
}

/// What tells traces, if they are told: from now on the end of each call leaves a job for it.
pub(super) fn traces(
    settings: &Settings,
    store: &Store,
    runtime: &Handle,
) -> anyhow::Result<(Option<Traces>, Option<Exporting>)> {
    let told = settings.traces.target.clone().filter(|target| target.sampler.keeps_failed());
    let Some(target) = told else { return Ok((None, None)) };
    let sampler = target.sampler;
    tracing::info!(collector = target.shown(), "calls are traced");
    let (exporter, exporting) = Exporter::start(target, runtime)?;
    store.trace_calls();
    Ok((Some(Traces::new(store.clone(), exporter, sampler, &settings.model.model)), Some(exporting)))
}

/// What every request is served with.
pub(super) fn gateway<F>(
    settings: &Settings,
    store: Store,
    spool_handle: SpoolHandle,
    runtime: &Handle,
    page: metrics_exporter_prometheus::PrometheusHandle,
    new_switchboard: impl FnOnce(ModelEndpoint, Limits, Arc<dyn Recorder>, Arc<dyn actors::Admissions>) -> (Switchboard, F),
) -> anyhow::Result<(Gateway, F)> {
    let Settings { webhooks, exotel, calls, .. } = settings;
    let policy = Policy { format: settings.model.audio, max_call: calls.max_call, ..Policy::default() };
    policy.validate()?;
    let node = NodeId::new(&settings.node);
    let recorder = RecordWriter::new(
        store.clone(),
        RecordRules {
            node: node.clone(),
            model: settings.model.model.clone(),
            prices: settings.prices.clone(),
            numbers: settings.audit_numbers,
            secrets: settings.secrets(),
        },
        runtime,
    );
    let secrets = Secrets::new(store.clone(), settings.seal.key.as_ref(), settings.seal.old.as_ref());
    let record = Arc::new(recorder.clone());
    let sampler = settings.traces.target.as_ref().map(|target| target.sampler);
    let runner = Runner::new(store.clone(), &settings.private_hosts, record, secrets, runtime.clone())?;
    let runner = Arc::new(runner.traced(sampler));
    let tools = Tools::new(Arc::clone(&runner));
    let clips = ClipLibrary::new(settings.clips.clone(), settings.model.endpoint(), runtime);
    let admissions =
        Admissions::new(store.clone(), recorder.clone(), policy, webhooks.deadline, node, tools, clips.clone());
    let admissions = Arc::new(admissions);
    let limits = Limits {
        max_calls: calls.max_calls,
        restarts: RESTARTS,
        restart_window: RESTART_WINDOW,
        gives_way_after: GIVES_WAY_AFTER,
    };
    let (switchboard, faults) = new_switchboard(
        settings.model.endpoint(),
        limits,
        Arc::new(RecorderWithAudio { record: recorder.clone(), spool_handle }),
        Arc::new(MediaAdmissions(Arc::clone(&admissions))),
    );
    let (prices, usual) = (settings.prices.clone(), settings.model.model.clone());
    switchboard.price_by(move |model, usage| prices.microusd_of(model.unwrap_or(&usual), usage));
    let here = switchboard.clone();
    recorder.when_taken_over(move |call, generation| here.taken_over(call, generation.unwrap_or(i32::MAX)));
    // A configured secret lets a token outlive this process, and be taken by another node of the same account.
    let tokens = match exotel.api_token.as_ref().or(webhooks.key.as_ref()) {
        Some(secret) => TokenKey::derived(secret),
        None => TokenKey::random().context("no randomness for the key of media tokens")?,
    };
    let base = settings.http.public.stream_url("").parse().context("the stream URL of the public base URL")?;
    let calls = Calls::new(admissions, switchboard.clone(), StreamUrls { tokens, base });
    let gateway = Gateway {
        rules: rules(settings)?,
        recorder,
        switchboard,
        calls,
        clips,
        authenticator: Authenticator::new(
            &webhooks.auth,
            webhooks.key.clone(),
            exotel.api_key.clone(),
            exotel.api_token.clone(),
        ),
        page,
        readiness: Readiness::default(),
        strangers: AbuseLimits::default(),
        runner,
        store,
    };
    Ok((gateway, faults))
}

/// Says that this gateway lives, and ends what gateways left behind that do not, or this one before it was started again.
pub(super) async fn lease(gateway: &Gateway, max_call: Duration, runtime: &Handle) -> (Lease, JoinHandle<()>) {
    let Gateway { store, recorder, switchboard, .. } = gateway;
    let lease = Lease::begin(store.clone(), recorder.node().clone(), LEASE, runtime).await;
    let here = switchboard.clone();
    let is_live = move |call: &CallSid| here.phase(call).is_some();
    let reaper = Reaper::new(store.clone(), recorder.clone(), &lease, max_call, is_live);
    (lease, runtime.spawn(reaper.keep()))
}

fn rules(settings: &Settings) -> anyhow::Result<Rules> {
    let Settings { webhooks, http, .. } = settings;
    Ok(Rules {
        allowed_ips: webhooks.allowed_ips.clone(),
        trusted_proxies: webhooks.trusted_proxies.clone(),
        deadline: webhooks.deadline,
        public: http.public.base().clone(),
        operators_apart: http.operators.is_some(),
        recording_hosts: settings.recordings.hosts.clone(),
        private_hosts: settings.private_hosts.clone(),
        admin_token: settings.admin_token.clone(),
    })
}
