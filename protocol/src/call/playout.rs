//! What was generated, sent and heard: the heard-truth ledger, pacing, and the truncation point. Only marks move `heard`.

mod convert;
mod ledger;
mod marks;
mod order;
mod quiet;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use codecs::{Framer, SampleRate};

use super::context::{Context, millis};
use super::fact::{BrokenBy, Fact};
use super::io::CallerCommand;
use super::tape::AgentTrack;
use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::ContentKey;
pub(crate) use ledger::Cut;
use ledger::Ledger;
use marks::{Mark, Marks};
use order::Order;

/// Playback this close to running dry takes what there is instead of waiting for a whole message.
const STARVING: Duration = Duration::from_millis(40);
/// Unheard audio kept for one call; a model that generates more is told to stop.
const QUEUE_LIMIT: Duration = Duration::from_secs(300);

/// A mark that did not come back when the call ended may be on its way: so much counts as heard out.
const ON_ITS_WAY: Duration = Duration::from_millis(400);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// More audio is due to the carrier.
    Pace,
    /// A response that others wait behind should have said more by now.
    Voice,
    /// The carrier was sent nothing for long.
    KeepAlive,
}

/// A message ready to be sent.
#[derive(Debug)]
struct Piece {
    /// Whose audio, by the ledger's serial.
    serial: u64,
    /// A multiple of 320 bytes.
    pcm: Vec<u8>,
    /// Bytes of it that are audio and not padding.
    audio: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: SampleRate,
    live: bool,
    /// Audio is taken in and kept back.
    held: bool,
    framer: Framer,
    /// Whose audio the framer holds.
    framing: Option<u64>,
    queue: VecDeque<Piece>,
    /// In the queue, and waiting for its turn.
    queued_bytes: usize,
    order: Order,
    ledger: Ledger,
    /// The content that began last.
    newest: Option<ContentKey>,
    marks: Marks,
    /// When all that was sent will have been played.
    play_end: Option<Instant>,
    /// Audio went out since this was last asked.
    sent: bool,
    track: AgentTrack,
}

/// What came of new audio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Queued.
    Queued,
    /// More unheard audio than a call may have: the response has to be stopped.
    Overflow,
}

impl Playout {
    /// A call that was rebuilt `resumes` times: its marks are told apart from those of the playouts before.
    pub(crate) fn new(chunk_ms: u32, resumes: u32) -> Self {
        let rate = SampleRate::default();
        Self {
            rate,
            live: false,
            held: false,
            framer: framer(chunk_ms, rate),
            framing: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            order: Order::default(),
            ledger: Ledger::default(),
            newest: None,
            marks: Marks::new(resumes),
            play_end: None,
            sent: false,
            track: AgentTrack::default(),
        }
    }

    /// The stream began: from here on audio is sent. What was prepared at another rate is converted.
    pub(crate) fn start(&mut self, cx: &mut Context, rate: SampleRate) {
        if rate != self.rate {
            self.admit_all();
            self.convert(cx.policy.chunk_ms, rate);
        }
        self.live = true;
        self.watch_quiet(cx, cx.history.resumes() > 0);
        self.pump(cx);
    }

    /// Whether audio is kept back for now.
    pub(crate) fn hold(&mut self, cx: &mut Context, held: bool) {
        self.held = held;
        self.pump(cx);
    }

    /// Audio of one content part, at the carrier's rate.
    pub(crate) fn push(&mut self, cx: &mut Context, key: &ContentKey, pcm: &[u8]) -> Pushed {
        let limit = usize::try_from(QUEUE_LIMIT.as_millis()).unwrap_or(usize::MAX) * self.rate.bytes_per_ms();
        if self.queued_bytes + pcm.len() > limit {
            return Pushed::Overflow;
        }
        let serial = self.expect(cx, key);
        self.ledger.generated(serial, pcm.len());
        self.take(cx, &key.response, serial, pcm);
        self.pump(cx);
        Pushed::Queued
    }

    /// A content part is being generated: its words come before its audio.
    pub(crate) fn expect(&mut self, cx: &mut Context, key: &ContentKey) -> u64 {
        let (serial, began) = self.ledger.open(key);
        if began {
            let at_ms = cx.at_ms();
            if cx.history.is_full() {
                cx.count("turn_dropped", 1);
            }
            cx.record(Fact::AgentBegan { item: key.item.clone(), at_ms });
            self.newest = Some(key.clone());
        }
        serial
    }

