//! What came of a call that is over, as the client's schema has it: a text model is asked, and its answer checked (`[outcome]` of an agent file).
//!
//! It is a job, added with the end of the call. A model that answers badly is told what is wrong and asked again, a few times; a server that
//! cannot be asked is asked later. What it comes to is on record and told as `call.analysed`, once.

use std::time::Duration;

use chrono::Utc;
use protocol::backoff::Backoff;
use protocol::ids::CallSid;
use serde_json::Value;
use tokio::time::{Instant, sleep};

mod brief;
mod model;
mod reply;
mod strict;

#[cfg(test)]
mod tests;

pub use model::{OUTCOME_MODEL, OUTCOME_URL, TextModel, TextModelClient};

use crate::agent::{Documents, OutcomeConfig};
use crate::jobs::{Handler, Job, JobError, RetryPolicy};
use crate::schema::Schema;
use crate::store::{ANALYSE_CALL, CallOutcome, EventSubject, OutcomeStatus, Store, StoreError};
use model::{Asked, Wanted};

/// Answers that are asked for in one attempt, until one is as the schema says.
const MOST_ANSWERS: usize = 3;
/// A server that says so is waited for within an attempt, up to this.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Characters of the reason that is kept.
const LONGEST_WHY: usize = 500;

/// Has it found out.
pub struct AnalyseCall {
    store: Store,
    documents: Documents,
    /// None: nobody is asked.
    model: Option<TextModelClient>,
}

impl AnalyseCall {
    /// With the text model of this gateway, if it has one.
    #[must_use]
    pub fn new(store: Store, model: Option<TextModelClient>) -> Self {
        Self { documents: Documents::new(store.clone()), store, model }
    }

    async fn keep(&self, call: &CallSid, kept: Kept) -> Result<(), StoreError> {
        let Kept { status, outcome, why, model } = kept;
        let why = why.map(|why| why.chars().take(LONGEST_WHY).collect());
        let outcome = CallOutcome { status, outcome, why, model, updated_at: Utc::now() };
        metrics::counter!("callgate_outcomes_total", "status" => status.name()).increment(1);
        self.store.set_outcome(call, outcome).await.map(drop)
    }

    /// Asks until an answer is as it should be, within bounds.
    async fn find_out(&self, asks: &Asks<'_>) -> Result<Value, JobError> {
        let (mut messages, mut wrong) = (asks.messages.clone(), String::new());
        let mut format = true;
        let mut rested = false;
        for _ in 0..MOST_ANSWERS {
            let wanted = Wanted { model: asks.model_name, messages: &messages, schema: &asks.config.schema, format };
            let answer = match asks.client.ask(&wanted).await {
                Asked::Answer(answer) => answer,
                Asked::FormatRefused(_) if format => {
                    // It is told the schema in words as well.
                    format = false;
                    continue;
                }
                Asked::Rest(rest, _) if !rested && rest <= LONGEST_REST => {
                    rested = true;
                    sleep(rest).await;
                    continue;
                }
                Asked::Rest(_, why) | Asked::Later(why) => return Err(JobError::Retry(why)),
                Asked::FormatRefused(why) | Asked::Never(why) => return Err(JobError::GiveUp(why)),
            };
            match reply::outcome(&answer, asks.schema) {
                Ok(outcome) => return Ok(outcome),
                Err(why) => {
                    metrics::counter!("callgate_outcome_answers_refused_total").increment(1);
                    messages.extend(brief::again(&answer, &why));
                    wrong = why;
                }
            }
        }
        Err(JobError::GiveUp(format!("the text model's answers will not do: {wrong}")))
    }
}

/// How it is put on record.
struct Kept {
    status: OutcomeStatus,
    outcome: Option<Value>,
    why: Option<String>,
    model: Option<String>,
}

/// What is asked of whom.
struct Asks<'a> {
    client: &'a TextModelClient,
    model_name: &'a str,
    config: &'a OutcomeConfig,
    schema: &'a Schema,
    messages: Vec<Value>,
}

fn call_of(job: &Job) -> CallSid {
    CallSid::new(job.payload["call_sid"].as_str().unwrap_or_default())
}

impl Handler for AnalyseCall {
    const KIND: &'static str = ANALYSE_CALL;
    /// So many requests at once, of one gateway.
    const AT_ONCE: usize = 16;
    const PATIENCE: RetryPolicy = RetryPolicy {
        pauses: Backoff::new(Duration::from_secs(2), Duration::from_secs(10 * 60)),
        longest_age: Duration::from_secs(24 * 3600),
        most_attempts: 20,
        one_attempt: Duration::from_secs(240),
    };

    async fn run(&self, job: &Job) -> Result<(), JobError> {
        let call = call_of(job);
        let told = self.store.told_of(&call, None).await?;
        let told = told.ok_or_else(|| JobError::GiveUp("there is no such call".to_owned()))?;
        if !told.call.is_over() {
            return Err(JobError::Retry("the call goes on after all".to_owned()));
        }
        let known = told.outcome.as_ref().map(|known| known.status);
        let document = self.documents.of(&told.client).await?;
        let config = document.follow_up.outcome.as_ref().filter(|_| known != Some(OutcomeStatus::Done));
        let Some(config) = config else { return Ok(()) };
        if let Some(why) = nothing_to_ask(&told, self.model.as_ref()) {
            let kept = Kept { status: OutcomeStatus::Skipped, outcome: None, why: Some(why.to_owned()), model: None };
            return Ok(self.keep(&call, kept).await?);
        }
        let Some(client) = &self.model else { return Ok(()) };
        let schema = Schema::of_arguments(&config.schema).map_err(JobError::GiveUp)?;
        let model_name = config.model.as_deref().unwrap_or(client.model());
        let messages = brief::messages(config, &told);
        let begun = Instant::now();
        let asks = Asks { client, model_name, config, schema: &schema, messages };
        let outcome = self.find_out(&asks).await?;
        metrics::histogram!("callgate_outcome_seconds").record(begun.elapsed().as_secs_f64());
        let model = Some(model_name.to_owned());
        Ok(self.keep(&call, Kept { status: OutcomeStatus::Done, outcome: Some(outcome), why: None, model }).await?)
    }

    async fn put_off(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        let kept = Kept { status: OutcomeStatus::Waiting, outcome: None, why: Some(why.to_owned()), model: None };
        self.keep(&call_of(job), kept).await
    }

    async fn given_up(&self, job: &Job, why: &str) -> Result<(), StoreError> {
        let kept = Kept { status: OutcomeStatus::Failed, outcome: None, why: Some(why.to_owned()), model: None };
        self.keep(&call_of(job), kept).await
    }
}

/// Why nobody is asked of a call.
fn nothing_to_ask(told: &EventSubject, model: Option<&TextModelClient>) -> Option<&'static str> {
    if model.is_none() {
        Some("this gateway has no text model: set OUTCOME_API_KEY, or OUTCOME_URL")
    } else if told.turns.iter().all(|turn| turn.backchannel || turn.text.trim().is_empty()) && told.tools.is_empty() {
        Some("nothing was said in the call")
    } else {
        None
    }
}
