//! How a media socket finds its call: by its `start` event.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::ActorFutureExt;
use actix::{AsyncContext, WrapFuture};
use codecs::SampleRate;
use protocol::exotel::stream::{Encoding, Start};
use protocol::ids::CallSid;

use super::budget::Kind;
use super::line::Line;
use super::{CallerLeg, CloseCode, Ctx, Stage};
use crate::admission::Phase;
use crate::admissions::Join;
use crate::media::{MediaEntry, MediaRefusal};
use crate::switchboard::registry::{Attached, CallSlot};

/// How long it may take to say whether a call may begin.
const JOIN_WITHIN: Duration = Duration::from_secs(5);
/// How long the call may take to leave the stream that a further one takes the place of.
const REPLACE_WITHIN: Duration = Duration::from_secs(5);

impl CallerLeg {
    /// Whose stream is it? Once it is known, socket and call are joined.
    pub(super) fn start(&mut self, start: Start, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.stage, Stage::Asking) {
            Stage::Waiting(MediaEntry::Token(call)) if call == start.call_sid => self.attach(start, false, ctx),
            Stage::Waiting(MediaEntry::Elsewhere(call, stream)) if call == start.call_sid => {
                self.ask(start, Some(stream), ctx);
            }
            Stage::Waiting(MediaEntry::Token(call) | MediaEntry::Elsewhere(call, _)) => {
                self.refuse(Some(&call), &MediaRefusal::WrongCall, ctx);
            }
            Stage::Waiting(MediaEntry::Static) => self.ask(start, None, ctx),
            other => {
                self.stage = other;
                self.odd(Kind::Repeat);
            }
        }
    }

    /// Has a call admitted that this socket is not waited for in. What the carrier sends meanwhile waits in the socket.
    fn ask(&mut self, start: Start, stream: Option<u32>, ctx: &mut Ctx) {
        let here = self.board.admission(&start.call_sid);
        let answer = self.board.admissions().join(Join { start: start.clone(), stream, here });
        let board = self.board.clone();
        let joined = async move {
            let admission = answer.await.map_err(MediaRefusal::Join)?;
            board.clear_way(&admission).await;
            Ok(admission)
        };
        let joined = tokio::time::timeout(JOIN_WITHIN, joined);
        let admitted = joined.into_actor(self).map(move |joined, leg: &mut Self, ctx: &mut Ctx| {
            let admission = joined.unwrap_or(Err(MediaRefusal::JoinTimeout));
            let admitted = admission.and_then(|it| leg.board.admit_with(it, true).map_err(MediaRefusal::NoRoom));
            match admitted {
                // Its account brings a further stream at any time.
                Ok(_) => leg.attach(start, stream.is_none(), ctx),
                Err(why) => leg.refuse(Some(&start.call_sid), &why, ctx),
            }
        });
        ctx.wait(admitted);
    }

    /// A further stream of a live call: who brings it has shown that the carrier lost the one before.
    fn replace(&mut self, slot: Arc<CallSlot>, start: Start, ctx: &mut Ctx) {
        slot.stop_waiting(&ctx.address());
        let board = self.board.clone();
        let left = tokio::time::timeout(REPLACE_WITHIN, async move { board.replace(&slot).await });
        let replaced = left.into_actor(self).map(move |outcome, leg: &mut Self, ctx: &mut Ctx| {
            match outcome.unwrap_or(Err(MediaRefusal::ReplaceTimeout)) {
                Ok(()) => leg.attach(start, false, ctx),
                Err(why) => leg.refuse(Some(&start.call_sid), &why, ctx),
            }
        });
        ctx.wait(replaced);
    }

    /// Joins socket and call, on this arbiter. The account may bring a further stream at any time, a token only once it was asked for.
    fn attach(&mut self, start: Start, by_account: bool, ctx: &mut Ctx) {
        let call = start.call_sid.clone();
        if let Err(why) = self.join(start, by_account, ctx) {
            self.refuse(Some(&call), &why, ctx);
        }
    }

    fn join(&mut self, start: Start, by_account: bool, ctx: &mut Ctx) -> Result<(), MediaRefusal> {
        let (rate, encoding) = format_of(&start)?;
        let slot = self.board.find_or_recall(&start.call_sid).ok_or(MediaRefusal::NoSuchCall)?;
        if slot.phase() == Phase::Live && (by_account || slot.disarm()) {
            self.replace(slot, start, ctx);
            return Ok(());
        }
        let attached = slot.attach(&ctx.address())?;
        ctx.cancel_future(self.start_timer);
        let mut line = Line::new(slot, start.stream_sid, rate, encoding);
        match attached {
            Attached::Here(actor) => line.connect(actor),
            Attached::Coming(call) => call.run_here(),
        }
        self.stage = Stage::Live(Box::new(line));
        Ok(())
    }

    /// Turns the socket away: in words to its peer, to the log and to the audit.
    pub(super) fn refuse(&mut self, call: Option<&CallSid>, why: &MediaRefusal, ctx: &mut Ctx) {
        self.board.meters().refused.increment(1);
        self.board.admissions().refused(call, why);
        let (call_sid, code, why) = (call.map(CallSid::as_str), why.code(), why.to_string());
        tracing::warn!(call_sid, code, why, "media socket refused");
        self.close(CloseCode::Policy, &why, ctx);
    }
}

/// What the stream's audio is, if it can be carried.
fn format_of(start: &Start) -> Result<(SampleRate, Encoding), MediaRefusal> {
    let rate = start.sample_rate.as_ref().map_err(|sent| MediaRefusal::SampleRate(format!("{sent:.16}")))?;
    let encoding = start.encoding.as_ref().map_err(|sent| MediaRefusal::Encoding(format!("{sent:.32}")))?;
    Ok((*rate, *encoding))
}
