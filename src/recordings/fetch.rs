//! The carrier's recordings: fetched when they are announced, and stored.
//!
//! A URL that a webhook brought is a stranger's word. It is fetched only from hosts that are listed, by the rules of [`crate::outgoing`],
//! with our credentials for the carrier's own hosts alone and never behind a redirect to another, within limits of size and time. What
//! comes is looked at before it is kept: it must be sound, and is stored as what it is, not as what its host calls it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::backoff::Backoff;
use protocol::ids::{CallSid, Secret};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

mod sniff;

#[cfg(test)]
mod tests;

use crate::jobs::{Handler, Job, JobError, RetryPolicy};
use crate::outgoing::{ClientError, Forbidden, Outgoing, Times, refused_by_guard, words};
use crate::recordings::RecordingHosts;
use crate::recordings::objects::{Objects, ObjectsError, Upload};
use crate::store::{FETCH_RECORDING, Recording, RecordingStatus, Store, StoreError, Stored};
use sniff::{HEAD, sniff};

/// Why a recording is left where it is.
const SECRET_KEYS: &str = "not fetched: in this call the caller typed keys that nobody is told, and the carrier's recording may have their tones";
/// Redirects that are followed.
const REDIRECTS: usize = 3;

/// What fetching one recording may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Size, bytes.
    pub bytes: u64,
    /// Connecting, TLS included.
    pub connect: Duration,
    /// Waiting for the answer, and between two pieces of it.
    pub idle: Duration,
    /// How long an answer may be slower than `least_rate`.
    pub grace: Duration,
    /// Bytes a second, on average.
    pub least_rate: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            grace: Duration::from_secs(30),
            least_rate: 8 << 10,
        }
    }
}

/// User name and password of Exotel's API.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `EXOTEL_API_KEY`.
    pub key: Secret,
    /// `EXOTEL_API_TOKEN`.
    pub token: Secret,
}

/// Fetches recordings.
pub struct Fetch {
    store: Store,
    objects: Objects,
    hosts: RecordingHosts,
    credentials: Option<Credentials>,
    limits: FetchLimits,
    client: Outgoing,
}

impl Fetch {
    /// Fetches from the hosts into the object store.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(
        store: Store,
        objects: Objects,
        hosts: RecordingHosts,
        credentials: Option<Credentials>,
        limits: FetchLimits,
    ) -> Result<Self, ClientError> {
        let client = Outgoing::new(hosts.private(), Times { connect: limits.connect, idle: limits.idle })?;
        Ok(Self { store, objects, hosts, credentials, limits, client })
    }

    async fn fetch(&self, recording: &Recording, call: &CallSid) -> Result<(Stored, &'static str), JobError> {
        let mut response = self.answer(&recording.source_url).await?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            let encoding: String = encoding.chars().take(20).collect();
            return Err(JobError::Retry(format!("the host sent it as {encoding}, which it was not asked for")));
        }
        if let Some(bytes) = response.content_length().filter(|bytes| *bytes > self.limits.bytes) {
            return Err(self.too_large(bytes));
        }
        let told = text(CONTENT_TYPE).map(str::to_owned);
        let mut flow = Flow { limits: self.limits, began: Instant::now(), bytes: 0 };
        let mut head = BytesMut::new();
        while head.len() < HEAD
            && let Some(bytes) = flow.next(&mut response).await?
        {
            head.extend_from_slice(&bytes);
        }
        if head.is_empty() {
            return Err(JobError::Retry("the host sent an empty recording".to_owned()));
        }
        let sound = sniff(&head, told.as_deref()).map_err(|why| JobError::Retry(format!("the host sent {why}")))?;
        let key = key(recording, call, sound.ending);
        let mut upload = self.objects.upload(&key, Some(sound.content_type));
        match pour(head.freeze(), response, flow, &mut upload).await {
            Ok(()) => Ok((upload.finish().await.map_err(storing)?, sound.content_type)),
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    /// The answer that holds the recording. Redirects are followed by hand: each target is checked like the first.
    async fn answer(&self, first: &str) -> Result<Response, JobError> {
        let first = Url::parse(first).map_err(|_| forbidden(Forbidden::NoUrl))?;
        let mut url = first.clone();
        for hop in 0..=REDIRECTS {
            // The settings may allow the first another time; where a host sends us is the host's doing.
            let refused = |why| if hop == 0 { not_now(why) } else { forbidden(why) };
            self.hosts.check(&url).map_err(refused)?;
            let mut request = self.client.request(Method::GET, &url).map_err(refused)?;
            let takes = self.hosts.takes_credentials(&url) && takes_ours(&url, &first);
            if let Some(Credentials { key, token }) = self.credentials.as_ref().filter(|_| takes) {
                request = request.basic_auth(key.reveal(), Some(token.reveal()));
            }
            let response = request.send().await.map_err(|error| match refused_by_guard(&error) {
                Some(why) => refused(why),
                None => failed(&error),
            })?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return accepted(response, takes);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| JobError::GiveUp(format!("the host answered {status} without saying where to")))?;
        }
        Err(JobError::GiveUp(format!("more than {REDIRECTS} redirects")))
    }

    fn too_large(&self, bytes: u64) -> JobError {
        too_large(bytes, self.limits.bytes)
    }
}

