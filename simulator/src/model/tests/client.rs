//! A small client.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use codecs::SampleRate;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::model::format::BASE64;
use crate::model::{ModelHandle, ModelOptions, ModelServer, Script};
use crate::speech::clip;

/// Nothing here takes that long.
pub(super) const WAIT: Duration = Duration::from_secs(5);

pub(super) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Every event so far.
    pub(super) seen: Vec<Value>,
}

pub(super) async fn serve(script: Script) -> (SocketAddr, ModelHandle) {
    serve_with(ModelOptions { script, ..ModelOptions::default() }).await
}

pub(super) async fn serve_with(options: ModelOptions) -> (SocketAddr, ModelHandle) {
    let server = ModelServer::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap();
    let (addr, handle) = (server.addr(), server.handle());
    tokio::spawn(server.run());
    (addr, handle)
}

pub(super) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

impl Client {
    pub(super) async fn dial(addr: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{addr}{target}").into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(addr).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket, seen: Vec::new() }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A session that nothing was said in, on a server of its own.
    pub(super) async fn on(script: Script) -> (Self, ModelHandle) {
        let (addr, handle) = serve(script).await;
        (Self::dial(addr, "/v1/realtime?model=gpt-realtime-2.1", &[]).await.unwrap(), handle)
    }

    /// The same, configured: formats, and silence that ends a turn after 500 ms.
    pub(super) async fn configured(script: Script, format: Value, extra: Value) -> (Self, ModelHandle) {
        let (mut client, handle) = Self::on(script).await;
        client.configure(format, extra).await;
        (client, handle)
    }

    pub(super) async fn configure(&mut self, format: Value, extra: Value) {
        let mut session = json!({"type": "realtime", "audio": {
            "input": {"format": format, "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                "transcription": {"model": "gpt-realtime-whisper", "language": "en"}},
            "output": {"format": format}}});
        session.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.send(json!({"type": "session.update", "session": session})).await;
        self.until("session.updated").await;
    }

    pub(super) async fn send(&mut self, event: Value) {
        self.send_text(&event.to_string()).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn send_binary(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// Appends audio, as fast as it goes: the server's time is that of the audio.
    pub(super) async fn append(&mut self, audio: &[u8]) {
        for frame in audio.chunks(960) {
            self.send_text(&format!(r#"{{"type":"input_audio_buffer.append","audio":"{}"}}"#, BASE64.encode(frame)))
                .await;
        }
    }

    /// Says a clip in PCM, with silence after it that ends the turn.
    pub(super) async fn speak(&mut self, id: &str) {
        self.append(&clip(id).unwrap().pcm_at(SampleRate::Hz24000)).await;
        self.append(&[0; 48 * 700]).await;
    }

    /// The next event of that kind.
    pub(super) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The next event; none once the connection is closed. What is no JSON is an event of type `junk`.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(WAIT, self.socket.next()).await.expect("nothing came")?.ok()?;
            let event = match message {
                Message::Text(text) => serde_json::from_str(&text).ok().filter(Value::is_object),
                Message::Binary(_) => None,
                _ => continue,
            };
            let event = event.unwrap_or_else(|| json!({"type": "junk"}));
            self.seen.push(event.clone());
            return Some(event);
        }
    }

    /// Reads to the end: the close frame, if there was one.
    pub(super) async fn closed(&mut self) -> Option<(u16, String)> {
        let mut frame = None;
        while let Some(Ok(message)) = tokio::time::timeout(WAIT, self.socket.next()).await.expect("not closed") {
            if let Message::Close(Some(close)) = message {
                frame = Some((u16::from(close.code), close.reason.to_string()));
            }
        }
        frame
    }

    /// The audio of a response, or of all.
    pub(super) fn audio(&self, response: Option<&Value>) -> Vec<u8> {
        let deltas = self.seen.iter().filter(|event| event["type"] == "response.output_audio.delta");
        let deltas = deltas.filter(|event| response.is_none_or(|id| event["response_id"] == *id));
        deltas.flat_map(|event| BASE64.decode(event["delta"].as_str().unwrap()).unwrap()).collect()
    }
}
