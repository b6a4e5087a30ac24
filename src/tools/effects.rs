//! What one call has done: what it wants is done here, and what it came to is told to it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::{EffectAnswer, Effects, lock};
use chrono::Utc;
use protocol::call::digits::SecretDigits;
use protocol::call::functions::{CallContext, Ran};
use protocol::call::io::{Effect, EffectId};
use protocol::ids::CallSid;
use protocol::wire::{clip, without_nul};
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::context::Variables;
use super::request::CallInfo;
use super::run::{Exchange, exchange};
use super::runner::{Permit, Runner};
use super::toolset::{ReadyTool, Toolset};
use super::{context, labels};
use crate::store::{AfterCall, AuditEntry};

/// Bytes that are told of what a function came to behind its call's end.
const LONGEST_TOLD: usize = 8 * 1024;

/// How long the record may take to have a function before its whole result is written beside it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// See the module. It lives as long as the call is here; what it began to change goes on without it.
pub struct CallEffects {
    runner: Arc<Runner>,
    toolset: Arc<Toolset>,
    info: CallInfo,
    /// What the client said of the call: its functions are told.
    context: Arc<Variables>,
    /// What may be given up.
    looking: Mutex<HashMap<EffectId, AbortHandle>>,
}

impl CallEffects {
    /// For a call of a client's.
    pub(super) fn new(runner: Arc<Runner>, toolset: Arc<Toolset>, info: CallInfo, context: Arc<Variables>) -> Self {
        Self { runner, toolset, info, context, looking: Mutex::default() }
    }

    fn begin(&self, id: EffectId, (name, arguments): (&str, String), digits: SecretDigits, answer: EffectAnswer) {
        let Some(tool) = self.toolset.tool(name) else {
            answer.give(Err("there is no such function".to_owned()));
            return;
        };
        let Some(permit) = self.runner.permit(&self.toolset) else {
            count(name, "too_many");
            let why = "too many functions are running: tell the caller, and try again in a moment";
            answer.give(Err(why.to_owned()));
            return;
        };
        let job = Job {
            runner: Arc::clone(&self.runner),
            toolset: Arc::clone(&self.toolset),
            tool: Arc::clone(tool),
            info: CallInfo { context: self.context.get().cloned().unwrap_or_default(), digits, ..self.info.clone() },
            id,
            _permit: permit,
        };
        let is_read_only = tool.is_read_only();
        let runs = self.runner.runtime.spawn(job.run(arguments, answer));
        if is_read_only {
            self.may_be_given_up(id, runs.abort_handle());
        }
    }

    fn may_be_given_up(&self, id: EffectId, runs: AbortHandle) {
        let mut looking = lock(&self.looking);
        looking.retain(|_, runs| !runs.is_finished());
        looking.insert(id, runs);
    }

    /// Asks the client who calls.
    fn look_up(&self, id: EffectId, answer: EffectAnswer) {
        let Some(permit) = self.runner.lookup_permit(&self.toolset) else {
            metrics::counter!("callgate_context_total", "outcome" => "too_many").increment(1);
            answer.give(Err("too many calls are asked about".to_owned()));
            return;
        };
        let (runner, toolset, info) = (Arc::clone(&self.runner), Arc::clone(&self.toolset), self.info.clone());
        let known = Arc::clone(&self.context);
        let runs = self.runner.runtime.spawn(async move {
            let _permit = permit;
            let told = asked(&runner, &toolset, &info).await;
            if let Ok(context) = &told {
                let _ = known.set(context.variables.clone());
            }
            answer.give(told.map(Ran::Context));
        });
        self.may_be_given_up(id, runs.abort_handle());
    }
}

impl fmt::Debug for CallEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallEffects").field("call", &self.info.call_sid).finish_non_exhaustive()
    }
}

impl Effects for CallEffects {
    fn run(&self, _: &CallSid, id: EffectId, effect: Effect, answer: EffectAnswer) {
        match effect {
            Effect::Function { name, arguments, digits, .. } => self.begin(id, (&name, arguments), digits, answer),
            Effect::Context => self.look_up(id, answer),
        }
    }

    fn cancel(&self, _: &CallSid, id: EffectId) {
        if let Some(runs) = lock(&self.looking).remove(&id) {
            runs.abort();
            metrics::counter!("callgate_tools_cancelled_total").increment(1);
        }
    }
}

