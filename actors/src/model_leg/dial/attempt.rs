//! What became of each attempt to connect, for metrics.

use std::time::Instant;

use metrics::{counter, histogram};
use tokio_tungstenite::tungstenite::http::StatusCode;
use url::Url;

use super::DialError;

/// An attempt that goes on. One that is dropped was given up: its call waited long enough, or is over.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The host that is dialled, and its port: a setting of the operator's.
    endpoint: String,
    began: Instant,
    outcome: &'static str,
}

impl Attempt {
    pub(super) fn begin(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let endpoint = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self { endpoint, began: Instant::now(), outcome: "given_up" }
    }

    pub(super) fn came_to(mut self, dialled: Result<(), &DialError>) {
        self.outcome = match dialled {
            Ok(()) => {
                let took = self.began.elapsed();
                histogram!("callgate_model_connect_seconds", "endpoint" => self.endpoint.clone()).record(took);
                "opened"
            }
            Err(DialError::Refused(refusal, _)) => refusal.name(),
            Err(DialError::TurnedAway(StatusCode::TOO_MANY_REQUESTS)) => "rate_limited",
            Err(DialError::TurnedAway(status)) if status.is_server_error() => "server_error",
            Err(DialError::TurnedAway(_) | DialError::Failed(_)) => "failed",
        };
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let endpoint = std::mem::take(&mut self.endpoint);
        counter!("callgate_model_dials_total", "endpoint" => endpoint, "outcome" => self.outcome).increment(1);
    }
}
