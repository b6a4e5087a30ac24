//! The measurement tap, and what else the port answers.

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, WAIT, serve, serve_with};
use super::*;
use crate::model::format::BASE64;

async fn get(addr: SocketAddr, target: &str) -> (String, String) {
    ask(addr, "GET", target).await
}

async fn ask(addr: SocketAddr, method: &str, target: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// 1 kHz at -45 dBFS RMS, keyed, at 24 kHz.
fn preamble(call: u16) -> Vec<u8> {
    let bits = (0..16).rev().map(|bit| call >> bit & 1 == 1);
    let slots = [true, false, true].into_iter().chain(bits).chain([call.count_ones() % 2 == 1]);
    let sample = |n: u16| (260.0 * (std::f32::consts::TAU * f32::from(n) / 24.0).sin()) as i16;
    let samples = slots.flat_map(|on| (0..960_u16).map(move |n| if on { sample(n) } else { 0 }));
    samples.flat_map(i16::to_le_bytes).collect()
}

#[tokio::test]
async fn audio_both_ways_is_measured_for_a_numbered_call() {
    let (addr, handle) = serve(Script::builtin("load").unwrap()).await;
    let mut numbered = Client::dial(addr, "/v1/realtime?model=m", &[]).await.unwrap();
    numbered.append(&[0; 48 * 110]).await;
    numbered.append(&preamble(1_337)).await;
    numbered.append(&[0; 48 * 100]).await;
    numbered.speak("caller_en_hours").await;
    numbered.until("response.done").await;
    let appended = handle.sessions()[0].appended;

    let (status, body) = get(addr, "/measurements?clear=1").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let body: Value = serde_json::from_str(&body).unwrap();
    let session = &body["sessions"][0];
    assert_eq!(session["call"], 1_337);
    let (up, down) = (session["up"].as_array().unwrap(), session["down"].as_array().unwrap());
    assert_eq!((up.len() as u64, up.last().unwrap()[0].as_f64().unwrap() as u64), (appended.events, appended.ms));
    assert!(up.windows(2).all(|two| two[0][1].as_u64() <= two[1][1].as_u64()));
    assert_eq!((&down[0][0], down.last().unwrap()[1].as_f64()), (&json!(0), Some(3_000.0)));

    let (_, body) = get(addr, "/measurements").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["sessions"], json!([]));
    assert!(body["late_p99_ms"].is_number(), "how late the server itself is: {body}");
}

#[tokio::test]
async fn a_call_without_number_is_forgotten_after_the_first_seconds() {
    let (addr, handle) = serve(Script::builtin("load").unwrap()).await;
    let mut client = Client::dial(addr, "/v1/realtime?model=m", &[]).await.unwrap();
    client.append(&[0; 48 * 1_000]).await;
    assert!(handle.wait_for(|logs| logs[0].appended.ms == 1_000, WAIT).await);
    let sessions = serde_json::from_str::<Value>(&get(addr, "/measurements").await.1).unwrap();
    assert_eq!(
        (&sessions["sessions"][0]["call"], sessions["sessions"][0]["up"].as_array().unwrap().len()),
        (&Value::Null, 50)
    );
    client.append(&[0; 48 * 6_000]).await;
    assert!(handle.wait_for(|logs| logs[0].appended.ms == 7_000, WAIT).await);
    let (_, body) = get(addr, "/measurements").await;
    assert!(body.ends_with(r#","sessions":[]}"#), "{body}");
}

#[tokio::test]
async fn the_port_answers_plain_http() {
    let (addr, _handle) = serve(Script::default()).await;
    assert_eq!(get(addr, "/healthz").await, ("HTTP/1.1 200 OK".into(), "ok".into()));
    assert_eq!(get(addr, "/v1/realtime?model=m").await.0, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn a_load_tests_caller_who_asks_for_a_function_has_it_called_and_then_an_answer() {
    let tool = json!({"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}});
    let pcm = || json!({"type": "audio/pcm", "rate": 24_000});
    for (call, tools, called) in [
        (TOOL_CALLERS + 1, json!([tool.clone()]), true),
        (TOOL_CALLERS + 2, json!([]), false),
        (7, json!([tool]), false),
    ] {
        let script = Script::builtin("load").unwrap();
        let (mut client, _handle) = Client::configured(script, pcm(), json!({"tools": tools})).await;
        client.append(&preamble(call)).await;
        client.append(&[0; 48 * 100]).await;
        client.speak("caller_en_hours").await;
        let done = client.until("response.done").await;
        let first = &done["response"]["output"][0];
        assert_eq!(first["name"] == "lookup", called, "{done}");
        if called {
            let output = json!({"type": "function_call_output", "call_id": first["call_id"], "output": "{}"});
            client.send(json!({"type": "conversation.item.create", "item": output})).await;
            client.send(json!({"type": "response.create"})).await;
            let done = client.until("response.done").await;
            assert_eq!(done["response"]["output"][0]["type"], "message", "it is asked once: {done}");
        }
    }
}

#[tokio::test]
async fn the_function_of_a_load_test_answers_whatever_it_is_asked() {
    let (addr, _handle) = serve(Script::default()).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let question = "x".repeat(20_000);
    let head = format!("POST /lookup HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", question.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(question.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(r#"{"found":true}"#), "{answer}");
}

#[tokio::test]
async fn what_goes_wrong_is_changed_while_the_server_runs_even_one_that_stalls() {
    let (addr, _handle) = serve(Script::default()).await;
    let dials = || Client::dial(addr, "/v1/realtime?model=m", &[]);
    assert_eq!(ask(addr, "POST", "/faults?refuse-handshake=503").await.0, "HTTP/1.1 200 OK");
    assert!(dials().await.is_err());
    let (status, body) = ask(addr, "POST", "/faults?explode").await;
    assert!(status == "HTTP/1.1 400 Bad Request" && body.contains("no fault is called"), "{body}");
    assert!(dials().await.is_err(), "a switch that is not known changes nothing");
    ask(addr, "POST", "/faults?stall").await;
    assert_eq!(get(addr, "/healthz").await.1, "ok");
    ask(addr, "POST", "/faults").await;
    assert!(dials().await.is_ok());
    assert_eq!(get(addr, "/faults?mute").await.0, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn appends_of_any_shape_and_size_are_heard_and_kept() {
    let (addr, handle) = serve_with(ModelOptions { keep_audio: true, ..ModelOptions::default() }).await;
    let mut client = Client::dial(addr, "/v1/realtime?model=m", &[]).await.unwrap();
    let audio: Vec<u8> = (0..48 * 60_000).map(|n: u32| (n % 7) as u8).collect();
    let (first, second) = audio.split_at(2_000);
    client.send(json!({"audio": BASE64.encode(first), "event_id": "a", "type": "input_audio_buffer.append"})).await;
    client.send(json!({"type": "input_audio_buffer.append", "audio": BASE64.encode(second)})).await;
    assert!(handle.wait_for(|logs| logs[0].appended.ms == 60_000, WAIT).await);
    assert!(handle.take_audio(0) == Some(audio));
    assert_eq!(handle.take_audio(0), Some(Vec::new()));
    assert_eq!(handle.sessions()[0].appended.events_before_update, 2);
}
