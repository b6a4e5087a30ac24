//! What an update of the session, or of one response, may hold.

use serde_json::{Map, Value};

use super::{Config, Refusal};

type Checked = Result<(), Refusal>;
type Fields = Map<String, Value>;

const SESSION: &[&str] = &[
    "type",
    "model",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "output_modalities",
    "audio",
    "tracing",
    "include",
    "prompt",
    "truncation",
    "reasoning",
    "parallel_tool_calls",
];
const RESPONSE: &[&str] = &[
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "output_modalities",
    "audio",
    "conversation",
    "metadata",
    "input",
    "prompt",
    "reasoning",
    "parallel_tool_calls",
];
const TRANSCRIPTION: &[&str] = &["model", "language", "languages", "keywords", "prompt", "delay"];
const SERVER_VAD: &[&str] = &[
    "type",
    "threshold",
    "prefix_padding_ms",
    "silence_duration_ms",
    "idle_timeout_ms",
    "create_response",
    "interrupt_response",
];
const SEMANTIC_VAD: &[&str] = &["type", "eagerness", "create_response", "interrupt_response"];
const VOICES: &[&str] = &["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];

/// Whether the `session` of a `session.update` can be taken. `spoken`: audio has been generated, so the voice is set.
pub(in super::super) fn check_update(session: &Fields, current: &Config, spoken: bool) -> Checked {
    let at = Path("session".into());
    at.known(session, SESSION)?;
    match at.text(session, "type")? {
        Some("realtime") => {}
        Some("transcription") => {
            let message = "Passing a transcription session update event to a realtime session is not allowed.";
            return Err(Refusal::new("invalid_value", "session.type", message));
        }
        Some(other) => return at.not_one_of("type", other, &["realtime", "transcription"]),
        None => return at.missing("type"),
    }
    if let Some(model) = at.text(session, "model")?
        && model != current.model()
    {
        return Err(Refusal::new("invalid_value", "session.model", "The model of a session cannot be changed."));
    }
    let tracing = &current.session["tracing"];
    if session.get("tracing").is_some_and(|asked| !tracing.is_null() && asked != tracing) {
        return Err(Refusal::new("invalid_value", "session.tracing", "Tracing cannot be changed once it is on."));
    }
    common(&at, session, current.model())?;
    if let Some(audio) = at.object(session, "audio")? {
        let at = at.field("audio");
        at.known(audio, &["input", "output"])?;
        if let Some(input) = at.object(audio, "input")? {
            input_audio(&at.field("input"), input)?;
        }
        if let Some(output) = at.object(audio, "output")? {
            output_audio(&at.field("output"), output, &["format", "voice", "speed"])?;
            let voice = &current.session["audio"]["output"]["voice"];
            if spoken && output.get("voice").is_some_and(|asked| asked != voice) {
                let message = "Cannot update a conversation's voice if assistant audio is present.";
                return Err(Refusal::new("cannot_update_voice", "session.audio.output.voice", message));
            }
        }
    }
    Ok(())
}

/// Whether the `response` of a `response.create` can be taken.
pub(in super::super) fn check_response(response: &Fields, current: &Config) -> Checked {
    let at = Path("response".into());
    at.known(response, RESPONSE)?;
    common(&at, response, current.model())?;
    if let Some(conversation) = at.text(response, "conversation")?
        && !["auto", "none"].contains(&conversation)
    {
        return at.not_one_of("conversation", conversation, &["auto", "none"]);
    }
    if let Some(audio) = at.object(response, "audio")? {
        let at = at.field("audio");
        at.known(audio, &["output"])?;
        if let Some(output) = at.object(audio, "output")? {
            output_audio(&at.field("output"), output, &["format", "voice"])?;
        }
    }
    Ok(())
}

/// The fields that sessions and responses share.
fn common(at: &Path, fields: &Fields, model: &str) -> Checked {
    at.text(fields, "instructions")?;
    if let Some(modalities) = fields.get("output_modalities")
        && *modalities != serde_json::json!(["audio"])
        && *modalities != serde_json::json!(["text"])
    {
        let message = format!("Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio'].");
        return Err(Refusal::new("invalid_value", at.of("output_modalities"), message));
    }
    match fields.get("max_output_tokens") {
        None => {}
        Some(Value::String(inf)) if inf == "inf" => {}
        Some(_) => {
            at.integer(fields, "max_output_tokens", 1, 4_096)?;
        }
    }
    if (fields.contains_key("reasoning") || fields.contains_key("parallel_tool_calls"))
        && !model.starts_with("gpt-realtime-2")
    {
        let message = format!("Reasoning is not supported by the model {model}.");
        return Err(Refusal { code: "invalid_value", message, param: None });
    }
    match fields.get("tools") {
        None => Ok(()),
        Some(Value::Array(tools)) => tools.iter().enumerate().try_for_each(|(index, tool)| check_tool(at, index, tool)),
        Some(_) => at.wrong_type("tools", "an array of objects"),
    }
}

fn check_tool(at: &Path, index: usize, tool: &Value) -> Checked {
    let at = at.field(&format!("tools[{index}]"));
    let Some(tool) = tool.as_object() else {
        return Err(Refusal::new("invalid_type", at.0, "Expected an object."));
    };
    match at.text(tool, "type")? {
        Some("mcp") => return Ok(()),
        Some("function") => {}
        Some(other) => return at.not_one_of("type", other, &["function", "mcp"]),
        None => return at.missing("type"),
    }
    at.known(tool, &["type", "name", "description", "parameters"])?;
    at.object(tool, "parameters")?;
    at.text(tool, "description")?;
    if at.text(tool, "name")?.is_none() { at.missing("name") } else { Ok(()) }
}

fn input_audio(at: &Path, input: &Fields) -> Checked {
    at.known(input, &["format", "noise_reduction", "transcription", "turn_detection"])?;
    format(at, input)?;
    if let Some(reduction) = at.object(input, "noise_reduction")? {
        let at = at.field("noise_reduction");
        at.known(reduction, &["type", "strength"])?;
        if let Some(kind) = at.text(reduction, "type")?
            && !["near_field", "far_field"].contains(&kind)
        {
            return at.not_one_of("type", kind, &["near_field", "far_field"]);
        }
    }
    if let Some(transcription) = at.object(input, "transcription")? {
        let at = at.field("transcription");
        at.known(transcription, TRANSCRIPTION)?;
        let model = at.text(transcription, "model")?.unwrap_or_default();
        let only = |key: &str, allowed: bool| {
            if allowed || transcription.get(key).is_none_or(Value::is_null) {
                return Ok(());
            }
            let message = format!("'{key}' is not supported with the transcription model '{model}'.");
            Err(Refusal::new("invalid_value", at.of(key), message))
        };
        only("prompt", model != "gpt-realtime-whisper")?;
        only("delay", model == "gpt-realtime-whisper")?;
        only("languages", ["gpt-transcribe", "gpt-live-transcribe"].contains(&model))?;
        only("keywords", ["gpt-transcribe", "gpt-live-transcribe"].contains(&model))?;
    }
    match at.object(input, "turn_detection")? {
        Some(turns) => turn_detection(&at.field("turn_detection"), turns),
        None => Ok(()),
    }
}

fn turn_detection(at: &Path, turns: &Fields) -> Checked {
    match at.text(turns, "type")? {
        Some("server_vad") => at.known(turns, SERVER_VAD)?,
        Some("semantic_vad") => at.known(turns, SEMANTIC_VAD)?,
        Some(other) => return at.not_one_of("type", other, &["server_vad", "semantic_vad"]),
        None => return at.missing("type"),
    }
    if let Some(threshold) = turns.get("threshold").filter(|threshold| !threshold.is_null())
        && !threshold.as_f64().is_some_and(|threshold| (0.0..=1.0).contains(&threshold))
    {
        return at.wrong_type("threshold", "a number from 0.0 to 1.0");
    }
    at.integer(turns, "prefix_padding_ms", 0, 5_000)?;
    at.integer(turns, "silence_duration_ms", 0, 10_000)?;
    at.integer(turns, "idle_timeout_ms", 5_000, 30_000)?;
    for key in ["create_response", "interrupt_response"] {
        if turns.get(key).is_some_and(|value| !value.is_boolean()) {
            return at.wrong_type(key, "a boolean");
        }
    }
    Ok(())
}

fn output_audio(at: &Path, output: &Fields, keys: &[&str]) -> Checked {
    at.known(output, keys)?;
    format(at, output)?;
    if let Some(speed) = output.get("speed")
        && !speed.as_f64().is_some_and(|speed| (0.25..=1.5).contains(&speed))
    {
        return at.wrong_type("speed", "a number from 0.25 to 1.5");
    }
    match output.get("voice") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(Value::String(voice)) if VOICES.contains(&voice.as_str()) => Ok(()),
        Some(other) => at.not_one_of("voice", other.as_str().unwrap_or_default(), VOICES),
    }
}