/// An answer as it comes in, as long as it is quick enough and not too much.
struct Flow {
    limits: FetchLimits,
    began: Instant,
    bytes: u64,
}

impl Flow {
    async fn next(&mut self, response: &mut Response) -> Result<Option<Bytes>, JobError> {
        let Some(bytes) = response.chunk().await.map_err(|error| failed(&error))? else { return Ok(None) };
        let Self { limits, began, bytes: so_far } = self;
        *so_far += bytes.len() as u64;
        if *so_far > limits.bytes {
            return Err(too_large(*so_far, limits.bytes));
        }
        let taken = began.elapsed();
        if taken > limits.grace && *so_far < limits.least_rate.saturating_mul(taken.as_secs()) {
            return Err(JobError::Retry(format!("the host sent {so_far} bytes in {} s", taken.as_secs())));
        }
        Ok(Some(bytes))
    }
}

/// Streams an answer into the store, its beginning first.
async fn pour(head: Bytes, mut response: Response, mut flow: Flow, upload: &mut Upload) -> Result<(), JobError> {
    let mut next = Some(head);
    while let Some(bytes) = next {
        upload.write(bytes).await.map_err(storing)?;
        next = flow.next(&mut response).await?;
    }
    Ok(())
}

fn too_large(bytes: u64, most: u64) -> JobError {
    JobError::GiveUp(format!("it is larger than the limit: {bytes} bytes, {most} are allowed"))
}

impl Handler for Fetch {
    const KIND: &'static str = FETCH_RECORDING;
    const AT_ONCE: usize = 4;
    /// A recording may come minutes after the call; a host that is away may be back in hours.
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(4), Duration::from_secs(15 * 60)),
        longest_age: Duration::from_secs(24 * 3600),
        most_attempts: 200,
        one_attempt: Duration::from_secs(30 * 60),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let Some((recording, call)) = self.store.recording(id(job)?).await? else {
            return Err(JobError::GiveUp("there is no such recording".to_owned()));
        };
        if recording.status == RecordingStatus::Stored {
            return Ok(());
        }
        // Looked at before anything is asked for: what was fetched would have to be unmade.
        if self.store.recording_may_have_secret_keys(recording.id).await? {
            return Err(JobError::GiveUp(SECRET_KEYS.to_owned()));
        }
        let (stored, content_type) = self.fetch(&recording, &call).await?;
        self.store.recording_stored(recording.id, &stored, Some(content_type)).await?;
        tracing::info!(target: "recordings", call_sid = %call, recording = recording.id, bytes = stored.bytes, "stored");
        Ok(())
    }

    async fn put_off(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        match id(job) {
            Ok(id) => self.store.recording_put_off(id, why).await,
            Err(_) => Ok(()),
        }
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        match id(job) {
            Ok(id) => self.store.recording_failed(id, why).await,
            Err(_) => Ok(()),
        }
    }
}

fn id(job: &Job) -> Result<i64, JobError> {
    let id = job.payload["recording_id"].as_i64();
    id.ok_or_else(|| JobError::GiveUp("the job names no recording".to_owned()))
}

/// Whether a host may see our credentials: the first alone, and not where the URL is signed (S3 refuses two proofs at once).
fn takes_ours(url: &Url, first: &Url) -> bool {
    let signed = |(name, _): (std::borrow::Cow<'_, str>, _)| {
        name.eq_ignore_ascii_case("x-amz-signature") || name.eq_ignore_ascii_case("signature")
    };
    url.origin() == first.origin() && !url.query_pairs().any(signed)
}

fn accepted(response: Response, shown: bool) -> Result<Response, JobError> {
    let status = response.status();
    let words = format!("the host answered {status}");
    match status {
        StatusCode::OK => Ok(response),
        // It may not be there yet, or the host may have a bad day.
        StatusCode::NOT_FOUND
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::LOCKED
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Err(JobError::Retry(words)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let mend = if shown { "check" } else { "it is none of Exotel's own hosts, which alone are shown" };
            Err(JobError::GiveUp(format!("{words}: {mend} EXOTEL_API_KEY and EXOTEL_API_TOKEN")))
        }
        _ if status.is_client_error() => Err(JobError::GiveUp(words)),
        _ => Err(JobError::Retry(words)),
    }
}

fn forbidden(why: Forbidden) -> JobError {
    JobError::GiveUp(format!("the address is not allowed: {why}"))
}

/// The same for what the settings may allow.
fn not_now(why: Forbidden) -> JobError {
    JobError::Park(format!("the address is not allowed: {why}"))
}

/// A request that failed on the way; the URL stays out of the words.
fn failed(error: &reqwest::Error) -> JobError {
    JobError::Retry(words(error))
}

fn storing(error: ObjectsError) -> JobError {
    JobError::Retry(error.to_string())
}

/// Where a recording is kept: by day, by call.
fn key(recording: &Recording, call: &CallSid, ending: &str) -> String {
    let day = recording.created_at.format("%Y/%m/%d");
    format!("{day}/{call}/exotel-{}.{ending}", recording.id)
}
