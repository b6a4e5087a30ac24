//! What of the agent's words was heard.

use super::{Entry, Who};

/// Words run ahead of the audio that speaks them, by how much is not told. Of an answer that was not generated whole no more words
/// count than a slow voice speaks in the time: rather one too few than one that nobody heard.
const CHARS_A_SECOND: u64 = 13;

impl Entry {
    /// The words; of the agent only the part that was heard, cut at a word.
    pub(super) fn words(&self) -> &str {
        if self.who == Who::Caller || self.whole && self.heard_ms >= self.generated_ms && self.generated_ms > 0 {
            return self.text.trim();
        }
        if self.heard_ms == 0 {
            return "";
        }
        let text = self.text.trim();
        let chars = text.chars().count() as u64;
        let share = chars * self.heard_ms / self.generated_ms.max(1);
        let heard = if self.whole { share } else { share.min(self.heard_ms * CHARS_A_SECOND / 1000) };
        let keep = usize::try_from(heard).unwrap_or(usize::MAX);
        let end = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
        let cut = &text[..end];
        if text[end..].starts_with(char::is_whitespace) {
            return cut.trim();
        }
        cut.rfind(char::is_whitespace).map_or("", |at| &cut[..at]).trim()
    }
}
