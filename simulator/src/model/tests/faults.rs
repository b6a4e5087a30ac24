//! What goes wrong when told to.

use std::time::Duration;

use codecs::SampleRate;
use futures_util::FutureExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::client::{Client, WAIT, serve, serve_with};
use super::*;

async fn faulty(flags: &[&str]) -> (SocketAddr, ModelHandle) {
    let faults = Faults::from_flags(flags).unwrap();
    serve_with(ModelOptions { faults, script: "answer goodbye_en".parse().unwrap(), ..ModelOptions::default() }).await
}

async fn session(flags: &[&str]) -> (Client, ModelHandle) {
    let (addr, handle) = faulty(flags).await;
    (Client::dial(addr, "/v1/realtime?model=gpt-realtime-2.1", &[]).await.unwrap(), handle)
}

#[tokio::test]
async fn the_handshake_is_refused_until_the_fault_is_gone() {
    let (addr, handle) = faulty(&["refuse-handshake=503"]).await;
    assert_eq!(Client::dial(addr, "/v1/realtime?model=m", &[]).await.err(), Some(503));
    handle.set_faults(Faults::default());
    assert!(Client::dial(addr, "/v1/realtime?model=m", &[]).await.is_ok());
}

#[tokio::test]
async fn a_stalled_handshake_is_never_answered() {
    let (addr, handle) = faulty(&["stall"]).await;
    let mut dialling = Box::pin(Client::dial(addr, "/v1/realtime?model=m", &[]));
    assert!((&mut dialling).now_or_never().is_none());
    // A second connection is accepted after the first: so both are known to the server by its end.
    let mut second = TcpStream::connect(addr).await.unwrap();
    let ended = async {
        handle.drop_all();
        let mut byte = [0];
        while !matches!(second.read(&mut byte).await, Ok(0) | Err(_)) {}
    };
    // The server may accept it after the order: so it is repeated until the connection ends.
    tokio::pin!(ended);
    let mut attempts = tokio::time::interval(Duration::from_millis(10));
    let stopped = async {
        loop {
            tokio::select! {
                () = &mut ended => break,
                _ = attempts.tick() => handle.drop_all(),
            }
        }
    };
    tokio::time::timeout(WAIT, stopped).await.unwrap();
}

#[tokio::test]
async fn updates_are_refused_a_number_of_times_or_never_answered() {
    let (mut client, handle) = session(&["refuse-update"]).await;
    client.send_text(UPDATE).await;
    assert_eq!(client.until("error").await["error"]["event_id"], "cfg-1");
    client.send_text(UPDATE).await;
    client.until("session.updated").await;
    handle.set_faults(Faults { ignore_update: true, ..Faults::default() });
    client.send_text(UPDATE).await;
    client.send_text("{").await;
    assert_eq!(client.until("error").await["error"]["code"], "invalid_event");
    assert_eq!(handle.sessions()[0].count_sent("session.updated"), 1);
}

#[tokio::test]
async fn a_mute_model_hears_and_says_nothing() {
    let (mut client, handle) = session(&["mute"]).await;
    client.send(json!({"type": "response.create"})).await;
    client.append(&crate::speech::clip("caller_en_bye").unwrap().pcm_at(SampleRate::Hz24000)).await;
    client.append(&[0; 48 * 600]).await;
    client.until("input_audio_buffer.committed").await;
    assert!(handle.sessions()[0].responses.is_empty());
}

#[tokio::test]
async fn responses_fail_a_number_of_times() {
    let (mut client, _handle) = session(&["fail-response=1:insufficient_quota"]).await;
    for status in ["failed", "completed"] {
        client.send(json!({"type": "response.create"})).await;
        assert_eq!(client.until("response.done").await["response"]["status"], status);
    }
}

