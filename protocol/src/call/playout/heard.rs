//! What was heard: by the carrier's marks, and where none come by the clock.

use super::Playout;
use crate::call::context::Context;
use crate::call::fact::Fact;
use crate::ids::MarkId;

impl Playout {
    /// A mark came back; none stands for one that is not ours.
    pub(crate) fn marked(&mut self, cx: &mut Context, mark: Option<MarkId>) {
        let Some(mark) = mark else { return cx.count("unknown_mark", 1) };
        let mut played = None;
        while let Some(sent) = self.marks.echoed(mark) {
            if sent.sequence == mark.sequence {
                self.track.echoed(cx.now, sent.due);
                cx.stopwatch.echo(cx.now.saturating_duration_since(sent.due));
            }
            self.ledger.heard(sent.serial, sent.heard);
            played = Some(sent.due);
        }
        if let Some(due) = played {
            cx.message_heard(mark.sequence, due);
            self.settle(cx);
        } else {
            cx.count("stale_mark", 1);
        }
    }

    /// A frame of the caller's came in: the socket moves, and so marks that should have come long ago never will. What they stand for was
    /// played all the same. Where no frame comes nothing is taken for played: a socket that cannot be written to is not read either.
    pub(crate) fn expire_marks(&mut self, cx: &mut Context) {
        let mut missing = 0;
        while let Some(sent) = self.marks.overdue(cx.now) {
            self.ledger.heard(sent.serial, sent.heard);
            cx.message_unheard(sent.sequence);
            missing += 1;
        }
        if missing > 0 {
            cx.count("missing_mark", missing);
            self.settle(cx);
        }
    }

    /// Tells how far each content was heard, and which turns are over.
    pub(super) fn settle(&mut self, cx: &mut Context) {
        for progress in self.ledger.settle(self.rate) {
            cx.record(Fact::Heard {
                item: progress.item.clone(),
                generated_ms: progress.generated_ms,
                heard_ms: progress.heard_ms,
                whole: progress.whole,
            });
            if progress.over {
                cx.record_turn(&progress.item);
            }
        }
    }
}
