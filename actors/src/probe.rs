//! Whether a Realtime server takes us.

use crate::model_leg::{ModelEndpoint, Target, client_tls};

/// Opens one connection and drops it.
///
/// # Errors
/// Why there was none, in words.
pub async fn probe(endpoint: &ModelEndpoint) -> Result<(), String> {
    let tls = if endpoint.url.scheme() == "wss" { client_tls() } else { None };
    Target::new(endpoint, None, tls).dial().await.map(drop).map_err(|error| error.to_string())
}
