//! Fixed sentences between the model's answers: audio in the ledger like theirs, that no model knows of.

use super::Playout;
use crate::call::clips::Clip;
use crate::call::context::Context;
use crate::call::fact::Fact;
use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::ContentKey;

impl Playout {
    /// Whether a sentence cuts into nobody's: all that came was heard, and nobody is in the middle of an item.
    pub(crate) fn is_free(&self) -> bool {
        self.is_idle() && !self.ledger.is_any_generating()
    }

    /// Plays one, where [`Self::is_free`].
    pub(crate) fn play(&mut self, cx: &mut Context, clip: &Clip) {
        let name = format!("clip-{}", cx.history.clips() + 1);
        let key = ContentKey { response: ResponseId::new(&name), item: ItemId::new(&name), content_index: 0 };
        let at_ms = cx.at_ms();
        cx.record(Fact::ClipBegan { item: key.item.clone(), words: clip.text().to_owned(), at_ms });
        let pcm = clip.at(self.rate);
        let serial = self.ledger.open_unknown(&key, pcm.len());
        self.queue.push(serial, &pcm);
        self.queue.close();
        cx.clip_came();
        self.pump(cx);
        self.settle(cx);
    }
}