fn format(at: &Path, fields: &Fields) -> Checked {
    let Some(format) = at.object(fields, "format")? else { return Ok(()) };
    let at = at.field("format");
    match at.text(format, "type")? {
        Some("audio/pcm") => {
            at.known(format, &["type", "rate"])?;
            at.integer(format, "rate", 24_000, 24_000)?.map_or_else(|| at.missing("rate"), |_| Ok(()))
        }
        Some("audio/pcmu" | "audio/pcma") => at.known(format, &["type"]),
        Some(other) => at.not_one_of("type", other, &["audio/pcm", "audio/pcmu", "audio/pcma"]),
        None => at.missing("type"),
    }
}

/// Where in the event a field is, as the server's messages name it.
struct Path(String);

impl Path {
    fn of(&self, key: &str) -> String {
        format!("{}.{key}", self.0)
    }

    fn field(&self, key: &str) -> Self {
        Self(self.of(key))
    }

    fn known(&self, fields: &Fields, known: &[&str]) -> Checked {
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                let param = self.of(key);
                let message = format!("Unknown parameter: '{param}'.");
                Err(Refusal::new("unknown_parameter", param, message))
            }
            None => Ok(()),
        }
    }

    fn missing<T>(&self, key: &str) -> Result<T, Refusal> {
        let param = self.of(key);
        let message = format!("Missing required parameter: '{param}'.");
        Err(Refusal::new("missing_required_parameter", param, message))
    }

    fn wrong_type<T>(&self, key: &str, expected: &str) -> Result<T, Refusal> {
        let param = self.of(key);
        let message = format!("Invalid type for '{param}': expected {expected}.");
        Err(Refusal::new("invalid_type", param, message))
    }

    fn not_one_of<T>(&self, key: &str, value: &str, known: &[&str]) -> Result<T, Refusal> {
        let known = known.iter().map(|known| format!("'{known}'")).collect::<Vec<_>>().join(", ");
        let message = format!("Invalid value: '{value}'. Supported values are: {known}.");
        Err(Refusal::new("invalid_value", self.of(key), message))
    }

    fn text<'a>(&self, fields: &'a Fields, key: &str) -> Result<Option<&'a str>, Refusal> {
        match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong_type(key, "a string"),
        }
    }

    fn object<'a>(&self, fields: &'a Fields, key: &str) -> Result<Option<&'a Fields>, Refusal> {
        match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => self.wrong_type(key, "an object"),
        }
    }

    fn integer(&self, fields: &Fields, key: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let Some(value) = fields.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        let Some(value) = value.as_i64() else { return self.wrong_type(key, "an integer") };
        let param = self.of(key);
        if value < least {
            let message = format!(
                "Invalid '{param}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
            );
            return Err(Refusal::new("integer_below_min_value", param, message));
        }
        if value > most {
            let message = format!(
                "Invalid '{param}': integer above maximum value. Expected a value <= {most}, but got {value} instead."
            );
            return Err(Refusal::new("integer_above_max_value", param, message));
        }
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests;
