//! From a media socket whose stream has started to its call.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::Addr;
use actix::prelude::SendError;
use codecs::{SampleRate, level};
use protocol::call::io::{CallerEvent, Input};
use protocol::exotel::stream::{CarrierMessage, Media, decode_payload};
use protocol::ids::StreamSid;

use crate::call_actor::{CallActor, Deliver};
use crate::switchboard::registry::CallSlot;

/// What is kept for a call that is between two actors: about 2 s of 20 ms frames.
const HELD: usize = 100;
/// A jump in numbering beyond this is a peer that counts in its own way.
const LARGEST_GAP: u64 = 3_000;

/// The way of a socket to its call. Dropped with the socket, whatever ended it; then the call hears so.
pub(crate) struct Line {
    pub(crate) slot: Arc<CallSlot>,
    pub(crate) stream: StreamSid,
    rate: SampleRate,
    /// None while the call is between two actors.
    call: Option<Addr<CallActor>>,
    held: VecDeque<CallerEvent>,
    numbering: Numbering,
}

impl Line {
    pub(crate) fn new(slot: Arc<CallSlot>, stream: StreamSid, rate: SampleRate) -> Self {
        Self { slot, stream, rate, call: None, held: VecDeque::new(), numbering: Numbering::default() }
    }

    /// The call's actor is this one from now on. It is told of the stream unless an earlier one was, and of all it missed.
    pub(crate) fn connect(&mut self, call: Addr<CallActor>) {
        if !self.slot.media_started() {
            let started = CallerEvent::Started { stream: self.stream.clone(), rate: self.rate };
            call.do_send(Deliver(Input::Caller(started)));
        }
        self.call = Some(call);
        for event in std::mem::take(&mut self.held) {
            self.deliver(event);
        }
    }

    /// One message of the carrier.
    pub(crate) fn message(&mut self, message: CarrierMessage<'_>) {
        if let CarrierMessage::Media(media) = message {
            return self.media(&media);
        }
        self.numbering.other();
        match message {
            CarrierMessage::Dtmf { digit } => self.deliver(CallerEvent::Dtmf(digit)),
            CarrierMessage::Mark { name } => self.deliver(CallerEvent::Mark(name.into_owned())),
            CarrierMessage::Stop { reason } => self.deliver(CallerEvent::Stopped(reason)),
            CarrierMessage::Unknown { event } => {
                self.slot.meters.junk_carrier.increment(1);
                tracing::debug!(parent: &self.slot.span, %event, "an event nobody documented");
            }
            CarrierMessage::Connected | CarrierMessage::Clear | CarrierMessage::Start(_) | CarrierMessage::Media(_) => {
            }
        }
    }

    fn media(&mut self, media: &Media<'_>) {
        self.slot.meters.frames_in.increment(1);
        match self.numbering.media(media.sequence_number) {
            Numbered::InOrder => {}
            Numbered::After { lost } => self.deliver(CallerEvent::Lost { messages: lost }),
            // Its moment has passed.
            Numbered::Late => return self.slot.meters.late.increment(1),
        }
        let mut pcm = Vec::with_capacity(media.payload.len() / 4 * 3);
        match decode_payload(&media.payload, &mut pcm) {
            Ok(odd) => {
                if odd {
                    self.slot.meters.junk_carrier.increment(1);
                }
                if !pcm.is_empty() {
                    let level_dbfs = level::rms_dbfs(&pcm);
                    self.deliver(CallerEvent::Audio { pcm, level_dbfs, sent_ms: media.timestamp_ms });
                }
            }
            Err(_) => self.slot.meters.junk_carrier.increment(1),
        }
    }

    /// Media is dropped when the call has too much of it waiting; the rest always gets in.
    fn deliver(&mut self, event: CallerEvent) {
        let Some(call) = &self.call else { return self.hold(event) };
        if !matches!(event, CallerEvent::Audio { .. }) && call.connected() {
            return call.do_send(Deliver(Input::Caller(event)));
        }
        match call.try_send(Deliver(Input::Caller(event))) {
            Ok(()) => {}
            Err(SendError::Full(_)) => self.slot.meters.dropped_caller.increment(1),
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
            self.slot.meters.dropped_held.increment(1);
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
        self.deliver(CallerEvent::Gone);
    }
}

/// Counts messages that the carrier numbered and that never came. Every event of a stream has a number (`start` is 1), and only
/// those of media are read: the others just count.
#[derive(Debug)]
struct Numbering {
    last: u64,
    others: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Numbered {
    InOrder,
    After { lost: u32 },
    Late,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { last: 1, others: 0 }
    }
}

impl Numbering {
    fn other(&mut self) {
        self.others += 1;
    }

    fn media(&mut self, number: Option<u64>) -> Numbered {
        let Some(number) = number else { return Numbered::InOrder };
        if number <= self.last && self.last - number <= LARGEST_GAP {
            return Numbered::Late;
        }
        let expected = self.last + self.others + 1;
        (self.last, self.others) = (number, 0);
        match number.checked_sub(expected) {
            None | Some(0) => Numbered::InOrder,
            Some(lost) if lost > LARGEST_GAP => Numbered::InOrder,
            Some(lost) => Numbered::After { lost: u32::try_from(lost).unwrap_or(u32::MAX) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_other_events_took_are_not_lost() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.media(Some(2)), Numbered::InOrder);
        numbering.other();
        numbering.other();
        assert_eq!(numbering.media(Some(5)), Numbered::InOrder);
        assert_eq!(numbering.media(Some(6)), Numbered::InOrder);
    }

    #[test]
    fn a_gap_counts_what_never_came() {
        let mut numbering = Numbering::default();
        numbering.media(Some(2));
        assert_eq!(numbering.media(Some(6)), Numbered::After { lost: 3 });
        numbering.other();
        assert_eq!(numbering.media(Some(9)), Numbered::After { lost: 1 });
    }

    #[test]
    fn a_frame_that_comes_again_or_late_is_not_played_twice() {
        let mut numbering = Numbering::default();
        numbering.media(Some(2));
        numbering.media(Some(3));
        assert_eq!(numbering.media(Some(3)), Numbered::Late);
        assert_eq!(numbering.media(Some(2)), Numbered::Late);
        assert_eq!(numbering.media(Some(4)), Numbered::InOrder);
    }

    #[test]
    fn a_peer_that_numbers_in_its_own_way_loses_nothing() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.media(None), Numbered::InOrder);
        assert_eq!(numbering.media(Some(1 << 40)), Numbered::InOrder);
        assert_eq!(numbering.media(Some(7)), Numbered::InOrder, "it began anew");
        assert_eq!(numbering.media(Some(8)), Numbered::InOrder);
    }
}
