//! What the model says to a turn or a request.

use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::{Map, Value, json};

use super::Session;
use super::plan::{self, Output, OutputKind, Stage};
use super::respond::{Active, Outcome};
use crate::model::TOOL_CALLERS;
use crate::model::format::Format;
use crate::model::handle::{ResponseLog, lock};
use crate::model::script::{Answer, Part};
use crate::speech::Clip;

/// From `response.created` to the first delta.
const LATENCY_MS: std::ops::Range<u64> = 60..160;
/// What in the instructions of a response makes it a greeting.
const GREETING_WORDS: [&str; 5] = ["greet", "welcome", "say hello", "नमस्ते", "स्वागत"];
/// What in the instructions of a response makes it a fixed sentence.
const SENTENCE_WORDS: &str = "Say exactly these words";
/// What in the last that the model was told makes its answer begin with an apology.
const APOLOGY_WORD: &str = "Apologise";
/// What in it tells of a transfer that came to nothing.
const BACK_WORDS: &str = "handed the caller on to";

/// What a `response.create` asks for, of what matters here.
pub(super) struct Request<'a> {
    fields: &'a Map<String, Value>,
}

impl<'a> Request<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields }
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key).and_then(Value::as_str)
    }
}

impl Session {
    /// The response to a turn of the caller's that the VAD saw end.
    pub(super) fn answer_turn(&mut self, now: Instant) {
        if self.response.is_some() || self.shared.faults.get().mute {
            return;
        }
        let answer = self.asked().unwrap_or_else(|| self.next_answer());
        if !matches!(answer, Answer::Silence) {
            self.respond(now, answer, &Request::new(&Map::new()));
        }
    }

    /// The response that a client asked for.
    pub(super) fn respond_to(&mut self, now: Instant, request: Request<'_>) {
        if self.shared.faults.get().mute {
            return;
        }
        let answer = match self.sentence(&request).or_else(|| self.greeting(&request)) {
            Some(clip) => Answer::Parts(vec![Part::Say(clip)]),
            None => self.apologising(),
        };
        self.respond(now, answer, &request);
    }

    /// What is done for a load test's caller who asks for a function, if the session has it.
    fn asked(&self) -> Option<Answer> {
        let parts = &self.shared.options.script.asked;
        let has = |part: &Part| matches!(part, Part::Call { name, .. } if self.config.has_tool(name));
        let asks = self.input.call().is_some_and(|call| call >= TOOL_CALLERS) && parts.iter().any(has);
        asks.then(|| Answer::Parts(parts.clone()))
    }

