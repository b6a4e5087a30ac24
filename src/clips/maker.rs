//! Has the sentences said that are missing, one after the other.

use std::sync::{Arc, Mutex};

use actors::{ModelEndpoint, Sentence, lock, speak};
use protocol::call::clips::{CLIP_RATE, Clip};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::cache::ClipCache;
use super::files::ClipFiles;
use super::{ClipRequest, Key};

/// Shorter than that nothing was said, ms.
const SHORTEST_MS: usize = 200;
/// A sentence takes at most that long, ms, and a character of it that much more: beyond it something else was said.
const LONGEST_MS: usize = 2_500;
const CHARACTER_MS: usize = 160;

/// See the module.
pub(super) struct Maker {
    cache: Arc<Mutex<ClipCache>>,
    files: ClipFiles,
    endpoint: ModelEndpoint,
}

impl Maker {
    pub(super) const fn new(cache: Arc<Mutex<ClipCache>>, files: ClipFiles, endpoint: ModelEndpoint) -> Self {
        Self { cache, files, endpoint }
    }

    /// Ends when nobody can ask for any more.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<ClipRequest>) {
        while let Some(request) = requests.recv().await {
            let outcome = match self.make(&request).await {
                Ok(outcome) => outcome,
                Err(cause) => {
                    tracing::warn!(
                        target: "clips", cause,
                        "a fixed sentence could not be made: callers hear nothing in its place until it can"
                    );
                    "failed"
                }
            };
            metrics::counter!("callgate_clips_total", "outcome" => outcome).increment(1);
        }
    }

    async fn make(&self, ClipRequest { key, voice, text }: &ClipRequest) -> Result<&'static str, String> {
        if let Some(pcm) = self.kept(*key).await.filter(|pcm| checked(text, pcm).is_ok()) {
            self.put(*key, text, pcm);
            return Ok("kept");
        }
        let sentence =
            Sentence { text, language: &voice.language, voice: voice.name.as_deref(), model: voice.model.as_deref() };
        let pcm = speak(&self.endpoint, &sentence).await?;
        checked(text, &pcm)?;
        self.put(*key, text, pcm.clone());
        let (files, key) = (self.files.clone(), *key);
        let written = spawn_blocking(move || files.write(&key, &pcm)).await.map_err(|error| error.to_string())?;
        if let Err(error) = written {
            tracing::warn!(target: "clips", %error, "a fixed sentence cannot be kept on disk: it is made anew at the next start");
        }
        Ok("made")
    }

    async fn kept(&self, key: Key) -> Option<Vec<u8>> {
        let files = self.files.clone();
        spawn_blocking(move || files.read(&key)).await.ok().flatten()
    }

    fn put(&self, key: Key, text: &str, pcm: Vec<u8>) {
        let bytes = pcm.len() + text.len();
        if let Some(clip) = Clip::new(text, pcm) {
            lock(&self.cache).put(key, clip, bytes);
        }
    }
}

/// Whether audio may be that sentence, by its length.
fn checked(text: &str, pcm: &[u8]) -> Result<(), String> {
    let ms = pcm.len() * 1000 / (CLIP_RATE as usize * 2);
    let longest = LONGEST_MS + CHARACTER_MS * text.chars().count();
    if ms < SHORTEST_MS || ms > longest {
        return Err(format!("{ms} ms of audio are not that sentence: it takes from {SHORTEST_MS} to {longest} ms"));
    }
    Ok(())
}
