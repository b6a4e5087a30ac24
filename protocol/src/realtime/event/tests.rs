use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wire::WireError;

const DELTA: &str = r#"{"type":"response.output_audio.delta","event_id":"event_1","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":2,"delta":"AAEC"}"#;
const UPDATED: &str = r#"{"type":"session.updated","event_id":"e","session":{"type":"realtime","object":"realtime.session","id":"sess_1","model":"gpt-realtime","output_modalities":["audio"],"tools":[],"max_output_tokens":"inf","tracing":null,"expires_at":1785217650,"audio":{"input":{"format":{"type":"audio/pcm","rate":24000},"transcription":null,"turn_detection":{"type":"server_vad","threshold":0.5}},"output":{"format":{"type":"audio/pcmu"},"voice":"alloy","speed":1.0}},"include":null}}"#;
const DONE: &str = r#"{"type":"response.done","event_id":"e","response":{"object":"realtime.response","id":"resp_1","status":"completed","status_details":null,"output":[{"id":"item_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_audio","transcript":"Hello"}]}],"usage":{"total_tokens":205,"input_tokens":41,"output_tokens":164,"input_token_details":{"text_tokens":14,"audio_tokens":27,"image_tokens":0,"cached_tokens":15,"cached_tokens_details":{"text_tokens":10,"audio_tokens":5,"image_tokens":0}},"output_token_details":{"text_tokens":28,"audio_tokens":136}},"metadata":null}}"#;
const CALL: &str = r#"{"type":"response.output_item.done","event_id":"e","response_id":"resp_1","output_index":1,"item":{"id":"item_2","type":"function_call","status":"completed","name":"get_weather","call_id":"call_1","arguments":"{\"city\":\"London\"}"}}"#;
const ERROR: &str = r#"{"type":"error","event_id":"event_9","error":{"type":"invalid_request_error","code":"unknown_parameter","message":"Unknown parameter","param":"session.x","event_id":"cfg-1"}}"#;

fn event(text: &str) -> ServerEvent {
    match parse(text) {
        Ok(Parsed::Event { event, .. }) => event,
        other => panic!("{other:?}"),
    }
}

fn told(value: serde_json::Value) -> ServerEvent {
    event(&value.to_string())
}

fn key(content_index: u32) -> ContentKey {
    ContentKey { response: ResponseId::new("resp_1"), item: ItemId::new("item_1"), content_index }
}

