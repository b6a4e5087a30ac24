//! What goes out when: never further ahead of real time than the lead, no faster than the socket takes it, and never nothing for long.
//!
//! Audio that the driver has said nothing of counts as ahead, so a socket that stands still is given the lead and no more. What it refuses
//! is the next thing to go out: a carrier that reads again after a while is played on from where it stopped.

use std::time::{Duration, Instant};

use super::queue::Piece;
use super::{Playout, Timer};
use crate::call::context::{Context, millis};
use crate::call::fact::Fact;
use crate::call::io::CallerCommand;
use crate::call::marks::{Offered, Sent};
use crate::call::stopwatch::Message;
use crate::ids::{ItemId, MarkId};

/// Playback this close to running dry takes what there is instead of waiting for a whole message.
const STARVING: Duration = Duration::from_millis(40);
/// A socket that refused a message and took none since is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// A carrier gives up on a bot that sends nothing for 10 s: a little silence now and then says that somebody is there. The first thing that
/// it gets is there by then.
const FIRST: Duration = Duration::from_millis(3_500);
/// The next one follows within that.
const GAP: Duration = Duration::from_millis(6_000);
/// A call that was rebuilt does not know when anything was sent; the model is about to speak, or the carrier waits.
const REBUILT: Duration = Duration::from_millis(300);
/// Of silence, if a message may be so short.
const SILENCE_MS: u32 = 100;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// When all that was sent will have been played.
    play_end: Option<Instant>,
    /// Something was refused: nothing is offered before.
    ask_at: Option<Instant>,
    /// Whose audio went out last, since this was asked.
    went_out: Option<u64>,
}

impl Pacing {
    /// Everything that was sent is dropped.
    pub(super) fn forget(&mut self) {
        (self.play_end, self.ask_at) = (None, None);
    }

    /// When all that was sent will have been played.
    pub(super) fn play_end(&self) -> Option<Instant> {
        self.play_end
    }
}

impl Playout {
    /// Offers what is due, keeps the lead bounded, and arms the next time.
    pub(crate) fn pump(&mut self, cx: &mut Context) {
        // What is still to come back goes out first.
        if !self.live || self.held || self.paused || self.marks.recalled_bytes() > 0 {
            return;
        }
        if let Some(at) = self.pacing.ask_at.filter(|&at| at > cx.now) {
            return cx.deadlines.set(Timer::Pace, at);
        }
        let asks = self.pacing.ask_at.is_some();
        loop {
            let ahead = self.ahead(cx.now);
            let room = match self.queue.next_bytes() {
                Some(bytes) => cx.policy.lead.saturating_sub(self.duration(bytes)),
                None if self.queue.is_dry() => return cx.deadlines.clear(Timer::Pace),
                None => STARVING.min(cx.policy.lead.saturating_sub(self.duration(self.queue.bytes()))),
            };
            if ahead > room {
                return self.pace_at(cx, room);
            }
            let Some(piece) = self.queue.pop().or_else(|| self.queue.pop_units()) else {
                return cx.deadlines.clear(Timer::Pace);
            };
            self.offer(cx, piece);
            if asks {
                // One message finds out.
                return self.ask_later(cx);
            }
        }
    }

    /// Arms the pacing timer for when only `left` is still to be played. Where the socket has yet to take more than that, its word is
    /// waited for and no time.
    fn pace_at(&self, cx: &mut Context, left: Duration) {
        let left = left.checked_sub(self.duration(self.marks.offered_bytes()));
        match left.and_then(|left| self.pacing.play_end?.checked_sub(left)) {
            Some(at) => cx.deadlines.set(Timer::Pace, at.max(cx.now)),
            None => cx.deadlines.clear(Timer::Pace),
        }
    }

    fn offer(&mut self, cx: &mut Context, piece: Piece) {
        self.goes_on_air(cx, piece.serial);
        let Piece { number, serial, pcm, audio } = piece;
        let mark = self.marks.offer(Offered { number, serial, audio, bytes: pcm.len() });
        cx.message_offered();
        cx.caller(CallerCommand::Play { pcm, mark: Some(mark) });
    }

