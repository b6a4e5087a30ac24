//! What happened between the turns of a call, and the call as it goes on from its record.

use std::time::SystemTime;

use protocol::call::fact::{ToolCall, Turn};
use protocol::call::history::{StoredCall, StoredStep};
use protocol::call::io::{ConnId, EffectId};
use protocol::ids::{CallSid, ResponseId};

use super::{Call, Store, StoreError, query, transaction};

/// Kinds of steps, as stored.
pub(super) const TOOL: &str = "tool";
pub(super) const KEYS: &str = "keys";
/// Steps of a call that are read: the latest, and far more than a session is told of.
pub(super) const MOST_READ: i64 = 1_000;

/// A row of `call_steps`: kind, number, when, how its session called a function, its name, how long its result is waited for, the result,
/// and the arguments or keys.
pub(super) type StepRow = (String, i64, i64, Option<String>, Option<String>, Option<i64>, Option<String>, String);

/// Functions of a call that are shown: the latest.
pub(super) const MOST_SHOWN: i64 = 100;

/// A function that a call had run, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRun {
    /// Counts over the call.
    pub number: i64,
    /// When it was called, ms into the call.
    pub at_ms: i64,
    /// The function.
    pub name: String,
    /// As the model wrote them.
    pub arguments: String,
    /// What it came to, whole; none: it has not, or nobody wrote it down.
    pub output: Option<String>,
}

/// The row of a step.
pub(super) fn row(step: &StoredStep) -> StepRow {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match step {
        StoredStep::Tool { call, result } => (
            TOOL.to_owned(),
            i64::from(call.id.0),
            whole(call.at_ms),
            Some(call.call_id.clone()),
            Some(call.name.clone()),
            call.wait_ms.map(whole),
            result.clone(),
            call.arguments.clone(),
        ),
        StoredStep::Keys { keys, at_ms } => {
            (KEYS.to_owned(), whole(*at_ms), whole(*at_ms), None, None, None, None, keys.clone())
        }
    }
}

/// The step of a row; none when it is of a kind that this version does not know.
pub(super) fn step((kind, number, at_ms, call_id, name, wait_ms, result, input): StepRow) -> Option<StoredStep> {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    let at_ms = whole(at_ms);
    match kind.as_str() {
        TOOL => {
            let call = ToolCall {
                id: EffectId(u32::try_from(number).ok()?),
                // Of the session that called, nothing is left.
                conn: ConnId(0),
                response: ResponseId::new(""),
                call_id: call_id.unwrap_or_default(),
                name: name.unwrap_or_default(),
                arguments: input,
                at_ms,
                wait_ms: wait_ms.map(whole),
            };
            Some(StoredStep::Tool { call, result })
        }
        KEYS => Some(StoredStep::Keys { keys: input, at_ms }),
        _ => None,
    }
}

impl Store {
    /// The latest functions that a call had run, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tools_of_call(&self, call: &Call) -> Result<Vec<ToolRun>, StoreError> {
        let id = call.id;
        query!(self, read, steps::tools(id))
    }

    /// Keeps what a function came to, whole, beside what the model was told of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_whole_result(&self, call: &CallSid, number: u32, output: String) -> Result<(), StoreError> {
        let call = call.clone();
        transaction!(self, steps::keep_whole(&call, i64::from(number), &output))
    }

    /// What a call goes on from that nobody remembers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored_history(&self, call: &Call) -> Result<StoredCall, StoreError> {
        let id = call.id;
        let (turns, steps): (Vec<Turn>, Vec<StoredStep>) = query!(self, read, steps::of_call(id))?;
        let redials = call.figures.model_reconnects.and_then(|again| u32::try_from(again).ok());
        Ok(StoredCall {
            started: call.times.media_at.map(SystemTime::from),
            streams: call.streams(),
            turns,
            steps,
            dials: redials.map_or(0, |again| again.saturating_add(1)),
        })
    }
}
