//! What a node does beside its calls: the jobs.

use anyhow::Context;

use crate::events::Events;
use crate::fetch::{Credentials, Fetch, FetchLimits};
use crate::jobs::{Jobs, Running};
use crate::objects::Objects;
use crate::record::LateAudit;
use crate::settings::Settings;
use crate::spool::{EncodeRecording, Press};
use crate::store::Store;

/// Starts working the jobs of a store.
pub(super) fn start(settings: &Settings, store: &Store, jobs: &Jobs) -> anyhow::Result<Running> {
    let objects = Objects::open(&settings.recordings.target).context("RECORDINGS_URL")?;
    let looked_at = objects.clone();
    store.runtime().spawn(async move {
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
    let credentials = credentials.map(|(key, token)| Credentials { key, token });
    let press = Press::new().context("no thread to encode recordings on")?;
    let encode = EncodeRecording::new(store.clone(), objects.clone(), press, settings.recordings.spool.clone());
    let fetch = Fetch::new(store.clone(), objects, hosts, credentials, limits)?;
    let events = Events::new(store.clone())?;
    let late = LateAudit::new(store.clone());
    let runner = jobs.runner(store.clone(), &settings.node);
    Ok(runner.with(fetch).with(events).with(encode).with(late).start())
}
