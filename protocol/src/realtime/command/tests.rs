use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::realtime::event_id::{EventId, EventKind};

fn written(event: &ClientEvent) -> Value {
    let mut out = "left over".to_owned();
    write(&mut out, event, None);
    serde_json::from_str(&out).unwrap()
}

fn id(kind: EventKind, number: u32) -> EventId {
    EventId { kind, number }
}

fn config() -> SessionConfig {
    SessionConfig {
        instructions: "Be \"kind\".\nनमस्ते".to_owned(),
        voice: Some("marin".to_owned()),
        format: AudioFormat::Pcm { rate: 24_000 },
        transcription_language: Some("hi".to_owned()),
        transcription_model: Some("gpt-realtime-whisper".to_owned()),
        vad: Vad { threshold: 0.6, prefix_padding_ms: 300, silence_duration_ms: 500 },
        semantic: None,
        answers_by_itself: true,
        hints: TranscriptionHints::default(),
        noise_reduction: Some(NoiseReduction::Near),
        speed: None,
        tools: vec![Tool {
            name: "hang_up".to_owned(),
            description: "Ends the call.".to_owned(),
            parameters: r#"{"type":"object","properties":{},"additionalProperties":false}"#.to_owned(),
        }],
    }
}

#[test]
fn a_session_is_configured_whole() {
    let mut out = String::new();
    write(&mut out, &ClientEvent::SessionUpdate(Box::new(config())), Some(id(EventKind::Update, 1)));
    assert!(out.starts_with(r#"{"type":"session.update","session":{"type":"realtime","#), "{out}");
    assert!(out.ends_with(r#","event_id":"cg-update-1"}"#), "{out}");
    assert!(out.contains(r#""threshold":0.6,"#), "no digits of a wider float: {out}");
    let expected = json!({"type":"session.update","event_id":"cg-update-1","session":{
        "type":"realtime",
        "output_modalities":["audio"],
        "instructions":"Be \"kind\".\nनमस्ते",
        "audio":{
            "input":{
                "format":{"type":"audio/pcm","rate":24000},
                "noise_reduction":{"type":"near_field"},
                "transcription":{"model":"gpt-realtime-whisper","language":"hi"},
                "turn_detection":{"type":"server_vad","threshold":0.6,"prefix_padding_ms":300,"silence_duration_ms":500,
                    "create_response":true,"interrupt_response":true}},
            "output":{"format":{"type":"audio/pcm","rate":24000},"voice":"marin"}},
        "tools":[{"type":"function","name":"hang_up","description":"Ends the call.",
            "parameters":{"type":"object","properties":{},"additionalProperties":false}}],
        "tool_choice":"auto"}});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn what_a_client_wants_of_listening_and_speed_is_said_as_the_server_has_it() {
    let wanted = SessionConfig {
        transcription_language: None,
        transcription_model: Some("gpt-transcribe".to_owned()),
        hints: TranscriptionHints {
            languages: vec!["hi".to_owned(), "en".to_owned()],
            keywords: vec!["Zendu".to_owned()],
            prompt: None,
        },
        semantic: Some(Eagerness::Low),
        answers_by_itself: false,
        noise_reduction: Some(NoiseReduction::Far),
        speed: Some(1.1),
        ..config()
    };
    let audio =
        |config: SessionConfig| written(&ClientEvent::SessionUpdate(Box::new(config)))["session"]["audio"].take();
    let said = audio(wanted.clone());
    assert_eq!(said["input"]["noise_reduction"], json!({"type":"far_field"}));
    assert_eq!(
        said["input"]["transcription"],
        json!({"model":"gpt-transcribe","languages":["hi","en"],"keywords":["Zendu"]})
    );
    assert_eq!(
        said["input"]["turn_detection"],
        json!({"type":"semantic_vad","eagerness":"low","create_response":false,"interrupt_response":false})
    );
    assert_eq!(said["output"]["speed"].to_string(), "1.1");
    let confirmed = audio(SessionConfig { semantic: None, ..wanted });
    let detection = &confirmed["input"]["turn_detection"];
    assert_eq!((&detection["type"], &detection["create_response"]), (&json!("server_vad"), &json!(false)));
    assert_eq!(detection["interrupt_response"], json!(false));
}

#[test]
fn a_reduced_configuration_holds_only_what_every_server_takes() {
    let reduced = SessionConfig {
        voice: None,
        format: AudioFormat::Pcmu,
        transcription_model: None,
        noise_reduction: None,
        tools: Vec::new(),
        ..config()
    };
    let session = written(&ClientEvent::SessionUpdate(Box::new(reduced)))["session"].take();
    assert_eq!(session["audio"]["input"]["format"], json!({"type":"audio/pcmu"}));
    assert_eq!(session["audio"]["output"], json!({"format":{"type":"audio/pcmu"}}));
    let input = session["audio"]["input"].as_object().unwrap();
    assert_eq!(input.keys().collect::<Vec<_>>(), ["format", "turn_detection"]);
    let keys: Vec<_> = session.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["audio", "instructions", "output_modalities", "type"]);
}

#[test]
fn nothing_in_a_configuration_can_make_it_unreadable() {
    let odd = SessionConfig {
        vad: Vad { threshold: f32::NAN, ..config().vad },
        tools: ["", "not json", "[]", "{\"type\":\"object\"}}"]
            .map(|parameters| Tool {
                name: "t".to_owned(),
                description: String::new(),
                parameters: parameters.to_owned(),
            })
            .to_vec(),
        transcription_model: None,
        ..config()
    };
    let session = written(&ClientEvent::SessionUpdate(Box::new(odd)))["session"].take();
    assert_eq!(session["audio"]["input"]["turn_detection"]["threshold"], json!(0.5));
    assert_eq!(session["audio"]["input"].get("transcription"), None);
    for tool in session["tools"].as_array().unwrap() {
        assert_eq!(tool["parameters"], json!({"type":"object","properties":{}}));
    }
}

#[test]
fn items_are_written_with_the_content_types_of_their_roles() {
    let item = |item| written(&ClientEvent::CreateItem(item));
    let message = |role: &str, kind: &str| json!({"type":"conversation.item.create","item":{"type":"message","role":role,"content":[{"type":kind,"text":"Hi"}]}});
    assert_eq!(item(NewItem::System("Hi".to_owned())), message("system", "input_text"));
    assert_eq!(item(NewItem::User("Hi".to_owned())), message("user", "input_text"));
    assert_eq!(item(NewItem::Assistant("Hi".to_owned())), message("assistant", "output_text"));
    let call =
        NewItem::FunctionCall { call_id: "c".to_owned(), name: "n".to_owned(), arguments: "{\"a\":1}".to_owned() };
    let expected = json!({"type":"function_call","call_id":"c","name":"n","arguments":"{\"a\":1}"});
    assert_eq!(item(call)["item"], expected);
    let output = NewItem::FunctionOutput { call_id: "c".to_owned(), output: "ok".to_owned() };
    assert_eq!(item(output)["item"], json!({"type":"function_call_output","call_id":"c","output":"ok"}));
}

#[test]
fn the_small_events_are_written() {
    let item = || ItemId::new("item_1");
    for (event, expected) in [
        (
            ClientEvent::Truncate { item: item(), content_index: 0, audio_end_ms: 1500 },
            json!({"type":"conversation.item.truncate","item_id":"item_1","content_index":0,"audio_end_ms":1500}),
        ),
        (
            ClientEvent::Transcribe { model: "gpt-realtime-whisper".to_owned() },
            json!({"type":"session.update","session":{"type":"realtime",
                "audio":{"input":{"transcription":{"model":"gpt-realtime-whisper"}}}}}),
        ),
        (ClientEvent::CreateResponse { instructions: None }, json!({"type":"response.create"})),
        (
            ClientEvent::CreateResponse { instructions: Some("Greet.".to_owned()) },
            json!({"type":"response.create","response":{"instructions":"Greet."}}),
        ),
        (
            ClientEvent::CancelResponse { response: ResponseId::new("resp_1") },
            json!({"type":"response.cancel","response_id":"resp_1"}),
        ),
        (ClientEvent::Append(vec![0, 1, 2]), json!({"type":"input_audio_buffer.append","audio":"AAEC"})),
    ] {
        assert_eq!(written(&event), expected);
        let mut out = String::new();
        let kind = EventKind::of(&event);
        write(&mut out, &event, kind.map(|kind| id(kind, 7)));
        let named: Value = serde_json::from_str(&out).unwrap();
        match kind {
            Some(kind) => {
                assert_eq!(named["event_id"], id(kind, 7).to_string());
                assert_eq!(named["type"], kind.name());
            }
            None => assert_eq!(named["type"], "input_audio_buffer.append", "only audio has no name"),
        }
    }
}

proptest! {
    #[test]
    fn appended_audio_reads_back(audio in any::<Vec<u8>>()) {
        let mut out = "left over".to_owned();
        write_append(&mut out, &audio);
        let event: Value = serde_json::from_str(&out).unwrap();
        let mut back = Vec::new();
        crate::wire::decode_base64(event["audio"].as_str().unwrap(), &mut back).unwrap();
        prop_assert_eq!(back, audio);
    }

    #[test]
    fn any_words_survive_the_writing(text in any::<String>(), id in any::<String>()) {
        let item = written(&ClientEvent::CreateItem(NewItem::User(text.clone())));
        prop_assert_eq!(item["item"]["content"][0]["text"].as_str(), Some(text.as_str()));
        let cancel = written(&ClientEvent::CancelResponse { response: ResponseId::new(&id) });
        prop_assert_eq!(cancel["response_id"].as_str(), Some(id.as_str()));
    }
}
