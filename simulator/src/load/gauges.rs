//! What a gateway says of itself on `/metrics`: for one that runs elsewhere, whose process cannot be looked at, and for what broke first.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::plan::{LoadError, MetricsAt};
use super::report::GatewayFigures;
use crate::exotel::tls_config;

/// A page that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// A page that is longer is not read.
const LONGEST: usize = 4 << 20;

/// A client of the page.
pub(super) struct Gauges {
    http: reqwest::Client,
    url: Url,
    token: Option<String>,
}

/// The page at some moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    /// Each metric's sum over its labels.
    sums: BTreeMap<String, f64>,
    /// Of the event loops' lag, how often it was at most so many seconds, over all threads.
    lag: Vec<(f64, f64)>,
    /// Labels of `callgate_build_info`.
    build: BTreeMap<String, String>,
}

impl Gauges {
    pub(super) fn new(at: &MetricsAt) -> Result<Self, LoadError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(&*tls_config()?))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| LoadError::Metrics(error.to_string()))?;
        let url = at.url.join("/metrics").map_err(|error| LoadError::Metrics(error.to_string()))?;
        Ok(Self { http, url, token: at.token.clone() })
    }

    pub(super) async fn fetch(&self) -> Result<Page, LoadError> {
        let mut request = self.http.get(self.url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let failed = |error: reqwest::Error| LoadError::Metrics(error.without_url().to_string());
        let mut answer = request.send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(LoadError::Metrics(format!("it answered {} (is --metrics-token right?)", answer.status())));
        }
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            text.extend_from_slice(&part);
            if text.len() > LONGEST {
                return Err(LoadError::Metrics("it is longer than 4 MiB".into()));
            }
        }
        Ok(Page::read(&String::from_utf8_lossy(&text)))
    }
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut lag = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            match name {
                "callgate_event_loop_lag_seconds_bucket" => {
                    let bound = label(labels, "le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                    // Times are not negative: their bits have their order.
                    lag.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += value;
                }
                "callgate_build_info" => {
                    for name in ["version", "build"] {
                        page.build.extend(label(labels, name).map(|value| (name.to_owned(), value.to_owned())));
                    }
                }
                _ => *page.sums.entry(name.to_owned()).or_default() += value,
            }
        }
        page.lag = lag.into_values().collect();
        page
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.sums.get(name).copied()
    }

    fn grown(&self, since: &Self, name: &str) -> f64 {
        (self.get(name).unwrap_or(0.0) - since.get(name).unwrap_or(0.0)).max(0.0)
    }

    /// CPU time of all its threads, in seconds.
    pub(super) fn cpu_secs(&self) -> Option<f64> {
        self.get("process_cpu_seconds_total")
    }

    pub(super) fn rss_kib(&self) -> Option<u64> {
        self.get("process_resident_memory_bytes").map(|bytes| (bytes / 1_024.0) as u64)
    }

    pub(super) fn threads(&self) -> usize {
        self.get("process_threads").unwrap_or(0.0) as usize
    }

    /// Bound of the bucket under which 99 of 100 looks of its threads after themselves were late since then, in milliseconds.
    pub(super) fn lag_p99_ms(&self, since: &Self) -> Option<f64> {
        let before = |bound: f64| since.lag.iter().find(|(at, _)| *at == bound).map_or(0.0, |(_, count)| *count);
        let all = self.lag.last().map(|(bound, count)| count - before(*bound)).filter(|all| *all > 0.0)?;
        let (bound, _) = self.lag.iter().find(|(bound, count)| (count - before(*bound)) >= all * 0.99)?;
        Some(if bound.is_finite() { bound * 1_000.0 } else { 5_000.0 })
    }

    /// What happened to it since then.
    pub(super) fn figures(&self, since: &Self) -> GatewayFigures {
        GatewayFigures {
            version: self.build.get("version").cloned().unwrap_or_default(),
            build: self.build.get("build").cloned().unwrap_or_default(),
            loop_lag_p99_ms: self.lag_p99_ms(since),
            stalls: self.grown(since, "callgate_stalls_total"),
            frames_dropped: self.grown(since, "callgate_frames_dropped_total"),
            audit_late: self.grown(since, "callgate_audit_late_total"),
            audit_lag_secs: self.get("callgate_audit_lag_seconds").unwrap_or(0.0),
            record_dropped: self.grown(since, "callgate_record_dropped_total"),
            recordings_backlog_secs: self.get("callgate_recordings_backlog_seconds").unwrap_or(0.0),
        }
    }
}

/// The value of a label; those looked for hold no quote.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = labels.trim_end_matches('}').split('"');
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        if key.trim_start_matches(',').strip_suffix('=') == Some(name) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(busy: u32, idle: u32) -> Page {
        Page::read(&format!(
            "# HELP x y\nprocess_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 2097152\nprocess_threads 9\n\
             callgate_build_info{{version=\"0.1.0\",build=\"commit abc, 2026\"}} 1\n\
             callgate_frames_dropped_total{{queue=\"a\"}} 3\ncallgate_frames_dropped_total{{queue=\"b\"}} {busy}\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"0\",le=\"0.001\"}} {idle}\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"0\",le=\"0.05\"}} {}\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"0\",le=\"+Inf\"}} {}\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"1\",le=\"0.001\"}} 0\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"1\",le=\"0.05\"}} 0\n\
             callgate_event_loop_lag_seconds_bucket{{worker=\"1\",le=\"+Inf\"}} 0\nnonsense\n",
            idle + busy,
            idle + busy
        ))
    }

    #[test]
    fn what_a_gateway_says_of_itself_is_read_over_all_labels() {
        let (before, now) = (page(0, 1_000), page(100, 1_900));
        assert_eq!((now.cpu_secs(), now.rss_kib(), now.threads()), (Some(12.5), Some(2_048), 9));
        let figures = now.figures(&before);
        assert_eq!((figures.version.as_str(), figures.build.as_str()), ("0.1.0", "commit abc, 2026"));
        assert_eq!((figures.frames_dropped, figures.stalls), (100.0, 0.0));
        // 100 of 1,000 were late since then: a tenth is more than one of a hundred.
        assert_eq!(figures.loop_lag_p99_ms, Some(50.0));
        assert_eq!(page(0, 2_000).lag_p99_ms(&before), Some(1.0));
        assert_eq!(before.lag_p99_ms(&before), None, "nothing was measured meanwhile");
    }
}
