//! The truth about the agent's audio: what was generated, handed to the call, sent, and really played to the caller.
//!
//! Every sample says whose it is and where it stands in its content, so that the carrier's side can tell.

use std::sync::LazyLock;

use protocol::ids::{ItemId, ResponseId};
use protocol::realtime::event::ContentKey;

use super::person::Kind;

/// Samples after which the position starts over.
const CYCLE: usize = 509;
/// Contents after which the tags start over: only a few are ever under way.
const TAGS: usize = 62;

/// Everything the virtual servers of one call generated.
#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) contents: Vec<Content>,
    /// How many contents there were when the server noticed a turn of the caller's: those are what it cuts.
    speech: Vec<(ItemId, usize)>,
    /// What the caller's items really are.
    pub(crate) kinds: Vec<(ItemId, Kind)>,
}

/// One content part. Amounts are bytes at the carrier's rate, padding not counted.
pub(crate) struct Content {
    pub(crate) conn: u32,
    pub(crate) key: ContentKey,
    /// By the server.
    pub(crate) generated: usize,
    /// Handed to the call.
    pub(crate) delivered: usize,
    /// Handed to the carrier's socket.
    pub(crate) sent: usize,
    /// In messages that were played to their end.
    pub(crate) played: usize,
    /// Of that what the call was told of by marks.
    pub(crate) acked: usize,
    /// Where messages stand that were on their way to the socket when playback paused.
    pub(crate) dropped_at: usize,
    /// So much was played again, more than once maybe.
    pub(crate) again: usize,
    /// Words handed to the call.
    pub(crate) words: String,
    /// The call was told that the caller cut in: not one byte more may be sent.
    pub(crate) dead: bool,
    /// The call was told that there is no more of it.
    pub(crate) finished: bool,
    /// Last `audio_end_ms` of a truncation.
    pub(crate) truncated: Option<u64>,
    /// Last `heard_ms` told.
    pub(crate) heard_ms: u64,
    /// A fixed sentence, as it sounds: no server generated it.
    pub(crate) clip: Option<Vec<u8>>,
}

impl Content {
    /// Played up to there: never with a gap, for nothing may be lost.
    pub(crate) fn play_to(&mut self, to: usize) {
        self.played = self.played.max(to);
    }
}

impl Tape {
    /// What the caller was really saying in that item.
    pub(crate) fn kind_of(&self, item: &ItemId) -> Option<Kind> {
        self.kinds.iter().rev().find(|(of, _)| of == item).map(|(_, kind)| *kind)
    }

    pub(crate) fn add(&mut self, conn: u32, key: ContentKey) -> usize {
        self.contents.push(Content {
            conn,
            key,
            generated: 0,
            delivered: 0,
            sent: 0,
            played: 0,
            acked: 0,
            dropped_at: 0,
            again: 0,
            words: String::new(),
            dead: false,
            finished: false,
            truncated: None,
            heard_ms: 0,
            clip: None,
        });
        self.contents.len() - 1
    }

    /// A fixed sentence is played: all of it is there.
    pub(crate) fn add_clip(&mut self, item: &ItemId, words: &str, sound: Vec<u8>) {
        let key = ContentKey { response: ResponseId::new(item.as_str()), item: item.clone(), content_index: 0 };
        let index = self.add(u32::MAX, key);
        let content = &mut self.contents[index];
        (content.generated, content.delivered, content.finished) = (sound.len(), sound.len(), true);
        (content.words, content.clip) = (words.to_owned(), Some(sound));
    }

    /// Another gateway counts its sentences anew: those that were are called otherwise, by that many. Returns the old name of each.
    pub(crate) fn rename_clips(&mut self, lost: u64) -> Vec<(ItemId, ItemId)> {
        let clips = self.contents.iter_mut().filter(|c| c.clip.is_some() && !c.key.item.as_str().contains('@'));
        let renamed = clips.map(|content| {
            let name = ItemId::new(format!("{}@{lost}", content.key.item.as_str()));
            (std::mem::replace(&mut content.key.item, name.clone()), name)
        });
        renamed.collect()
    }

    pub(crate) fn speech_begins(&mut self, item: ItemId) {
        self.speech.push((item, self.contents.len()));
    }

