//! What a server's error is about, and what follows.
//!
//! An error that names an event of ours answers that event, and nothing else. One that names none, or one that is not ours, is judged by
//! what is under way: there are compatible servers that know no names.

use std::time::Duration;

use super::super::context::Context;
use super::super::fact::Fact;
use super::super::io::ConnId;
use super::config::configure;
use super::{Outcome, Session, Stage};
use crate::realtime::event::ServerError;
use crate::realtime::event_id::{EventId, EventKind};
use crate::realtime::failure::{Failure, ProviderRefusal};

/// So many errors within [`ERROR_WINDOW`], and the session is taken for dead.
const ERROR_LIMIT: usize = 5;
const ERROR_WINDOW: Duration = Duration::from_secs(10);

/// A response that was asked for was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Which request; none if the server does not say.
    pub(crate) request: Option<EventId>,
    /// A response is active: another is had after it.
    pub(crate) busy: bool,
    /// What the error is called.
    pub(crate) code: String,
    /// For people; it may say how long to wait.
    pub(crate) message: String,
}

impl Session {
    /// Which event of ours on that connection an error answers.
    pub(crate) fn answers(&self, cx: &Context, id: ConnId, error: &ServerError) -> Option<EventId> {
        let conn = self.conn(id)?;
        error.answers().filter(|event| event.number > conn.events && event.number <= cx.events())
    }

    /// The server says that something failed, in answer to that event of ours if [`Self::answers`] tells one.
    pub(crate) fn failed(
        &mut self,
        cx: &mut Context,
        id: ConnId,
        answers: Option<EventId>,
        error: &ServerError,
    ) -> Outcome {
        let failure = Failure::of(error);
        match failure {
            Failure::Expired => return self.lost(cx, id, "the session expired", None),
            Failure::Refused(refusal) => {
                return self.lost(cx, id, &format!("{}: {}", error.name(), error.message), Some(refusal));
            }
            _ => {}
        }
        match answers {
            Some(event) => self.refused(cx, id, event, error),
            None => self.judged_by_state(cx, id, failure, error),
        }
    }

    /// An event of ours was refused.
    fn refused(&mut self, cx: &mut Context, id: ConnId, event: EventId, error: &ServerError) -> Outcome {
        let current = self.is_current(id);
        let configures = self.find(id).is_some_and(|c| c.stage == Stage::Configuring && c.asked.update == Some(event));
        let counted = match event.kind {
            EventKind::Update if configures => return self.refused_update(cx, id, error),
            EventKind::Response if current => return refusal(Some(event), error),
            EventKind::Update => "update_refused",
            EventKind::Response => "response_refused",
            EventKind::Item => "item_refused",
            EventKind::Truncate => "truncate_refused",
            EventKind::Delete => "delete_refused",
            EventKind::Cancel => "cancel_refused",
        };
        cx.count(counted, 1);
        Outcome::Nothing
    }

    /// Nobody knows what the error is about.
    fn judged_by_state(&mut self, cx: &mut Context, id: ConnId, failure: Failure, error: &ServerError) -> Outcome {
        let foreign = error.event_id.as_deref().is_some_and(|name| !name.is_empty());
        cx.count(if foreign { "error_foreign" } else { "error_unnamed" }, 1);
        match failure {
            Failure::Busy if self.is_current(id) => refusal(None, error),
            Failure::Busy => Outcome::Nothing,
            _ if self.find(id).is_some_and(|c| c.stage == Stage::Configuring) => self.refused_update(cx, id, error),
            Failure::Harmless => Outcome::Nothing,
            _ => self.errored(cx, id),
        }
    }

    /// The configuration was refused, wholesale: it is tried with less.
    fn refused_update(&mut self, cx: &mut Context, id: ConnId, error: &ServerError) -> Outcome {
        let current = self.is_current(id);
        let Some(conn) = self.find(id) else { return Outcome::Nothing };
        if let Some(less) = conn.asked.after(cx, error) {
            conn.asked = configure(cx, id, less);
            return Outcome::Nothing;
        }
        let cause = format!("session.update was refused: {}", error.message);
        if current {
            cx.record(Fact::ModelLost { cause: cause.clone(), refused: Some(ProviderRefusal::Configuration) });
            return Outcome::Failed(cause);
        }
        self.drop_next(cx);
        Outcome::Nothing
    }

    /// An error that is not fatal by itself; many in a row are.
    fn errored(&mut self, cx: &mut Context, id: ConnId) -> Outcome {
        if !self.is_current(id) {
            return Outcome::Nothing;
        }
        if self.errors.len() == ERROR_LIMIT {
            self.errors.pop_front();
        }
        self.errors.push_back(cx.now);
        let flood = self.errors.len() == ERROR_LIMIT
            && self.errors.front().is_some_and(|&at| cx.now.saturating_duration_since(at) < ERROR_WINDOW);
        if flood { self.lost(cx, id, "the server sent errors without end", None) } else { Outcome::Nothing }
    }
}

fn refusal(request: Option<EventId>, error: &ServerError) -> Outcome {
    let busy = Failure::of(error) == Failure::Busy;
    Outcome::RequestRefused(Refusal { request, busy, code: error.name().to_owned(), message: error.message.clone() })
}
