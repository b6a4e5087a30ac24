//! One voice at a time: the audio of a response waits until the one before it was generated whole.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Playout, Timer};
use crate::call::context::Context;
use crate::ids::ResponseId;

/// A response that others wait behind, that is not over and of which there is nothing left to play, is given up after this.
const STALLED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The response whose audio is taken, until it is over.
    voice: Option<ResponseId>,
    /// When audio of it came last.
    heard_at: Option<Instant>,
    /// Audio of others, by content, in the order in which it came.
    waiting: VecDeque<(ResponseId, u64, Vec<u8>)>,
    /// Of that audio.
    bytes: usize,
    /// Of those which are over.
    over: Vec<ResponseId>,
    /// The response whose audio was sent last.
    on_air: Option<ResponseId>,
}

impl Order {
    /// Nothing is being played: whose audio goes out next cuts into nobody's.
    pub(super) fn off_air(&mut self) {
        self.on_air = None;
    }

    /// Bytes that wait for their turn.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Playout {
    /// Takes audio of a content part, at once or when it is its response's turn.
    pub(super) fn take(&mut self, cx: &mut Context, response: &ResponseId, serial: u64, pcm: &[u8]) {
        match &self.order.voice {
            Some(voice) if voice != response => {
                if !self.order.waiting.iter().any(|(waiting, ..)| waiting == response) {
                    cx.count("response_waited", 1);
                }
                self.order.bytes += pcm.len();
                self.order.waiting.push_back((response.clone(), serial, pcm.to_vec()));
                self.watch_voice(cx);
            }
            _ => {
                self.order.voice = Some(response.clone());
                self.order.heard_at = Some(cx.now);
                self.frame(serial, pcm);
            }
        }
    }

    fn frame(&mut self, serial: u64, pcm: &[u8]) {
        self.queue.push(serial, pcm);
        if self.ledger.is_done(serial) {
            self.queue.close();
        }
    }

    /// A response that others wait behind may not keep them waiting for ever.
    fn watch_voice(&self, cx: &mut Context) {
        let last = self.pacing.play_end().max(self.order.heard_at).unwrap_or(cx.now);
        cx.deadlines.set(Timer::Voice, last.max(cx.now) + STALLED);
    }

    /// A response is over: it is the next one's turn.
    pub(super) fn next_voice(&mut self, response: &ResponseId) {
        if self.order.voice.as_ref() != Some(response) {
            if self.order.waiting.iter().any(|(waiting, ..)| waiting == response) {
                self.order.over.push(response.clone());
            }
            return;
        }
        self.order.voice = None;
        while let Some((next, ..)) = self.order.waiting.front() {
            let next = next.clone();
            self.admit(Some(&next));
            if let Some(at) = self.order.over.iter().position(|over| *over == next) {
                self.order.over.remove(at);
            } else {
                self.order.voice = Some(next);
                return;
            }
        }
    }

    /// What waits of a response, or of all, is taken in.
    fn admit(&mut self, response: Option<&ResponseId>) {
        for (whose, serial, pcm) in std::mem::take(&mut self.order.waiting) {
            if response.is_none_or(|response| *response == whose) {
                self.order.bytes -= pcm.len();
                self.frame(serial, &pcm);
            } else {
                self.order.waiting.push_back((whose, serial, pcm));
            }
        }
    }

    /// Nothing more of any response will come: what waits follows in the order in which it came.
    pub(super) fn admit_all(&mut self) {
        while let Some((next, ..)) = self.order.waiting.front() {
            let next = next.clone();
            self.admit(Some(&next));
        }
        self.order.voice = None;
        self.order.over.clear();
    }

    /// Everything is dropped.
    pub(super) fn forget_order(&mut self, cx: &mut Context) {
        self.order = Order::default();
        cx.deadlines.clear(Timer::Voice);
    }

    /// The timer of [`Self::watch_voice`]: the response that has to be given up, if it has nothing more to say.
    pub(super) fn stalled_voice(&mut self, cx: &mut Context) -> Option<ResponseId> {
        if self.order.waiting.is_empty() {
            return None;
        }
        let last = self.pacing.play_end().max(self.order.heard_at);
        let more = !self.queue.is_dry() || self.marks.offered_bytes() > 0;
        if more || last.is_some_and(|at| at + STALLED > cx.now) {
            self.watch_voice(cx);
            return None;
        }
        self.order.voice.clone()
    }

    /// Audio of that content goes out. How often it cut into another response's, of which there was more to come: never.
    pub(super) fn goes_on_air(&mut self, cx: &mut Context, serial: u64) {
        let Some(response) = self.ledger.response_of(serial) else { return };
        if self.order.on_air.as_ref().is_some_and(|last| last == response) {
            return;
        }
        let response = response.clone();
        let before = self.order.on_air.replace(response);
        if before.is_some_and(|before| self.ledger.is_generating(&before)) {
            cx.count("responses_overlapped", 1);
        }
    }
}
