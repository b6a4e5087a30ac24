//! What the server heard of the caller.
//!
//! Servers tell of a turn by `speech_started`, `speech_stopped`, `committed` and its transcript. Any of them may be missing or come
//! twice: the first to tell of a turn is believed, and what shows that it is over ends it.

use std::time::{Duration, Instant};

use super::fact::Fact;
use super::interruption::Words;
use super::io::ConnId;
use super::latency::Part;
use super::patience::Patience;
use super::tools::REMINDED_AFTER;
use super::uplink::Uplink;
use super::{Call, CarryOn, Phase, media};
use crate::ids::ItemId;
use crate::realtime::command::ClientEvent;
use crate::realtime::event::ServerError;
use crate::realtime::failure::Failure;

/// The level of a frame of zeros.
const SILENT_DBFS: f32 = -100.0;

impl Call {
    /// A frame of the caller's.
    pub(super) fn caller_audio(&mut self, mut pcm: Vec<u8>, mut level_dbfs: f32, sent_ms: Option<u64>) {
        if self.phase != Phase::Live {
            return;
        }
        if self.uplink.keypad.is_muted() {
            pcm.fill(0);
            level_dbfs = SILENT_DBFS;
        }
        media::heard(&mut self.cx);
        self.uplink.tape(&mut self.cx, sent_ms, &pcm);
        let spoken = self.uplink.has_spoken(self.cx.now, pcm.len(), level_dbfs);
        self.interruption.frame(&self.cx, self.uplink.length(pcm.len()), level_dbfs);
        if self.turn.caller_speaks() || self.interruption.is_heard() {
            Uplink::watch_gap(&mut self.cx, true);
        } else if spoken && self.playout.is_idle() && self.is_quiet() {
            Patience::expect_notice(&mut self.cx);
        }
        self.uplink.push(&mut self.cx, self.session.ready(), pcm);
        self.playout.expire_marks(&mut self.cx);
        if self.answers_are_ours() {
            self.listen_closely();
        }
    }

    /// The server shows that it hears the caller, or that it speaks.
    pub(super) fn heard_by_server(&mut self) {
        self.uplink.forget_voice();
        Patience::heard_by_server(&mut self.cx);
    }

    /// What the server takes for the end of a turn.
    pub(super) fn closing_silence(&self) -> Duration {
        Duration::from_millis(u64::from(self.cx.vad().silence_duration_ms))
    }

    pub(super) fn speech_started(&mut self, conn: ConnId, item: ItemId, audio_start_ms: Option<u64>) {
        let named = !item.as_str().is_empty();
        let item = self.turn.name(item, true);
        if self.turn.is_of_turn(&item) || self.interruption.of(&item).is_some() {
            return self.cx.count("repeated_event", 1);
        }
        self.cx.stopwatch.caller_began();
        if self.judges() {
            return self.sound_began(conn, item, named, audio_start_ms);
        }
        self.caller_began(conn, item);
        Uplink::watch_gap(&mut self.cx, true);
    }

    fn caller_began(&mut self, conn: ConnId, item: ItemId) {
        let now = self.cx.now;
        self.caller_began_at(Some(conn), item, now);
    }

    /// The caller takes the floor: they began to speak then.
    pub(super) fn caller_began_at(&mut self, conn: Option<ConnId>, item: ItemId, began: Instant) {
        let ours = self.answers_are_ours();
        self.cx.awaits_nothing();
        self.heard_by_server();
        self.interruption.answered(&mut self.cx);
        self.cancel_goodbye(conn);
        self.turn.caller_began(&mut self.cx, &mut self.playout, conn, (item, began, ours));
        self.tools.caller_spoke();
        self.patience.caller_began(&mut self.cx);
        CarryOn::noticed(&mut self.cx);
        self.tell_rest();
    }

    pub(super) fn speech_stopped(&mut self, conn: ConnId, item: ItemId, audio_end_ms: u64) {
        self.cx.stopwatch.caller_stopped(self.cx.now);
        if self.interruption.of(&item).is_some() {
            return self.sound_stopped(conn, &item, audio_end_ms);
        }
        if self.judges() && !self.turn.is_of_turn(&item) {
            let named = !item.as_str().is_empty();
            let item = self.turn.name(item, false);
            return self.sound_told_late(conn, item, named, false);
        }
        // The server's end of speech includes the closing silence; what was appended since is its own delay.
        let behind = self.uplink.appended_ms().saturating_sub(audio_end_ms).min(2000);
        self.caller_ended(conn, item, behind);
    }

