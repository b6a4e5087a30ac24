//! Sounds of the caller's while the agent speaks: heard, judged, and what follows; and the answers that we ask for, where the server asks
//! itself for none.

use std::time::{Duration, Instant};

use super::fact::Fact;
use super::interruption::{Interruption, Sound, Verdict, Words};
use super::io::ConnId;
use super::latency::{Awaited, Part};
use super::policy::Interruptions;
use super::uplink::Uplink;
use super::{Call, CarryOn};
use crate::ids::ItemId;
use crate::realtime::command::ClientEvent;

impl Call {
    /// Whether turns are ours to answer, and not the server's.
    pub(super) fn answers_are_ours(&self) -> bool {
        self.cx.setup.listening.interruptions.are_ours()
    }

    /// Whether a sound is judged before it is a turn: the agent speaks, or is about to.
    pub(super) fn judges(&self) -> bool {
        let speaks = !self.playout.is_idle() || self.turn.generates();
        self.answers_are_ours() && !self.turn.caller_speaks() && (speaks || self.interruption.is_open())
    }

    /// A sound begins while the agent speaks.
    pub(super) fn sound_began(&mut self, conn: ConnId, item: ItemId, named: bool, audio_start_ms: Option<u64>) {
        let start_ms = audio_start_ms.map(|start| start + u64::from(self.cx.vad().prefix_padding_ms));
        let ago = start_ms.map_or(0, |start| self.uplink.appended_ms().saturating_sub(start).min(2_000));
        let began = self.cx.now.checked_sub(Duration::from_millis(ago)).unwrap_or(self.cx.now);
        self.hear(Sound {
            item,
            named,
            start_ms,
            began,
            stopped: false,
            length: None,
            committed: false,
            words: Words::Awaited,
        });
        Uplink::watch_gap(&mut self.cx, true);
        self.pause_if_due();
        self.judge(Some(conn));
    }

    fn hear(&mut self, sound: Sound) {
        self.heard_by_server();
        // More is to come than there is.
        let left = if self.playout.is_idle() || !self.turn.generates() {
            self.playout.remaining(self.cx.now)
        } else {
            Duration::MAX
        };
        self.interruption.begins(&mut self.cx, sound, left);
    }

    /// A sound is over: how long it was, by the server's count.
    pub(super) fn sound_stopped(&mut self, conn: ConnId, item: &ItemId, audio_end_ms: u64) {
        let silence = u64::from(self.cx.vad().silence_duration_ms);
        let Some(sound) = self.interruption.of(item) else { return };
        if sound.stopped {
            return self.cx.count("repeated_event", 1);
        }
        sound.stopped = true;
        let length = sound.start_ms.filter(|_| audio_end_ms > 0);
        sound.length = length.map(|start| Duration::from_millis(audio_end_ms.saturating_sub(start + silence)));
        Uplink::watch_gap(&mut self.cx, false);
        self.judge(Some(conn));
    }

    /// The server made an item of a sound: so it is over.
    pub(super) fn sound_committed(&mut self, conn: ConnId, item: &ItemId) {
        let Some(sound) = self.interruption.of(item) else { return };
        if !std::mem::replace(&mut sound.committed, true) {
            sound.stopped = true;
            Interruption::waits_anew(&mut self.cx);
            self.judge(Some(conn));
        }
    }

    /// An item of which nobody said that it was being heard: a sound that is over, of a length that is not known.
    pub(super) fn sound_told_late(&mut self, conn: ConnId, item: ItemId, named: bool, committed: bool) {
        let (began, words) = (self.cx.now, Words::Awaited);
        self.hear(Sound { item, named, start_ms: None, began, stopped: true, length: None, committed, words });
        self.judge(Some(conn));
    }

    /// What was said in a sound, or that nobody will know.
    pub(super) fn sound_words(&mut self, item: &ItemId, words: Words) {
        if let Some(sound) = self.interruption.of(item) {
            sound.words = words;
        }
        let conn = self.session.ready();
        self.judge(conn);
    }

    /// A frame came in while a sound is being judged, or a turn goes on that we are to answer.
    pub(super) fn listen_closely(&mut self) {
        let conn = self.session.ready();
        if self.interruption.is_open() {
            self.pause_if_due();
            if self.cx.pauses() && self.interruption.is_long(&self.cx, self.uplink.appended_ms()) {
                return self.take_for_turn(conn);
            }
            if self.interruption.never_stopped(&self.cx) {
                self.cx.count("speech_end_missed", 1);
                Uplink::watch_gap(&mut self.cx, false);
                self.judge(conn);
            }
        } else if let Some(conn) = conn
            && let Some((item, since)) = self.turn.speaking_since()
            && self.interruption.is_long_over(&self.cx, since)
        {
            self.cx.count("speech_end_missed", 1);
            self.speech_over(conn, item, self.cx.now);
        }
    }

    /// A sound that goes on pauses the agent.
    pub(super) fn pause_if_due(&mut self) {
        if !self.playout.is_paused() && self.interruption.pauses(&mut self.cx) {
            self.playout.pause(&mut self.cx);
            self.closing.paused(&mut self.cx);
        }
    }

    /// The words of a sound did not come in time: no words, no listener.
    pub(super) fn words_overdue(&mut self) {
        let conn = self.session.ready();
        self.take_for_turn(conn);
    }

    /// A turn that is over should be an item by now: it is answered all the same.
    pub(super) fn item_overdue(&mut self) {
        let conn = self.session.ready();
        self.answer_turn(conn);
    }

