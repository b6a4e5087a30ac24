//! Keys of the caller's, from the first one to what the model is told of them.

use super::io::EffectId;
use super::keypad::{self, Ask, Done, Pressed};
use super::latency::{Awaited, Part};
use super::patience::Patience;
use super::tools::Listener;
use super::{Call, Phase, prompts};
use crate::realtime::command::{ClientEvent, NewItem};

impl Call {
    /// The model asks for keys. What its server heard of the caller so far is all that it hears until they are there, if they are secret.
    pub(super) fn collect(&mut self, id: EffectId, ask: Ask) {
        if ask.secret {
            self.heard_by_server();
        }
        let done = self.uplink.keypad.ask(&mut self.cx, id, ask, self.phase == Phase::Live);
        done.into_iter().for_each(|done| self.entry_over(done));
    }

    /// A key of the caller's.
    pub(super) fn key(&mut self, key: char) {
        // Whoever hears an announcement talks with nobody.
        if self.announcement().is_some() {
            return;
        }
        self.cx.stopwatch.key(self.cx.now);
        let pressed = self.uplink.keypad.pressed(&mut self.cx, key);
        self.pressed(pressed);
    }

    pub(super) fn pressed(&mut self, pressed: Pressed) {
        match pressed {
            Pressed::Nothing => {}
            Pressed::Told => self.keys_entered(None),
            Pressed::Entry { first, done } => {
                if first {
                    self.first_key();
                }
                done.into_iter().for_each(|done| self.entry_over(done));
            }
        }
    }

    /// Whoever types has heard enough of the question.
    fn first_key(&mut self) {
        let conn = self.session.ready();
        self.cancel_goodbye(conn);
        self.turn.cut_in(&mut self.cx, &mut self.playout, conn);
        self.tell_rest();
    }

    fn entry_over(&mut self, Done { by, told }: Done) {
        match by {
            Some(id) => {
                self.awaits_answer_to_keys(Awaited::Tool);
                self.effect_ran(id, Ok(told.into()));
            }
            None => self.keys_entered(Some(told)),
        }
    }

    /// Whoever typed waits since their last key.
    fn awaits_answer_to_keys(&mut self, of: Awaited) {
        let part = if self.tools.are_pending() { Part::Tool } else { self.model_part() };
        let from = self.cx.stopwatch.last_key(self.cx.now);
        self.cx.awaits(of, from, Part::Deciding, part);
    }

    /// The caller entered something that nobody asked for. It is a turn of theirs: whoever answers a question by keys has heard enough of it.
    fn keys_entered(&mut self, secret: Option<String>) {
        let conn = self.session.ready();
        self.cancel_goodbye(conn);
        self.turn.cut_in(&mut self.cx, &mut self.playout, conn);
        self.awaits_answer_to_keys(Awaited::Turn);
        self.tools.caller_spoke();
        self.tell_rest();
        let keys = match secret {
            Some(keys) => keypad::entered_in_secret(&mut self.cx, keys),
            None => keypad::entered(&mut self.cx),
        };
        match conn {
            Some(conn) => {
                self.cx.send(conn, ClientEvent::CreateItem(NewItem::User(prompts::keys(&keys))));
                if self.tools.hold_the_answer(self.cx.now) {
                    self.tools.dismissed();
                    return self.patience.asked(&mut self.cx);
                }
                self.request(conn, None);
            }
            // The next session is told, with the rest of the conversation.
            None => self.patience.caller_waits(&mut self.cx),
        }
    }

    /// The caller said something. Who was asked to type, and may be heard, has answered in another way.
    pub(super) fn spoke_instead_of_typing(&mut self) {
        if let Some(Done { by: Some(id), told }) = self.uplink.keypad.spoken(&mut self.cx) {
            // Whoever answers what they said has read it.
            let to = Listener { speaks: true, ..self.listener() };
            self.tools.ran(&mut self.cx, id, Ok(told.into()), to);
        }
    }

    /// While a caller types no answer is owed to them: the entry has deadlines of its own.
    pub(super) fn types_still(&mut self) {
        if self.uplink.keypad.is_asked() {
            Patience::hold_the_answer(&mut self.cx);
        }
    }
}
