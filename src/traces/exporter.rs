//! Spans on their way to the collector: a bounded queue, one request at a time, each with a deadline and a few attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use protocol::backoff::Backoff;
use protocol::ids::Secret;
use rand::TryRngCore;
use rand::rngs::OsRng;
use reqwest::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::otlp::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, Resource, ResourceSpans, Scope, ScopeSpans, Span,
};
use super::span::attribute;
use crate::outgoing::{ClientError, Outgoing, Times, words};
use crate::trace_context::Sampler;

/// Spans that wait for the collector.
pub const MOST_WAITING: usize = 16_384;
/// Bytes of them.
pub const MOST_BYTES: usize = 8 << 20;
/// Spans of one request.
pub const MOST_AT_ONCE: usize = 512;
/// Bytes of one request; a span is smaller.
const LARGEST: usize = 1 << 20;
/// Spans that come together are told together.
const GATHER: Duration = Duration::from_secs(1);
/// One request, from connecting to the end of its answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Attempts at one request.
pub const MOST_ATTEMPTS: u32 = 4;
/// Pauses between them.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
/// The longest rest that a collector may ask for.
pub const LONGEST_REST: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read.
pub const MOST_READ: usize = 64 << 10;

/// Where traces are told, and what of.
#[derive(Clone, Debug)]
pub struct TraceTarget {
    /// Of the traces themselves.
    pub(crate) url: Url,
    /// What lets us in.
    pub(crate) headers: Vec<(HeaderName, Secret)>,
    /// What this gateway is: `service.name` and others.
    pub(crate) resource: Vec<(String, String)>,
    /// Which calls.
    pub(crate) sampler: Sampler,
}

impl TraceTarget {
    /// As it may be shown.
    pub(crate) fn shown(&self) -> String {
        crate::redact::url(self.url.as_str())
    }

    /// Whether it takes traces: it is told none.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let collector = Collector::open(self.clone()).map_err(|error| error.to_string())?;
        match collector.ask(collector.body(Vec::new())).await {
            Asked::Taken { .. } => Ok(()),
            Asked::Later(_, why) | Asked::Never(why) => Err(why),
        }
    }
}

/// Takes spans, and tells them behind everybody's back.
pub struct Exporter {
    queue: mpsc::Sender<Vec<Span>>,
    waiting: Arc<Waiting>,
}

/// What waits, the request under way included.
#[derive(Default)]
struct Waiting {
    spans: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn add(&self, spans: usize, bytes: usize) -> bool {
        // Each on its own: what is refused by the second is given back to the first.
        let within = |sum: &AtomicUsize, more: usize, most: usize| {
            sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                now.checked_add(more).filter(|sum| *sum <= most)
            })
        };
        if within(&self.spans, spans, MOST_WAITING).is_err() {
            return false;
        }
        let fits = within(&self.bytes, bytes, MOST_BYTES).is_ok();
        if !fits {
            self.spans.fetch_sub(spans, Ordering::Relaxed);
        }
        fits
    }

    fn remove(&self, spans: usize, bytes: usize) {
        self.spans.fetch_sub(spans, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The work behind an [`Exporter`].
pub struct Exporting {
    stopping: watch::Sender<bool>,
    work: JoinHandle<()>,
    waiting: Arc<Waiting>,
}

impl Exporting {
    /// Tells what waits, once, for no longer than that; the rest is dropped.
    pub async fn stop(mut self, patience: Duration) {
        self.stopping.send_replace(true);
        if timeout(patience, &mut self.work).await.is_err() {
            self.work.abort();
            count("dropped_failed", self.waiting.spans.load(Ordering::Relaxed));
        }
    }
}

impl Exporter {
    /// Tells a collector, on a runtime that carries no calls. Where it is, is the operator's own setting: a private address will do, and
    /// plain http.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn start(target: TraceTarget, runtime: &Handle) -> Result<(Self, Exporting), ClientError> {
        let collector = Collector::open(target)?;
        let (queue, spans) = mpsc::channel(MOST_WAITING);
        let (stopping, stop) = watch::channel(false);
        let waiting = Arc::<Waiting>::default();
        let line = Line { spans, stop, waiting: Arc::clone(&waiting), failing: false };
        let work = runtime.spawn(line.work(collector));
        Ok((Self { queue, waiting: Arc::clone(&waiting) }, Exporting { stopping, work, waiting }))
    }

    /// Takes spans, all or none: those that there is no room for are dropped, and counted.
    pub(super) fn offer(&self, spans: Vec<Span>) {
        let (count_of, bytes) = (spans.len(), size(&spans));
        if !self.waiting.add(count_of, bytes) {
            return count("dropped_full", count_of);
        }
        if self.queue.try_send(spans).is_err() {
            self.waiting.remove(count_of, bytes);
            count("dropped_full", count_of);
        }
    }
}

fn size(spans: &[Span]) -> usize {
    spans.iter().map(Message::encoded_len).sum()
}

pub(super) fn count(outcome: &'static str, spans: usize) {
    if spans > 0 {
        metrics::counter!("callgate_traces_spans_total", "outcome" => outcome).increment(spans as u64);
    }
}

/// What is to be told, in its order.
struct Line {
    spans: mpsc::Receiver<Vec<Span>>,
    stop: watch::Receiver<bool>,
    waiting: Arc<Waiting>,
    /// The last request was in vain.
    failing: bool,
}

impl Line {
    /// Until there is nobody left to tell anything of, or a stop.
    async fn work(mut self, collector: Collector) {
        while let Some(mut gathered) = self.next().await {
            while !gathered.is_empty() {
                let rest = gathered.split_off(first_part(&gathered));
                self.tell(&collector, std::mem::replace(&mut gathered, rest)).await;
            }
        }
    }

    /// The next spans, once there are many or the first has waited for a moment.
    async fn next(&mut self) -> Option<Vec<Span>> {
        let mut gathered = tokio::select! {
            biased;
            spans = self.spans.recv() => spans?,
            () = stopped(&mut self.stop) => self.spans.try_recv().ok()?,
        };
        let until = Instant::now() + GATHER;
        while gathered.len() < MOST_AT_ONCE {
            let stopping = *self.stop.borrow();
            let more = match stopping {
                true => self.spans.try_recv().ok(),
                false => timeout_at(until, self.spans.recv()).await.ok().flatten(),
            };
            match more {
                Some(more) => gathered.extend(more),
                None => break,
            }
        }
        Some(gathered)
    }

    /// Tells some spans, or drops them after a few attempts.
    async fn tell(&mut self, collector: &Collector, spans: Vec<Span>) {
        let (count_of, bytes) = (spans.len(), size(&spans));
        let body = collector.body(spans);
        let mut attempts = 0;
        let told = loop {
            attempts += 1;
            match collector.ask(body.clone()).await {
                Asked::Later(rest, _) if attempts < MOST_ATTEMPTS && self.rest(attempts, rest).await => {}
                told => break told,
            }
        };
        self.waiting.remove(count_of, bytes);
        match told {
            Asked::Taken { rejected } => {
                let rejected = rejected.min(count_of);
                count("exported", count_of - rejected);
                count("dropped_failed", rejected);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(target: "traces", "the collector takes traces again");
                }
            }
            Asked::Later(_, why) | Asked::Never(why) => {
                count("dropped_failed", count_of);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(target: "traces", collector = collector.target.shown(), why, "the collector does not take traces: they are dropped, and counted in callgate_traces_spans_total");
                }
            }
        }
    }

    /// Waits before the next attempt; false when there is none any more.
    async fn rest(&mut self, attempts: u32, asked_for: Option<Duration>) -> bool {
        let part = OsRng.try_next_u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
        let pause = PAUSES.jittered(attempts, part).max(asked_for.unwrap_or_default());
        tokio::select! {
            () = sleep(pause) => true,
            () = stopped(&mut self.stop) => false,
        }
    }
}

