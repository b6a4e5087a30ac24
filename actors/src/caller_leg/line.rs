//! From a media socket whose stream has started to its call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use actix::Addr;
use actix::prelude::SendError;
use codecs::{SampleRate, level};
use protocol::call::io::{CallerEvent, Input};
use protocol::exotel::stream::{AudioIn, CarrierMessage, Encoding, Media, Numbered, Numbering};
use protocol::ids::{MarkId, StreamSid};

use super::budget::{Budget, Kind};
use crate::call_actor::{CallActor, Deliver};
use crate::switchboard::registry::CallSlot;

/// What is kept for a call that is between two actors: about 2 s of 20 ms frames.
const HELD: usize = 100;

/// The way of a socket to its call. Dropped with the socket, whatever ended it; then the call hears so.
pub(crate) struct Line {
    pub(crate) slot: Arc<CallSlot>,
    pub(crate) stream: StreamSid,
    rate: SampleRate,
    /// How audio is coded, both ways.
    pub(crate) encoding: Encoding,
    audio: AudioIn,
    /// None while the call is between two actors.
    call: Option<Addr<CallActor>>,
    held: VecDeque<CallerEvent>,
    numbering: Numbering,
    budget: Budget,
    /// Messages that never came, and of which the call was not told yet.
    lost: u32,
    /// Messages of audio that came late or twice: told with the end of the stream.
    late: u32,
}

impl Line {
    pub(crate) fn new(slot: Arc<CallSlot>, stream: StreamSid, rate: SampleRate, encoding: Encoding) -> Self {
        Self {
            slot,
            stream,
            rate,
            encoding,
            audio: AudioIn::new(encoding),
            call: None,
            held: VecDeque::new(),
            numbering: Numbering::default(),
            budget: Budget::new(),
            lost: 0,
            late: 0,
        }
    }

    /// The call's actor is this one from now on. It is told of the stream unless an earlier one was, and of all it missed.
    pub(crate) fn connect(&mut self, call: Addr<CallActor>) {
        if !self.slot.media_started() {
            call.do_send(Deliver(Input::Caller(self.started())));
        }
        self.call = Some(call);
        for event in std::mem::take(&mut self.held) {
            self.deliver(event);
        }
    }

    fn started(&self) -> CallerEvent {
        CallerEvent::Started { stream: self.stream.clone(), rate: self.rate }
    }

    /// One message of the carrier. What is not audio has a budget, and the call hears how much of it was dropped.
    pub(crate) fn message(&mut self, message: CarrierMessage<'_>, now: Instant) {
        if let CarrierMessage::Media(media) = message {
            return self.media(&media, now);
        }
        self.numbering.other();
        match message {
            CarrierMessage::Dtmf { digit } if self.allows(Kind::Key, now) => self.deliver(CallerEvent::Dtmf(digit)),
            CarrierMessage::Mark { name } if self.allows(Kind::Mark, now) => {
                self.deliver(CallerEvent::Mark(MarkId::parse(&name)));
            }
            CarrierMessage::Stop { reason } => {
                self.tell_rest();
                self.deliver(CallerEvent::Stopped(reason.map(String::from)));
            }
            CarrierMessage::Unknown { event } => {
                self.slot.meters.junk.carrier.increment(1);
                if self.allows(Kind::Unknown, now) {
                    tracing::debug!(parent: &self.slot.span, %event, "an event nobody documented");
                }
            }
            CarrierMessage::Connected | CarrierMessage::Clear => {
                self.allows(Kind::Repeat, now);
            }
            CarrierMessage::Dtmf { .. }
            | CarrierMessage::Mark { .. }
            | CarrierMessage::Start(_)
            | CarrierMessage::Media(_) => {}
        }
    }

    /// What is no event, or one too many of its kind: whether it is worth a line in the log.
    pub(crate) fn odd(&mut self, kind: Kind, now: Instant) -> bool {
        self.slot.meters.junk.carrier.increment(1);
        self.allows(kind, now)
    }

