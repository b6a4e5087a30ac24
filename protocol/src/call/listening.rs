//! What the server heard of the caller.
//!
//! Servers tell of a turn by `speech_started`, `speech_stopped`, `committed` and its transcript. Any of them may be missing or come
//! twice: the first to tell of a turn is believed, and what shows that it is over ends it.

use std::time::Duration;

use super::Call;
use super::deadlines::Timer;
use super::fact::Fact;
use super::io::ConnId;
use super::uplink::Uplink;
use crate::ids::{ItemId, ResponseId};
use crate::realtime::event::ServerError;
use crate::realtime::failure::Failure;

/// A server cancels by itself what it began while the caller spoke. What it did not cancel within this it means.
const DOUBT: Duration = Duration::from_millis(400);

impl Call {
    /// The server shows that it hears the caller, or that it speaks.
    pub(super) fn heard_by_server(&mut self) {
        self.uplink.forget_voice();
        self.cx.deadlines.clear(Timer::Deaf);
    }

    pub(super) fn speech_started(&mut self, conn: ConnId, item: ItemId) {
        let item = self.turn.name(item, true);
        if self.turn.is_of_turn(&item) {
            return self.cx.count("repeated_event", 1);
        }
        self.caller_began(conn, item);
        Uplink::watch_gap(&mut self.cx, true);
    }

    fn caller_began(&mut self, conn: ConnId, item: ItemId) {
        self.heard_by_server();
        self.keep_open(conn);
        self.turn.caller_began(&mut self.cx, &mut self.playout, conn, item);
        self.tell_rest();
    }

    pub(super) fn speech_stopped(&mut self, conn: ConnId, item: ItemId, audio_end_ms: u64) {
        // The server's end of speech includes the closing silence; what was appended since is its own delay.
        let behind = self.uplink.appended_ms().saturating_sub(audio_end_ms).min(2000);
        self.caller_ended(conn, item, behind);
    }

    /// The server made an item of a turn: so it is over.
    pub(super) fn committed(&mut self, conn: ConnId, item: ItemId) {
        let item = self.turn.name(item, false);
        if self.turn.caller_speaks() || self.turn.committed(&item) {
            self.caller_ended(conn, item, 0);
            self.turn.committed_now();
        }
    }

    fn caller_ended(&mut self, conn: ConnId, item: ItemId, behind_ms: u64) {
        let item = self.turn.name(item, false);
        if !self.turn.caller_speaks() && !self.turn.is_of_turn(&item) {
            // Nobody said that it began.
            self.caller_began(conn, item.clone());
        }
        let silence = Duration::from_millis(u64::from(self.cx.policy.vad.silence_duration_ms) + behind_ms);
        let detected = self.cx.now.checked_sub(silence).unwrap_or(self.cx.now);
        let last = self.uplink.last_speech(detected);
        if let Some(ended) = self.turn.caller_ended(&mut self.cx, &item, last) {
            self.turn_over(ended);
        }
    }

    fn turn_over(&mut self, item: ItemId) {
        self.last_words.awaits(item, self.cx.now);
        Uplink::watch_gap(&mut self.cx, false);
        self.playout.hold(&mut self.cx, false);
    }

    /// A response began.
    pub(super) fn response_began(&mut self, conn: ConnId, response: &ResponseId) {
        if self.turn.response_began(&mut self.cx, conn, response) {
            self.playout.hold(&mut self.cx, true);
            let silence = Duration::from_millis(u64::from(self.cx.policy.vad.silence_duration_ms));
            let wait = if self.uplink.is_silent(self.cx.now, silence) { Duration::ZERO } else { DOUBT };
            self.cx.deadlines.set(Timer::Doubt, self.cx.now + wait);
        }
    }

    /// The server answers what the caller said, and goes on doing so: the turn is over, whether or not it said that.
    pub(super) fn turn_proved(&mut self) {
        let Some(item) = self.turn.doubted() else { return };
        self.cx.count("speech_end_missed", 1);
        let last = self.uplink.last_loud(self.cx.now);
        let ended = self.turn.caller_ended(&mut self.cx, &item, last);
        if !self.playout.is_idle() {
            self.turn.patience.audio_came(&mut self.cx);
        }
        if let Some(ended) = ended {
            self.turn_over(ended);
        }
    }

    /// The words of a turn, late and advisory.
    pub(super) fn caller_text(&mut self, item: ItemId, text: String) {
        let item = self.turn.name(item, false);
        self.last_words.came(&item);
        if self.cx.history.says(&item, &text) && !text.is_empty() {
            return self.cx.count("repeated_event", 1);
        }
        if !self.cx.history.knows(&item) {
            if text.trim().is_empty() {
                return;
            }
            self.turn_by_words(item.clone());
        }
        self.cx.record(Fact::CallerText { item: item.clone(), text });
        self.cx.record_turn(&item);
    }

    /// Words of a turn that nobody told of.
    fn turn_by_words(&mut self, item: ItemId) {
        let at_ms = self.cx.at_ms();
        self.cx.record(Fact::CallerSpoke { item: item.clone(), at_ms });
        self.cx.record(Fact::CallerStopped { item: item.clone(), at_ms });
        if self.turn.is_quiet(&self.cx) && self.playout.is_idle() {
            let now = self.cx.now;
            self.turn.patience.spoke(&mut self.cx, now);
        }
        self.turn.heard_of(item);
    }

    /// The recogniser gave up on a turn.
    pub(super) fn caller_text_failed(&mut self, conn: ConnId, item: ItemId, error: &ServerError) {
        let item = self.turn.name(item, false);
        self.last_words.came(&item);
        self.cx.count("transcript_failed", 1);
        if Failure::of(error) == Failure::Language {
            self.session.language_failed(&mut self.cx, conn);
        }
        self.cx.record_turn(&item);
    }
}
