//! Functions that the model calls. Each is run at most once, over the whole call, and has its result told once a session.
//!
//! A function leaves as an effect and comes back as its result, or its deadline passes. The caller may speak meanwhile, the session may be
//! lost, the call be rebuilt: the effect goes on. What it came to is told to the session that asked, or, with the call, to the one there is
//! then. The model is asked for an answer once all functions of a response have returned and the response is over; not when the caller has
//! spoken since: who answers them has read the results.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use super::context::{Context, millis};
use super::end::Ended;
use super::fact::{Fact, ToolCall};
use super::functions::{Function, FunctionAnswer, FunctionEffect, Ran, Returned, Steer};
use super::io::{ConnId, Effect, EffectId, Output};
use super::policy::Setup;
use super::prompts;
use super::recent::Recent;
use crate::ids::ResponseId;
use crate::realtime::arguments;
use crate::realtime::command::{ClientEvent, NewItem, Tool};
use crate::realtime::event::FunctionCall;
use crate::wire::clip;

/// The function that ends the call.
const END_CALL: &str = "end_call";
/// The function that hands it on to a person.
const TRANSFER_CALL: &str = "transfer_call";
/// Calls whose copies are known.
const KNOWN: usize = 64;
/// Functions of one call that run at once.
const MOST_RUNNING: usize = 8;
/// A model that calls the same function with the same arguments so often within [`REPEATS_WITHIN`] is told no more of it.
const MOST_REPEATS: usize = 3;
/// See there.
const REPEATS_WITHIN: Duration = Duration::from_secs(30);
/// Functions called in a minute.
const MOST_A_MINUTE: usize = 20;
/// Bytes of the result of a function that a model is told.
const LONGEST_RESULT: usize = 8 * 1024;

/// That effect should have returned by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer(pub(super) EffectId);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Calls of this session that were taken.
    taken: Recent<String, KNOWN>,
    running: Vec<Running>,
    /// Calls of the last minute: when, and of what.
    lately: VecDeque<(Instant, u64)>,
    /// Responses whose functions have returned, one at least, and that no answer followed.
    due: Recent<ResponseId, MOST_RUNNING>,
}

/// A function that is to return.
#[derive(Debug)]
struct Running {
    call: ToolCall,
    /// The caller has spoken since.
    overtaken: bool,
    /// The model says nothing of its result.
    silent: bool,
}

impl Running {
    fn new(cx: &Context, call: ToolCall, overtaken: bool) -> Self {
        let silent = cx.setup.function(&call.name).is_some_and(|function| function.answer == FunctionAnswer::Silent);
        Self { call, overtaken, silent }
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
}

/// The functions that a model is told of: the client's, and our own.
pub(super) fn declared(setup: &Setup) -> Vec<Tool> {
    let own = |name: &str, (description, parameters): (&str, &str)| Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: parameters.to_owned(),
    };
    let ours = [own(END_CALL, prompts::END_CALL), own(TRANSFER_CALL, prompts::TRANSFER_CALL)];
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

    /// The model calls a function.
    pub(super) fn called(&mut self, cx: &mut Context, conn: ConnId, call: FunctionCall) -> Called {
        let FunctionCall { response, item, call_id, name, arguments, .. } = call;
        if !self.taken.insert(if call_id.is_empty() { item.as_str().to_owned() } else { call_id.clone() }) {
            cx.count("repeated_event", 1);
            return Called::Nothing;
        }
        let (id, at_ms) = (EffectId(cx.history.effects() + 1), cx.at_ms());
        let mut call = ToolCall { id, conn, response, call_id, name, arguments, at_ms, wait_ms: None };
        let closes = match call.name.as_str() {
            END_CALL => Some(Ended::AgentHungUp),
            TRANSFER_CALL => Some(Ended::Transferred { reason: transfer_reason(&call.arguments) }),
            _ => None,
        };
        if let Some(why) = closes {
            cx.record(Fact::ToolCalled(call.clone()));
            return Called::Closes(why, Asked(call));
        }
        if let Some(problem) = self.problem(cx, &call).or_else(|| self.too_often(cx, &call)) {
            cx.count("tool_refused", 1);
            cx.record(Fact::ToolCalled(call.clone()));
            self.due.insert(call.response.clone());
            Self::answer(cx, Some(conn), Asked(call), problem);
            return Called::Answered;
        }
        let wait = cx.setup.function(&call.name).and_then(|function| function.wait).unwrap_or(cx.policy.tool_wait);
        call.wait_ms = Some(millis(wait));
        // Recorded before it is done: after a fault it may not have been, but it never is twice.
        cx.record(Fact::ToolCalled(call.clone()));
        let (call_id, name, arguments) = (call.call_id.clone(), call.name.clone(), call.arguments.clone());
        cx.out.push_back(Output::Run { id, effect: Effect::Function { call_id, name, arguments } });
        cx.deadlines.set(Timer(id), cx.now + wait);
        self.running.push(Running::new(cx, call, false));
        Called::Nothing
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

    /// A model that runs in circles is stopped: why the function is not run.
    fn too_often(&mut self, cx: &mut Context, call: &ToolCall) -> Option<&'static str> {
        let what = fingerprint(&call.name, &call.arguments);
        let age = |at: Instant| cx.now.saturating_duration_since(at);
        self.lately.retain(|(at, _)| age(*at) < Duration::from_secs(60));
        let repeats = self.lately.iter().filter(|(at, known)| *known == what && age(*at) < REPEATS_WITHIN).count();
        let why = match () {
            () if repeats >= MOST_REPEATS => prompts::CALLED_AGAIN,
            () if self.lately.len() >= MOST_A_MINUTE => prompts::CALLED_TOO_OFTEN,
            () => {
                self.lately.push_back((cx.now, what));
                return None;
            }
        };
        cx.count("tool_breaker", 1);
        Some(why)
    }

