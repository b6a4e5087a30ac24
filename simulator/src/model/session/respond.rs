//! The model's side of a session: responses.

use std::collections::VecDeque;
use std::time::Instant;

use rand::Rng;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::Session;
use super::plan::{self, Output, OutputKind, Stage, Step, What};
use crate::model::handle::lock;

/// Deltas that still come after a cancel.
const LATE_DELTAS: std::ops::RangeInclusive<usize> = 2..=3;
const CACHE_BLOCK_TOKENS: u64 = 64;

/// A response being generated.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: String,
    /// From 0 in the session.
    pub(super) index: u32,
    pub(super) outputs: Vec<Output>,
    pub(super) steps: VecDeque<Step>,
    /// When the last step was due: the next is due its pause later, however late this one was.
    pub(super) at: Instant,
    pub(super) outcome: Outcome,
    /// As in `response.created`, without what changes.
    pub(super) shape: Value,
    /// Whether its items become part of the conversation.
    pub(super) stored: bool,
    pub(super) sent_ms: f64,
    pub(super) input_tokens: [u64; 3],
}

/// How a response ends.
#[derive(Debug)]
pub(super) enum Outcome {
    Completed,
    Cancelled(&'static str),
    Failed(String),
}

impl Active {
    /// The `response` object.
    pub(super) fn json(&self, status: &str, details: Value, usage: Value) -> Value {
        let ended = self.outputs.iter().filter(|output| output.stage == Stage::Closed);
        let item_status = if status == "completed" { "completed" } else { "incomplete" };
        let output: Vec<_> = ended.map(|output| output.json(item_status, false)).collect();
        let mut response = self.shape.clone();
        response["status"] = status.into();
        response["status_details"] = details;
        response["output"] = output.into();
        response["usage"] = usage;
        response
    }

    /// The fields of an event about an item's content.
    fn fields(&self, index: usize, mut own: Value) -> Value {
        own["response_id"] = self.id.as_str().into();
        own["item_id"] = self.outputs[index].id.as_str().into();
        own["output_index"] = index.into();
        own["content_index"] = 0.into();
        own
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.steps.front().map(|step| self.at + step.after)
    }
}

impl Session {
    /// The id of the response being generated.
    pub(super) fn active_response(&self) -> Option<&str> {
        self.response.as_ref().map(|active| active.id.as_str())
    }

    /// Stops the response being generated, but for what is on its way.
    pub(super) fn cancel_response(&mut self, now: Instant, reason: &'static str) {
        let late = self.rng.random_range(LATE_DELTAS);
        // Speech stops only what it answers: a response outside of the conversation goes on.
        let stops = |active: &&mut Active| {
            matches!(active.outcome, Outcome::Completed) && (active.stored || reason != "turn_detected")
        };
        if let Some(active) = self.response.as_mut().filter(stops) {
            active.outcome = Outcome::Cancelled(reason);
            active.steps = plan::cancelled(std::mem::take(&mut active.steps), &active.outputs, late);
            active.at = active.at.max(now);
        }
    }

    /// Takes all steps that are due.
    pub(super) fn continue_response(&mut self, now: Instant) {
        let Some(mut active) = self.response.take() else { return };
        while let Some(at) = active.next_at().filter(|at| *at <= now) {
            active.at = at;
            match active.steps.pop_front().map(|step| step.what) {
                Some(What::Open(index)) => self.open(&mut active, index),
                Some(What::Words(index, words)) => self.say(&mut active, index, words),
                Some(What::Audio(index, piece)) => self.send_audio(&mut active, index, piece),
                Some(What::Arguments(index, part)) => self.say_arguments(&mut active, index, part),
                Some(What::Close(index)) => self.close(&mut active, index),
                Some(What::Finish) => return self.finish(active),
                None => {}
            }
        }
        self.response = Some(active);
    }