    /// A message was handed to the socket: it plays after those before it.
    pub(crate) fn sent(&mut self, cx: &mut Context, mark: MarkId, pcm: Vec<u8>) {
        let Some(offered) = self.marks.answered(mark) else { return self.given_back(cx, mark, pcm) };
        let begins = self.pacing.play_end.map_or(cx.now, |end| end.max(cx.now));
        let due = begins + self.duration(offered.bytes);
        self.pacing = Pacing { play_end: Some(due), ask_at: None, went_out: Some(offered.serial) };
        Self::not_quiet(cx);
        let serial = offered.serial;
        self.tell_sent(cx, serial, mark, (begins, due));
        if let Some(item) = self.ledger.unsent(serial).cloned() {
            let at_ms = cx.at_ms() + millis(begins.saturating_duration_since(cx.now));
            cx.record(Fact::PlaybackBegan { item, at_ms });
        }
        let heard = self.ledger.sent(serial, offered.audio);
        let (number, audio) = (offered.number, offered.audio);
        let kept = if cx.pauses() { pcm.clone() } else { Vec::new() };
        let taped_to = if cx.policy.record { self.track.message(cx, self.rate, begins, pcm) } else { 0 };
        self.marks.out(Sent {
            sequence: mark.sequence,
            number,
            serial,
            audio,
            heard,
            begins,
            due,
            taped_to,
            pcm: kept,
        });
        self.pump(cx);
    }

    /// It may be what the caller waits for.
    fn tell_sent(&self, cx: &mut Context, serial: u64, mark: MarkId, (begins, due): (Instant, Instant)) {
        cx.stopwatch.speaks_until(due);
        if cx.stopwatch.is_awaiting()
            && let Some(key) = self.ledger.key(serial)
        {
            let (item, response, sequence) = (&key.item, &key.response, mark.sequence);
            let is_clip = cx.history.is_clip(item);
            cx.message_sent(Message { item, response, is_clip, sequence, begins, due });
        }
    }

    /// A message found no way to the socket: it was never sent, and is the next to go.
    pub(crate) fn refused(&mut self, cx: &mut Context, mark: MarkId, pcm: Vec<u8>) {
        let Some(offered) = self.marks.answered(mark) else { return self.given_back(cx, mark, pcm) };
        cx.count("playout_refused", 1);
        cx.playback_refused();
        let Offered { number, serial, audio, .. } = offered;
        self.queue.put_back(Piece { number, serial, audio: audio.min(pcm.len()), pcm });
        self.ask_later(cx);
    }

    fn ask_later(&mut self, cx: &mut Context) {
        let at = cx.now + ASK_AGAIN;
        self.pacing.ask_at = Some(at);
        cx.deadlines.set(Timer::Pace, at);
    }

    /// The content part whose audio went out last, if any did since this was asked.
    pub(crate) fn take_sent(&mut self) -> Option<u64> {
        self.pacing.went_out.take()
    }

    /// The item of a content part that was not yet heard whole.
    pub(crate) fn item(&self, serial: u64) -> Option<&ItemId> {
        self.ledger.item(serial)
    }

    /// How far ahead of real time that is which the driver was given.
    pub(super) fn ahead(&self, now: Instant) -> Duration {
        let plays = self.pacing.play_end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
        plays + self.duration(self.marks.offered_bytes())
    }

    /// For invariants: the same in ms.
    pub(crate) fn lead_ms(&self, now: Instant) -> u64 {
        millis(self.ahead(now))
    }

    /// The stream began; or the call was rebuilt, and nobody knows when anything was sent.
    pub(super) fn watch_quiet(&self, cx: &mut Context, resumed: bool) {
        let wait = if resumed { REBUILT } else { FIRST };
        cx.deadlines.set(Timer::KeepAlive, cx.now + wait);
    }

    /// Something went out.
    fn not_quiet(cx: &mut Context) {
        cx.deadlines.set(Timer::KeepAlive, cx.now + GAP);
    }

    /// Nothing went out for long. The silence is nobody's: it has no mark, is no part of what was said, and is not recorded. A socket that has
    /// yet to take audio gets none.
    pub(super) fn keep_alive(&mut self, cx: &mut Context) {
        Self::not_quiet(cx);
        let audio_is_next = self.pacing.ask_at.is_some_and(|at| at > cx.now);
        if !self.live || audio_is_next || !self.ahead(cx.now).is_zero() {
            return;
        }
        let silence = vec![0; cx.policy.chunk_ms.min(SILENCE_MS) as usize * self.rate.bytes_per_ms()];
        self.pacing.play_end = Some(cx.now + self.duration(silence.len()));
        cx.caller(CallerCommand::Play { pcm: silence, mark: None });
    }
}
