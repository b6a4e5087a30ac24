//! From the spool to the object store: a finished recording becomes a row and a job, and the job an object.

use std::io;
use std::time::Duration;

use protocol::backoff::Backoff;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Backlog, EncodeError, Encoders, Finished, SpoolHandle, WriterThread, find, left_behind, room};
use crate::jobs::{Handler, Job, JobError, RetryPolicy};
use crate::recordings::format::FileType;
use crate::recordings::objects::Objects;
use crate::store::{AuditEntry, RecordingStatus, Store, StoreError};

/// Jobs whose recording becomes Opus, and such whose becomes WAV: these wait for none of those.
const OPUS: &str = "encode_recording";
const WAV: &str = "keep_wav_recording";
/// What a recording's source begins with when it is our own; the folder in the spool follows.
const OWN: &str = "own:";
/// Pauses before a database that is away is asked again.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// The spool of a node at work.
pub struct Spool {
    writer_thread: WriterThread,
    uploader: JoinHandle<()>,
    room: JoinHandle<()>,
    watching: JoinHandle<()>,
}

impl Spool {
    /// Takes in what an earlier process left, then what calls leave. What is to be done is done on this node: the files lie here.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(
        backlog: &Backlog,
        store: Store,
        node: impl Into<String>,
        runtime: &Handle,
    ) -> io::Result<(SpoolHandle, Self)> {
        let (spool_handle, writer_thread, finished) = SpoolHandle::start(backlog)?;
        let room = runtime.spawn(room::watch(backlog.disk().root().to_owned()));
        let watching = runtime.spawn(backlog.clone().watch());
        let uploader = Uploader { store, node: node.into(), backlog: backlog.clone() };
        let uploader = runtime.spawn(uploader.run(finished));
        Ok((spool_handle, Self { writer_thread, uploader, room, watching }))
    }

    /// Writes what is left of calls that are over; what the database does not take meanwhile is found at the next start.
    pub async fn stop(self, patience: Duration) {
        self.room.abort();
        self.watching.abort();
        let written = tokio::task::spawn_blocking(move || drop(self.writer_thread));
        if timeout(patience, async { (written.await, self.uploader.await) }).await.is_err() {
            tracing::warn!("the last recordings wait in the spool for the next start");
        }
    }
}

/// Writes down what comes out of the spool: until then a recording is a folder that the next start finds.
struct Uploader {
    store: Store,
    node: String,
    backlog: Backlog,
}

impl Uploader {
    async fn run(self, mut finished: Receiver<Finished>) {
        let root = self.backlog.disk().root().to_owned();
        let found = tokio::task::spawn_blocking(move || left_behind(&root)).await;
        match found.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(found) => {
                if !found.is_empty() {
                    tracing::info!(recordings = found.len(), "found in the spool: they are finished now");
                }
                for recording in found {
                    self.take_in(&recording, &finished).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read: what an earlier process recorded stays there")
            }
        }
        while let Some(recording) = finished.recv().await {
            self.take_in(&recording, &finished).await;
        }
    }

    /// Tries until the database has it, or nobody is left to wait for it.
    async fn take_in(&self, recording: &Finished, calls: &Receiver<Finished>) {
        self.backlog.add(recording);
        let mut failures = 0;
        while let Err(error) = self.announce(recording).await {
            if calls.is_closed() || !error.is_away() {
                tracing::error!(call_sid = %recording.call, %error, "the recording waits in the spool for the next start");
                return;
            }
            failures += 1;
            sleep(BACKOFF.pause(failures)).await;
        }
    }

    async fn announce(&self, recording: &Finished) -> Result<(), StoreError> {
        let folder = recording.folder.file_name().unwrap_or_default().to_string_lossy();
        let source = format!("{OWN}{folder}");
        let kind = match self.backlog.file_type() {
            FileType::Opus => OPUS,
            FileType::Wav => WAV,
        };
        let id = self.store.announce_recording(&recording.call, &source, kind, Some(&self.node)).await?;
        // A process that comes up under another name finds the files of the one before, which may have meant to keep them otherwise.
        for kind in [OPUS, WAV] {
            self.store.move_job(kind, &id.to_string(), &self.node).await?;
        }
        match &recording.incomplete {
            // What there is of it is stored all the same, if there is anything.
            Some(why) => {
                self.store.append_audit_again(vec![is_incomplete(recording, &source, why)]).await?;
                self.store.recording_failed(id, why).await
            }
            None => Ok(()),
        }
    }
}

/// The entry of a recording that the disk of the spool did not take whole. Announced again, it is the same entry.
fn is_incomplete(recording: &Finished, source: &str, why: &str) -> AuditEntry {
    let told = json!({ "source": source, "why": why });
    AuditEntry::step(&recording.call, recording.began, "recording.incomplete", "failed", told)
}

/// Encodes a recording as Opus, stores it, and removes it from the spool: in that order, so that it may be done again.
pub struct EncodeRecording(Keeper);

/// The same as WAV.
pub struct KeepWav(Keeper);

#[derive(Clone)]
struct Keeper {
    store: Store,
    objects: Objects,
    encoders: Encoders,
    backlog: Backlog,
}

