//! Turns, responses and interruptions.

use std::time::Instant;

use codecs::{SampleRate, g711};
use serde_json::{Value, json};

use super::client::{Client, WAIT, kinds};
use crate::model::Script;
use crate::speech::clip;

fn pcm() -> Value {
    json!({"type": "audio/pcm", "rate": 24_000})
}

fn pcm24(id: &str) -> std::sync::Arc<[u8]> {
    clip(id).unwrap().pcm_at(SampleRate::Hz24000)
}

#[tokio::test]
async fn a_turn_has_the_real_order_of_events() {
    let (mut client, _handle) = Client::configured("answer goodbye_en".parse().unwrap(), pcm(), json!({})).await;
    client.append(&[0; 48 * 500]).await;
    client.seen.clear();
    client.speak("caller_en_hours").await;
    client.until("response.done").await;
    if !kinds(&client.seen).contains(&"conversation.item.input_audio_transcription.completed") {
        client.until("conversation.item.input_audio_transcription.completed").await;
    }
    let mut order = kinds(&client.seen);
    order.retain(|kind| !kind.contains("input_audio_transcription") && *kind != "rate_limits.updated");
    let words = order.iter().position(|kind| kind.ends_with("transcript.delta")).unwrap();
    assert!(words < order.iter().position(|kind| *kind == "response.output_audio.delta").unwrap());
    order.dedup();
    order.retain(|kind| !kind.ends_with(".delta"));
    assert_eq!(
        order,
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let event = |kind: &str| client.seen.iter().find(|event| event["type"] == kind).unwrap();
    let started = event("input_audio_buffer.speech_started");
    assert_eq!(started["item_id"], event("input_audio_buffer.committed")["item_id"]);
    // 500 ms of silence, less the padding; the clip begins softly.
    assert!((200..=260).contains(&started["audio_start_ms"].as_u64().unwrap()), "{started}");
    let stopped = event("input_audio_buffer.speech_stopped")["audio_end_ms"].as_u64().unwrap();
    assert!((2_100..=2_400).contains(&stopped), "{stopped}");
    let transcript = event("conversation.item.input_audio_transcription.completed");
    assert_eq!(transcript["transcript"], "What are your opening hours?");
}

#[tokio::test]
async fn audio_comes_whole_in_real_deltas_five_times_faster_than_it_plays() {
    let (mut client, handle) = Client::on("answer answer_en_booking".parse().unwrap()).await;
    client
        .send(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Hello"}]}}))
        .await;
    client.send(json!({"type": "response.create"})).await;
    let created = client.until("response.created").await;
    client.until("response.output_audio.delta").await;
    let first = Instant::now();
    let done = client.until("response.done").await;
    let took_ms = first.elapsed().as_millis() as u64;

    let audio = client.audio(Some(&created["response"]["id"]));
    assert!(audio[..] == pcm24("answer_en_booking")[..]);
    let audio_ms = audio.len() as u64 / 48;
    assert!(took_ms >= audio_ms / 5 - 120, "{took_ms} ms for {audio_ms} ms");
    let deltas = kinds(&client.seen).iter().filter(|kind| **kind == "response.output_audio.delta").count() as u64;
    assert!((188..=275).contains(&(audio_ms / (deltas - 1))));
    assert_eq!(done["response"]["status"], "completed");
    assert_eq!(done["response"]["output"][0]["content"][0]["transcript"], clip("answer_en_booking").unwrap().text);
    assert_eq!(done["response"]["output"][0]["phase"], "final_answer");
    let usage = &done["response"]["usage"];
    assert_eq!(usage["output_token_details"]["audio_tokens"], audio_ms / 50);
    let log = handle.sessions().remove(0);
    assert_eq!((log.responses[0].generated_ms, log.responses[0].status.as_str()), (audio_ms, "completed"));
}

#[tokio::test]
async fn a_greeting_is_spoken_in_the_language_asked_for() {
    for (instructions, greeting) in
        [("Greet the caller with: Hello", "greeting_en"), ("Greet the caller with: नमस्ते", "greeting_hi")]
    {
        let (mut client, _handle) = Client::configured(Script::default(), pcm(), json!({})).await;
        client.send(json!({"type": "response.create", "response": {"instructions": instructions}})).await;
        client.until("response.done").await;
        assert!(client.audio(None)[..] == pcm24(greeting)[..]);
    }
}

#[tokio::test]
async fn an_answer_begins_with_an_apology_when_it_is_asked_to() {
    let (mut client, _handle) = Client::configured(Script::default(), pcm(), json!({})).await;
    for (role, kind, text) in
        [("user", "input_text", "When are you open?"), ("system", "input_text", "Apologise in one short sentence.")]
    {
        let item = json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]});
        client.send(json!({"type": "conversation.item.create", "item": item})).await;
    }
    client.send(json!({"type": "response.create"})).await;
    client.until("response.done").await;
    let said = [pcm24("apology_en"), pcm24("answer_en_hours")].concat();
    assert_eq!(client.audio(None).len(), said.len());
}