    fn open(&mut self, active: &mut Active, index: usize) {
        active.outputs[index].stage = Stage::Open;
        let (item, response_id) = (active.outputs[index].json("in_progress", true), active.id.clone());
        let fields = json!({"response_id": response_id, "output_index": index, "item": item});
        self.emit("response.output_item.added", fields);
        if active.stored {
            let previous = {
                let mut conversation = lock(&self.tracked.conversation);
                let previous = conversation.last_id();
                conversation.push(item.clone());
                previous
            };
            self.emit("conversation.item.added", json!({"previous_item_id": previous, "item": item}));
        }
        let part = match &active.outputs[index].kind {
            OutputKind::Speech { .. } => json!({"type": "audio", "transcript": ""}),
            OutputKind::Text { .. } => json!({"type": "text", "text": ""}),
            OutputKind::Call { .. } => return,
        };
        self.emit("response.content_part.added", active.fields(index, json!({"part": part})));
    }

    fn say(&mut self, active: &mut Active, index: usize, words: String) {
        let kind = match active.outputs[index].kind {
            OutputKind::Text { .. } => "response.output_text.delta",
            _ => "response.output_audio_transcript.delta",
        };
        let fields = active.fields(index, json!({"delta": words, "obfuscation": self.obfuscation()}));
        self.emit(kind, fields);
        active.outputs[index].said.push_str(&words);
    }

    fn say_arguments(&mut self, active: &mut Active, index: usize, part: String) {
        let output = &mut active.outputs[index];
        output.said.push_str(&part);
        let OutputKind::Call { call_id, .. } = &output.kind else { return };
        let fields = json!({
            "response_id": active.id, "item_id": output.id, "output_index": index, "call_id": call_id, "delta": part,
            "obfuscation": self.obfuscation(),
        });
        self.emit("response.function_call_arguments.delta", fields);
    }

    /// Written by hand: these are nearly all that is sent.
    fn send_audio(&mut self, active: &mut Active, index: usize, piece: usize) {
        const KIND: &str = "response.output_audio.delta";
        let output = &active.outputs[index];
        let OutputKind::Speech { rendering, .. } = &output.kind else { return };
        let Some(piece) = rendering.pieces.get(piece) else { return };
        let event_id = self.id("event_");
        let mut text = String::with_capacity(piece.base64.len() + 256);
        for part in [
            r#"{"type":"response.output_audio.delta","event_id":""#,
            &event_id,
            r#"","response_id":""#,
            &active.id,
            r#"","item_id":""#,
            &output.id,
            r#"","output_index":"#,
            &index.to_string(),
            r#","content_index":0,"delta":""#,
            &piece.base64,
            r#""}"#,
        ] {
            text.push_str(part);
        }
        active.sent_ms += piece.ms;
        self.history.assistant_ms += piece.ms;
        lock(&self.tracked.tap).sent(active.index, active.sent_ms);
        if active.stored {
            lock(&self.tracked.conversation).add_audio(&output.id, piece.ms);
        }
        self.out.push(Message::text(text));
        self.tracked.sent(KIND);
        let (id, generated_ms) = (&active.id, active.sent_ms as u64);
        self.tracked.update(|log| {
            if let Some(log) = log.responses.iter_mut().rfind(|log| log.id == *id) {
                log.generated_ms = generated_ms;
            }
        });
    }

