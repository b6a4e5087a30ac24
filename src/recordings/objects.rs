//! The object store: where recordings are kept. A folder, or a bucket of S3, Google Cloud or Azure, by `RECORDINGS_URL`.

use std::fmt;
use std::path::{self, Path as File, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::buffered::BufWriter;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::{Path, PathPart};
use object_store::{Attribute, Attributes, ClientOptions, Error, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use url::Url;

use crate::crypto::hex;
use crate::redact;
use crate::store::Stored;

#[cfg(test)]
mod tests;

/// Larger objects go up in parts of this size; S3 wants at least 5 MiB.
const PART_BYTES: usize = 5 << 20;
/// Parts of one object under way at a time.
const PARTS_AT_ONCE: usize = 2;
/// What is read of a file at a time.
const READ_BYTES: usize = 256 << 10;
/// What a part may take, and what connecting may.
const REQUEST: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// What looking whether the store is there may take, retries included.
const CHECK: Duration = Duration::from_secs(15);
/// The object that is written to see whether one can be.
const CHECK_KEY: &str = "callgate-check.txt";

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The store did not do it, and may another time.
    #[error("the object store is away: {0}")]
    Away(String),
    /// The store will not do it: its address, credentials or rights are wrong.
    #[error("the object store refuses: {0}")]
    Refused(String),
    /// What was to be stored cannot be read.
    #[error("the file cannot be read: {0}")]
    File(std::io::Error),
}

impl From<Error> for ObjectsError {
    fn from(error: Error) -> Self {
        match error {
            Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::NotFound { .. }
            | Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::UnknownConfigurationKey { .. } => Self::Refused(words(&error)),
            _ => Self::Away(words(&error)),
        }
    }
}

/// What the store says, without its details: those run to pages. Stores that answer in XML say it in a code and a message.
fn words(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let told = |name: &str| {
        let from = text.split_once(&format!("<{name}>"))?.1;
        from.split_once("</").map(|(told, _)| told.trim()).filter(|told| !told.is_empty())
    };
    let said = match (told("Code"), told("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => text.lines().next().unwrap_or_default().to_owned(),
    };
    said.chars().take(300).collect::<String>().trim_end().to_owned()
}

/// Where recordings are kept: `RECORDINGS_URL`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingTarget {
    /// A folder.
    Folder(PathBuf),
    /// An object store.
    Objects(Url),
}

impl FromStr for RecordingTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = || redact::url(text);
        match text.split_once("://") {
            Some(("file", "")) => Err("names no folder: write it as file://./recordings".to_owned()),
            Some(("file", folder)) => Ok(Self::Folder(PathBuf::from(folder))),
            Some(("s3" | "gs" | "az", _)) => match Url::parse(text) {
                Ok(url) if !url.username().is_empty() || url.password().is_some() || url.query().is_some() => {
                    let mend = "credentials are read from AWS_*, GOOGLE_* or AZURE_* in the environment";
                    Err(format!("holds credentials or a query: {mend}"))
                }
                Ok(url) if url.host_str().is_some_and(|bucket| !bucket.is_empty()) => Ok(Self::Objects(url)),
                _ => Err(format!("`{}` names no bucket: write it as s3://bucket/prefix", shown())),
            },
            _ => Err(format!("`{}` is no place for recordings: use file://, s3://, gs:// or az://", shown())),
        }
    }
}

