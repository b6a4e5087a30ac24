use serde_json::json;

use super::*;

fn refusal(session: Value) -> (&'static str, String) {
    let current = Config::new("s", "gpt-realtime-2.1", 0);
    let refusal = check_update(session.as_object().unwrap(), &current, true).unwrap_err();
    (refusal.code, refusal.param.unwrap_or_default())
}

#[test]
fn the_canonical_first_frame_is_taken() {
    let session = json!({
        "type": "realtime", "model": "gpt-realtime-2.1", "instructions": "x", "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"}, "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-realtime-whisper", "language": "en"},
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                    "silence_duration_ms": 500, "idle_timeout_ms": null, "create_response": true,
                    "interrupt_response": true}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0}},
        "tools": [{"type": "function", "name": "hang_up", "description": "x", "parameters": {"type": "object"}}],
        "tool_choice": "auto", "max_output_tokens": "inf", "reasoning": {"effort": "low"},
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8}});
    let current = Config::new("s", "gpt-realtime-2.1", 0);
    assert_eq!(check_update(session.as_object().unwrap(), &current, true), Ok(()));
}

#[test]
fn one_wrong_field_anywhere_refuses_the_update() {
    let (unknown, missing) = ("unknown_parameter", "missing_required_parameter");
    for (session, code, param) in [
        (json!({}), missing, "session.type"),
        (json!({"type": "realtime", "temperature": 0.8}), unknown, "session.temperature"),
        (json!({"type": "realtime", "voice": "marin"}), unknown, "session.voice"),
        (json!({"type": "realtime", "model": "other"}), "invalid_value", "session.model"),
        (json!({"type": "transcription"}), "invalid_value", "session.type"),
        (
            json!({"type": "realtime", "output_modalities": ["audio", "text"]}),
            "invalid_value",
            "session.output_modalities",
        ),
        (json!({"type": "realtime", "max_output_tokens": 0}), "integer_below_min_value", "session.max_output_tokens"),
        (
            json!({"type": "realtime", "tools": [{"type": "function", "function": {"name": "x"}}]}),
            unknown,
            "session.tools[0].function",
        ),
        (json!({"type": "realtime", "tools": [{"type": "function"}]}), missing, "session.tools[0].name"),
    ] {
        assert_eq!(refusal(session), (code, param.to_owned()));
    }
}

#[test]
fn one_wrong_audio_field_refuses_the_update() {
    let pcm = |rate: Value| json!({"input": {"format": {"type": "audio/pcm", "rate": rate}}});
    for (audio, code, param) in [
        (json!({"input": {"format": {"type": "audio/pcm"}}}), "missing_required_parameter", "input.format.rate"),
        (pcm(json!(16_000)), "integer_below_min_value", "input.format.rate"),
        (pcm(json!("24000")), "invalid_type", "input.format.rate"),
        (json!({"input": {"format": "pcm16"}}), "invalid_type", "input.format"),
        (
            json!({"output": {"format": {"type": "audio/pcmu", "rate": 8000}}}),
            "unknown_parameter",
            "output.format.rate",
        ),
        (json!({"output": {"voice": "nova"}}), "invalid_value", "output.voice"),
        (json!({"output": {"voice": "cedar"}}), "cannot_update_voice", "output.voice"),
        (
            json!({"input": {"turn_detection": {"threshold": 0.5}}}),
            "missing_required_parameter",
            "input.turn_detection.type",
        ),
        (
            json!({"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}),
            "unknown_parameter",
            "input.turn_detection.threshold",
        ),
        (
            json!({"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}),
            "invalid_type",
            "input.turn_detection.threshold",
        ),
        (
            json!({"input": {"transcription": {"model": "gpt-realtime-whisper", "prompt": "x"}}}),
            "invalid_value",
            "input.transcription.prompt",
        ),
    ] {
        assert_eq!(refusal(json!({"type": "realtime", "audio": audio})), (code, format!("session.audio.{param}")));
    }
}

#[test]
fn older_models_know_no_reasoning() {
    let session = json!({"type": "realtime", "reasoning": {"effort": "low"}});
    let current = Config::new("s", "gpt-realtime", 0);
    assert_eq!(check_update(session.as_object().unwrap(), &current, false).unwrap_err().param, None);
}

#[test]
fn a_response_has_fields_of_its_own() {
    let current = Config::new("s", "gpt-realtime-2.1", 0);
    let param = |response: Value| check_response(response.as_object().unwrap(), &current).err().and_then(|e| e.param);
    assert_eq!(param(json!({"instructions": "Greet", "metadata": {"a": "b"}})), None);
    assert_eq!(param(json!({"modalities": ["audio"]})), Some("response.modalities".into()));
    assert_eq!(param(json!({"audio": {"output": {"speed": 1}}})), Some("response.audio.output.speed".into()));
    assert_eq!(param(json!({"conversation": "some"})), Some("response.conversation".into()));
}