    /// The call knows that the caller cut in: what there was is dead.
    pub(crate) fn cut(&mut self, item: &ItemId) {
        let count = self.speech.iter().rev().find(|(i, _)| i == item).expect("speech that a server noticed").1;
        let clips = |c: &&mut Content| c.clip.is_some();
        self.contents[count..].iter_mut().filter(clips).for_each(|c| c.dead = true);
        self.contents[..count].iter_mut().for_each(|c| c.dead = true);
    }

    /// The next `bytes` of a content part.
    pub(crate) fn generate(&mut self, content: usize, bytes: usize) -> Vec<u8> {
        let from = self.contents[content].generated;
        self.contents[content].generated += bytes;
        pattern(content, from, bytes)
    }

    pub(crate) fn find(&mut self, key: &ContentKey) -> Option<&mut Content> {
        self.contents.iter_mut().rev().find(|c| c.key == *key)
    }

    /// A response ended, and all of its contents with it.
    pub(crate) fn finish(&mut self, response: &ResponseId) {
        self.contents.iter_mut().filter(|c| c.key.response == *response).for_each(|c| c.finished = true);
    }

    /// Newest first: items live seconds.
    pub(crate) fn find_item(&mut self, item: &str) -> Option<(usize, &mut Content)> {
        self.contents.iter_mut().enumerate().rev().find(|(_, c)| c.key.item.as_str() == item)
    }

    /// Whose audio a message to the carrier is.
    pub(crate) fn whose(&self, pcm: &[u8]) -> usize {
        if let Some(clip) =
            self.contents.iter().rposition(|content| content.clip.as_deref().is_some_and(|of| is_of(of, pcm)))
        {
            return clip;
        }
        let first = usize::from(u16::from_le_bytes([pcm[0], pcm[1]]));
        let tag = (first >> 9).checked_sub(1).expect("a message to the carrier begins with audio");
        let newest = self.contents.len() - 1;
        let back = (newest % TAGS + TAGS - tag) % TAGS;
        newest.checked_sub(back).expect("audio that no server made")
    }

    /// Whose audio a message is that is handed to the carrier's socket, and how many of its bytes are audio and not padding.
    ///
    /// Panics when it is not the very next audio of one content part, then silence.
    pub(crate) fn read(&self, pcm: &[u8]) -> (usize, usize) {
        let content = self.whose(pcm);
        if let Some(clip) = &self.contents[content].clip {
            let rest = &clip[self.contents[content].sent..];
            let audio = rest.len().min(pcm.len());
            assert!(rest[..audio] == pcm[..audio], "{:?} goes on where it was", self.contents[content].key);
            return (content, audio);
        }
        let silent = |at: usize| pcm[at * 2] == 0 && pcm[at * 2 + 1] == 0;
        let mut samples = pcm.len() / 2;
        while silent(samples - 1) {
            samples -= 1;
        }
        let from = self.contents[content].sent;
        assert!(
            pattern(content, from, samples * 2) == pcm[..samples * 2],
            "the audio of {:?} goes on from byte {from}: nothing twice, nothing left out",
            self.contents[content].key
        );
        (content, samples * 2)
    }
}

/// Whether a message is of that sentence: cut from it, or its end with silence behind it.
fn is_of(clip: &[u8], pcm: &[u8]) -> bool {
    let units = (0..clip.len()).step_by(320);
    units.into_iter().any(|from| {
        let rest = &clip[from..clip.len().min(from + pcm.len())];
        pcm[..rest.len()] == *rest && pcm[rest.len()..].iter().all(|&byte| byte == 0)
    })
}

/// Bytes of a content part from a position on.
fn pattern(content: usize, from: usize, bytes: usize) -> Vec<u8> {
    static CYCLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (0..TAGS).map(cycle).collect());
    let cycle = &CYCLES[content % TAGS];
    let mut at = from % cycle.len();
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        let piece = &cycle[at..cycle.len().min(at + bytes - out.len())];
        out.extend_from_slice(piece);
        at = 0;
    }
    out
}

fn cycle(tag: usize) -> Vec<u8> {
    let samples = (1..=CYCLE).map(|position| u16::try_from((tag + 1) << 9 | position).expect("62 tags fit"));
    samples.flat_map(u16::to_le_bytes).collect()
}