/// A store. Clones are cheap and share its connections.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// What keys are put behind.
    prefix: Path,
    /// The same, as shown.
    base: String,
    /// Folders keep no content type.
    keeps_types: bool,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.base)
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl Objects {
    /// The store of a setting. A folder is made; a bucket is not asked yet ([`Self::check`] does). Credentials come from the environment:
    /// `AWS_*` (`AWS_ENDPOINT` for other stores that speak S3), `GOOGLE_*`, `AZURE_*`.
    ///
    /// # Errors
    /// [`ObjectsError::Refused`] when there can be no such store.
    pub fn open(target: &RecordingTarget) -> Result<Self, ObjectsError> {
        match target {
            RecordingTarget::Folder(folder) => Self::folder(folder),
            RecordingTarget::Objects(url) => match url.scheme() {
                "gs" => {
                    let bucket = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
                    Ok(Self::bucket(url, bucket.with_client_options(limits()).build()?))
                }
                "az" => {
                    let bucket = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
                    Ok(Self::bucket(url, bucket.with_client_options(limits()).build()?))
                }
                _ => Self::s3(url, AmazonS3Builder::from_env()),
            },
        }
    }

    fn folder(folder: &File) -> Result<Self, ObjectsError> {
        let refused = |error| ObjectsError::Refused(format!("the folder {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(refused)?;
        let full = path::absolute(folder).and_then(|folder| folder.canonicalize()).map_err(refused)?;
        let store = LocalFileSystem::new_with_prefix(&full)?.with_fsync(true);
        let base = Url::from_directory_path(&full).map_or_else(|()| full.display().to_string(), String::from);
        Ok(Self { store: Arc::new(store), prefix: Path::default(), base, keeps_types: false })
    }

    fn s3(url: &Url, bucket: AmazonS3Builder) -> Result<Self, ObjectsError> {
        // Whoever names a plain endpoint wants it: a store of his own, in his own network.
        let endpoints = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
        let endpoint = endpoints.iter().find_map(|key| bucket.get_config_value(key));
        let plain = endpoint.is_some_and(|url| url.starts_with("http://"));
        let bucket = bucket.with_url(url.as_str()).with_client_options(limits().with_allow_http(plain));
        Ok(Self::bucket(url, bucket.build()?))
    }

    fn bucket(url: &Url, store: impl ObjectStore) -> Self {
        let prefix = Path::from(url.path().trim_matches('/'));
        let name = format!("{}://{}/", url.scheme(), url.host_str().unwrap_or_default());
        let base = if prefix.as_ref().is_empty() { name } else { format!("{name}{prefix}/") };
        Self { store: Arc::new(store), prefix, base, keeps_types: true }
    }

    /// Writes a small object and removes it.
    ///
    /// # Errors
    /// When that cannot be done, or takes too long.
    pub async fn check(&self) -> Result<(), ObjectsError> {
        let look = async {
            let key = self.path(CHECK_KEY);
            self.store.put(&key, Bytes::from_static(b"callgate can write here\n").into()).await?;
            // Not everybody who may write may remove.
            let _ = self.store.delete(&key).await;
            Ok(())
        };
        let late = || ObjectsError::Away(format!("no answer within {} s", CHECK.as_secs()));
        timeout(CHECK, look).await.map_err(|_| late())?
    }

    /// Stores a file under a key, in parts if it is large, with no more than some parts of it in memory.
    ///
    /// # Errors
    /// When the file cannot be read or the store does not take it; then nothing is stored.
    pub async fn put_file(&self, file: &File, key: &str, content_type: Option<&str>) -> Result<Stored, ObjectsError> {
        let mut file = fs::File::open(file).await.map_err(ObjectsError::File)?;
        let mut upload = self.upload(key, content_type);
        loop {
            let mut bytes = bytes::BytesMut::with_capacity(READ_BYTES);
            match file.read_buf(&mut bytes).await {
                Ok(0) => return upload.finish().await,
                Ok(_) => upload.write(bytes.freeze()).await?,
                Err(error) => {
                    upload.abort().await;
                    return Err(ObjectsError::File(error));
                }
            }
        }
    }

    /// Begins to store an object whose bytes are yet to come. An object of that key is replaced when it is finished, not before.
    #[must_use]
    pub fn upload(&self, key: &str, content_type: Option<&str>) -> Upload {
        let path = self.path(key);
        let url = format!("{}{}", self.base, clean(key));
        let mut writer = BufWriter::with_capacity(self.store.clone(), path, PART_BYTES);
        if let Some(content_type) = content_type.filter(|_| self.keeps_types) {
            let told = [(Attribute::ContentType, content_type.to_owned())];
            writer = writer.with_attributes(Attributes::from_iter(told));
        }
        Upload { writer: writer.with_max_concurrency(PARTS_AT_ONCE), sha256: Sha256::new(), bytes: 0, url }
    }

    /// The bytes of an object.
    #[cfg(test)]
    async fn get(&self, key: &str) -> Result<Bytes, ObjectsError> {
        Ok(self.store.get(&self.path(key)).await?.bytes().await?)
    }

    fn path(&self, key: &str) -> Path {
        self.prefix.parts().chain(clean(key).parts()).collect()
    }
}

/// A key as a path. Names made of dots would be read as ways up and out, if not here then by whoever reads the URL.
fn clean(key: &str) -> Path {
    let parts = key.split('/').filter(|part| !part.is_empty());
    parts.map(|part| if part.bytes().all(|byte| byte == b'.') { "_" } else { part }).map(PathPart::from).collect()
}

fn limits() -> ClientOptions {
    ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT)
}

/// An object on its way. Dropped, it never was; what a bucket keeps of unfinished uploads is its owner's lifecycle rule to remove.
pub struct Upload {
    writer: BufWriter,
    sha256: Sha256,
    bytes: u64,
    url: String,
}

impl Upload {
    /// The next bytes. Waits while too many of them are under way.
    ///
    /// # Errors
    /// When the store does not take them.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ObjectsError> {
        self.sha256.update(&bytes);
        self.bytes += bytes.len() as u64;
        Ok(self.writer.put(bytes).await?)
    }

    /// That was all: resolves when the store has it for good.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn finish(mut self) -> Result<Stored, ObjectsError> {
        let done = self.writer.shutdown().await;
        done.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => ObjectsError::Away(words(&error)),
        })?;
        let sha256 = hex(&self.sha256.finalize());
        Ok(Stored { url: self.url, bytes: self.bytes, sha256 })
    }

    /// Forgets what was written.
    pub async fn abort(mut self) {
        // What cannot be removed is never shown.
        let _ = self.writer.abort().await;
    }
}