    /// A content part was generated whole.
    pub(crate) fn content_done(&mut self, cx: &mut Context, key: &ContentKey) {
        if let Some(serial) = self.ledger.finish(true, |k| k == key) {
            if self.framing == Some(serial) {
                self.close_frame();
            }
            self.pump(cx);
            self.settle(cx);
        }
    }

    /// A response ended, `whole` or not: nothing more of its contents will come.
    pub(crate) fn response_done(&mut self, cx: &mut Context, response: &ResponseId, whole: bool) {
        while let Some(serial) = self.ledger.finish(whole, |k| k.response == *response) {
            if self.framing == Some(serial) {
                self.close_frame();
            }
        }
        self.next_voice(response);
        self.pump(cx);
        self.settle(cx);
    }

    /// Responses end in the middle of what they say. Nothing is told twice.
    pub(crate) fn break_off(&self, cx: &mut Context, responses: &[ResponseId], by: BrokenBy) {
        for response in responses {
            let mut items = self.ledger.cut_off(response);
            if items.is_empty() {
                // What came of it was heard already.
                let newest = self.newest.as_ref().filter(|key| key.response == *response);
                items.extend(newest.map(|key| key.item.clone()));
            }
            Self::broke_off(cx, items, by);
        }
    }

    fn broke_off(cx: &mut Context, items: Vec<ItemId>, by: BrokenBy) {
        for item in items {
            if !cx.history.is_broken(&item) {
                cx.record(Fact::BrokenOff { item, by });
            }
        }
    }

    /// The model is gone, in the middle of these responses: nothing more of anything will come.
    pub(crate) fn model_gone(&mut self, cx: &mut Context, open: &[ResponseId]) {
        self.break_off(cx, open, BrokenBy::SessionLost);
        let unfinished = self.ledger.responses().into_iter().filter(|r| self.ledger.is_generating(r));
        self.break_off(cx, &unfinished.collect::<Vec<_>>(), BrokenBy::SessionLost);
        self.admit_all();
        self.close_frame();
        self.ledger.orphan();
        (self.newest, self.held) = (None, false);
        self.pump(cx);
        self.settle(cx);
    }

    /// The caller's side is over: what they did not hear they never will.
    pub(crate) fn leave(&mut self, cx: &mut Context) {
        self.forgive(cx);
        let on_its_way = usize::try_from(millis(ON_ITS_WAY)).unwrap_or(0) * self.rate.bytes_per_ms();
        Self::broke_off(cx, self.ledger.unheard(on_its_way), BrokenBy::CallEnded);
        self.settle(cx);
        self.live = false;
    }

    /// Sends what is due, keeps the lead bounded, and arms the next time.
    pub(crate) fn pump(&mut self, cx: &mut Context) {
        if !self.live || self.held {
            return;
        }
        loop {
            let ahead = self.ahead(cx.now);
            let Some(front) = self.queue.front() else {
                if self.framer.buffered() < 320 {
                    return cx.deadlines.clear(Timer::Pace);
                }
                if ahead > STARVING {
                    return self.pace_at(cx, STARVING);
                }
                let (Some(serial), Some(pcm)) = (self.framing, self.framer.take_units()) else {
                    return cx.deadlines.clear(Timer::Pace);
                };
                self.send(cx, Piece { serial, audio: pcm.len(), pcm });
                continue;
            };
            let room = cx.policy.lead.saturating_sub(self.duration(front.pcm.len()));
            if ahead > room {
                return self.pace_at(cx, room);
            }
            if let Some(piece) = self.queue.pop_front() {
                self.queued_bytes -= piece.pcm.len();
                self.send(cx, piece);
            }
        }
    }

    /// Returns a response that has stopped coming while others wait behind it.
    pub(super) fn expired(&mut self, cx: &mut Context, timer: Timer) -> Option<ResponseId> {
        match timer {
            Timer::Pace => self.pump(cx),
            Timer::KeepAlive => self.keep_alive(cx),
            Timer::Voice => return self.stalled_voice(cx),
        }
        None
    }

    /// Arms the pacing timer for when only `left` is still to be played.
    fn pace_at(&self, cx: &mut Context, left: Duration) {
        if let Some(at) = self.play_end.and_then(|end| end.checked_sub(left)) {
            cx.deadlines.set(Timer::Pace, at.max(cx.now));
        }
    }

