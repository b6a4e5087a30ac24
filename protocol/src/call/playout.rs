//! What was generated, sent and heard: the heard-truth ledger, what waits to be sent, and the truncation point. Only marks move `heard`.

mod clip;
mod heard;
mod ledger;
mod order;
mod pacing;
mod pause;
mod queue;

use std::time::{Duration, Instant};

use codecs::SampleRate;

use super::context::{Context, millis};
use super::fact::{BrokenBy, Fact};
use super::marks::Marks;
use super::recording::AgentTrack;
use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::ContentKey;
pub(crate) use ledger::Cut;
use ledger::Ledger;
use order::Order;
use pacing::Pacing;
use queue::Queue;

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

/// See the module.
#[derive(Debug)]
pub(crate) struct Playout {
    rate: SampleRate,
    live: bool,
    /// Audio is taken in and kept back.
    held: bool,
    /// The caller makes a sound, and nothing is played until it is known what it is.
    paused: bool,
    order: Order,
    queue: Queue,
    pacing: Pacing,
    marks: Marks,
    ledger: Ledger,
    /// The content that began last.
    newest: Option<ContentKey>,
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
            paused: false,
            order: Order::default(),
            queue: Queue::new(chunk_ms, rate),
            pacing: Pacing::default(),
            marks: Marks::new(resumes),
            ledger: Ledger::default(),
            newest: None,
            track: AgentTrack::default(),
        }
    }

    /// The stream began: from here on audio is sent. What was prepared at another rate is converted.
    pub(crate) fn start(&mut self, cx: &mut Context, rate: SampleRate) {
        if rate != self.rate {
            self.admit_all();
            self.queue.convert(cx.policy.chunk_ms, self.rate, rate);
            self.ledger.rescale(self.rate, rate);
            self.rate = rate;
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
        if self.waiting_bytes() + pcm.len() > limit {
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
            cx.record(Fact::AgentBegan { item: key.item.clone(), at_ms });
            self.newest = Some(key.clone());
        }
        serial
    }

    /// A content part was generated whole.
    pub(crate) fn content_done(&mut self, cx: &mut Context, key: &ContentKey) {
        if let Some(serial) = self.ledger.finish(true, |k| k == key) {
            self.queue.close_of(serial);
            self.pump(cx);
            self.settle(cx);
        }
    }

    /// A response ended, `whole` or not: nothing more of its contents will come.
    pub(crate) fn response_done(&mut self, cx: &mut Context, response: &ResponseId, whole: bool) {
        while let Some(serial) = self.ledger.finish(whole, |k| k.response == *response) {
            self.queue.close_of(serial);
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
        self.queue.close();
        self.ledger.orphan();
        (self.newest, self.held) = (None, false);
        self.pump(cx);
        self.settle(cx);
    }

    /// The caller's side is over: what they did not hear they never will.
    pub(crate) fn leave(&mut self, cx: &mut Context) {
        cx.awaits_nothing();
        let on_its_way = usize::try_from(millis(ON_ITS_WAY)).unwrap_or(0) * self.rate.bytes_per_ms();
        Self::broke_off(cx, self.ledger.unheard(on_its_way), BrokenBy::CallEnded);
        self.settle(cx);
        self.live = false;
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

    /// The caller cut in: everything not yet heard is dropped, and what the model has to be told is returned.
    pub(crate) fn interrupt(&mut self, cx: &mut Context) -> Vec<Cut> {
        cx.audio_dropped();
        self.drop_sent(cx);
        (self.held, self.paused) = (false, false);
        self.queue.clear();
        self.marks.forget();
        self.forget_order(cx);
        self.pacing.forget();
        cx.deadlines.clear(Timer::Pace);
        self.ledger.cut(self.rate)
    }

    /// Everything that was generated was heard.
    pub(crate) fn is_idle(&self) -> bool {
        self.marks.is_empty() && self.waiting_bytes() == 0
    }

    /// Responses that have audio queued or playing.
    pub(crate) fn responses(&self) -> Vec<ResponseId> {
        self.ledger.responses()
    }

    /// What is still to be played, sent or not.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.ahead(now) + self.duration(self.waiting_bytes())
    }

    /// Bytes that are not on their way yet.
    fn waiting_bytes(&self) -> usize {
        self.queue.bytes() + self.order.bytes() + self.marks.recalled_bytes()
    }

    fn duration(&self, bytes: usize) -> Duration {
        Duration::from_micros((bytes * 1000 / self.rate.bytes_per_ms()) as u64)
    }
}