    /// Audio and its mark were handed to the socket: the echo is free. Whoever asked for it is gone if there is no actor.
    pub(crate) fn sent(&mut self, mark: MarkId, pcm: Vec<u8>) {
        self.budget.mark_sent();
        if let Some(call) = &self.call {
            call.do_send(Deliver(Input::Caller(CallerEvent::Sent { mark, pcm })));
        }
    }

    fn allows(&mut self, kind: Kind, now: Instant) -> bool {
        let allowed = self.budget.allows(kind, now);
        self.tell_dropped(now);
        allowed
    }

    fn tell_dropped(&mut self, now: Instant) {
        if let Some(events) = self.budget.untold(now) {
            self.deliver(CallerEvent::Dropped { events });
        }
    }

    /// What the call has to know before its stream ends.
    fn tell_rest(&mut self) {
        if let Some(events) = self.budget.rest() {
            self.deliver(CallerEvent::Dropped { events });
        }
        if self.lost > 0 {
            let messages = std::mem::take(&mut self.lost);
            self.deliver(CallerEvent::Lost { messages });
        }
        if self.late > 0 {
            let messages = std::mem::take(&mut self.late);
            self.deliver(CallerEvent::Late { messages });
        }
    }

    fn media(&mut self, media: &Media<'_>, now: Instant) {
        self.slot.meters.frames_in.increment(1);
        self.tell_dropped(now);
        match self.numbering.media(media.sequence_number) {
            Numbered::InOrder => {}
            Numbered::After { lost } => {
                self.audio.lost();
                self.lose(lost);
            }
            // Its moment has passed.
            Numbered::Late => {
                self.late = self.late.saturating_add(1);
                return self.slot.meters.late.increment(1);
            }
        }
        let mut pcm = Vec::with_capacity(media.payload.len() / 4 * 3);
        match self.audio.decode(&media.payload, &mut pcm) {
            // Less than a sample.
            Ok(()) if pcm.is_empty() => {}
            Ok(()) => {
                let level_dbfs = level::rms_dbfs(&pcm);
                self.deliver(CallerEvent::Audio { pcm, level_dbfs, sent_ms: media.timestamp_ms });
            }
            Err(_) => self.slot.meters.junk.carrier.increment(1),
        }
    }

    /// Messages never came. Told at once if there is room: a gap before every frame must not fill the call's mailbox.
    fn lose(&mut self, messages: u32) {
        self.lost = self.lost.saturating_add(messages);
        let told = Deliver(Input::Caller(CallerEvent::Lost { messages: self.lost }));
        if self.call.as_ref().is_some_and(|call| call.try_send(told).is_ok()) {
            self.lost = 0;
        }
    }

    /// Media is dropped when the call has too much of it waiting; the rest always gets in. That is bounded by its budget, by the marks
    /// that we sent, and by one end of the stream.
    fn deliver(&mut self, event: CallerEvent) {
        let Some(call) = &self.call else { return self.hold(event) };
        if !matches!(event, CallerEvent::Audio { .. }) && call.connected() {
            return call.do_send(Deliver(Input::Caller(event)));
        }
        match call.try_send(Deliver(Input::Caller(event))) {
            Ok(()) => {}
            Err(SendError::Full(_)) => self.slot.meters.dropped.caller.increment(1),
            Err(SendError::Closed(Deliver(input))) => {
                self.call = None;
                if let Input::Caller(event) = input {
                    self.hold(event);
                }
            }
        }
    }

    /// Keeps what the next actor has to know. Of audio the newest, of the rest everything that fits.
    fn hold(&mut self, event: CallerEvent) {
        if self.held.len() >= HELD {
            self.slot.meters.dropped.held.increment(1);
            let oldest = self.held.iter().position(|held| matches!(held, CallerEvent::Audio { .. }));
            match oldest {
                Some(at) => drop(self.held.remove(at)),
                None => return,
            }
        }
        self.held.push_back(event);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tell_rest();
        let missed = self.call.as_ref().is_none_or(|call| !call.connected());
        let started = (missed && !self.slot.media_started()).then(|| self.started());
        let last = started.into_iter().chain(self.held.drain(..)).map(Input::Caller);
        self.slot.caller_gone(last.collect());
    }
}
