//! What a node does beside its calls: the jobs.

use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::audit::LateAudit;
use crate::jobs::{Runner, Running};
use crate::notify::{self, Events};
use crate::outcomes::{AnalyseCall, TextModelClient};
use crate::outgoing::PrivateHosts;
use crate::recordings::fetch::{Credentials, Fetch, FetchLimits};
use crate::recordings::objects::Objects;
use crate::recordings::spool::{Backlog, EncodeRecording, Encoders};
use crate::settings::Settings;
use crate::store::{FETCH_RECORDING, Store, StoreError};
use crate::traces::Traces;

/// How long a database that is away is left alone.
const AWAY: Duration = Duration::from_secs(3);

/// Starts working the jobs of a store.
pub(super) fn start(
    settings: &Settings,
    store: &Store,
    backlog: &Backlog,
    traces: Option<Traces>,
    runtime: &Handle,
) -> anyhow::Result<Running> {
    let objects = Objects::open(&settings.recordings.target).context("RECORDINGS_URL")?;
    let looked_at = objects.clone();
    runtime.spawn(async move {
        match looked_at.check().await {
            Ok(()) => tracing::info!(store = %looked_at, "recordings are kept there"),
            // Calls go on without; what is to be stored waits as a job.
            Err(error) => tracing::error!(store = %looked_at, %error, "recordings cannot be stored"),
        }
    });
    let exotel = &settings.exotel;
    let credentials = exotel.api_key.clone().zip(exotel.api_token.clone());
    let limits = FetchLimits { bytes: settings.recordings.max_bytes, ..FetchLimits::default() };
    let hosts = settings.recordings.hosts.clone();
    for host in hosts.too_wide() {
        tracing::warn!(target: "recordings", host, "RECORDING_HOSTS lists a host that strangers share: add the path below which recordings lie");
    }
    let credentials = credentials.map(|(key, token)| Credentials { key, token });
    let encoders = Encoders::new(backlog).context("no threads to encode recordings on")?;
    let encode = EncodeRecording::new(store.clone(), objects.clone(), encoders, backlog.clone());
    let keep_wav = encode.wav();
    let fetch = Fetch::new(store.clone(), objects, hosts, credentials, limits)?;
    let sampler = settings.traces.target.as_ref().map(|target| target.sampler);
    let events = Events::new(store.clone(), &settings.private_hosts)?.traced(sampler);
    runtime.spawn(look_anew(store.clone(), settings.private_hosts.clone()));
    let late = LateAudit::new(store.clone());
    let model =
        settings.outcome.clone().map(|model| TextModelClient::open(model, &settings.private_hosts)).transpose()?;
    let analyse = AnalyseCall::new(store.clone(), model);
    let runner = Runner::new(store.clone(), &settings.node);
    let runner = match traces {
        Some(traces) => runner.with(traces.clone()).watched_by(traces),
        None => runner,
    };
    Ok(runner.with(fetch).with(events).with(encode).with(keep_wav).with(late).with(analyse).start(runtime))
}

/// What is parked was not allowed under other settings, perhaps: it is looked at once under these.
async fn look_anew(store: Store, private: PrivateHosts) {
    while let Err(error) = unpark(&store, &private).await {
        tracing::debug!(target: "jobs", %error, "what is parked cannot be looked at yet");
        sleep(AWAY).await;
    }
}

async fn unpark(store: &Store, private: &PrivateHosts) -> Result<(), StoreError> {
    for refused in notify::refused_targets(store, private).await? {
        let notify::RefusedTarget { client, why, .. } = refused;
        tracing::warn!(target: "events", client, "a client is not told of its calls: its events_url {why}");
    }
    let unparked = notify::unpark(store, private).await? + store.unpark_jobs(FETCH_RECORDING, Vec::new()).await?;
    if unparked > 0 {
        tracing::info!(target: "jobs", unparked, "what was parked is tried again");
    }
    Ok(())
}
