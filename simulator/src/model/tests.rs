//! The server as a client sees it, over loopback.

mod client;
mod faults;
mod speech;
mod tap;

use serde_json::{Value, json};

use super::*;
use client::{Client, WAIT, kinds, serve, serve_with};

const UPDATE: &str = r#"{"type":"session.update","event_id":"cfg-1","session":{"type":"realtime"}}"#;

#[tokio::test]
async fn a_session_is_created_and_configured() {
    let (addr, handle) = serve(Script::default()).await;
    let mut client = Client::dial(addr, "/v1/realtime?model=gpt-realtime-2.1", &[("X-Test", "1")]).await.unwrap();
    let created = client.until("session.created").await;
    assert_eq!(created["session"]["model"], "gpt-realtime-2.1");
    assert!(created["session"]["expires_at"].as_u64().unwrap() > 1_700_000_000);

    client.send_text(UPDATE).await;
    let updated = client.until("session.updated").await;
    assert_eq!(updated["session"]["id"], created["session"]["id"]);
    assert_eq!(updated["event_id"].as_str().unwrap().len(), "event_".len() + 21);

    assert!(handle.wait_for(|sessions| sessions.iter().any(|log| log.configured), WAIT).await);
    let log = handle.sessions().remove(0);
    assert_eq!((log.header("x-test"), log.count_received("session.update")), (Some("1"), 1));
    assert_eq!((log.target.as_str(), log.closed), ("/v1/realtime?model=gpt-realtime-2.1", None));
}

#[tokio::test]
async fn a_wrong_field_loses_the_whole_update() {
    let (mut client, handle) = Client::on(Script::default()).await;
    let session = json!({"type": "realtime", "instructions": "lost", "temperature": 0.8});
    client.send(json!({"type": "session.update", "event_id": "cfg-9", "session": session})).await;
    let error = client.until("error").await;
    assert_eq!(error["error"]["code"], "unknown_parameter");
    assert_eq!(error["error"]["event_id"], "cfg-9");
    assert_eq!(error["error"]["param"], "session.temperature");
    let log = handle.sessions().remove(0);
    assert!(!log.configured && log.config["instructions"] != "lost");
}

