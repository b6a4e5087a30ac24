//! The model's responses: one at a time, those that began by themselves, and those that nobody wants any more.

use super::Turn;
use crate::call::context::Context;
use crate::call::fact::Fact;
use crate::call::io::ConnId;
use crate::call::latency::Part;
use crate::ids::ResponseId;
use crate::realtime::command::ClientEvent;
use crate::realtime::event::ResponseStatus;
use crate::realtime::event_id::EventId;

/// How a response began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call) enum Began {
    /// To be heard.
    Answer,
    /// In doubt: the server's own, while the caller speaks.
    InDoubt,
    /// The server's own, where another answer is to come: cancelled.
    Dismissed,
    /// To be heard by nobody, or known already.
    Unheard,
}

/// How a response came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call) enum Over {
    /// Nothing follows from it.
    Passed,
    /// It counts, and nothing is to come after it.
    Last,
    /// Another was asked for.
    AskedAgain,
}

/// A response that is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its instructions, if it has any of its own.
    instructions: Option<String>,
}

impl Turn {
    /// Asks for a response now, or as soon as the active one is done: a server takes one at a time.
    pub(in crate::call) fn request(&mut self, cx: &mut Context, conn: ConnId, instructions: Option<String>) {
        if !self.open.is_empty() || self.requested.is_some() || self.speaking.is_some() {
            self.wanted = Some(Wanted { instructions });
            return cx.spends(Part::Starting);
        }
        cx.response_asked();
        self.requested = cx.send(conn, ClientEvent::CreateResponse { instructions });
    }

    /// A response began; `dismissed`: if nobody asked for it, it is not wanted.
    pub(in crate::call) fn response_began(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        response: &ResponseId,
        dismissed: bool,
    ) -> Began {
        if self.ended.contains(response) || !self.open.insert(response.clone()) {
            cx.count("repeated_event", 1);
            return Began::Unheard;
        }
        if response.as_str().is_empty() {
            // Of those without a name each new one counts.
            self.discarded.remove(response);
        }
        let asked = self.requested.take().is_some();
        let ours = asked && !std::mem::take(&mut self.unwanted);
        if cx.setup.listening.interruptions.are_ours() && !ours {
            // Its server answers by itself all the same, or nobody wants what was asked for any more.
            cx.count("response_dismissed", 1);
            self.call_off(cx, conn, response);
            return Began::Unheard;
        }
        match self.speaking {
            None if dismissed && !ours => {
                cx.count("response_dismissed", 1);
                self.call_off(cx, conn, response);
                Began::Dismissed
            }
            None => Began::Answer,
            Some(_) if ours => {
                // It crossed with the caller's first word; the server cancels only what was under way.
                self.call_off(cx, conn, response);
                Began::Unheard
            }
            Some(_) => {
                self.doubtful = Some(response.clone());
                Began::InDoubt
            }
        }
    }

    fn call_off(&mut self, cx: &mut Context, conn: ConnId, response: &ResponseId) {
        self.discard(response.clone());
        cx.send(conn, ClientEvent::CancelResponse { response: response.clone() });
    }

    /// Whether this is the end of a response, and not a copy of it.
    pub(in crate::call) fn ends(&mut self, response: &ResponseId) -> bool {
        if response.as_str().is_empty() {
            return !self.open.is_empty() || self.requested.is_some();
        }
        self.ended.insert(response.clone())
    }

    /// A response ended.
    pub(in crate::call) fn response_ended(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        response: &ResponseId,
        status: &ResponseStatus,
    ) -> Over {
        let cut = self.discarded.contains(response);
        if self.doubts(response) {
            self.doubtful = None;
        }
        let newest = self.open.iter().next_back().is_none_or(|newest| newest == response);
        self.open.remove(response);
        if newest {
            // What began before it and never ended stands in nobody's way.
            self.open.clear();
            self.requested = None;
        }
        if let ResponseStatus::Failed { code, .. } = status
            && !cut
        {
            cx.record(Fact::ResponseFailed { code: code.clone() });
            self.wanted = None;
            return Over::Last;
        }
        if self.speaking.is_some() {
            // The caller has the floor: the server answers that turn by itself.
            self.wanted = None;
        } else if self.open.is_empty()
            && let Some(Wanted { instructions }) = self.wanted.take()
        {
            self.request(cx, conn, instructions);
            return Over::AskedAgain;
        } else if !cut && self.open.is_empty() {
            return Over::Last;
        }
        Over::Passed
    }

    /// The server refused to respond: because a response is active, and then another is wanted after that one; or it is as if that
    /// response had failed.
    pub(in crate::call) fn request_refused(&mut self, cx: &mut Context, request: Option<EventId>, busy: bool) -> Over {
        let this = |asked: &mut EventId| request.is_none_or(|named| named == *asked);
        if self.requested.take_if(this).is_none() {
            cx.count("response_refused", 1);
        } else if busy {
            self.wanted = Some(Wanted { instructions: None });
        } else if self.speaking.is_none() {
            return Over::Last;
        }
        // A caller who speaks is answered by the server itself.
        Over::Passed
    }
}
