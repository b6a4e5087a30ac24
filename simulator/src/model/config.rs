//! The session's configuration: what it is at first, what an update may say, and what it amounts to.
//!
//! An update is checked whole before any of it is taken: one field that the server does not know loses all of them.

mod check;

use serde_json::{Map, Value, json};

use super::format::Format;

pub(super) use check::{check_response, check_update};

/// Why a client event was refused: the inside of an `error` event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) param: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: Some(param.into()) }
    }
}

/// When turns begin and end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turns {
    /// Speech is what is louder.
    pub(super) threshold_dbfs: f32,
    pub(super) prefix_padding_ms: u64,
    pub(super) silence_duration_ms: u64,
    pub(super) create_response: bool,
    pub(super) interrupt_response: bool,
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// As `session.created` and `session.updated` show it.
    pub(super) session: Value,
    pub(super) input: Format,
    pub(super) output: Format,
    /// None: the client commits.
    pub(super) turns: Option<Turns>,
}

impl Config {
    /// What a session starts with; the defaults differ by model.
    pub(super) fn new(id: &str, model: &str, expires_at: u64) -> Self {
        let newer = model.starts_with("gpt-realtime-2");
        let (voice, silence_ms) = if newer { ("marin", 500) } else { ("alloy", 200) };
        let session = json!({
            "type": "realtime", "object": "realtime.session", "id": id, "model": model,
            "output_modalities": ["audio"],
            "instructions": "Your knowledge cutoff is 2023-10. You are a helpful, witty, and friendly AI.",
            "tools": [], "tool_choice": "auto", "max_output_tokens": "inf", "tracing": null, "truncation": "auto",
            "prompt": null, "expires_at": expires_at, "include": null,
            "audio": {
                "input": {
                    "format": Format::Pcm.json(), "transcription": null, "noise_reduction": null,
                    "turn_detection": server_vad(silence_ms),
                },
                "output": {"format": Format::Pcm.json(), "voice": voice, "speed": 1.0},
            },
        });
        Self::of(session)
    }

    /// The configuration after an update that passed [`check_update`]. `swapped`: the formats are not those asked for.
    pub(super) fn updated(&self, update: &Map<String, Value>, swapped: bool) -> Self {
        let mut session = self.session.clone();
        for (key, value) in update {
            match key.as_str() {
                "audio" => merge_audio(&mut session["audio"], value),
                _ => session[key] = value.clone(),
            }
        }
        let mut config = Self::of(session);
        if swapped {
            for (direction, format) in [("input", config.input), ("output", config.output)] {
                config.session["audio"][direction]["format"] = format.swapped().json();
            }
            config = Self::of(config.session);
        }
        config
    }

    fn of(session: Value) -> Self {
        let audio = &session["audio"];
        let turns = Turns::of(&audio["input"]["turn_detection"]);
        let (input, output) = (Format::of(&audio["input"]["format"]), Format::of(&audio["output"]["format"]));
        Self { session, input, output, turns }
    }

    pub(super) fn instructions(&self) -> &str {
        self.session["instructions"].as_str().unwrap_or_default()
    }

    pub(super) fn model(&self) -> &str {
        self.session["model"].as_str().unwrap_or_default()
    }

    pub(super) fn transcribes(&self) -> bool {
        self.session["audio"]["input"]["transcription"].is_object()
    }

    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.session["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == name))
    }
}

impl Turns {
    fn of(config: &Value) -> Option<Self> {
        let kind = config["type"].as_str()?;
        // A threshold of 0.5 is -38 dBFS. It never gets low enough for the preamble of a load test, at -45 dBFS.
        let threshold = config["threshold"].as_f64().unwrap_or(0.5) as f32;
        let silence_duration_ms = match (kind, config["eagerness"].as_str()) {
            ("semantic_vad", Some("high")) => 300,
            ("semantic_vad", Some("low")) => 1_200,
            ("semantic_vad", _) => 600,
            _ => config["silence_duration_ms"].as_u64().unwrap_or(500),
        };
        Some(Self {
            threshold_dbfs: (-50.0 + 24.0 * threshold).max(-42.0),
            prefix_padding_ms: config["prefix_padding_ms"].as_u64().unwrap_or(300),
            silence_duration_ms,
            create_response: config["create_response"].as_bool().unwrap_or(true),
            interrupt_response: config["interrupt_response"].as_bool().unwrap_or(true),
        })
    }
}

fn server_vad(silence_ms: u64) -> Value {
    json!({
        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": silence_ms,
        "idle_timeout_ms": null, "create_response": true, "interrupt_response": true,
    })
}

fn merge_audio(audio: &mut Value, update: &Value) {
    for (direction, fields) in update.as_object().into_iter().flatten() {
        for (key, value) in fields.as_object().into_iter().flatten() {
            if key == "format" && value.is_null() {
                continue;
            }
            let current = &mut audio[direction][key];
            let defaults = match (key.as_str(), value["type"].as_str()) {
                _ if !value.is_object() => Value::Null,
                ("turn_detection", Some("semantic_vad")) => {
                    json!({"type": "semantic_vad", "eagerness": "auto", "create_response": true, "interrupt_response": true})
                }
                ("turn_detection", _) => server_vad(500),
                ("transcription", _) => json!({"model": null, "language": null, "prompt": null}),
                _ => Value::Null,
            };
            let kept =
                if current["type"] == value["type"] && key == "turn_detection" { current.take() } else { defaults };
            *current = laid_over(kept, value);
        }
    }
}

/// `value`, with the fields of `under` that it does not have.
fn laid_over(mut under: Value, value: &Value) -> Value {
    match (under.as_object_mut(), value.as_object()) {
        (Some(fields), Some(over)) => {
            fields.extend(over.clone());
            under
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updated(update: Value) -> Config {
        Config::new("sess_1", "gpt-realtime-2.1", 0).updated(update.as_object().unwrap(), false)
    }

    #[test]
    fn defaults_depend_on_the_model() {
        let turns = |model| Config::new("s", model, 0).turns.unwrap().silence_duration_ms;
        assert_eq!((turns("gpt-realtime-2.1"), turns("gpt-realtime")), (500, 200));
    }

    #[test]
    fn only_what_is_present_changes_and_null_turns_off() {
        let config = updated(json!({"audio": {"input": {
            "format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 250}}}}));
        assert_eq!((config.input, config.output), (Format::Pcmu, Format::Pcm));
        let turns = config.turns.unwrap();
        assert_eq!((turns.silence_duration_ms, turns.prefix_padding_ms, turns.threshold_dbfs), (250, 300, -38.0));
        assert!(config.transcribes());
        assert_eq!(config.session["audio"]["output"]["voice"], "marin");

        let off = config.updated(
            json!({"audio": {"input": {"turn_detection": null, "transcription": null}}}).as_object().unwrap(),
            false,
        );
        assert!(off.turns.is_none() && !off.transcribes());
        assert_eq!(off.input, Format::Pcmu);
    }

    #[test]
    fn a_server_that_does_not_do_as_asked_says_so() {
        let asked = json!({"audio": {"input": {"format": {"type": "audio/pcma"}}}});
        let config = Config::new("s", "m", 0).updated(asked.as_object().unwrap(), true);
        assert_eq!((config.input, config.output), (Format::Pcm, Format::Pcmu));
        assert_eq!(config.session["audio"]["output"]["format"]["type"], "audio/pcmu");
    }
}