#[tokio::test]
async fn speech_during_a_response_cancels_it_after_a_few_late_deltas() {
    let (mut client, handle) = Client::configured(Script::default(), pcm(), json!({})).await;
    client.speak("caller_en_hours").await;
    for _ in 0..4 {
        client.until("response.output_audio.delta").await;
    }
    client.append(&pcm24("caller_en_interrupt")).await;
    client.until("input_audio_buffer.speech_started").await;
    let before = client.seen.len();
    let done = client.until("response.done").await;
    assert_eq!(done["response"]["status"], "cancelled");
    assert_eq!(done["response"]["status_details"]["reason"], "turn_detected");
    assert_eq!(done["response"]["output"][0]["status"], "incomplete");
    let late = kinds(&client.seen[before..]).iter().filter(|kind| **kind == "response.output_audio.delta").count();
    assert!((2..=3).contains(&late), "{late}");

    // All that was generated counts, the late deltas too; not one ms more can be kept.
    let generated = client.audio(Some(&done["response"]["id"])).len() as u64 / 48;
    let item = done["response"]["output"][0]["id"].clone();
    for (ms, kind) in [(generated + 1, "error"), (900, "conversation.item.truncated"), (901, "error")] {
        let truncate =
            json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms});
        client.send(truncate).await;
        let answer = client.until(kind).await;
        if kind == "error" {
            assert!(answer["error"]["message"].as_str().unwrap().contains("ms is already shorter than"), "{answer}");
        }
    }
    let taken: Vec<_> = handle.sessions()[0].truncations.iter().map(|truncation| truncation.accepted).collect();
    assert_eq!(taken, [false, true, false]);
}

#[tokio::test]
async fn without_interruption_the_response_goes_on_and_no_second_one_begins() {
    let (mut client, handle) = Client::configured("answer tone".parse().unwrap(), pcm(), json!({})).await;
    let turns = json!({"type": "server_vad", "silence_duration_ms": 500, "interrupt_response": false});
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turns}}});
    client.send(json!({"type": "session.update", "session": session})).await;
    client.until("session.updated").await;
    client.speak("caller_en_hours").await;
    client.until("response.created").await;
    client.speak("caller_en_bye").await;
    assert_eq!(client.until("response.done").await["response"]["status"], "completed");
    assert_eq!(handle.sessions()[0].responses.len(), 1);
    assert_eq!(handle.sessions()[0].count_sent("input_audio_buffer.committed"), 2);
}

#[tokio::test]
async fn one_response_at_a_time_and_it_can_be_cancelled() {
    let (mut client, _handle) = Client::on("answer tone".parse().unwrap()).await;
    client.send(json!({"type": "response.create"})).await;
    let id = client.until("response.created").await["response"]["id"].clone();
    client.send(json!({"type": "response.create", "event_id": "e2"})).await;
    let error = client.until("error").await;
    assert_eq!(error["error"]["code"], "conversation_already_has_active_response");
    assert_eq!(error["error"]["event_id"], "e2");
    client.send(json!({"type": "response.cancel", "response_id": "resp_other"})).await;
    assert_eq!(client.until("error").await["error"]["code"], "response_cancel_not_active");
    client.send(json!({"type": "response.cancel", "response_id": id})).await;
    let done = client.until("response.done").await;
    assert_eq!(done["response"]["status_details"], json!({"type": "cancelled", "reason": "client_cancelled"}));
}

#[tokio::test]
async fn the_second_item_begins_before_the_first_is_done() {
    let (mut client, _handle) = Client::on("answer commentary_en + goodbye_en".parse().unwrap()).await;
    client
        .send(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Hello"}]}}))
        .await;
    client.send(json!({"type": "response.create"})).await;
    let done = client.until("response.done").await;
    let output = done["response"]["output"].as_array().unwrap();
    assert_eq!((&output[0]["phase"], &output[1]["phase"]), (&json!("commentary"), &json!("final_answer")));
    let at = |kind: &str, index: u64| {
        client.seen.iter().position(|event| event["type"] == kind && event["output_index"] == index).unwrap()
    };
    assert!(at("response.output_audio.delta", 1) < at("response.output_audio.done", 0));
    assert!(client.audio(None)[..] == [pcm24("commentary_en"), pcm24("goodbye_en")].concat()[..]);
}

#[tokio::test]
async fn a_function_is_called_if_it_is_configured() {
    let script = r#"answer goodbye_en + call end_call {"reason":"done"}"#;
    let tool = json!({"type": "function", "name": "end_call", "parameters": {"type": "object", "properties": {}}});
    for (tools, called) in [(json!([]), false), (json!([tool]), true)] {
        let (mut client, _handle) = Client::configured(script.parse().unwrap(), pcm(), json!({"tools": tools})).await;
        client.speak("caller_en_bye").await;
        let done = client.until("response.done").await;
        assert_eq!(done["response"]["output"].as_array().unwrap().len(), 1 + usize::from(called));
        if !called {
            continue;
        }
        let arguments: String = client
            .seen
            .iter()
            .filter(|event| event["type"] == "response.function_call_arguments.delta")
            .map(|event| event["delta"].as_str().unwrap())
            .collect();
        let call = &done["response"]["output"][1];
        assert_eq!(
            (call["type"].as_str(), call["arguments"].as_str()),
            (Some("function_call"), Some(arguments.as_str()))
        );
        assert_eq!(arguments, r#"{"reason":"done"}"#);
        let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "{}"});
        client.send(json!({"type": "conversation.item.create", "item": output})).await;
        client.until("conversation.item.done").await;
        client.send(json!({"type": "response.create"})).await;
        client.until("response.created").await;
    }
}

