//! The caller's side of a session: audio, turns, and their transcripts.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use base64::Engine as _;
use rand::Rng;
use serde::Deserialize;
use serde_json::json;

use super::{Due, Session};
use crate::model::config::Refusal;
use crate::model::faults::Transcripts;
use crate::model::format::{BASE64, Format};
use crate::model::handle::lock;
use crate::model::input::Heard;
use crate::speech;

/// How nearly every append begins: these are not parsed as JSON.
const APPEND_PREFIX: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
/// A manual commit needs that much.
const LEAST_COMMIT_MS: f64 = 100.0;
/// When after the commit a transcript is complete: some come when the response is long done; that of a word or two sooner.
const TRANSCRIPT_MS: std::ops::Range<u64> = 150..1_800;
const WORD_TRANSCRIPT_MS: std::ops::Range<u64> = 150..500;
/// A word or two, with the silence around it.
const WORD_MS: u64 = 1_800;
/// What a recogniser makes of a noise.
const GHOST: &str = "Thank you for watching.";
const NOISE_MS: u64 = 400;

#[derive(Deserialize)]
struct Append<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    audio: Cow<'a, str>,
}

impl Session {
    /// Takes the event if it is an append.
    pub(super) fn append(&mut self, now: Instant, text: &str) -> bool {
        let plain = text.strip_prefix(APPEND_PREFIX).and_then(|rest| rest.split_once('"'));
        if let Some((audio, "}")) = plain {
            self.append_audio(now, audio);
            return true;
        }
        match serde_json::from_str::<Append<'_>>(text) {
            Ok(append) if append.kind == "input_audio_buffer.append" => self.append_audio(now, &append.audio),
            _ => return false,
        }
        true
    }

    fn append_audio(&mut self, now: Instant, base64: &str) {
        let mut audio = std::mem::take(&mut self.scratch);
        audio.clear();
        let format = self.config.input;
        let whole = match BASE64.decode_vec(base64, &mut audio) {
            Ok(()) => audio.len().is_multiple_of(format.sample_bytes()),
            Err(_) => false,
        };
        if whole {
            self.listen(now, &audio, format);
        } else {
            let message =
                "Invalid 'audio'. Expected base64-encoded audio bytes of whole samples, but got an invalid value.";
            self.refuse(Refusal::new("invalid_value", "audio", message), None);
        }
        self.scratch = audio;
    }

    fn listen(&mut self, now: Instant, audio: &[u8], format: Format) {
        let awaited = self.input.awaits_preamble();
        let mut rest = audio;
        while !rest.is_empty() {
            let (used, heard) = self.input.append(rest, format, self.config.turns.as_ref());
            rest = rest.get(used..).unwrap_or_default();
            if let Some(event) = heard {
                self.turn(now, event);
            }
        }
        let appended_ms = self.input.appended_ms();
        self.tracked.appended(appended_ms);
        self.tracked.keep(audio, format);
        let mut tap = lock(&self.tracked.tap);
        tap.appended(self.input.appended_ticks());
        if awaited && !self.input.awaits_preamble() {
            tap.decided(self.input.call());
        }
    }

    fn turn(&mut self, now: Instant, event: Heard) {
        match event {
            Heard::Started { audio_start_ms } => {
                self.user_item = self.id("item_");
                let fields = json!({"audio_start_ms": audio_start_ms, "item_id": self.user_item});
                self.emit("input_audio_buffer.speech_started", fields);
                if self.config.turns.is_some_and(|turns| turns.interrupt_response) {
                    self.cancel_response(now, "turn_detected");
                }
            }
            Heard::Stopped { audio_start_ms, audio_end_ms } => {
                let fields = json!({"audio_end_ms": audio_end_ms, "item_id": self.user_item});
                self.emit("input_audio_buffer.speech_stopped", fields);
                self.commit(now, audio_end_ms.saturating_sub(audio_start_ms));
                if self.config.turns.is_some_and(|turns| turns.create_response) {
                    self.answer_turn(now);
                }
            }
        }
    }

    /// `input_audio_buffer.commit`, or the VAD's own.
    pub(super) fn commit(&mut self, now: Instant, ms: u64) {
        let item_id = std::mem::take(&mut self.user_item);
        let item = json!({
            "id": item_id, "type": "message", "status": "completed", "role": "user",
            "content": [{"type": "input_audio", "transcript": null}],
        });
        let previous = {
            let mut conversation = lock(&self.tracked.conversation);
            let previous = conversation.last_id();
            conversation.push(item.clone());
            previous
        };
        self.history.user_ms += ms as f64;
        self.input.empty();
        self.emit("input_audio_buffer.committed", json!({"previous_item_id": previous, "item_id": item_id}));
        self.emit("conversation.item.added", json!({"previous_item_id": previous, "item": item}));
        self.emit("conversation.item.done", json!({"previous_item_id": previous, "item": item}));
        if self.config.transcribes() {
            self.transcribe(now, &item_id, ms);
        }
    }

    pub(super) fn commit_by_client(&mut self, now: Instant) -> Result<(), Refusal> {
        let ms = self.input.buffered_ms();
        if ms < LEAST_COMMIT_MS {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has {ms:.2}ms of audio."
            );
            return Err(Refusal { code: "input_audio_buffer_commit_empty", message, param: None });
        }
        self.user_item = self.id("item_");
        self.commit(now, ms as u64);
        Ok(())
    }

    pub(super) fn clear_input(&mut self) {
        self.input.empty();
        self.emit("input_audio_buffer.cleared", json!({}));
    }

    fn transcribe(&mut self, now: Instant, item: &str, ms: u64) {
        let text = match speech::recognise(self.input.speech()) {
            Some(clip) => clip.text,
            None if ms < NOISE_MS => GHOST,
            None => "Unrecognised speech.",
        };
        let done = match self.shared.faults.get().transcripts {
            Transcripts::Never => return,
            Transcripts::After(ms) => now + Duration::from_millis(ms),
            Transcripts::Usual => self.after(now, if ms < WORD_MS { WORD_TRANSCRIPT_MS } else { TRANSCRIPT_MS }),
        };
        let words: Vec<_> = text.split_inclusive(' ').collect();
        let first = now + (done - now) / 2;
        for (index, word) in words.iter().enumerate() {
            let at = first + (done - first) * index as u32 / words.len() as u32;
            let due = Due::TranscriptDelta { item: item.to_owned(), delta: (*word).to_owned() };
            self.agenda.push((at, due));
        }
        let seconds = Duration::from_millis(ms).as_secs().max(1);
        self.agenda.push((done, Due::TranscriptDone { item: item.to_owned(), text: text.to_owned(), seconds }));
    }

    pub(super) fn transcript_delta(&mut self, item: &str, delta: &str) {
        let obfuscation = self.obfuscation();
        let fields = json!({"item_id": item, "content_index": 0, "delta": delta, "obfuscation": obfuscation});
        self.emit("conversation.item.input_audio_transcription.delta", fields);
    }

    pub(super) fn transcript_done(&mut self, item: &str, text: &str, seconds: u64) {
        lock(&self.tracked.conversation).change(item, |item| item["content"][0]["transcript"] = text.into());
        let usage = json!({"type": "duration", "seconds": seconds});
        let fields = json!({"item_id": item, "content_index": 0, "transcript": text, "usage": usage});
        self.emit("conversation.item.input_audio_transcription.completed", fields);
    }

    /// Padding of text deltas, so that their length on the wire tells nothing.
    pub(super) fn obfuscation(&mut self) -> String {
        let length = self.rng.random_range(4..17);
        (0..length).map(|_| char::from(self.rng.sample(rand::distr::Alphanumeric))).collect()
    }
}
