//! An answer that was broken off is gone on with, not said again.
//!
//! What came of it before its session was lost, or its response failed, plays on. Only when that was heard is the model told how far
//! it got, and asked for the rest: asked at once, it would say again what the caller is about to hear.

use std::time::Duration;

use super::context::Context;
use super::io::ConnId;

/// Speech that goes on is noticed by a new session within this.
const NOTICE: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A new session should have noticed by now that the caller goes on speaking.
    Notice,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CarryOn {
    rest: Option<Rest>,
}

/// What a session is to be told once everything was heard.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) conn: ConnId,
    /// The first turn that it does not know.
    pub(super) from: usize,
    /// It is asked to go on.
    pub(super) ask: bool,
}

impl CarryOn {
    /// A session is told the rest when everything was heard.
    pub(super) fn wait(&mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.rest.is_some()
    }

    /// The first turn that a session is told of later; beyond all, if it was told everything.
    pub(super) fn from(&self) -> usize {
        self.rest.as_ref().map_or(usize::MAX, |rest| rest.from)
    }

    /// There is something to be answered: asked with the rest. False when there is no rest.
    pub(super) fn ask_then(&mut self) -> bool {
        self.rest.iter_mut().for_each(|rest| rest.ask = true);
        self.is_waiting()
    }

    /// It is time.
    pub(super) fn take(&mut self) -> Option<Rest> {
        self.rest.take()
    }

    /// The caller was speaking when their session was lost: the next one should notice that they go on, and answers by itself; if it does
    /// not, nobody else will.
    pub(super) fn listen(cx: &mut Context) {
        cx.deadlines.set(Timer::Notice, cx.now + NOTICE);
    }

    /// Whether that is waited for.
    pub(super) fn listens(cx: &Context) -> bool {
        cx.deadlines.is_set(Timer::Notice)
    }

    /// The caller is heard.
    pub(super) fn noticed(cx: &mut Context) {
        cx.deadlines.clear(Timer::Notice);
    }

    /// The session is gone that was to be told.
    pub(super) fn session_lost(&mut self, cx: &mut Context) {
        self.rest = None;
        Self::noticed(cx);
    }
}
