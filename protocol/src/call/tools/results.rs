//! What functions come to, and who is told: the session that called, once; another one, which knows no such call, in words.

use super::super::context::Context;
use super::super::destinations;
use super::super::end::Ended;
use super::super::fact::Fact;
use super::super::functions::{FunctionAnswer, Ran, Returned, Steer};
use super::super::io::{ConnId, EffectId};
use super::super::prompts;
use super::{Asked, Listener, Running, Steered, Timer, Tools};
use crate::realtime::arguments;
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event_id::EventId;
use crate::wire::clip;

/// Bytes of the result of a function that a model is told.
const LONGEST_RESULT: usize = 8 * 1024;

impl Tools {
    /// Gives a call its result. A session that took over since knows of no such call, and a result without its call is refused.
    pub(in crate::call) fn answer(cx: &mut Context, conn: Option<ConnId>, Asked(call): Asked, output: &str) {
        if let Some(conn) = conn.filter(|conn| *conn == call.conn) {
            let (id, call_id, output) = (call.id, call.call_id, output.to_owned());
            cx.record(Fact::ToolReturned { id, call_id: call_id.clone(), output: output.clone() });
            cx.send(conn, ClientEvent::CreateItem(NewItem::FunctionOutput { call_id, output }));
        }
    }

    /// An effect came to something.
    pub(in crate::call) fn ran(
        &mut self,
        cx: &mut Context,
        id: EffectId,
        result: Result<Ran, String>,
        to: Listener,
    ) -> Option<Steered> {
        let Some(running) = self.take(cx, id) else {
            self.came_late(cx, id, result, to);
            return None;
        };
        let (output, steer) = as_told(cx, result);
        let answered = !running.silent;
        let steered = match steer {
            None => Ok(None),
            Some(Steer::HangUp) => Ok(Some(Ended::AgentHungUp)),
            Some(Steer::Transfer(to)) => {
                let sent = destinations::sent_to(&cx.setup.destinations, &to, cx.now, "a function said so");
                sent.map(Ended::Transferred).map(Some)
            }
        };
        let (output, why) = match steered {
            Ok(why) => (output, why),
            Err(problem) => {
                cx.count("tool_refused", 1);
                (prompts::not_steered(&output, &problem), None)
            }
        };
        self.settle(cx, running, output, to);
        why.map(|why| Steered { why, answered })
    }

    /// An effect took too long: what it comes to is no result any more.
    pub(in crate::call) fn expired(&mut self, cx: &mut Context, Timer(id): Timer, to: Listener) {
        if let Some(running) = self.take(cx, id) {
            cx.count("tool_timed_out", 1);
            let output = prompts::timed_out(running.call.wait_ms.unwrap_or_default());
            self.given_up.insert(id);
            self.settle(cx, running, output, to);
        }
    }

    /// What was given up comes to something after all: the model has had a result, and is told of this one as a fact, once.
    fn came_late(&mut self, cx: &mut Context, id: EffectId, result: Result<Ran, String>, to: Listener) {
        cx.count("tool_result_late", 1);
        if !self.given_up.remove(&id) {
            return;
        }
        let (output, _) = as_told(cx, result);
        let Some((call, _)) = cx.history.call_of(id) else { return };
        let words = prompts::earlier_result(&call.name, &output);
        cx.record(Fact::ToolReturnedLate { id, words: words.clone() });
        // A session that is told the last turns later is told this with them.
        if let Some(conn) = to.conn.filter(|_| to.from == usize::MAX) {
            cx.send(conn, ClientEvent::CreateItem(NewItem::System(words)));
        }
    }

    fn take(&mut self, cx: &mut Context, id: EffectId) -> Option<Running> {
        let at = self.running.iter().position(|running| running.call.id == id)?;
        cx.deadlines.clear(Timer(id));
        Some(self.running.swap_remove(at))
    }

    fn settle(&mut self, cx: &mut Context, Running { call, silent, .. }: Running, output: String, to: Listener) {
        cx.record(Fact::ToolReturned { id: call.id, call_id: call.call_id.clone(), output: output.clone() });
        if !silent {
            self.unread = true;
            if !to.speaks {
                self.due.insert(call.response.clone());
            }
        }
        let Some(conn) = to.conn else { return };
        if conn == call.conn {
            let item = NewItem::FunctionOutput { call_id: call.call_id, output };
            if let Some(event) = cx.send(conn, ClientEvent::CreateItem(item)) {
                self.told.insert((event, call.id));
            }
        } else if cx.history.turn_of_call(call.id).is_none_or(|turn| turn < to.from) {
            let words = prompts::earlier_result(&call.name, &output);
            cx.send(conn, ClientEvent::CreateItem(NewItem::System(words)));
        }
    }

    /// The server would not have that item. If it was a result, it is told in words, and is still to be answered.
    pub(in crate::call) fn item_refused(&mut self, cx: &mut Context, conn: ConnId, event: EventId) {
        let Some(&(_, id)) = self.told.iter().find(|(told, _)| *told == event) else { return };
        self.told.remove(&(event, id));
        let Some((call, output)) = cx.history.call_of(id) else { return };
        let words = prompts::earlier_result(&call.name, output.unwrap_or_default());
        let (response, function) = (call.response.clone(), cx.setup.function(&call.name));
        if function.is_none_or(|function| function.answer == FunctionAnswer::Speak) {
            self.due.insert(response);
        }
        cx.count("tool_result_refused", 1);
        cx.send(conn, ClientEvent::CreateItem(NewItem::System(words)));
    }
}

/// What an effect came to, as the model is told it; and what is to become of the call.
fn as_told(cx: &mut Context, result: Result<Ran, String>) -> (String, Option<Steer>) {
    match result {
        Ok(Ran::Function(Returned { output, steer })) if output.len() > LONGEST_RESULT => {
            cx.count("tool_result_cut", 1);
            (prompts::cut_result(&clip(&output, LONGEST_RESULT)), steer)
        }
        Ok(Ran::Function(Returned { output, steer })) => (output, steer),
        Ok(Ran::Context(_)) => (arguments::error("it came to nothing"), None),
        Err(problem) => (arguments::error(&clip(&problem, LONGEST_RESULT)), None),
    }
}