    /// Gives a call its result. A session that took over since knows of no such call, and a result without its call is refused.
    pub(super) fn answer(cx: &mut Context, conn: Option<ConnId>, Asked(call): Asked, output: &str) {
        if let Some(conn) = conn.filter(|conn| *conn == call.conn) {
            let (id, call_id, output) = (call.id, call.call_id, output.to_owned());
            cx.record(Fact::ToolReturned { id, call_id: call_id.clone(), output: output.clone() });
            cx.send(conn, ClientEvent::CreateItem(NewItem::FunctionOutput { call_id, output }));
        }
    }

    /// An effect came to something.
    pub(super) fn ran(
        &mut self,
        cx: &mut Context,
        id: EffectId,
        result: Result<Ran, String>,
        to: Listener,
    ) -> Option<Steered> {
        let Some(running) = self.take(cx, id) else {
            cx.count("tool_result_late", 1);
            return None;
        };
        let (output, steer) = match result {
            Ok(Ran::Function(Returned { output, steer })) if output.len() > LONGEST_RESULT => {
                cx.count("tool_result_cut", 1);
                (prompts::cut_result(&clip(&output, LONGEST_RESULT)), steer)
            }
            Ok(Ran::Function(Returned { output, steer })) => (output, steer),
            Ok(Ran::Context(_)) => (arguments::error("it came to nothing"), None),
            Err(problem) => (arguments::error(&clip(&problem, LONGEST_RESULT)), None),
        };
        let answered = !running.silent && !running.overtaken;
        self.settle(cx, running, output, to);
        steer.map(|steer| Steered {
            why: match steer {
                Steer::HangUp => Ended::AgentHungUp,
                Steer::Transfer(to) => {
                    Ended::Transferred { reason: format!("a function said so: to {}", clip(&to, 64)) }
                }
            },
            answered,
        })
    }

    /// An effect took too long: what it comes to is told nobody any more.
    pub(super) fn expired(&mut self, cx: &mut Context, Timer(id): Timer, to: Listener) {
        if let Some(running) = self.take(cx, id) {
            cx.count("tool_timed_out", 1);
            let output = prompts::timed_out(running.call.wait_ms.unwrap_or_default());
            self.settle(cx, running, output, to);
        }
    }

    fn take(&mut self, cx: &mut Context, id: EffectId) -> Option<Running> {
        let at = self.running.iter().position(|running| running.call.id == id)?;
        cx.deadlines.clear(Timer(id));
        Some(self.running.swap_remove(at))
    }

    fn settle(&mut self, cx: &mut Context, running: Running, output: String, to: Listener) {
        let Running { call, overtaken, silent } = running;
        cx.record(Fact::ToolReturned { id: call.id, call_id: call.call_id.clone(), output: output.clone() });
        if !overtaken && !silent {
            self.due.insert(call.response.clone());
        }
        let Some(conn) = to.conn else { return };
        let whole = call.items(&output);
        let told = if conn == call.conn {
            &whole[1..]
        } else if cx.history.turn_of_call(call.id).is_some_and(|turn| turn >= to.from) {
            &[]
        } else {
            &whole[..]
        };
        for item in told {
            cx.send(conn, ClientEvent::CreateItem(item.clone()));
        }
    }

    /// The caller says something: whoever answers it has read what is known by then.
    pub(super) fn caller_spoke(&mut self) {
        self.due.clear();
        self.running.iter_mut().for_each(|running| running.overtaken = true);
    }

    /// An answer was asked for.
    pub(super) fn asked(&mut self) {
        self.due.clear();
    }

    /// Whether the answer waits for a function.
    pub(super) fn hold_the_answer(&self) -> bool {
        self.running.iter().any(|running| !running.overtaken && !running.silent)
    }

    /// Whether the caller hears nothing from the model until a function returns.
    pub(super) fn keep_the_caller_waiting(&self) -> bool {
        self.running.iter().any(|running| !running.silent)
    }

    /// What may be said meanwhile.
    pub(super) fn words_meanwhile(&self, cx: &Context) -> Vec<String> {
        let first = self.running.iter().find(|running| !running.silent);
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
    }
}

/// The same for the same call.
fn fingerprint(name: &str, arguments: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, arguments).hash(&mut hasher);
    hasher.finish()
}

fn transfer_reason(arguments: &str) -> String {
    arguments::words(arguments, "reason").unwrap_or_else(|| "not said".to_owned())
}
