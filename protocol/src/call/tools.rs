//! Functions that the model calls.

use super::context::Context;
use super::end::Ended;
use super::fact::Fact;
use super::io::ConnId;
use super::prompts;
use super::recent::Recent;
use super::session::{END_CALL, TRANSFER_CALL};
use crate::realtime::arguments;
use crate::realtime::command::{ClientEvent, NewItem};
use crate::realtime::event::FunctionCall;

/// Calls whose copies are known.
const KNOWN: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Calls of this session that were taken.
    taken: Recent<String, KNOWN>,
}

/// A call whose result a session waits for.
#[derive(Debug)]
pub(super) struct Asked {
    conn: ConnId,
    call_id: String,
}

/// What a call of a function leads to.
#[derive(Debug)]
pub(super) enum Called {
    /// Nothing: it is a copy.
    Ignored,
    /// It has its result: an answer is due.
    Answered,
    /// The call ends once what the agent says with it was heard.
    Closes(Ended, Asked),
}

impl Tools {
    /// The model calls a function.
    pub(super) fn called(&mut self, cx: &mut Context, conn: ConnId, call: FunctionCall) -> Called {
        let FunctionCall { call_id, name, arguments, item, .. } = call;
        if !self.taken.insert(if call_id.is_empty() { item.as_str().to_owned() } else { call_id.clone() }) {
            cx.count("repeated_event", 1);
            return Called::Ignored;
        }
        cx.record(Fact::ToolCalled { call_id: call_id.clone(), name: name.clone(), arguments: arguments.clone() });
        let asked = Asked { conn, call_id };
        match name.as_str() {
            END_CALL => Called::Closes(Ended::AgentHungUp, asked),
            TRANSFER_CALL => Called::Closes(Ended::Transferred { reason: transfer_reason(&arguments) }, asked),
            _ => {
                // No function of a client's own runs here yet: the model is told, and can say so.
                Self::answer(cx, conn, asked, prompts::NO_SUCH_FUNCTION);
                Called::Answered
            }
        }
    }

    /// Gives a call its result. A session that took over since knows of no such call, and a result without its call is refused.
    pub(super) fn answer(cx: &mut Context, conn: ConnId, asked: Asked, output: &str) {
        if asked.conn == conn {
            let (call_id, output) = (asked.call_id, output.to_owned());
            cx.record(Fact::ToolReturned { call_id: call_id.clone(), output: output.clone() });
            cx.send(conn, ClientEvent::CreateItem(NewItem::FunctionOutput { call_id, output }));
        }
    }

    /// Another session begins: what one calls by a name is nothing to the next.
    pub(super) fn forget_session(&mut self) {
        self.taken.clear();
    }
}

fn transfer_reason(arguments: &str) -> String {
    arguments::words(arguments, "reason").unwrap_or_else(|| "not said".to_owned())
}
