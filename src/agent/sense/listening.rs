//! Whether what a file says of listening goes together.

use protocol::realtime::models::{HintsTaken, takes_hints, transcribes};

use super::{AgentFile, Mistakes};
use crate::agent::file::{Interruptions, OFF, TurnDetection};

/// Judges all of it.
pub(super) fn judge(file: &AgentFile, mistakes: &mut Mistakes) {
    detection(file, mistakes);
    transcription(file, mistakes);
    interruptions(file, mistakes);
}

fn detection(file: &AgentFile, mistakes: &mut Mistakes) {
    let listening = &file.listening;
    if listening.turn_detection != Some(TurnDetection::Semantic) {
        if listening.eagerness.is_some() {
            let problem = "is for turn_detection = \"semantic\": set that too, or leave it out";
            mistakes.tell("listening.eagerness", problem);
        }
        return;
    }
    for (key, is_set) in [
        ("listening.threshold", listening.threshold.is_some()),
        ("listening.prefix_ms", listening.prefix_ms.is_some()),
        ("listening.silence_ms", listening.silence_ms.is_some()),
    ] {
        if is_set {
            mistakes.tell(key, "is for turn_detection = \"server\": leave it out, or say eagerness instead");
        }
    }
}

fn transcription(file: &AgentFile, mistakes: &mut Mistakes) {
    let listening = &file.listening;
    if listening.transcription_language.is_some() && !listening.languages.is_empty() {
        mistakes.tell("listening.transcription_language", "stands beside languages: leave one of them");
    }
    let hints = !listening.hint_words.is_empty();
    let model = listening.transcription_model.as_deref();
    if model == Some(OFF) {
        let off = [("transcription_language", listening.transcription_language.is_some()), ("hint_words", hints)];
        for (key, _) in off.iter().filter(|(_, is_set)| *is_set) {
            let problem = "is for a recogniser, and transcription_model is off: leave one of them";
            mistakes.tell(&format!("listening.{key}"), problem);
        }
        return;
    }
    if let Some(model) = model.filter(|model| !transcribes(model)) {
        mistakes.tell(
            "listening.transcription_model",
            format!("is {model}, which writes nothing down: give one such as gpt-realtime-whisper or gpt-transcribe"),
        );
    }
    let takes = model.map(takes_hints);
    let takes_words = takes.is_some_and(|HintsTaken { keywords, prompt, .. }| keywords || prompt);
    if hints && !takes_words {
        mistakes.tell(
            "listening.hint_words",
            format!(
                "are not taken by {}: set transcription_model = \"gpt-transcribe\", or leave them out",
                model.unwrap_or("the usual recogniser")
            ),
        );
    }
}

fn interruptions(file: &AgentFile, mistakes: &mut Mistakes) {
    let listening = &file.listening;
    if listening.interruptions == Some(Interruptions::Confirmed) {
        let key = "listening.interruptions";
        if listening.turn_detection == Some(TurnDetection::Semantic) {
            mistakes.tell(
                key,
                "is confirmed, which needs the lengths that only turn_detection = \"server\" tells: set that, or at_once",
            );
        }
        if listening.transcription_model.as_deref() == Some(OFF) {
            mistakes.tell(
                key,
                "is confirmed, which needs the caller's words: take transcription_model = \"off\" out, or set at_once",
            );
        }
        return;
    }
    for (key, is_set) in [
        ("listening.min_ms", listening.min_ms.is_some()),
        ("listening.pause_after_ms", listening.pause_after_ms.is_some()),
        ("listening.listening_words", !listening.listening_words.is_empty()),
    ] {
        if is_set {
            mistakes.tell(key, "is for interruptions = \"confirmed\": set that too, or leave it out");
        }
    }
}