#[test]
fn audio_of_the_usual_shape_is_borrowed() {
    for text in [
        DELTA.to_owned(),
        DELTA.replace("response.output_audio.delta", "response.audio.delta"),
        format!(" {} ", DELTA.replace(':', " : ").replace(',', " ,\n")),
        DELTA.replace(r#","delta""#, r#","obfuscation":null,"latency":"0.68","ts":1785214083561,"x":-1.5,"delta""#),
    ] {
        let Ok(Parsed::Audio { key: of, delta }) = parse(&text) else { panic!("{text}") };
        assert_eq!(of, key(2));
        assert!(matches!(delta, Cow::Borrowed("AAEC")), "{text}");
    }
}

#[test]
fn audio_of_an_unusual_shape_is_audio() {
    for text in [
        r#"{"delta":"AAEC","content_index":"2","response_id":"resp_1","item_id":"item_1","type":"response.output_audio.delta"}"#,
        r#"{"type":"response.output_audio.delta","logprobs":{"a":[1]},"final":false,"response_id":"resp_1","item_id":"item_1","content_index":2,"delta":"AAEC"}"#,
        r#"{"type":"response.output_audio.\u0064elta","response_id":"resp_1","item_id":"item_1","content_index":2,"delta":"AA\u0045C"}"#,
    ] {
        assert_eq!(parse(text), Ok(Parsed::Audio { key: key(2), delta: "AAEC".into() }), "{text}");
    }
    let bare = parse(r#"{"type":"response.output_audio.delta","delta":""}"#);
    let nowhere = ContentKey { response: ResponseId::new(""), item: ItemId::new(""), content_index: 0 };
    assert_eq!(bare, Ok(Parsed::Audio { key: nowhere, delta: "".into() }));
}

#[test]
fn audio_without_a_delta_is_refused() {
    for text in [r#"{"type":"response.output_audio.delta"}"#, r#"{"type":"response.output_audio.delta","delta":7}"#] {
        assert_eq!(parse(text), Err(WireError::Field { field: "delta" }), "{text}");
    }
}

#[test]
fn junk_is_an_error() {
    let cut = &DELTA[..DELTA.len() - 1];
    for text in ["", "junk", "[]", "{", "{}{}", "\u{feff}{}", cut, &format!("{DELTA}x"), &format!("{DELTA}{DELTA}")] {
        assert!(matches!(parse(text), Err(WireError::NotJson { .. })), "{text}");
    }
    for text in ["{}", r#"{"type":null}"#, r#"{"type":{"a":1}}"#, r#"{"delta":"AAEC"}"#] {
        assert_eq!(parse(text), Err(WireError::Field { field: "type" }), "{text}");
    }
}

#[test]
fn the_session_tells_its_end_and_its_effective_formats() {
    let created = r#"{"type":"session.created","session":{"id":"sess_1","expires_at":1785217650}}"#;
    assert_eq!(event(created), ServerEvent::SessionCreated { expires_at: Some(1_785_217_650) });
    assert_eq!(event(r#"{"type":"session.created"}"#), ServerEvent::SessionCreated { expires_at: None });
    let updated = |input, output, expires_at| ServerEvent::SessionUpdated { input, output, expires_at };
    let pcm = |rate| Some(AudioFormat::Pcm { rate });
    assert_eq!(event(UPDATED), updated(pcm(24_000), Some(AudioFormat::Pcmu), Some(1_785_217_650)));
    let beta =
        json!({"type":"session.updated","session":{"input_audio_format":"pcm16","output_audio_format":"g711_alaw"}});
    assert_eq!(told(beta), updated(pcm(24_000), Some(AudioFormat::Pcma), None));
    let xai = json!({"session":{"input_audio_format":"not specified","output_audio_format":"not specified","audio":{
        "input":{"format":{"type":"audio/pcm","rate":"16000"}},"output":{"format":"g711_ulaw"}}},"type":"session.updated"});
    assert_eq!(told(xai), updated(pcm(16_000), Some(AudioFormat::Pcmu), None));
    for session in
        [json!(null), json!("x"), json!({"audio":{"input":{"format":{"type":"opus"}}},"output_audio_format":7})]
    {
        let event = told(json!({"type":"session.updated","session":session}));
        assert_eq!(event, updated(None, None, None));
    }
}

#[test]
fn a_voice_turn_is_understood() {
    let item = || ItemId::new("item_1");
    for (text, expected) in [
        (
            r#"{"type":"input_audio_buffer.speech_started","event_id":"e","audio_start_ms":1460,"item_id":"item_1"}"#,
            ServerEvent::SpeechStarted { item: item(), audio_start_ms: Some(1460) },
        ),
        (
            r#"{"type":"input_audio_buffer.speech_stopped","event_id":"e","audio_end_ms":4256,"item_id":"item_1"}"#,
            ServerEvent::SpeechStopped { item: item(), audio_end_ms: 4256 },
        ),
        (
            r#"{"type":"input_audio_buffer.committed","previous_item_id":null,"item_id":"item_1"}"#,
            ServerEvent::Committed { item: item() },
        ),
        (
            r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_1","content_index":0,"transcript":"Hello, my name is Marcelo.","usage":{"type":"duration","seconds":3}}"#,
            ServerEvent::InputTranscript { item: item(), text: "Hello, my name is Marcelo.".to_owned() },
        ),
        (
            r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_1","transcript":"Hello?","status":"in_progress"}"#,
            ServerEvent::Ignored,
        ),
        (
            r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"item_1","error":{}}"#,
            ServerEvent::InputTranscriptFailed { item: item(), error: ServerError::default() },
        ),
        (
            r#"{"type":"input_audio_buffer.speech_started"}"#,
            ServerEvent::SpeechStarted { item: ItemId::new(""), audio_start_ms: None },
        ),
    ] {
        assert_eq!(event(text), expected, "{text}");
    }
}

#[test]
fn a_response_is_understood_in_ga_and_beta_names() {
    let created = json!({"type":"response.created","response":{"object":"realtime.response","id":"resp_1","status":"in_progress",
        "audio":{"output":{"format":{"type":"audio/pcm","rate":24000},"voice":"alloy"}},"usage":null}});
    let response = ResponseId::new("resp_1");
    let output = Some(AudioFormat::Pcm { rate: 24_000 });
    assert_eq!(told(created), ServerEvent::ResponseCreated { response: response.clone(), output });
    let xai = json!({"type":"response.created","response":{"id":"resp_1","status_details":"unimplemented","usage":{}}});
    assert_eq!(told(xai), ServerEvent::ResponseCreated { response, output: None });
    let with = |kind: &str, field: &str| {
        told(json!({"type":kind,"response_id":"resp_1","item_id":"item_1","content_index":1,field:"Hi"}))
    };
    for kind in ["response.output_audio.done", "response.audio.done"] {
        assert_eq!(with(kind, "x"), ServerEvent::AudioDone(key(1)));
    }
    for kind in
        ["response.output_audio_transcript", "response.audio_transcript", "response.output_text", "response.text"]
    {
        let delta = ServerEvent::TranscriptDelta { key: key(1), delta: "Hi".to_owned() };
        assert_eq!(with(&format!("{kind}.delta"), "delta"), delta);
        let field = if kind.ends_with("text") { "text" } else { "transcript" };
        let done = ServerEvent::TranscriptDone { key: key(1), text: "Hi".to_owned() };
        assert_eq!(with(&format!("{kind}.done"), field), done);
    }
}

#[test]
fn a_function_call_is_told_once_and_never_as_complete_when_it_was_cut() {
    let call = FunctionCall {
        response: ResponseId::new("resp_1"),
        item: ItemId::new("item_2"),
        call_id: "call_1".to_owned(),
        name: "get_weather".to_owned(),
        arguments: "{\"city\":\"London\"}".to_owned(),
        complete: true,
    };
    assert_eq!(event(CALL), ServerEvent::FunctionCall(call.clone()));
    let cut = CALL.replace(r#""status":"completed""#, r#""status":"incomplete""#);
    assert_eq!(event(&cut), ServerEvent::FunctionCall(FunctionCall { complete: false, ..call }));
    let announced = r#"{"type":"response.function_call_arguments.done","response_id":"resp_1","item_id":"item_2","call_id":"call_1","name":"get_weather","arguments":"{}"}"#;
    assert_eq!(event(announced), ServerEvent::Ignored);
    let message =
        r#"{"type":"response.output_item.done","response_id":"resp_1","item":{"id":"item_1","type":"message"}}"#;
    assert_eq!(event(message), ServerEvent::Ignored);
}

#[test]
fn the_end_of_a_response_tells_its_cost() {
    let usage =
        Usage { input_text: 14, input_audio: 27, cached_text: 10, cached_audio: 5, output_text: 28, output_audio: 136 };
    let done = ResponseDone { response: ResponseId::new("resp_1"), status: ResponseStatus::Completed, usage };
    assert_eq!(event(DONE), ServerEvent::ResponseDone(done));
    let usage_of = |event: serde_json::Value| match told(event) {
        ServerEvent::ResponseDone(done) => done.usage,
        other => panic!("{other:?}"),
    };
    let xai = json!({"type":"response.done","response":{"id":"r","status_details":"unimplemented","usage":{}},"usage":{"input_tokens":156,
        "input_token_details":{"text_tokens":10,"audio_tokens":146},"output_tokens":185,"output_token_details":{"text_tokens":15,"audio_tokens":170}}});
    let expected = Usage { input_text: 10, input_audio: 146, output_text: 15, output_audio: 170, ..Usage::default() };
    assert_eq!(usage_of(xai), expected);
    let plain = json!({"type":"response.done","response":{"usage":{"input_tokens":5,"output_tokens":7}}});
    assert_eq!(usage_of(plain), Usage { input_text: 5, output_text: 7, ..Usage::default() });
    let lying = json!({"type":"response.done","response":{"usage":{"input_token_details":{"text_tokens":5,"audio_tokens":2,"cached_tokens":99}}}});
    assert_eq!(
        usage_of(lying),
        Usage { input_text: 5, input_audio: 2, cached_text: 5, cached_audio: 2, ..Usage::default() }
    );
    let junk = json!({"type":"response.done","response":{"usage":{"input_token_details":{"text_tokens":u64::MAX},"output_token_details":[]}}});
    assert_eq!(usage_of(junk), Usage::default());
    assert_eq!(usage_of(json!({"type":"response.done"})), Usage::default());
}

#[test]
fn the_end_of_a_response_tells_how_it_ended() {
    let status = |status: serde_json::Value, details: serde_json::Value| match told(
        json!({"type":"response.done","response":{"id":"r","status":status,"status_details":details,"usage":null}}),
    ) {
        ServerEvent::ResponseDone(done) => done.status,
        other => panic!("{other:?}"),
    };
    let failed =
        |code: &str, message: &str| ResponseStatus::Failed { code: code.to_owned(), message: message.to_owned() };
    assert_eq!(status(json!("completed"), json!(null)), ResponseStatus::Completed);
    assert_eq!(status(json!("completed"), json!("unimplemented")), ResponseStatus::Completed);
    assert_eq!(status(json!(null), json!(null)), ResponseStatus::Completed);
    let cancelled = status(json!("cancelled"), json!({"type":"cancelled","reason":"turn_detected"}));
    assert_eq!(cancelled, ResponseStatus::Cancelled);
    let incomplete = status(json!("incomplete"), json!({"type":"incomplete","reason":"max_output_tokens"}));
    assert_eq!(incomplete, ResponseStatus::Incomplete { reason: "max_output_tokens".to_owned() });
    let limited =
        json!({"type":"failed","error":{"type":"tokens","code":"rate_limit_exceeded","message":"try again in 7.853s"}});
    assert_eq!(status(json!("failed"), limited.clone()), failed("rate_limit_exceeded", "try again in 7.853s"));
    assert_eq!(status(json!("exploded"), limited), failed("rate_limit_exceeded", "try again in 7.853s"));
    assert_eq!(
        status(json!("failed"), json!({"error":{"type":"server_error","code":null}})),
        failed("server_error", "")
    );
    assert_eq!(status(json!("failed"), json!("why")), failed("", ""));
}

#[test]
fn errors_are_read_in_every_shape() {
    let expected = ServerError {
        code: "unknown_parameter".to_owned(),
        kind: "invalid_request_error".to_owned(),
        message: "Unknown parameter".to_owned(),
        param: Some("session.x".to_owned()),
        event_id: Some("cfg-1".to_owned()),
    };
    assert_eq!(event(ERROR), ServerEvent::Error(expected));
    let error = |event: serde_json::Value| match told(event) {
        ServerEvent::Error(error) => error,
        other => panic!("{other:?}"),
    };
    let bare = error(
        json!({"type":"error","event_id":"theirs","error":{"type":"session_limit_reached","code":null,"message":null,"param":null}}),
    );
    assert_eq!(bare, ServerError { kind: "session_limit_reached".to_owned(), ..ServerError::default() });
    let flat = error(json!({"type":"error","event_id":"theirs","code":429,"message":"slow down"}));
    assert_eq!(flat, ServerError { code: "429".to_owned(), message: "slow down".to_owned(), ..ServerError::default() });
    let words = error(json!({"type":"error","error":"no"}));
    assert_eq!(words, ServerError { message: "no".to_owned(), ..ServerError::default() });
    assert_eq!(error(json!({"type":"error"})), ServerError::default());
}

#[test]
fn known_kinds_without_use_and_unknown_kinds_are_told_apart() {
    for kind in [
        "conversation.created",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.done",
        "conversation.item.truncated",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.input_audio_transcription.updated",
        "rate_limits.updated",
        "response.output_item.added",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.mcp_call_arguments.delta",
        "response.mcp_call.completed",
        "mcp_list_tools.failed",
        "output_audio_buffer.started",
        "input_audio_buffer.timeout_triggered",
        "ping",
    ] {
        assert_eq!(told(json!({ "type": kind })), ServerEvent::Ignored, "{kind}");
    }
    assert_eq!(told(json!({"type":"model_load_error"})), ServerEvent::Unknown { kind: "model_load_error".to_owned() });
}

proptest! {
    #[test]
    fn any_text_is_an_event_or_an_error(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn a_real_event_with_any_byte_replaced_is_an_event_or_an_error(
        message in prop::sample::select(vec![DELTA, UPDATED, DONE, CALL, ERROR]), at in any::<prop::sample::Index>(), with in any::<char>(),
    ) {
        let at = at.index(message.len());
        let _ = parse(&format!("{}{with}{}", &message[..at], &message[at + 1..]));
        let _ = parse(&message[..at]);
    }

    #[test]
    fn a_real_event_with_any_value_replaced_is_an_event(
        message in prop::sample::select(vec![DELTA, UPDATED, DONE, CALL, ERROR]), at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec![json!(null), json!(true), json!(-1), json!(1e300), json!("x"), json!([]), json!([[1]]), json!({}), json!({"type":{}})]),
    ) {
        let mut event: serde_json::Value = serde_json::from_str(message).unwrap();
        let count = values(&mut event).len();
        let mut all = values(&mut event);
        *all.swap_remove(at.index(count)) = with;
        drop(all);
        let _ = parse(&event.to_string());
    }

    #[test]
    fn the_scan_and_the_full_parser_agree(ids in prop::collection::vec("[ -~]{0,8}", 2), index in 0u32..9, delta in "[A-Za-z0-9+/=\\\\\"]{0,40}") {
        let event = json!({"type":"response.output_audio.delta","response_id":ids[0],"item_id":ids[1],"content_index":index,"delta":delta});
        let key = ContentKey { response: ResponseId::new(&ids[0]), item: ItemId::new(&ids[1]), content_index: index };
        let expected = Parsed::Audio { key, delta: Cow::Owned(delta) };
        let text = event.to_string();
        prop_assert_eq!(parse(&text), Ok(expected));
    }
}

/// Every value within a value that has none within itself.
fn values(value: &mut serde_json::Value) -> Vec<&mut serde_json::Value> {
    match value {
        serde_json::Value::Object(map) => map.values_mut().flat_map(values).collect(),
        serde_json::Value::Array(list) => list.iter_mut().flat_map(values).collect(),
        leaf => vec![leaf],
    }
}

#[test]
fn nothing_of_a_servers_goes_on_without_a_length() {
    let long = "x".repeat(100_000);
    let event = |text: String| match parse(&text).unwrap() {
        Parsed::Event { event, .. } => format!("{event:?}"),
        Parsed::Audio { key, .. } => format!("{key:?}"),
    };
    for text in [
        format!(
            r#"{{"type":"error","error":{{"type":"{long}","code":"{long}","message":"{long}","param":"{long}","event_id":"{long}"}}}}"#
        ),
        format!(r#"{{"type":"error","error":"{long}"}}"#),
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"input_audio_buffer.speech_started","item_id":"{long}"}}"#),
        format!(r#"{{"type":"response.output_audio.delta","response_id":"{long}","item_id":"{long}","delta":"AAAA"}}"#),
        format!(r#"{{"type":"response.created","response":{{"id":"{long}"}}}}"#),
        format!(
            r#"{{"type":"response.done","response":{{"id":"{long}","status":"failed","status_details":{{"error":{{"code":"{long}","message":"{long}"}}}}}}}}"#
        ),
        format!(
            r#"{{"type":"response.done","response":{{"id":"{long}","status":"incomplete","status_details":{{"reason":"{long}"}}}}}}"#
        ),
    ] {
        assert!(event(text.clone()).len() < 1_500, "{:.80}", event(text));
    }
    for text in [
        format!(
            r#"{{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"{long}"}}"#
        ),
        format!(
            r#"{{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":"{long}"}}"#
        ),
        format!(
            r#"{{"type":"response.output_item.done","item":{{"type":"function_call","call_id":"{long}","name":"{long}","arguments":"{long}"}}}}"#
        ),
    ] {
        assert!(event(text).len() < 17_500);
    }
}

#[test]
fn words_that_are_left_out_are_told_of() {
    let cut = |event: serde_json::Value| match parse(&event.to_string()) {
        Ok(Parsed::Event { cut, .. }) => cut,
        other => panic!("{other:?}"),
    };
    let words = |bytes: usize| "x".repeat(bytes);
    for (most, event) in [
        (16 * 1024, &|text: String| json!({"type":"response.output_audio_transcript.delta","delta":text})),
        (16 * 1024, &|text: String| json!({"type":"response.output_text.done","text":text})),
        (
            16 * 1024,
            &|text: String| json!({"type":"response.output_item.done","item":{"type":"function_call","arguments":text}}),
        ),
        (256, &|text: String| json!({"type":"error","error":{"message":text}})),
        (256, &|text: String| json!({"type":"error","error":text})),
        (
            256,
            &|text: String| json!({"type":"response.done","response":{"status":"failed","status_details":{"error":{"message":text}}}}),
        ),
    ] as [(usize, &dyn Fn(String) -> serde_json::Value); 6]
    {
        assert!(!cut(event(words(most))) && cut(event(words(most + 1))), "{:.80}", event(words(10)));
    }
}
