//! The simulated model's measurement tap, `GET /measurements`, and its switches, `POST /faults`.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::plan::LoadError;
use crate::exotel::tls_config;

/// What the model measured of one session.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Session {
    /// The number its audio began with.
    pub(super) call: Option<u16>,
    /// Cumulative ms appended, and when, in µs of Unix time.
    #[serde(default)]
    pub(super) up: Vec<(f64, u64)>,
    /// Per delta sent: response, cumulative ms within it, and when, in µs of Unix time.
    #[serde(default)]
    pub(super) down: Vec<(u64, f64, u64)>,
}

/// What the model measured.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Measurements {
    pub(super) sessions: Vec<Session>,
    /// What 99 of 100 of its looks at the clock were late at most, in milliseconds.
    #[serde(default)]
    pub(super) late_p99_ms: f64,
}

/// A client of the tap.
pub(super) struct Tap {
    http: reqwest::Client,
    url: Url,
    faults: Url,
}

impl Tap {
    pub(super) fn new(model: Url) -> Result<Self, LoadError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&*tls_config()?))
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| LoadError::Tap(error.to_string()))?;
        let at = |path| model.join(path).map_err(|error| LoadError::Tap(error.to_string()));
        Ok(Self { http, url: at("/measurements")?, faults: at("/faults")? })
    }

    /// What has been measured since the last clearing.
    pub(super) async fn fetch(&self, clear: bool) -> Result<Measurements, LoadError> {
        let mut url = self.url.clone();
        url.set_query(clear.then_some("clear=1"));
        let fetched = async { self.http.get(url).send().await?.error_for_status()?.json::<Measurements>().await };
        fetched.await.map_err(|error| LoadError::Tap(error.to_string()))
    }

    /// Has these faults from now on, and no others.
    pub(super) async fn set_faults(&self, faults: &[String]) -> Result<(), LoadError> {
        let mut url = self.faults.clone();
        url.set_query(Some(&faults.join("&")));
        let set = async { self.http.post(url).send().await?.error_for_status() };
        set.await.map(|_| ()).map_err(|error| LoadError::Tap(format!("its faults were not set: {error}")))
    }
}