/// Resolves once a stop was asked for.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could ask for it is gone: that is one, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// How many of the first spans one request may have.
fn first_part(spans: &[Span]) -> usize {
    let mut bytes = 0;
    let fits = |span: &&Span| {
        bytes += span.encoded_len();
        bytes <= LARGEST
    };
    spans.iter().take(MOST_AT_ONCE).take_while(fits).count().max(1)
}

/// What a request came to.
enum Asked {
    /// All but so many were taken.
    Taken { rejected: usize },
    /// Another attempt may do better, not before that.
    Later(Option<Duration>, String),
    /// None will.
    Never(String),
}

struct Collector {
    outgoing: Outgoing,
    target: TraceTarget,
    resource: Resource,
}

impl Collector {
    fn open(target: TraceTarget) -> Result<Self, ClientError> {
        let outgoing = Outgoing::to_own(&target.url, Times { connect: CONNECT, idle: ANSWER_WITHIN })?;
        let attributes = target.resource.iter().map(|(key, value)| attribute(key, value.as_str())).collect();
        Ok(Self { outgoing, target, resource: Resource { attributes } })
    }

    fn body(&self, spans: Vec<Span>) -> Bytes {
        let scope = Scope { name: "callgate".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
        let resource = Some(self.resource.clone());
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
            .encode_to_vec()
            .into()
    }

    async fn ask(&self, body: Bytes) -> Asked {
        let mut request = match self.outgoing.request(Method::POST, &self.target.url) {
            Ok(request) => request.header(CONTENT_TYPE, "application/x-protobuf"),
            Err(why) => return Asked::Never(why.to_string()),
        };
        for (name, value) in &self.target.headers {
            request = request.header(name, value.reveal());
        }
        // The deadline is for all of it: `read` gives up before it where there is too much to read.
        match request.timeout(ANSWER_WITHIN).body(body).send().await {
            Ok(response) => understood(response).await,
            Err(error) if error.is_builder() => Asked::Never(words(&error)),
            Err(error) => Asked::Later(None, words(&error)),
        }
    }
}

async fn understood(response: Response) -> Asked {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let rest = after.map(|secs| Duration::from_secs(secs).min(LONGEST_REST));
    match status {
        // A collector that takes all and says it badly has taken all.
        _ if status.is_success() => Asked::Taken { rejected: read(response).await.unwrap_or(0) },
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Asked::Later(rest, format!("it answered {status}")),
        _ => Asked::Never(format!("it answered {status}")),
    }
}

/// How many spans it would not have, if it says so.
async fn read(mut response: Response) -> Option<usize> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.ok()? {
        if body.len() + piece.len() > MOST_READ {
            return None;
        }
        body.extend_from_slice(&piece);
    }
    let told = ExportTraceServiceResponse::decode(body.as_slice()).ok()?;
    usize::try_from(told.partial_success?.rejected_spans).ok()
}