    /// The server made an item of a turn: so it is over.
    pub(super) fn committed(&mut self, conn: ConnId, item: ItemId) {
        self.cx.stopwatch.caller_stopped(self.cx.now);
        if self.interruption.of(&item).is_some() {
            return self.sound_committed(conn, &item);
        }
        if self.interruption.deletes(&item) {
            self.cx.send(conn, ClientEvent::DeleteItem { item });
            return;
        }
        let named = !item.as_str().is_empty();
        let item = self.turn.name(item, false);
        if self.turn.caller_speaks() || self.turn.committed(&item) {
            if !self.turn.caller_speaks() && self.judges() {
                return self.sound_told_late(conn, item, named, true);
            }
            self.caller_ended(conn, item.clone(), 0);
            self.turn.committed_now();
        }
        if self.interruption.awaits(&item) {
            self.answer_turn(Some(conn));
        }
    }

    fn caller_ended(&mut self, conn: ConnId, item: ItemId, behind_ms: u64) {
        let item = self.turn.name(item, false);
        if !self.turn.caller_speaks() && !self.turn.is_of_turn(&item) {
            // Nobody said that it began.
            self.caller_began(conn, item.clone());
        }
        let silence = self.closing_silence() + Duration::from_millis(behind_ms);
        let detected = self.cx.now.checked_sub(silence).unwrap_or(self.cx.now);
        let last = self.uplink.last_speech(detected);
        self.speech_over(conn, item, last);
    }

    /// What the caller was saying is over.
    pub(super) fn speech_over(&mut self, _conn: ConnId, item: ItemId, last: Instant) {
        if let Some(ended) = self.turn.caller_ended(&mut self.cx, &item, last) {
            self.turn_over(ended, last);
        }
    }

    pub(super) fn turn_over(&mut self, item: ItemId, last: Instant) {
        self.patience.caller_ended(&mut self.cx, last);
        self.spoke_instead_of_typing();
        self.last_words.awaits(item.clone(), self.cx.now);
        Uplink::watch_gap(&mut self.cx, false);
        if self.answers_are_ours() {
            self.cx.awaits_answer(last, false, self.part_after_turn());
            return self.interruption.answers_when_committed(&mut self.cx, item);
        }
        let begun = !self.turn.open_responses().is_empty();
        let pending = self.tools.hold_the_answer(self.cx.now);
        self.cx.awaits_answer(last, begun && !pending, self.part_after_turn());
        if pending {
            if begun {
                self.dismiss_open_responses();
            }
            self.types_still();
        } else if self.tools.are_unread() && !begun {
            let by = self.cx.now + REMINDED_AFTER;
            Patience::expect_answer_by(&mut self.cx, by);
        }
        self.playout.hold(&mut self.cx, false);
    }

    /// What the caller waits for who stopped.
    fn part_after_turn(&self) -> Part {
        match self.session.ready() {
            _ if self.tools.are_pending() => Part::Tool,
            None => Part::Connecting,
            Some(_) if self.answers_are_ours() => Part::Deciding,
            Some(_) => Part::Starting,
        }
    }

    /// What the server began to answer by itself is not heard: ours follows.
    fn dismiss_open_responses(&mut self) {
        let conn = self.session.ready();
        if self.playout.is_idle() {
            self.turn.call_off_open(&mut self.cx, conn);
        } else {
            self.turn.cut_in(&mut self.cx, &mut self.playout, conn);
        }
        self.tools.dismissed();
    }

    /// The server answers what the caller said, and goes on doing so: the turn is over, whether or not it said that.
    pub(super) fn turn_proved(&mut self) {
        let Some(item) = self.turn.doubted() else { return };
        self.cx.count("speech_end_missed", 1);
        let last = self.uplink.last_loud(self.cx.now);
        let ended = self.turn.caller_ended(&mut self.cx, &item, last);
        if let Some(ended) = ended {
            self.turn_over(ended, last);
        }
        if !self.playout.is_idle() {
            self.patience.audio_came(&mut self.cx);
        }
    }

    /// The words of a turn, late and advisory.
    pub(super) fn caller_text(&mut self, item: ItemId, text: String) {
        if self.interruption.of(&item).is_some() {
            return self.sound_words(&item, Words::Said(text));
        }
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
        if self.is_quiet() && self.playout.is_idle() {
            let now = self.cx.now;
            self.patience.caller_ended(&mut self.cx, now);
            self.cx.awaits_answer(now, false, self.part_after_turn());
        }
        self.tools.caller_spoke();
        self.turn.heard_of(item);
        if self.answers_are_ours() {
            // Nobody else asks.
            self.interruption.keep();
        }
    }

    /// The recogniser gave up on a turn.
    pub(super) fn caller_text_failed(&mut self, conn: ConnId, item: ItemId, error: &ServerError) {
        self.cx.count("transcript_failed", 1);
        if Failure::of(error) == Failure::Language {
            self.session.language_failed(&mut self.cx, conn);
        }
        if self.interruption.of(&item).is_some() {
            return self.sound_words(&item, Words::Lost);
        }
        let item = self.turn.name(item, false);
        self.last_words.came(&item);
        self.cx.record_turn(&item);
    }
}