    fn judge(&mut self, conn: Option<ConnId>) {
        let transcribed = self.session.transcribes(&self.cx);
        match self.interruption.judge(&mut self.cx, transcribed) {
            None => {}
            Some(Verdict::Away) => self.take_for_nothing(conn),
            Some(Verdict::Turn) => self.take_for_turn(conn),
        }
    }

    /// Nothing more will be told of what is being judged: the session is gone, or the caller.
    pub(super) fn judge_at_last(&mut self, conn: Option<ConnId>) {
        if self.interruption.is_open() {
            match self.interruption.judge_by_length(&self.cx) {
                Verdict::Away => self.take_for_nothing(conn),
                Verdict::Turn => self.take_for_turn(conn),
            }
        }
    }

    /// It was a cough, or what a listener says: the agent goes on from the last thing heard, and the conversation does not know of it.
    fn take_for_nothing(&mut self, conn: Option<ConnId>) {
        for sound in self.interruption.take(&mut self.cx) {
            let Sound { item, named, began, committed, words, .. } = &sound;
            let (at_ms, length) = (self.at_ms_of(*began), sound.ended(self.cx.now).saturating_duration_since(*began));
            self.turn.heard_of(item.clone());
            let length_ms = super::context::millis(length);
            self.cx.record(Fact::Backchannel { item: item.clone(), at_ms, length_ms });
            match words {
                Words::Said(text) => self.caller_said(item, text.clone()),
                Words::Awaited => self.last_words.awaits(item.clone(), self.cx.now),
                Words::Lost => {}
            }
            self.cx.record_turn(item);
            match conn.filter(|_| *named) {
                Some(conn) if *committed => {
                    self.cx.send(conn, ClientEvent::DeleteItem { item: item.clone() });
                }
                _ => self.interruption.judged_away(item.clone()),
            }
        }
        Uplink::watch_gap(&mut self.cx, false);
        self.go_on();
    }

    /// Playback goes on, and the goodbye that it may be.
    fn go_on(&mut self) {
        self.playout.resume(&mut self.cx);
        let remaining = self.playout.remaining(self.cx.now);
        self.closing.goes_on(&mut self.cx, remaining);
    }

    /// It was a turn: what the agent did not say yet it says no more, and the caller is answered.
    fn take_for_turn(&mut self, conn: Option<ConnId>) {
        let sounds = self.interruption.take(&mut self.cx);
        let waits = self.cx.setup.listening.interruptions == Interruptions::Never;
        for sound in sounds {
            if waits {
                self.keep(conn, sound);
            } else {
                self.caller_spoke(conn, sound);
            }
        }
    }

    fn caller_spoke(&mut self, conn: Option<ConnId>, sound: Sound) {
        let last = sound.ended(self.cx.now);
        let Sound { item, began, stopped, committed, words, .. } = sound;
        self.caller_began_at(conn, item.clone(), began);
        match words {
            Words::Said(text) => self.caller_said(&item, text),
            Words::Awaited | Words::Lost => {}
        }
        if !stopped {
            return Uplink::watch_gap(&mut self.cx, true);
        }
        if let Some(ended) = self.turn.caller_ended(&mut self.cx, &item, last) {
            self.turn_over(ended, last);
        }
        if words_are_known(&self.cx, &item) {
            self.last_words.came(&item);
        }
        if committed {
            self.turn.committed_now();
            self.answer_turn(conn);
        }
    }

    /// The agent is not to be interrupted: what the caller said is answered when it is done.
    fn keep(&mut self, conn: Option<ConnId>, sound: Sound) {
        let now = self.cx.now;
        let ended = sound.ended(now);
        let Sound { item, began, words, .. } = sound;
        let at_ms = self.at_ms_of(began);
        self.cancel_goodbye(conn);
        self.turn.heard_of(item.clone());
        self.cx.record(Fact::CallerSpoke { item: item.clone(), at_ms });
        self.cx.record(Fact::CallerStopped { item: item.clone(), at_ms: self.at_ms_of(ended) });
        match words {
            Words::Said(text) => self.caller_said(&item, text),
            Words::Awaited => self.last_words.awaits(item, now),
            Words::Lost => self.cx.record_turn(&item),
        }
        self.tools.caller_spoke();
        CarryOn::noticed(&mut self.cx);
        self.interruption.keep();
    }

    fn caller_said(&mut self, item: &ItemId, text: String) {
        self.cx.record(Fact::CallerText { item: item.clone(), text });
        self.cx.record_turn(item);
    }

    /// That moment in the call's own count.
    pub(super) fn at_ms_of(&self, at: Instant) -> u64 {
        self.cx.at_ms().saturating_sub(super::context::millis(self.cx.now.saturating_duration_since(at)))
    }

    /// A turn of the caller's is over and an item: the answer is asked for, unless a function is to return first.
    pub(super) fn answer_turn(&mut self, conn: Option<ConnId>) {
        self.interruption.answered(&mut self.cx);
        let Some(conn) = conn.filter(|_| !self.turn.caller_speaks()) else { return };
        if self.tools.hold_the_answer(self.cx.now) {
            self.tools.dismissed();
            return self.patience.asked(&mut self.cx);
        }
        self.request(conn, None);
    }

    /// What the caller said while the agent spoke is answered, now that it is done.
    pub(super) fn answer_kept(&mut self) {
        if self.interruption.has_kept() && !self.turn.generates() {
            let (conn, now) = (self.session.ready(), self.cx.now);
            // Whoever was spoken to did not wait.
            self.cx.awaits(Awaited::Turn, now, Part::Deciding, Part::Deciding);
            self.answer_turn(conn);
        }
    }
}

fn words_are_known(cx: &super::context::Context, item: &ItemId) -> bool {
    !cx.history.is_wordless(item)
}