    /// The clip that stands for a fixed sentence, if one is asked for.
    fn sentence(&self, request: &Request<'_>) -> Option<&'static Clip> {
        let asked = request.text("instructions").unwrap_or_default();
        self.shared.options.script.sentence.filter(|_| asked.contains(SENTENCE_WORDS))
    }

    /// The clip to greet with, if that is what is asked for: in so many words, or by making the model speak first.
    fn greeting(&self, request: &Request<'_>) -> Option<&'static Clip> {
        let asked = request.text("instructions").unwrap_or_default();
        let lower = asked.to_lowercase();
        let first = lock(&self.tracked.conversation).is_empty();
        if !first && !GREETING_WORDS.iter().any(|word| lower.contains(word)) {
            return None;
        }
        let words = if asked.is_empty() { self.config.instructions() } else { asked };
        let hindi =
            words.to_lowercase().contains("hindi") || words.chars().any(|c| ('\u{900}'..='\u{97f}').contains(&c));
        self.shared.options.script.greeting_in(if hindi { "hi" } else { "en" })
    }

    /// The script's answer, behind an apology if that is what was last asked for.
    fn apologising(&mut self) -> Answer {
        let is_told = |words| lock(&self.tracked.conversation).was_last_told(words);
        if let Some(clip) = self.shared.options.script.back.filter(|_| is_told(BACK_WORDS)) {
            return Answer::Parts(vec![Part::Say(clip)]);
        }
        let asked = is_told(APOLOGY_WORD);
        match (self.next_answer(), self.shared.options.script.apology.filter(|_| asked)) {
            (Answer::Parts(parts), Some(clip)) => {
                Answer::Parts(std::iter::once(Part::Say(clip)).chain(parts).collect())
            }
            (answer, _) => answer,
        }
    }

    /// The script's answer to the caller's latest turn: turns replayed from an earlier session count.
    fn next_answer(&mut self) -> Answer {
        let turns = lock(&self.tracked.conversation).user_messages();
        let turn = self.history.turn.max(turns.saturating_sub(1));
        self.history.turn = turn + 1;
        self.shared.options.script.answer(turn).clone()
    }

    fn respond(&mut self, now: Instant, answer: Answer, request: &Request<'_>) {
        let audio = request.fields.get("audio").map(|audio| &audio["output"]);
        let session = &self.config.session;
        let modalities = request.fields.get("output_modalities").unwrap_or(&session["output_modalities"]).clone();
        let voice = audio.and_then(|audio| audio.get("voice")).unwrap_or(&session["audio"]["output"]["voice"]).clone();
        let format = audio.and_then(|audio| audio.get("format")).map_or(self.config.output, Format::of);
        let max_tokens = request.fields.get("max_output_tokens").unwrap_or(&session["max_output_tokens"]).clone();
        let stored = request.text("conversation") != Some("none");
        let id = self.id("resp_");
        let shape = json!({
            "object": "realtime.response", "id": id,
            "conversation_id": if stored { json!(self.conversation_id) } else { Value::Null },
            "output_modalities": modalities, "max_output_tokens": max_tokens,
            "audio": {"output": {"format": format.json(), "voice": voice}},
            "metadata": request.fields.get("metadata"),
        });
        let faults = self.shared.faults.get();
        let (parts, outcome) = match (self.shared.faults.fails_response(), answer) {
            (Some(code), _) | (None, Answer::Fail { code }) => (Vec::new(), Outcome::Failed(code)),
            (None, Answer::Parts(parts)) => (parts, Outcome::Completed),
            (None, Answer::Silence | Answer::Empty) => (Vec::new(), Outcome::Completed),
        };
        let outputs = self.outputs(parts, format, shape["output_modalities"][0] == "text");
        let latency = Duration::from_millis(self.rng.random_range(LATENCY_MS) + faults.slow_ms);
        let active = Active {
            index: self.history.responses,
            steps: plan::steps(&outputs, latency),
            outputs,
            at: now,
            outcome,
            shape,
            stored,
            sent_ms: 0.0,
            input_tokens: self.input_tokens(),
            id,
        };
        self.history.responses += 1;
        let parts = active.outputs.iter().map(Output::name).collect();
        let log = ResponseLog { id: active.id.clone(), status: "in_progress".into(), parts, generated_ms: 0 };
        self.tracked.update(|session| session.responses.push(log));
        let response = active.json("in_progress", Value::Null, Value::Null);
        self.emit("response.created", json!({"response": response}));
        if faults.unknown_events {
            self.emit("response.thought.delta", json!({"response_id": active.id, "delta": {"tokens": [1, 2]}}));
        }
        self.response = Some(active);
    }

    /// The items of an answer; calls of functions that are not configured are left out.
    fn outputs(&mut self, parts: Vec<Part>, format: Format, text_only: bool) -> Vec<Output> {
        let speeches = parts.iter().filter(|part| matches!(part, Part::Say(_))).count();
        let phased = self.config.model().starts_with("gpt-realtime-2");
        let mut outputs: Vec<Output> = Vec::new();
        for part in parts {
            let kind = match part {
                Part::Say(clip) if text_only => OutputKind::Text { clip },
                Part::Say(clip) => OutputKind::Speech { clip, rendering: self.shared.renderings.get(clip, format) },
                Part::Call { name, .. } if !self.config.has_tool(&name) => continue,
                Part::Call { name, arguments } => OutputKind::Call { name, call_id: self.id("call_"), arguments },
            };
            let speaks = !matches!(kind, OutputKind::Call { .. });
            let last = outputs.iter().filter(|output| output.phase.is_some()).count() + 1 == speeches;
            let phase = (phased && speaks).then_some(if last { "final_answer" } else { "commentary" });
            outputs.push(Output { id: self.id("item_"), kind, phase, said: String::new(), stage: Stage::Planned });
        }
        outputs
    }

    /// Input tokens of a response that begins now: all, of text, of audio.
    fn input_tokens(&self) -> [u64; 3] {
        let chars = self.config.instructions().len() + lock(&self.tracked.conversation).text_chars();
        let audio = self.history.user_ms / 100.0 + self.history.assistant_ms / 50.0;
        let (text, audio) = (chars as u64 / 4 + 8, audio as u64);
        [text + audio, text, audio]
    }
}
