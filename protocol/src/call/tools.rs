//! Functions that the model calls. Each is run at most once, over the whole call, and has its result told once a session.
//!
//! A function leaves as an effect and comes back as its result, or its deadline passes. The caller may speak meanwhile, the session may be
//! lost, the call be rebuilt: the effect goes on. What it came to is told to the session that asked, or, in words, to the one there is then
//! (`results`). The model is asked for an answer once all functions of a response have returned and the response is over; not while the
//! caller speaks: who answers them has read the results. Nor does a server answer by itself while functions run (`held`).

mod breaker;
mod held;
mod results;

use std::time::{Duration, Instant};

use super::context::{Context, millis};
use super::destinations;
use super::digits::SecretDigits;
use super::end::Ended;
use super::fact::{Fact, ToolCall};
use super::functions::{Function, FunctionAnswer, FunctionEffect};
use super::io::{ConnId, Effect, EffectId, Output};
use super::keypad::Ask;
use super::policy::Setup;
use super::prompts;
use super::recent::Recent;
use crate::ids::ResponseId;
use crate::realtime::arguments;
use crate::realtime::command::Tool;
use crate::realtime::event::FunctionCall;
use crate::realtime::event_id::EventId;
use breaker::Breaker;
use held::Held;
pub(super) use held::REMINDED_AFTER;

/// The function that ends the call.
const END_CALL: &str = "end_call";
/// The function that hands it on to a person.
const TRANSFER_CALL: &str = "transfer_call";
/// The function that asks the caller for keys.
pub(super) const COLLECT_DIGITS: &str = "collect_digits";
/// Calls whose copies are known.
const KNOWN: usize = 64;
/// Functions of one call that run at once.
const MOST_RUNNING: usize = 8;
/// Functions that were given up and may still return, and results that may still be refused.
const LATE: usize = 16;
/// That effect should have returned by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer(pub(super) EffectId);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Calls of this session that were taken.
    taken: Recent<String, KNOWN>,
    running: Vec<Running>,
    breaker: Breaker,
    /// Responses whose functions have returned, one at least, and that no answer followed.
    due: Recent<ResponseId, MOST_RUNNING>,
    /// The caller spoke while functions run, and is answered by us.
    held: Option<Held>,
    /// A session was told results, and no response of it began since.
    unread: bool,
    /// What took too long, and may still come to something.
    given_up: Recent<EffectId, LATE>,
    /// Results that this session was told, by the names of those events.
    told: Recent<(EventId, EffectId), LATE>,
}

/// A function that is to return.
#[derive(Debug)]
struct Running {
    call: ToolCall,
    /// The caller has spoken since.
    overtaken: bool,
    /// The model says nothing of its result.
    silent: bool,
    /// It waits for the caller, who types.
    entry: bool,
}

impl Running {
    fn new(cx: &Context, call: ToolCall, overtaken: bool) -> Self {
        let silent = cx.setup.function(&call.name).is_some_and(|function| function.answer == FunctionAnswer::Silent);
        let entry = call.name == COLLECT_DIGITS;
        Self { call, overtaken, silent, entry }
    }
}

/// A call whose result a session waits for, and that nothing is run for.
#[derive(Debug)]
pub(super) struct Asked(ToolCall);

/// A function says what is to become of the call.
#[derive(Debug)]
pub(super) struct Steered {
    pub(super) why: Ended,
    /// The model speaks of the result first.
    pub(super) answered: bool,
}

/// Who is told a result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listener {
    /// The session, if one is ready: one that is not is told with the rest of the conversation.
    pub(super) conn: Option<ConnId>,
    /// The first turn that it is told of later.
    pub(super) from: usize,
    /// The caller speaks: whoever answers them has read what is known by then.
    pub(super) speaks: bool,
}

/// What a call of a function leads to.
#[derive(Debug)]
pub(super) enum Called {
    /// Nothing for now: it runs, or is a copy.
    Nothing,
    /// It has its result.
    Answered,
    /// The call ends once what the agent says with it was heard.
    Closes(Ended, Asked),
    /// The caller is to type something.
    Collects(EffectId, Ask),
}

