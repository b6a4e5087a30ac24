//! Playback that pauses loses nothing: what was sent and not heard goes out again, from the last thing heard.

use super::Playout;
use super::Timer;
use super::queue::Piece;
use crate::call::context::Context;
use crate::call::io::CallerCommand;
use crate::ids::MarkId;

impl Playout {
    /// Nothing more is played for now. The carrier plays the message that it has picked up to its end; that one is said again.
    pub(crate) fn pause(&mut self, cx: &mut Context) {
        if std::mem::replace(&mut self.paused, true) {
            return;
        }
        cx.playback_paused();
        self.drop_sent(cx);
        for sent in self.marks.recall() {
            self.ledger.unsent_again(sent.serial, sent.audio);
            self.queue.put_back(Piece { number: sent.number, serial: sent.serial, pcm: sent.pcm, audio: sent.audio });
        }
        self.order.off_air();
        self.pacing.forget();
        cx.deadlines.clear(Timer::Pace);
    }

    /// It goes on.
    pub(crate) fn resume(&mut self, cx: &mut Context) {
        if std::mem::take(&mut self.paused) {
            cx.playback_goes_on();
            self.pump(cx);
        }
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// What the carrier has and did not play yet it plays no more.
    pub(super) fn drop_sent(&mut self, cx: &mut Context) {
        if self.marks.is_empty() {
            return;
        }
        cx.caller(CallerCommand::Clear);
        // A carrier plays the message it has picked up to its end.
        if let Some(heard_to) = self.marks.playing(cx.now).map(|sent| sent.taped_to) {
            self.track.cut(cx, heard_to);
        }
    }

    /// The driver gives a message back that was on its way to the socket when playback paused: whatever became of it, it was dropped.
    pub(super) fn given_back(&mut self, cx: &mut Context, mark: MarkId, pcm: Vec<u8>) {
        // Of a message that the caller cut off nothing is to be known.
        let Some(offered) = self.marks.given_back(mark) else { return };
        let audio = offered.audio.min(pcm.len());
        self.queue.put_back(Piece { number: offered.number, serial: offered.serial, audio, pcm });
        self.pump(cx);
    }
}