#[tokio::test]
async fn connections_are_reset_without_a_close_frame() {
    let (mut client, handle) = session(&["drop-after-ms=30"]).await;
    assert_eq!(client.closed().await, None);
    assert!(handle.wait_for(|logs| logs[0].closed.as_deref() == Some("reset"), WAIT).await);

    let (addr, handle) = serve(Script::default()).await;
    let mut client = Client::dial(addr, "/v1/realtime?model=m", &[]).await.unwrap();
    client.until("session.created").await;
    handle.drop_all();
    assert_eq!(client.closed().await, None);
}

#[tokio::test]
async fn a_session_expires_with_1001() {
    let (mut client, _handle) = session(&["expire-after-ms=20"]).await;
    assert_eq!(client.until("error").await["error"]["code"], "session_expired");
    let (code, reason) = client.closed().await.unwrap();
    assert_eq!((code, reason.as_str()), (1001, "Your session hit the maximum duration of 60 minutes."));
}

#[tokio::test]
async fn pings_junk_and_unknown_events_come_in_between() {
    let (mut client, handle) = session(&["json-ping", "junk", "unknown-events"]).await;
    client.until("ping").await;
    client.until("junk").await;
    client.send(json!({"type": "response.create"})).await;
    client.until("response.thought.delta").await;
    let done = client.until("response.done").await;
    assert_eq!((&done["response"]["status"], &done["x_new"]["nested"][0]), (&json!("completed"), &json!(1)));
    assert!(handle.sessions()[0].count_sent("ping") >= 1);
}

#[tokio::test]
async fn the_effective_format_is_not_the_one_asked_for() {
    let (mut client, handle) = session(&["effective-format"]).await;
    client.configure(json!({"type": "audio/pcm", "rate": 24_000}), json!({})).await;
    let log = handle.sessions().remove(0);
    assert_eq!(log.config["audio"]["output"]["format"], json!({"type": "audio/pcmu"}));
    client.send(json!({"type": "response.create"})).await;
    client.until("response.done").await;
    let clip = crate::speech::clip("goodbye_en").unwrap();
    assert_eq!(client.audio(None).len(), clip.pcm_at(SampleRate::Hz8000).len() / 2);
}

#[tokio::test]
async fn errors_flood_once_the_session_is_configured() {
    let (mut client, handle) = session(&["error-flood"]).await;
    client.send_text(UPDATE).await;
    client.until("session.updated").await;
    for _ in 0..3 {
        assert_eq!(client.until("error").await["error"]["type"], "server_error");
    }
    assert!(handle.wait_for(|logs| logs[0].errors.len() >= 5, WAIT).await);
}

#[tokio::test]
async fn a_server_far_away_answers_late_in_both_directions() {
    let options = ModelOptions { faults: Faults { network_ms: 150, ..Faults::default() }, ..ModelOptions::default() };
    let (addr, handle) = serve_with(options).await;
    let dialled = std::time::Instant::now();
    let mut client = Client::dial(addr, "/v1/realtime", &[]).await.unwrap();
    assert!(dialled.elapsed() >= Duration::from_millis(300), "the handshake goes there and back");
    client.until("session.created").await;
    let asked = std::time::Instant::now();
    client.send_text(UPDATE).await;
    client.until("session.updated").await;
    assert!(asked.elapsed() >= Duration::from_millis(300));
    drop(client);
    assert!(handle.wait_for(|logs| logs[0].closed.is_some(), WAIT).await, "and hears that its client went");
}

#[tokio::test]
async fn the_first_delta_is_late() {
    let (mut client, handle) = session(&["slow-ms=300"]).await;
    client.send(json!({"type": "response.create"})).await;
    client.until("response.output_audio.delta").await;
    let log = handle.sessions().remove(0);
    let at = |seen: &[Seen], kind: &str| seen.iter().find(|seen| seen.kind == kind).unwrap().at;
    // Since it was asked for: what is sent meanwhile may be late itself.
    let late = at(&log.sent, "response.output_audio.delta") - at(&log.received, "response.create");
    assert!(late >= Duration::from_millis(360), "{late:?}");
}