/// The functions that a model is told of: the client's, and our own.
pub(super) fn declared(setup: &Setup, now: Instant) -> Vec<Tool> {
    let own = |name: &str, (description, parameters): (&str, &str)| Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: parameters.to_owned(),
    };
    let transfer = match setup.destinations.as_slice() {
        [] => own(TRANSFER_CALL, prompts::TRANSFER_CALL),
        destinations => destinations::tool(TRANSFER_CALL, destinations, now),
    };
    let ours = [own(END_CALL, prompts::END_CALL), transfer, own(COLLECT_DIGITS, prompts::COLLECT_DIGITS)];
    setup.tools.iter().map(|function| function.tool.clone()).chain(ours).collect()
}

impl Tools {
    /// A call is rebuilt: what runs runs on, and is not run again.
    pub(super) fn resume(&mut self, cx: &mut Context) {
        for (call, overtaken) in cx.history.running().into_iter().take(MOST_RUNNING) {
            let left = (call.at_ms + call.wait_ms.unwrap_or_default()).saturating_sub(cx.at_ms());
            cx.deadlines.set(Timer(call.id), cx.now + Duration::from_millis(left));
            self.running.push(Running::new(cx, call, overtaken));
        }
    }

    /// The model calls a function; what the caller typed in secret goes with it.
    pub(super) fn called(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        call: FunctionCall,
        digits: &SecretDigits,
    ) -> Called {
        let Some(mut call) = self.take_in(cx, conn, call) else { return Called::Nothing };
        let id = call.id;
        let closes = match call.name.as_str() {
            END_CALL => Some(Ended::AgentHungUp),
            TRANSFER_CALL => match destinations::asked_for(&cx.setup.destinations, &call.arguments, cx.now) {
                Ok(transfer) => Some(Ended::Transferred(transfer)),
                Err(why) => return self.refuse(cx, conn, call, &why),
            },
            _ => None,
        };
        if let Some(why) = closes {
            cx.record(Fact::ToolCalled(call.clone()));
            return Called::Closes(why, Asked(call));
        }
        if call.name == COLLECT_DIGITS {
            return self.collects(cx, conn, call);
        }
        if let Some(problem) = self.problem(cx, &call) {
            return self.refuse(cx, conn, call, problem);
        }
        if let Some(problem) = self.breaker.trips(cx, &call.name, &call.arguments) {
            return self.refuse(cx, conn, call, problem);
        }
        let wait = cx.setup.function(&call.name).and_then(|function| function.wait).unwrap_or(cx.policy.tool_wait);
        call.wait_ms = Some(millis(wait));
        // Recorded before it is done: after a fault it may not have been, but it never is twice.
        cx.record(Fact::ToolCalled(call.clone()));
        let (call_id, name, arguments) = (call.call_id.clone(), call.name.clone(), call.arguments.clone());
        let effect = Effect::Function { call_id, name, arguments, digits: digits.clone() };
        cx.out.push_back(Output::Run { id, effect });
        cx.deadlines.set(Timer(id), cx.now + wait);
        let running = Running::new(cx, call, false);
        if !running.silent {
            cx.function_called(&running.call.response);
        }
        self.running.push(running);
        Called::Nothing
    }

    /// The caller is to type something: it runs as a function does, and nothing is run for it.
    fn collects(&mut self, cx: &mut Context, conn: ConnId, call: ToolCall) -> Called {
        let open = self.running.iter().any(|running| running.entry).then_some(prompts::ENTRY_OPEN);
        let full = || (self.running.len() >= MOST_RUNNING).then_some(prompts::TOO_MANY_FUNCTIONS);
        if let Some(problem) = open.or_else(full) {
            let problem = self.breaker.trips(cx, &call.name, &call.arguments).unwrap_or(problem);
            return self.refuse(cx, conn, call, problem);
        }
        let id = call.id;
        match Ask::read(&call.arguments, cx.setup.secret_keys) {
            Ok(ask) => {
                cx.record(Fact::ToolCalled(call.clone()));
                self.running.push(Running::new(cx, call, false));
                Called::Collects(id, ask)
            }
            Err(problem) => self.refuse(cx, conn, call, &arguments::error(&problem)),
        }
    }

