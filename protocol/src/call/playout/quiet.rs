//! A carrier gives up on a bot that sends nothing for 10 s: a little silence now and then says that somebody is there.

use std::time::Duration;

use super::{Playout, Timer};
use crate::call::context::Context;
use crate::call::io::CallerCommand;

/// The first thing that a carrier gets is there by then.
const FIRST: Duration = Duration::from_millis(3_500);
/// The next one follows within that.
const GAP: Duration = Duration::from_millis(6_000);
/// A call that was rebuilt does not know when anything was sent; the model is about to speak, or the carrier waits.
const REBUILT: Duration = Duration::from_millis(500);
/// Of silence, if a message may be so short.
const SILENCE_MS: u32 = 100;

impl Playout {
    /// The stream began; or the call was rebuilt, and nobody knows when anything was sent.
    pub(super) fn watch_quiet(&self, cx: &mut Context, resumed: bool) {
        let wait = if resumed { REBUILT } else { FIRST };
        cx.deadlines.set(Timer::KeepAlive, cx.now + wait);
    }

    /// Something goes out.
    pub(super) fn not_quiet(cx: &mut Context) {
        cx.deadlines.set(Timer::KeepAlive, cx.now + GAP);
    }

    /// Nothing went out for long. The silence is nobody's: it has no mark, is no part of what was said, and is not recorded.
    pub(super) fn keep_alive(&mut self, cx: &mut Context) {
        Self::not_quiet(cx);
        if !self.live || !self.ahead(cx.now).is_zero() {
            return;
        }
        let silence = vec![0; cx.policy.chunk_ms.min(SILENCE_MS) as usize * self.rate.bytes_per_ms()];
        self.play_end = Some(cx.now + self.duration(silence.len()));
        cx.caller(CallerCommand::Media(silence));
    }
}