impl EncodeRecording {
    /// Encodes what lies in the spool.
    #[must_use]
    pub fn new(store: Store, objects: Objects, encoders: Encoders, backlog: Backlog) -> Self {
        Self(Keeper { store, objects, encoders, backlog })
    }

    /// What does it as WAV.
    #[must_use]
    pub fn wav(&self) -> KeepWav {
        KeepWav(self.0.clone())
    }
}

impl Keeper {
    async fn keep(&self, id: i64, file_type: FileType) -> Result<(), JobError> {
        let Some((row, call)) = self.store.recording(id).await? else {
            return Err(JobError::GiveUp("its call is not on record any more".to_owned()));
        };
        let root = self.backlog.disk().root();
        let folder = row.source_url.strip_prefix(OWN).filter(|name| !name.contains(['/', '\\'])).unwrap_or_default();
        let found = match find(&root.join(folder)) {
            Ok(Some(found)) if found.call == call => found,
            Ok(None) => return Err(JobError::Retry("it is being recorded".to_owned())),
            // It was stored, or its row says why there is none.
            Ok(Some(_)) if row.status != RecordingStatus::Pending => return Ok(()),
            Err(error) if is_nothing(&error) && row.status != RecordingStatus::Pending => {
                self.backlog.remove(&root.join(folder));
                return Ok(());
            }
            Ok(Some(_)) => return Err(JobError::GiveUp("the spool has another call under its name".to_owned())),
            Err(error) if is_nothing(&error) && root.is_dir() => {
                self.backlog.remove(&root.join(folder));
                return Err(JobError::GiveUp(format!("the spool has no recording of this call: {error}")));
            }
            Err(error) => return Err(JobError::Retry(format!("the spool cannot be read: {error}"))),
        };
        self.encode_and_store(id, folder, found, file_type).await
    }

    async fn encode_and_store(
        &self,
        id: i64,
        folder: &str,
        found: Finished,
        file_type: FileType,
    ) -> Result<(), JobError> {
        let encoded = self.encoders.encode(found.clone(), file_type).await.map_err(|error| match error {
            EncodeError::Nothing => JobError::GiveUp(error.to_string()),
            EncodeError::Failed(_) | EncodeError::Fault(_) | EncodeError::Stopped => JobError::Retry(error.to_string()),
        })?;
        let key = format!("{}/{folder}.{}", found.began.format("%Y/%m/%d"), file_type.ending());
        let content_type = Some(file_type.content_type());
        let stored = self.objects.put_file(&encoded.file, &key, content_type).await;
        let stored = stored.map_err(|error| JobError::Retry(error.to_string()))?;
        match &found.incomplete {
            None => self.store.recording_stored(id, &stored, content_type).await?,
            Some(why) => {
                let words = format!("{why}; what was recorded before is {}", stored.url);
                self.store.recording_failed(id, &words).await?;
            }
        }
        tracing::info!(call_sid = %found.call, ms = encoded.duration_ms, bytes = stored.bytes, "recording stored");
        metrics::counter!("callgate_recordings_stored_total", "source" => "own").increment(1);
        if let Ok(age) = found.age() {
            metrics::histogram!("callgate_recordings_done_seconds").record(age);
        }
        let call = found.call.clone();
        let removed = tokio::task::spawn_blocking(move || found.remove()).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(call_sid = %call, %error, "the recording is stored, and could not be removed from the spool");
        }
        Ok(())
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        metrics::counter!("callgate_recordings_failed_total", "at" => "encode").increment(1);
        self.store.recording_failed(recording_id(job), why).await
    }
}

/// Whether a folder that cannot be read holds no recording, rather than being away.
fn is_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotADirectory, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | NotADirectory | InvalidData | UnexpectedEof)
}

/// Without an end: as long as the sound is in the spool it can be stored.
const PATIENCE: RetryPolicy = RetryPolicy {
    pauses: Backoff::new(Duration::from_secs(5), Duration::from_secs(600)),
    longest_age: Duration::MAX,
    most_attempts: i32::MAX,
    one_attempt: Duration::from_secs(3_600),
};

impl Handler for EncodeRecording {
    const KIND: &'static str = OPUS;
    /// Two are encoded, others are on their way to the store meanwhile.
    const AT_ONCE: usize = 6;
    const PATIENCE: RetryPolicy = PATIENCE;

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        self.0.keep(recording_id(job), FileType::Opus).await
    }

    async fn put_off(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        self.0.store.recording_put_off(recording_id(job), why).await
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        self.0.given_up(job, why).await
    }
}

impl Handler for KeepWav {
    const KIND: &'static str = WAV;
    const AT_ONCE: usize = 3;
    const PATIENCE: RetryPolicy = PATIENCE;

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        self.0.keep(recording_id(job), FileType::Wav).await
    }

    async fn put_off(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        self.0.store.recording_put_off(recording_id(job), why).await
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        self.0.given_up(job, why).await
    }
}

/// Row ids begin with 1: none has 0.
fn recording_id(job: &Job) -> i64 {
    job.payload["recording_id"].as_i64().unwrap_or_default()
}
