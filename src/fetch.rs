//! The carrier's recordings: fetched when they are announced, and stored.
//!
//! A URL that a webhook brought is a stranger's word. It is fetched only from hosts that are listed, over https, from addresses of the
//! public internet (looked at when they are connected to, so that a name which changes its mind is no way in), with our credentials
//! for the first host alone, within limits of size and time.

use std::time::Duration;

use protocol::ids::{CallSid, Secret};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

mod client;

#[cfg(test)]
mod tests;

pub use client::{ClientError, client, words};

use crate::jobs::{Handler, Job, JobError, Patience};
use crate::objects::{Objects, ObjectsError, Stored, Upload};
use crate::settings::{Forbidden, RecordingHosts};
use crate::store::{FETCH_RECORDING, Recording, Store, StoreError};

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
    client: Client,
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
        let client = client::guarded(&hosts, &limits)?;
        Ok(Self { store, objects, hosts, credentials, limits, client })
    }

    async fn fetch(&self, recording: &Recording, call: &CallSid) -> Result<(Stored, Option<String>), JobError> {
        let response = self.answer(&recording.source_url).await?;
        if let Some(bytes) = response.content_length().filter(|bytes| *bytes > self.limits.bytes) {
            return Err(self.too_large(bytes));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(|text| text.chars().take(100).collect::<String>());
        let key = key(recording, call, content_type.as_deref());
        let mut upload = self.objects.upload(&key, content_type.as_deref());
        match self.pour(response, &mut upload).await {
            Ok(()) => Ok((upload.finish().await.map_err(storing)?, content_type)),
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
        for _ in 0..=REDIRECTS {
            self.hosts.check(&url).map_err(forbidden)?;
            let mut request = self.client.get(url.clone());
            if let Some(Credentials { key, token }) = self.credentials.as_ref().filter(|_| takes_ours(&url, &first)) {
                request = request.basic_auth(key.reveal(), Some(token.reveal()));
            }
            let response = request.send().await.map_err(failed)?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return accepted(response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| JobError::GiveUp(format!("the host answered {status} without saying where to")))?;
        }
        Err(JobError::GiveUp(format!("more than {REDIRECTS} redirects")))
    }

    /// Streams the answer into the store, as long as it is quick enough and not too much.
    async fn pour(&self, mut response: Response, upload: &mut Upload) -> Result<(), JobError> {
        let began = Instant::now();
        while let Some(bytes) = response.chunk().await.map_err(failed)? {
            let so_far = upload.bytes() + bytes.len() as u64;
            if so_far > self.limits.bytes {
                return Err(self.too_large(so_far));
            }
            upload.write(bytes).await.map_err(storing)?;
            let taken = began.elapsed();
            if taken > self.limits.grace && so_far < self.limits.least_rate.saturating_mul(taken.as_secs()) {
                return Err(JobError::Retry(format!("the host sent {so_far} bytes in {} s", taken.as_secs())));
            }
        }
        if upload.bytes() == 0 {
            return Err(JobError::Retry("the host sent an empty recording".to_owned()));
        }
        Ok(())
    }

    fn too_large(&self, bytes: u64) -> JobError {
        JobError::GiveUp(format!("it is larger than the limit: {bytes} bytes, {} are allowed", self.limits.bytes))
    }
}

impl Handler for Fetch {
    const KIND: &'static str = FETCH_RECORDING;
    const AT_ONCE: usize = 4;
    /// A recording may come minutes after the call; a host that is away may be back in hours.
    const PATIENCE: Patience = Patience {
        first_pause: Duration::from_secs(4),
        longest_pause: Duration::from_secs(15 * 60),
        longest_age: Duration::from_secs(24 * 3600),
        most_attempts: 200,
        one_attempt: Duration::from_secs(30 * 60),
    };
    /// The client may have to be told.
    const LEAVES_MORE: bool = true;

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let Some((recording, call)) = self.store.recording(id(job)?).await? else {
            return Err(JobError::GiveUp("there is no such recording".to_owned()));
        };
        if recording.status == "stored" {
            return Ok(());
        }
        let (stored, content_type) = self.fetch(&recording, &call).await?;
        self.store.recording_stored(recording.id, &stored, content_type.as_deref()).await?;
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

fn accepted(response: Response) -> Result<Response, JobError> {
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
            Err(JobError::GiveUp(format!("{words}: check EXOTEL_API_KEY and EXOTEL_API_TOKEN")))
        }
        _ if status.is_client_error() => Err(JobError::GiveUp(words)),
        _ => Err(JobError::Retry(words)),
    }
}

fn forbidden(why: Forbidden) -> JobError {
    JobError::GiveUp(format!("the address is not allowed: {why}"))
}

/// A request that failed on the way; the URL stays out of the words.
fn failed(error: reqwest::Error) -> JobError {
    if let Some(why) = client::refused_by_guard(&error) {
        return forbidden(why);
    }
    JobError::Retry(client::words(&error))
}

fn storing(error: ObjectsError) -> JobError {
    JobError::Retry(error.to_string())
}

/// Where a recording is kept: by day, by call.
fn key(recording: &Recording, call: &CallSid, content_type: Option<&str>) -> String {
    let day = recording.created_at.format("%Y/%m/%d");
    let plain = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let path = Url::parse(&recording.source_url).map(|url| url.path().to_owned()).unwrap_or_default();
    let told = path.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    let told = told.filter(|end| (2..=4).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let ending = match plain.as_str() {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/ogg" => "ogg",
        _ => told.as_deref().unwrap_or("bin"),
    };
    format!("{day}/{call}/exotel-{}.{ending}", recording.id)
}
