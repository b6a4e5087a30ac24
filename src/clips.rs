//! Fixed sentences of clients as audio: said once by the client's model, kept on disk, and played without one.
//!
//! A call takes what there is when it is admitted, and waits for nothing. What is missing is made meanwhile, for the next one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use actors::{ModelEndpoint, lock};
use protocol::call::clips::{Clip, Clips, MOST_CLIPS};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::crypto::hex;
use crate::store::Agent;

mod cache;
mod files;
mod maker;

#[cfg(test)]
mod tests;

use cache::ClipCache;
use files::ClipFiles;
use maker::Maker;

/// Bytes of all sentences in memory.
const MOST_IN_MEMORY: usize = 64 << 20;
/// Bytes of all sentences on disk.
const MOST_ON_DISK: u64 = 256 << 20;
/// Sentences that wait to be made.
const MOST_WAITING: usize = 256;
/// Characters of one: as many as are said within [`protocol::call::clips::LONGEST_CLIP_MS`].
pub(crate) const LONGEST_SENTENCE: usize = 160;

/// How sentences are said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Voice {
    /// BCP 47.
    pub language: String,
    /// Voice name; none: the model's own.
    pub name: Option<String>,
    /// Model; none: the gateway's.
    pub model: Option<String>,
}

impl Voice {
    /// A client's.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        Self { language: agent.language.clone(), name: agent.voice.clone(), model: agent.model.clone() }
    }
}

/// One sentence that is to be made, as one voice says it.
#[derive(Clone, Debug)]
struct ClipRequest {
    key: Key,
    voice: Voice,
    text: String,
}

/// What it is kept by: the same words in another voice are another sentence.
type Key = [u8; 32];

/// The sentences of every client. Clones are the same.
#[derive(Clone)]
pub struct ClipLibrary {
    cache: Arc<Mutex<ClipCache>>,
    requests: mpsc::Sender<ClipRequest>,
    /// The gateway's own model, which the audio depends on.
    model: Arc<str>,
}

impl ClipLibrary {
    /// Over a folder that may not be there yet, and a model that says what is missing.
    #[must_use]
    pub fn new(folder: PathBuf, endpoint: ModelEndpoint, runtime: &Handle) -> Self {
        let cache = Arc::new(Mutex::new(ClipCache::new(MOST_IN_MEMORY)));
        let (requests, waiting) = mpsc::channel(MOST_WAITING);
        let model = Arc::from(endpoint.model.as_str());
        let maker = Maker::new(Arc::clone(&cache), ClipFiles::new(folder, MOST_ON_DISK), endpoint);
        runtime.spawn(maker.run(waiting));
        Self { cache, requests, model }
    }

    /// Those of these sentences that there are. The others are made.
    #[must_use]
    pub fn of<'t>(&self, voice: &Voice, texts: impl IntoIterator<Item = &'t str>) -> Arc<Clips> {
        let mut found: Vec<Clip> = Vec::new();
        for text in texts.into_iter().take(MOST_CLIPS) {
            let key = self.key(voice, text);
            let kept = lock(&self.cache).get(&key);
            match kept {
                Some(clip) => found.push(clip),
                None => self.request(voice, text, key),
            }
        }
        Arc::new(Clips::new(found))
    }

    /// One is to be made, unless it is being made, or could not be lately.
    fn request(&self, voice: &Voice, text: &str, key: Key) {
        if !fits(text) || !lock(&self.cache).begin(key) {
            return;
        }
        let request = ClipRequest { key, voice: voice.clone(), text: text.to_owned() };
        if self.requests.try_send(request).is_err() {
            lock(&self.cache).forget(&key);
            metrics::counter!("callgate_clips_total", "outcome" => "dropped").increment(1);
        }
    }

    fn key(&self, voice: &Voice, text: &str) -> Key {
        let mut hash = Sha256::new();
        let model = voice.model.as_deref().unwrap_or(&self.model);
        for part in [model, voice.name.as_deref().unwrap_or_default(), &voice.language, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// Whether a text is short enough to be played.
pub(crate) fn fits(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_SENTENCE
}

fn file_name(key: &Key) -> String {
    format!("{}.s16", hex(key))
}