#[tokio::test]
async fn scripted_failures_and_silences() {
    let (mut client, handle) =
        Client::configured("fail rate_limit_exceeded\nsilence\nempty".parse().unwrap(), pcm(), json!({})).await;
    client.speak("caller_en_hours").await;
    let failed = client.until("response.done").await;
    assert_eq!(failed["response"]["status_details"]["error"]["code"], "rate_limit_exceeded");
    assert_eq!((&failed["response"]["usage"], &failed["response"]["output"]), (&Value::Null, &json!([])));
    client.speak("caller_en_bye").await;
    client.until("input_audio_buffer.committed").await;
    client.speak("caller_en_interrupt").await;
    let empty = client.until("response.done").await;
    assert_eq!((&empty["response"]["status"], &empty["response"]["output"]), (&json!("completed"), &json!([])));
    assert_eq!(handle.sessions()[0].responses.len(), 2);
}

#[tokio::test]
async fn g711_sessions_speak_and_hear_g711() {
    for (kind, encode) in
        [("audio/pcmu", g711::pcm_to_ulaw as fn(&[u8], &mut Vec<u8>)), ("audio/pcma", g711::pcm_to_alaw)]
    {
        let (mut client, handle) =
            Client::configured("answer goodbye_en".parse().unwrap(), json!({"type": kind}), json!({})).await;
        let mut speech = clip("caller_hi_booking").unwrap().pcm_at(SampleRate::Hz8000).to_vec();
        speech.extend([0; 16 * 700]);
        let mut coded = Vec::new();
        encode(&speech, &mut coded);
        client.append(&coded).await;
        let created = client.until("response.created").await;
        assert_eq!(created["response"]["audio"]["output"]["format"]["type"], kind);
        client.until("response.done").await;
        let mut expected = Vec::new();
        encode(&clip("goodbye_en").unwrap().pcm_at(SampleRate::Hz8000), &mut expected);
        assert!(client.audio(None) == expected);
        assert_eq!(handle.sessions()[0].appended.ms, coded.len() as u64 / 8);
        let heard = |logs: &[crate::model::SessionLog]| {
            logs[0].items[0]["content"][0]["transcript"] == clip("caller_hi_booking").unwrap().text
        };
        assert!(handle.wait_for(heard, WAIT).await, "{kind}: {:?}", handle.sessions()[0].items);
    }
}

#[tokio::test]
async fn without_turn_detection_the_client_commits() {
    let (mut client, handle) = Client::configured("answer tone".parse().unwrap(), pcm(), json!({})).await;
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": null}}});
    client.send(json!({"type": "session.update", "session": session})).await;
    client.until("session.updated").await;
    client.append(&[0; 48 * 99]).await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    let error = client.until("error").await;
    assert!(error["error"]["message"].as_str().unwrap().ends_with("but buffer only has 99.00ms of audio."));
    client.speak("caller_en_hours").await;
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    client.until("conversation.item.done").await;
    client.send(json!({"type": "input_audio_buffer.clear"})).await;
    client.until("input_audio_buffer.cleared").await;
    let log = handle.sessions().remove(0);
    assert_eq!((log.count_sent("input_audio_buffer.speech_started"), log.responses.len()), (0, 0));
}

#[tokio::test]
async fn text_can_be_asked_for() {
    let (mut client, _handle) = Client::on("answer goodbye_en".parse().unwrap()).await;
    client
        .send(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Hello"}]}}))
        .await;
    client
        .send(json!({"type": "response.create", "response": {"output_modalities": ["text"], "conversation": "none"}}))
        .await;
    assert_eq!(client.until("response.output_text.done").await["text"], clip("goodbye_en").unwrap().text);
    client.until("response.done").await;
    assert!(client.audio(None).is_empty());
    let added = kinds(&client.seen).iter().filter(|kind| **kind == "conversation.item.added").count();
    assert_eq!(added, 1);
}