    fn send(&mut self, cx: &mut Context, piece: Piece) {
        let begins = self.play_end.map_or(cx.now, |end| end.max(cx.now));
        let due = begins + self.duration(piece.pcm.len());
        self.play_end = Some(due);
        self.sent = true;
        Self::not_quiet(cx);
        self.goes_on_air(cx, piece.serial);
        if let Some(item) = self.ledger.unsent(piece.serial).cloned() {
            let at_ms = cx.at_ms() + millis(begins.saturating_duration_since(cx.now));
            cx.record(Fact::PlaybackBegan { item, at_ms });
        }
        self.marks.sequence += 1;
        let (sequence, serial) = (self.marks.sequence, piece.serial);
        let heard = self.ledger.sent(serial, piece.audio);
        let taped = cx.policy.record.then(|| piece.pcm.clone());
        cx.caller(CallerCommand::Media(piece.pcm));
        cx.caller(CallerCommand::Mark(format!("{}-{sequence}", self.marks.generation)));
        let taped_to = taped.map_or(0, |pcm| self.track.message(cx, self.rate, begins, pcm));
        self.marks.out.push_back(Mark { sequence, serial, heard, begins, due, taped_to });
    }

    /// The caller cut in: everything not yet heard is dropped, and what the model has to be told is returned.
    pub(crate) fn interrupt(&mut self, cx: &mut Context) -> Vec<Cut> {
        self.forgive(cx);
        if self.marks.out.front().is_some() {
            cx.caller(CallerCommand::Clear);
            self.cut_tape(cx);
        }
        self.held = false;
        self.queue.clear();
        self.queued_bytes = 0;
        self.framer.clear();
        self.framing = None;
        self.marks.forget();
        self.forget_order(cx);
        self.play_end = None;
        cx.deadlines.clear(Timer::Pace);
        self.ledger.cut(self.rate)
    }

    /// A carrier plays the message it has picked up to its end: the first one that was not echoed, or one that the clock puts later.
    fn cut_tape(&mut self, cx: &mut Context) {
        let picked_up = self.marks.out.iter().enumerate().rfind(|(index, mark)| *index == 0 || mark.begins <= cx.now);
        if let Some(heard_to) = picked_up.map(|(_, mark)| mark.taped_to) {
            self.track.cut(cx, heard_to);
        }
    }

    /// Whether audio went out since this was last asked.
    pub(crate) fn take_sent(&mut self) -> bool {
        std::mem::take(&mut self.sent)
    }

    /// Everything that was generated was heard.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.order.is_empty() && self.marks.out.is_empty() && self.framer.buffered() == 0
    }

    /// Responses that have audio queued or playing.
    pub(crate) fn responses(&self) -> Vec<ResponseId> {
        self.ledger.responses()
    }

    /// What is still to be played, sent or not.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.ahead(now) + self.duration(self.queued_bytes + self.framer.buffered())
    }

    fn ahead(&self, now: Instant) -> Duration {
        self.play_end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    fn duration(&self, bytes: usize) -> Duration {
        Duration::from_micros((bytes * 1000 / self.rate.bytes_per_ms()) as u64)
    }

    /// Ends the message being filled: the rest of a content part goes out padded with silence.
    fn close_frame(&mut self) {
        if let (Some(serial), Some((pcm, audio))) = (self.framing.take(), self.framer.finish()) {
            self.queued_bytes += pcm.len();
            self.queue.push_back(Piece { serial, pcm, audio });
        }
    }

    /// Tells how far each content was heard, and which turns are over.
    fn settle(&mut self, cx: &mut Context) {
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

    fn refill(&mut self, serial: u64, pcm: &[u8]) {
        self.framing = Some(serial);
        let (queue, queued) = (&mut self.queue, &mut self.queued_bytes);
        self.framer.push(pcm, &mut |chunk: Vec<u8>| {
            *queued += chunk.len();
            queue.push_back(Piece { serial, audio: chunk.len(), pcm: chunk });
        });
    }

    /// For invariants: how much is ahead of real time.
    pub(crate) fn lead_ms(&self, now: Instant) -> u64 {
        millis(self.ahead(now))
    }
}

fn framer(chunk_ms: u32, rate: SampleRate) -> Framer {
    // A chunk of whole 20 ms at any rate is a multiple of 320 bytes.
    Framer::new(chunk_ms as usize * rate.bytes_per_ms())
}