/// A function that runs.
struct Job {
    runner: Arc<Runner>,
    toolset: Arc<Toolset>,
    tool: Arc<ReadyTool>,
    info: CallInfo,
    id: EffectId,
    _permit: Permit,
}

impl Job {
    async fn run(self, arguments: String, answer: EffectAnswer) {
        let Self { runner, toolset, tool, info, id, .. } = &self;
        let ran = exchange(runner, toolset, tool, info, id.0, &arguments).await;
        count(tool.name(), ran.outcome);
        let label = labels::of(tool.name());
        metrics::histogram!("callgate_tool_seconds", "tool" => label).record(ran.took.as_secs_f64());
        runner.log.audit(self.entry(&ran));
        let Exchange { result, .. } = ran;
        let told = result.clone().map(Into::into);
        let heard = answer.give(told);
        let result = result.map(|returned| returned.output);
        if !heard && !tool.is_read_only() {
            self.completed_after_call(&result).await;
        }
        if let Ok(output) = result {
            self.keep_whole(output).await;
        }
    }

    /// The model is told the beginning of a long result; the record has all of it, once it has the call of the function.
    async fn keep_whole(&self, output: String) {
        if output.len() <= LONGEST_TOLD {
            return;
        }
        let Self { runner, info, id, .. } = self;
        let written = timeout(WRITTEN_WITHIN, runner.log.written()).await.unwrap_or(false);
        let kept = runner.store.keep_whole_result(&info.call_sid, id.0, without_nul(output)).await;
        if let Err(error) = &kept {
            tracing::warn!(call_sid = %info.call_sid, %error, "the whole result of a function is not on record");
        }
        if !written || kept.is_err() {
            metrics::counter!("callgate_tools_results_cut_total").increment(1);
        }
    }

    /// Nobody is there to be told: it is on record, and the client is told.
    async fn completed_after_call(&self, result: &Result<String, String>) {
        let Self { runner, tool, info, id, .. } = self;
        let (ok, output) = match result {
            Ok(output) => (true, output),
            Err(why) => (false, why),
        };
        let done = AfterCall {
            call: info.call_sid.clone(),
            number: id.0,
            tool: tool.name().to_owned(),
            ok,
            output: without_nul(clip(output, LONGEST_TOLD).into_owned()),
        };
        if let Err(error) = runner.store.completed_after_call(done).await {
            tracing::warn!(call_sid = %info.call_sid, %error, "what a function came to behind its call is not on record");
        }
    }

    fn entry(&self, ran: &Exchange) -> AuditEntry {
        let ms = u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX);
        let told = json!({
            "name": self.tool.name(),
            "number": self.id.0,
            "came_to": ran.outcome,
            "status": ran.answer.as_ref().map(|(status, _)| status),
            "bytes": ran.answer.as_ref().map(|(_, body)| body.len()),
            "attempts": ran.attempts,
            "took_ms": ms,
        });
        let outcome = if ran.outcome == "ok" { "ok" } else { "failed" };
        AuditEntry::step(&self.info.call_sid, Utc::now(), "call.tool-run", outcome, told)
    }
}

/// What the client says of a call; else what is wrong. What it came to is counted, and a failure is on record.
async fn asked(runner: &Runner, toolset: &Toolset, info: &CallInfo) -> Result<CallContext, String> {
    let Some(config) = &toolset.context else { return Err("nobody is asked who calls".to_owned()) };
    let begun = Instant::now();
    let told = context::ask(runner, toolset, info, config).await;
    let took = begun.elapsed();
    metrics::histogram!("callgate_context_seconds").record(took.as_secs_f64());
    let outcome = told.as_ref().map_or_else(|(outcome, _)| *outcome, |_| "ok");
    metrics::counter!("callgate_context_total", "outcome" => outcome).increment(1);
    told.map_err(|(outcome, why)| {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let told = json!({ "came_to": outcome, "took_ms": took_ms });
        runner.log.audit(AuditEntry::step(&info.call_sid, Utc::now(), "call.context", "failed", told));
        why
    })
}

fn count(name: &str, outcome: &'static str) {
    metrics::counter!("callgate_tool_runs_total", "tool" => labels::of(name), "outcome" => outcome).increment(1);
}
