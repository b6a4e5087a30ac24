//! An answer that was broken off is gone on with, not said again.
//!
//! What came of it before its session was lost, or its response failed, plays on. Only when that was heard is the model told how far
//! it got, and asked for the rest: asked at once, it would say again what the caller is about to hear.

use std::time::Duration;

use super::deadlines::Timer;
use super::history::Owed;
use super::io::ConnId;
use super::prompts;
use super::session;
use super::{Call, Phase};
use crate::realtime::command::{ClientEvent, NewItem};

/// Speech that goes on is noticed by a new session within this.
const NOTICE: Duration = Duration::from_secs(1);

/// What a session is to be told once everything was heard.
#[derive(Debug)]
pub(super) struct CarryOn {
    conn: ConnId,
    /// The first turn that it does not know.
    from: usize,
    /// It is asked to go on.
    ask: bool,
}

impl Call {
    /// A session takes over: it is told the conversation, then the audio that waited, then what it owes.
    pub(super) fn session_ready(&mut self, conn: ConnId) {
        // Asked before the replay: it is about the session that was lost.
        let owed = self.cx.history.owed();
        let from = self.cx.history.playing_from();
        let first = self.greet || self.returned;
        self.brief(conn, from);
        match owed {
            // It is asked for once somebody is there to hear it.
            _ if first && self.phase == Phase::Waiting && !self.cx.policy.greet_early => {}
            _ if first => self.speak_first(conn),
            Owed::Answer => self.ask(conn),
            // If they still speak the server notices, and answers by itself; if they do not, nobody else will.
            Owed::Ear => self.cx.deadlines.set(Timer::Notice, self.cx.now + NOTICE),
            Owed::Rest | Owed::Nothing => {
                let ask = owed == Owed::Rest && self.closing.is_none();
                self.carry = Some(CarryOn { conn, from, ask });
                self.carry_on();
            }
        }
    }

    /// The agent has the first word, in a call that begins or comes back.
    pub(super) fn speak_first(&mut self, conn: ConnId) {
        if !self.greet {
            let told = prompts::back(self.cx.history.broken_words());
            self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(told)));
        }
        self.ask(conn);
    }

    /// A session is told the conversation up to that turn, and then the audio that waited.
    pub(super) fn brief(&mut self, conn: ConnId, end: usize) {
        session::replay(&mut self.cx, conn, end);
        self.uplink.open(&mut self.cx, conn);
    }

    /// A response failed, and it is time to ask again.
    pub(super) fn ask_again(&mut self) {
        if let Some(conn) = self.session.ready() {
            // This session knows all that was said: only how much of it was heard it does not.
            self.carry = Some(CarryOn { conn, from: usize::MAX, ask: true });
            self.carry_on();
        }
    }

    /// If everything that came was heard: the model is told so, and goes on.
    pub(super) fn carry_on(&mut self) {
        if !self.playout.is_idle() {
            return;
        }
        let Some(CarryOn { conn, ask: true, .. }) = self.carry else { return self.tell_rest() };
        self.tell_rest();
        if let Some(told) = self.cx.history.broken_words().map(prompts::go_on) {
            self.cx.send(conn, ClientEvent::CreateItem(NewItem::System(told)));
        }
        self.ask(conn);
    }

    /// The model is told what was heard of what was being played, and is asked nothing: somebody else has the floor.
    pub(super) fn tell_rest(&mut self) {
        if let Some(CarryOn { conn, from, .. }) = self.carry.take() {
            for item in self.cx.history.since(from) {
                self.cx.send(conn, ClientEvent::CreateItem(item));
            }
        }
    }
}