#[tokio::test]
async fn what_is_no_event_is_an_error_and_the_session_goes_on() {
    let (mut client, _handle) = Client::on(Script::default()).await;
    for (frame, code) in [
        ("{", "invalid_event"),
        ("[]", "invalid_event"),
        (r#"{"a":1}"#, "invalid_event"),
        (r#"{"type":"conversation.item.dance"}"#, "invalid_value"),
        (r#"{"type":"output_audio_buffer.clear"}"#, "invalid_value"),
        (r#"{"type":"input_audio_buffer.append"}"#, "missing_required_parameter"),
        (r#"{"type":"input_audio_buffer.append","audio":"?"}"#, "invalid_value"),
        (r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#, "invalid_value"),
        (r#"{"type":"input_audio_buffer.commit"}"#, "input_audio_buffer_commit_empty"),
        (r#"{"type":"response.cancel"}"#, "response_cancel_not_active"),
        (r#"{"type":"response.create","response":{"modalities":["audio"]}}"#, "unknown_parameter"),
        (r#"{"type":"conversation.item.retrieve","item_id":"x"}"#, "item_retrieve_invalid_item_id"),
        (r#"{"type":"conversation.item.delete","item_id":"x"}"#, "item_delete_invalid_item_id"),
        (
            r#"{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":0}"#,
            "item_truncate_invalid_item_id",
        ),
        (r#"{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":0.5}"#, "invalid_type"),
    ] {
        client.send_text(frame).await;
        assert_eq!(client.until("error").await["error"]["code"], code, "{frame}");
    }
    client.send_binary(b"junk").await;
    assert_eq!(client.until("error").await["error"]["code"], "invalid_event");
    client.send_text(UPDATE).await;
    client.until("session.updated").await;
}

#[tokio::test]
async fn the_beta_header_closes_the_connection() {
    let (addr, handle) = serve(Script::default()).await;
    let headers = [("OpenAI-Beta", "realtime=v1")];
    let mut client = Client::dial(addr, "/v1/realtime?model=gpt-realtime", &headers).await.unwrap();
    assert_eq!(client.until("error").await["error"]["code"], "beta_api_shape_disabled");
    assert_eq!(client.closed().await, Some((4000, "invalid_request_error.beta_api_shape_disabled".into())));
    assert!(handle.wait_for(|sessions| sessions[0].closed.is_some(), WAIT).await);
}

#[tokio::test]
async fn a_handshake_without_key_or_path_is_refused() {
    let options = ModelOptions { api_key: Some("sk-1".into()), ..ModelOptions::default() };
    let (addr, handle) = serve_with(options).await;
    let key = [("Authorization", "Bearer sk-1")];
    for (target, headers, status) in [
        ("/v1/realtime?model=m", &[][..], 401),
        ("/v1/realtime?model=m", &[("Authorization", "Bearer sk-2")], 401),
        ("/v1/elsewhere?model=m", &key, 404),
    ] {
        assert_eq!(Client::dial(addr, target, headers).await.err(), Some(status), "{target}");
    }
    assert!(Client::dial(addr, "/v1/realtime?model=m", &key).await.is_ok());
    assert_eq!(handle.sessions().len(), 1);
}

#[tokio::test]
async fn history_can_be_replayed_and_taken_away() {
    let (mut client, handle) = Client::on(Script::default()).await;
    let text =
        |role: &str, kind: &str| json!({"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]});
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "call_1", "output": "done"});
    let items =
        [text("user", "input_text"), text("assistant", "output_text"), call, output, text("user", "input_text")];
    let mut ids = Vec::new();
    for item in items {
        client.send(json!({"type": "conversation.item.create", "item": item})).await;
        let added = client.until("conversation.item.added").await;
        assert_eq!(added["previous_item_id"], ids.last().cloned().unwrap_or(Value::Null));
        ids.push(client.until("conversation.item.done").await["item"]["id"].clone());
    }
    let refused = json!({"type": "conversation.item.create", "item": text("assistant", "output_audio")});
    client.send(refused).await;
    assert_eq!(client.until("error").await["error"]["param"], "item.content[0].type");

    client.send(json!({"type": "conversation.item.retrieve", "item_id": ids[3]})).await;
    assert_eq!(client.until("conversation.item.retrieved").await["item"]["output"], "done");
    client.send(json!({"type": "conversation.item.delete", "item_id": ids[3]})).await;
    client.until("conversation.item.deleted").await;
    assert_eq!(handle.sessions()[0].items.len(), 4);

    // The caller's second turn was replayed, so it gets the second answer.
    client.send(json!({"type": "response.create"})).await;
    client.until("response.done").await;
    assert_eq!(handle.sessions()[0].responses[0].parts, ["commentary_en", "answer_en_booking"]);
}

#[tokio::test]
async fn the_same_seed_says_the_same() {
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let script = "answer goodbye_en".parse().unwrap();
        let (addr, _handle) = serve_with(ModelOptions { seed, script, ..ModelOptions::default() }).await;
        let mut client = Client::dial(addr, "/v1/realtime?model=gpt-realtime-2.1", &[]).await.unwrap();
        client.send(json!({"type": "response.create"})).await;
        client.until("response.done").await;
        let mut events = client.seen;
        events[0]["session"]["expires_at"].take();
        runs.push(events);
    }
    assert!(runs[0] == runs[1]);
    assert_eq!(kinds(&runs[0])[..2], kinds(&runs[2])[..2]);
    assert!(runs[0] != runs[2]);
}

#[tokio::test]
async fn stopping_ends_sessions_and_the_listener() {
    let (addr, handle) = serve(Script::default()).await;
    let mut client = Client::dial(addr, "/v1/realtime?model=m", &[]).await.unwrap();
    client.until("session.created").await;
    handle.stop();
    assert_eq!(client.closed().await.map(|(code, _)| code), Some(1001));
    assert!(handle.wait_for(|sessions| sessions[0].closed.is_some(), WAIT).await);
}