    fn close(&mut self, active: &mut Active, index: usize) {
        active.outputs[index].stage = Stage::Closed;
        let whole = matches!(active.outcome, Outcome::Completed);
        let said = active.outputs[index].said.clone();
        let done = |part| active.fields(index, part);
        match &active.outputs[index].kind {
            OutputKind::Speech { .. } => {
                let part = json!({"type": "audio", "transcript": said});
                let (audio, words, part) =
                    (done(json!({})), done(json!({"transcript": said})), done(json!({"part": part})));
                self.emit("response.output_audio.done", audio);
                self.emit("response.output_audio_transcript.done", words);
                self.emit("response.content_part.done", part);
            }
            OutputKind::Text { .. } => {
                let part = json!({"type": "text", "text": said});
                let (words, part) = (done(json!({"text": said})), done(json!({"part": part})));
                self.emit("response.output_text.done", words);
                self.emit("response.content_part.done", part);
            }
            OutputKind::Call { name, call_id, .. } if whole => {
                let fields = json!({
                    "response_id": active.id, "item_id": active.outputs[index].id, "output_index": index,
                    "call_id": call_id, "name": name, "arguments": said,
                });
                self.emit("response.function_call_arguments.done", fields);
            }
            OutputKind::Call { .. } => {}
        }
        let output = &active.outputs[index];
        let item = output.json(if whole { "completed" } else { "incomplete" }, false);
        if active.stored {
            // A truncation that was faster has the last word on the content.
            lock(&self.tracked.conversation).change(&output.id, |stored| {
                let content = stored["content"].take();
                *stored = item.clone();
                if content.as_array().is_some_and(|content| !content.is_empty()) {
                    stored["content"] = content;
                }
            });
            self.emit("conversation.item.done", json!({"previous_item_id": Value::Null, "item": item}));
        }
        let fields = json!({"response_id": active.id, "output_index": index, "item": item});
        self.emit("response.output_item.done", fields);
    }

    fn finish(&mut self, active: Active) {
        let (status, details) = match &active.outcome {
            Outcome::Completed => ("completed", Value::Null),
            Outcome::Cancelled(reason) => ("cancelled", json!({"type": "cancelled", "reason": reason})),
            Outcome::Failed(code) => ("failed", json!({"type": "failed", "error": failure(code)})),
        };
        let usage = if status == "failed" { Value::Null } else { self.usage(&active) };
        let response = active.json(status, details, usage);
        self.emit("response.done", json!({"response": response}));
        self.tracked.update(|log| {
            if let Some(log) = log.responses.iter_mut().rfind(|log| log.id == active.id) {
                log.status = status.to_owned();
            }
        });
        self.history.cached_tokens = active.input_tokens[0];
        if active.index.is_multiple_of(2) {
            let limits =
                json!([{"name": "tokens", "limit": 15_000_000, "remaining": 14_999_361, "reset_seconds": 0.002}]);
            self.emit("rate_limits.updated", json!({"rate_limits": limits}));
        }
    }

    /// One token for 100 ms of the caller's audio and for 50 ms of the model's; the whole conversation is input again,
    /// of which the last response's is cached.
    fn usage(&self, active: &Active) -> Value {
        let [input, text, audio] = active.input_tokens;
        let cached = self.history.cached_tokens.min(input) / CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS;
        let cached_text = cached.min(text);
        let words: usize = active.outputs.iter().map(|output| output.said.split_whitespace().count()).sum();
        let (text_out, audio_out) = (words as u64 * 4 / 3, (active.sent_ms / 50.0) as u64);
        json!({
            "total_tokens": input + text_out + audio_out, "input_tokens": input, "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": text, "audio_tokens": audio, "image_tokens": 0, "cached_tokens": cached,
                "cached_tokens_details": {
                    "text_tokens": cached_text, "audio_tokens": (cached - cached_text).min(audio), "image_tokens": 0,
                },
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        })
    }
}

/// The error of a failed response.
fn failure(code: &str) -> Value {
    let (kind, message) = match code {
        "rate_limit_exceeded" => (
            "tokens",
            "Rate limit reached for gpt-realtime in organization org-simulated on tokens per min (TPM): Limit 40000, Used 37040, Requested 8196. Please try again in 1.2s.",
        ),
        "insufficient_quota" => {
            ("insufficient_quota", "You exceeded your current quota, please check your plan and billing details.")
        }
        _ => ("server_error", "The server had an error while processing your request. Sorry about that!"),
    };
    json!({"type": kind, "code": code, "message": message})
}
