//! What every answer gets: `X-Request-Id`, the sender's own or a new one, and its place in the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};

use crate::http::connections::Connection;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a sender that is kept.
const MAX_CHARS: usize = 128;

/// Names a request in the answer, the log and the audit.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id the middleware gave this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(Self::fresh)
    }

    fn fresh() -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("none")))
    }

    /// A sender's id is kept when it can go into logs as it is.
    fn sent(value: &HeaderValue) -> Option<Self> {
        let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let bytes = value.as_bytes();
        ((1..=MAX_CHARS).contains(&bytes.len()) && bytes.iter().all(is_sane)).then(|| Self(value.clone()))
    }
}

/// Counts an answer by its route, as it is written in the table of routes: what strangers ask for makes no new series.
fn count<B>(response: &ServiceResponse<B>, after: Duration) {
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16().to_string();
    metrics::histogram!("callgate_http_seconds", "route" => route.clone()).record(after);
    metrics::counter!("callgate_http_requests_total", "route" => route, "status" => status).increment(1);
}

/// The middleware.
///
/// # Errors
/// Those of the service it wraps.
pub async fn name_request<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let id = request.headers().get(HEADER).and_then(RequestId::sent).unwrap_or_else(RequestId::fresh);
    request.extensions_mut().insert(id.clone());
    let arrived = Instant::now();
    let busy = request.conn_data::<Arc<Connection>>().map(Connection::begin);
    let mut response = next.call(request).await?;
    // A media socket is in use until it is closed.
    if let Some(busy) = busy.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) {
        busy.for_good();
    }
    response.headers_mut().insert(HEADER, id.0);
    count(&response, arrived.elapsed());
    Ok(response)
}