    /// A function is not run, and this is its result.
    fn refuse(&mut self, cx: &mut Context, conn: ConnId, call: ToolCall, problem: &str) -> Called {
        cx.count("tool_refused", 1);
        cx.record(Fact::ToolCalled(call.clone()));
        cx.function_called(&call.response);
        self.due.insert(call.response.clone());
        Self::answer(cx, Some(conn), Asked(call), problem);
        Called::Answered
    }

    /// The model called a function with an answer that was broken off: it is not run, and the model told so, for it may call it again.
    pub(super) fn called_in_vain(&mut self, cx: &mut Context, conn: ConnId, call: FunctionCall) {
        if let Some(call) = self.take_in(cx, conn, call) {
            cx.record(Fact::ToolCalled(call.clone()));
            Self::answer(cx, Some(conn), Asked(call), prompts::NOT_RUN);
        }
    }

    /// A call, unless it is a copy of one.
    fn take_in(&mut self, cx: &mut Context, conn: ConnId, call: FunctionCall) -> Option<ToolCall> {
        let FunctionCall { response, item, call_id, name, arguments, .. } = call;
        if !self.taken.insert(if call_id.is_empty() { item.as_str().to_owned() } else { call_id.clone() }) {
            cx.count("repeated_event", 1);
            return None;
        }
        let (id, at_ms) = (EffectId(cx.history.effects() + 1), cx.at_ms());
        Some(ToolCall { id, conn, response, call_id, name, arguments, at_ms, wait_ms: None })
    }

    /// Why a function is not run: the result of its call.
    fn problem(&self, cx: &Context, call: &ToolCall) -> Option<&'static str> {
        if cx.setup.function(&call.name).is_none() {
            Some(prompts::NO_SUCH_FUNCTION)
        } else if !arguments::is_object(&call.arguments) {
            Some(prompts::BAD_ARGUMENTS)
        } else if self.running.len() >= MOST_RUNNING {
            Some(prompts::TOO_MANY_FUNCTIONS)
        } else {
            None
        }
    }

    /// The caller says something: whoever answers it has read what is known by then.
    pub(super) fn caller_spoke(&mut self) {
        self.due.clear();
        self.held = None;
        self.running.iter_mut().for_each(|running| running.overtaken = true);
    }

    /// An answer was asked for.
    pub(super) fn asked(&mut self) {
        self.due.clear();
        self.answer_begins();
    }

    /// Whether the answer waits for a function, and the caller with it.
    pub(super) fn are_pending(&self) -> bool {
        self.running.iter().any(|running| !running.silent)
    }

    /// Whether the caller waits for a function, and not the other way round.
    pub(super) fn keep_waiting(&self) -> bool {
        self.running.iter().any(|running| !running.silent && !running.entry)
    }

    /// What may be said meanwhile.
    pub(super) fn words_meanwhile(&self, cx: &Context) -> Vec<String> {
        let first = self.running.iter().find(|running| !running.silent && !running.entry);
        let function: Option<&Function> = first.and_then(|running| cx.setup.function(&running.call.name));
        function.map_or_else(Vec::new, |function| function.say_while.clone())
    }

    /// The call is over for good: what only looks is given up, and what changes something is let finish.
    pub(super) fn leave(&self, cx: &mut Context) {
        for Running { call, .. } in &self.running {
            if cx.setup.function(&call.name).is_some_and(|function| function.effect == FunctionEffect::Read) {
                cx.out.push_back(Output::Cancel { id: call.id });
            }
        }
    }

    /// Whether results wait for an answer, whatever else is to come.
    pub(super) fn are_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether an answer is to be asked for now: all functions of a response have returned, and it is over.
    pub(super) fn want_answer(&self, is_open: impl Fn(&ResponseId) -> bool) -> bool {
        let runs = |response: &ResponseId| self.running.iter().any(|running| running.call.response == *response);
        self.due.iter().any(|response| !is_open(response) && !runs(response))
    }

    /// Whether nothing runs, and nothing waits for an answer.
    pub(super) fn are_idle(&self) -> bool {
        self.running.is_empty() && self.due.is_empty()
    }

    /// Another session begins: what one calls by a name is nothing to the next.
    pub(super) fn forget_session(&mut self) {
        self.taken.clear();
        self.told.clear();
        self.answer_begins();
    }
}
