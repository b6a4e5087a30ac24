//! Sentences in memory, within a bound; and which of the others are being made.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use protocol::call::clips::Clip;

use super::Key;

/// One that could not be made is tried again after this.
const AGAIN: Duration = Duration::from_secs(60);
/// Sentences whose making is remembered.
const MOST_REMEMBERED: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(super) struct ClipCache {
    most: usize,
    bytes: usize,
    clips: HashMap<Key, (Clip, usize)>,
    /// In the order in which they came.
    order: VecDeque<Key>,
    /// Since when each is being made, or could not be.
    begun: HashMap<Key, Instant>,
}

impl ClipCache {
    pub(super) fn new(most: usize) -> Self {
        Self { most, bytes: 0, clips: HashMap::new(), order: VecDeque::new(), begun: HashMap::new() }
    }

    /// One that is there.
    pub(super) fn get(&self, key: &Key) -> Option<Clip> {
        self.clips.get(key).map(|(clip, _)| clip.clone())
    }

    /// One came. The oldest give way.
    pub(super) fn put(&mut self, key: Key, clip: Clip, bytes: usize) {
        self.begun.remove(&key);
        if self.clips.insert(key, (clip, bytes)).is_none() {
            self.bytes += bytes;
            self.order.push_back(key);
        }
        while self.bytes > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.clips.remove(&oldest).map_or(0, |(_, bytes)| bytes);
        }
    }

    /// Whether somebody is to begin with one now.
    pub(super) fn begin(&mut self, key: Key) -> bool {
        let now = Instant::now();
        if self.begun.get(&key).is_some_and(|at| now.duration_since(*at) < AGAIN) {
            return false;
        }
        if self.begun.len() >= MOST_REMEMBERED {
            self.begun.retain(|_, at| now.duration_since(*at) < AGAIN);
        }
        let room = self.begun.len() < MOST_REMEMBERED;
        if room {
            self.begun.insert(key, now);
        }
        room
    }

    /// Nobody began with it after all.
    pub(super) fn forget(&mut self, key: &Key) {
        self.begun.remove(key);
    }
}
