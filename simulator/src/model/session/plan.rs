//! The order and timing of what one response sends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::render::Rendering;
use crate::speech::Clip;

/// Audio is generated that much faster than it plays.
const SPEED: f64 = 5.0;
/// How far the transcript is ahead of the audio: a head start, and a faster pace.
const WORDS_LEAD: f64 = 0.25;
const WORDS_PACE: f64 = 1.6;
/// Pause between two deltas of text, when there is no audio.
const TEXT_DELTA: Duration = Duration::from_millis(15);
const ARGUMENTS_CHARS: usize = 12;

/// One output item of a response.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) id: String,
    pub(super) kind: OutputKind,
    pub(super) phase: Option<&'static str>,
    /// Of the transcript, or of the arguments, what has been sent.
    pub(super) said: String,
    pub(super) stage: Stage,
}

impl Output {
    /// The clip, or the function.
    pub(super) fn name(&self) -> String {
        match &self.kind {
            OutputKind::Speech { clip, .. } | OutputKind::Text { clip } => clip.id.to_owned(),
            OutputKind::Call { name, .. } => name.clone(),
        }
    }

    /// The item as the wire shows it; `new`: without content yet.
    pub(super) fn json(&self, status: &str, new: bool) -> Value {
        let content = |part: Value| if new { json!([]) } else { json!([part]) };
        let mut item = match &self.kind {
            OutputKind::Speech { .. } => json!({
                "type": "message", "role": "assistant",
                "content": content(json!({"type": "output_audio", "transcript": self.said})),
            }),
            OutputKind::Text { .. } => json!({
                "type": "message", "role": "assistant",
                "content": content(json!({"type": "output_text", "text": self.said})),
            }),
            OutputKind::Call { name, call_id, .. } => {
                json!({"type": "function_call", "name": name, "call_id": call_id, "arguments": self.said})
            }
        };
        item["id"] = self.id.as_str().into();
        item["status"] = status.into();
        if let Some(phase) = self.phase {
            item["phase"] = phase.into();
        }
        item
    }
}

#[derive(Debug)]
pub(super) enum OutputKind {
    Speech { clip: &'static Clip, rendering: Arc<Rendering> },
    Text { clip: &'static Clip },
    Call { name: String, call_id: String, arguments: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Planned,
    Open,
    Closed,
}

/// What to send next, and how long after what went before.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) what: What,
}

/// Items are told by their index in the response.
#[derive(Debug)]
pub(super) enum What {
    /// The item begins.
    Open(usize),
    /// Words of the transcript.
    Words(usize, String),
    /// A piece of the rendering.
    Audio(usize, usize),
    /// Some of the function's arguments.
    Arguments(usize, String),
    /// The burst of `done` events of an item.
    Close(usize),
    /// `response.done`.
    Finish,
}

/// The steps of a response, the first of them `latency` after `response.created`. An item begins, and gets its first
/// delta, before the one before it is closed: so does the real server.
pub(super) fn steps(outputs: &[Output], latency: Duration) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    for (index, output) in outputs.iter().enumerate() {
        let mut own = item_steps(index, output);
        if index > 0 {
            let first_delta = own.iter().position(|step| matches!(step.what, What::Audio(..) | What::Arguments(..)));
            let close = Step { after: Duration::ZERO, what: What::Close(index - 1) };
            own.insert(first_delta.map_or(1, |at| at + 1), close);
        }
        steps.extend(own);
    }
    if let Some(last) = outputs.len().checked_sub(1) {
        steps.push_back(Step { after: Duration::ZERO, what: What::Close(last) });
    }
    steps.push_back(Step { after: Duration::ZERO, what: What::Finish });
    if let Some(first) = steps.front_mut() {
        first.after = latency;
    }
    steps
}

/// What is still sent of a cancelled response: at most `late` deltas that were on their way, the ends of what had
/// begun, and the end. No more words: those of a cancelled response stop at once.
pub(super) fn cancelled(steps: VecDeque<Step>, outputs: &[Output], late: usize) -> VecDeque<Step> {
    let open = |index: &usize| outputs[*index].stage == Stage::Open;
    let mut left: VecDeque<_> = steps
        .into_iter()
        .filter(|step| matches!(&step.what, What::Audio(index, _) if open(index)))
        .take(late)
        .collect();
    let close = (0..outputs.len()).filter(open).map(What::Close).chain([What::Finish]);
    left.extend(close.map(|what| Step { after: Duration::ZERO, what }));
    left
}

fn item_steps(index: usize, output: &Output) -> Vec<Step> {
    let now = |what| Step { after: Duration::ZERO, what };
    let mut steps = vec![now(What::Open(index))];
    match &output.kind {
        OutputKind::Speech { clip, rendering } => speech_steps(index, clip, rendering, &mut steps),
        OutputKind::Text { clip } => {
            let words = clip.text.split_inclusive(' ');
            steps.extend(words.map(|word| Step { after: TEXT_DELTA, what: What::Words(index, word.to_owned()) }));
        }
        OutputKind::Call { arguments, .. } => {
            let chars: Vec<_> = arguments.chars().collect();
            let parts = chars.chunks(ARGUMENTS_CHARS).map(|part| part.iter().collect());
            steps.extend(parts.map(|part| Step { after: TEXT_DELTA, what: What::Arguments(index, part) }));
        }
    }
    steps
}

fn speech_steps(index: usize, clip: &Clip, rendering: &Rendering, steps: &mut Vec<Step>) {
    let words: Vec<_> = clip.text.split_inclusive(' ').collect();
    let mut words = words.iter().enumerate().peekable();
    let (count, total_ms) = (words.len() as f64, rendering.pieces.iter().map(|piece| piece.ms).sum::<f64>());
    let (mut sent_ms, mut after) = (0.0, Duration::ZERO);
    for (number, piece) in rendering.pieces.iter().enumerate() {
        let ahead = WORDS_LEAD + WORDS_PACE * sent_ms / total_ms;
        // The pause is before the words, since they come together with the audio that follows it.
        while let Some((_, word)) = words.next_if(|(word, _)| (*word as f64) < ahead * count) {
            steps.push(Step { after: std::mem::take(&mut after), what: What::Words(index, (*word).to_owned()) });
        }
        steps.push(Step { after, what: What::Audio(index, number) });
        sent_ms += piece.ms;
        after = Duration::from_secs_f64(piece.ms / SPEED / 1_000.0);
    }
    let rest = words.map(|(_, word)| Step { after: Duration::ZERO, what: What::Words(index, (*word).to_owned()) });
    steps.extend(rest);
}
