//! A carrier's media socket, as a test sees it.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) struct Carrier {
    pub(crate) socket: WebSocketStream<TcpStream>,
    call: String,
    next: u64,
}

/// 20 ms of a loud square wave at 8 kHz.
pub(crate) fn frame() -> Vec<u8> {
    (0..160).flat_map(|n: i32| (if n / 8 % 2 == 0 { 6_000_i16 } else { -6_000 }).to_le_bytes()).collect()
}

impl Carrier {
    pub(crate) async fn try_connect(gateway: SocketAddr, path: &str, call: &str) -> Result<Self, Error> {
        let tcp = TcpStream::connect(gateway).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self::over(tcp, gateway, path, call).await
    }

    /// The socket of a token for that call, whose kernel keeps next to nothing that is not read.
    pub(crate) async fn connect_narrow(gateway: SocketAddr, call: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let tcp = socket.connect(gateway).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self::over(tcp, gateway, &format!("/media/{call}"), call).await.unwrap()
    }

    async fn over(tcp: TcpStream, gateway: SocketAddr, path: &str, call: &str) -> Result<Self, Error> {
        let (socket, _) = client_async(format!("ws://{gateway}{path}"), tcp).await?;
        let mut carrier = Self { socket, call: call.to_owned(), next: 1 };
        carrier.send(json!({"event":"connected"})).await;
        Ok(carrier)
    }

    /// The socket of a token for that call.
    pub(crate) async fn connect(gateway: SocketAddr, call: &str) -> Self {
        Self::try_connect(gateway, &format!("/media/{call}"), call).await.unwrap()
    }

    /// A socket whose stream has started.
    pub(crate) async fn start(gateway: SocketAddr, call: &str) -> Self {
        let mut carrier = Self::connect(gateway, call).await;
        carrier.send_start("8000").await;
        carrier
    }

    pub(crate) async fn send(&mut self, event: Value) {
        self.socket.send(Message::Text(event.to_string().into())).await.unwrap();
    }

    pub(crate) async fn send_start(&mut self, rate: &str) {
        self.send_start_of(json!({"encoding":"base64","sample_rate":rate})).await;
    }

    /// A stream of any media format.
    pub(crate) async fn send_start_of(&mut self, media_format: Value) {
        let call = self.call.clone();
        self.send(json!({"event":"start","stream_sid":"s1","sequence_number":"1","start":{"stream_sid":"s1",
            "call_sid":call,"account_sid":"acme1","from":"09900000001","to":"08000000001",
            "media_format":media_format}}))
            .await;
        self.next = 2;
    }

    pub(crate) fn media(&mut self, pcm: &[u8]) -> Value {
        let number = self.next.to_string();
        self.next += 1;
        json!({"event":"media","stream_sid":"s1","sequence_number":number,
            "media":{"chunk":number,"timestamp":"20","payload":STANDARD.encode(pcm)}})
    }

    /// Sends so many frames of 20 ms, as fast as they go.
    pub(crate) async fn talk(&mut self, frames: usize) {
        for _ in 0..frames {
            let media = self.media(&frame());
            self.send(media).await;
        }
    }

    /// Reads until the event, echoing marks as playback would; the payloads of all media on the way.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Vec<u8> {
        let mut audio = Vec::new();
        let found = async {
            loop {
                let Some(Ok(Message::Text(text))) = self.socket.next().await else { panic!("closed before {what}") };
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["event"] == "media" {
                    audio.extend(STANDARD.decode(event["media"]["payload"].as_str().unwrap()).unwrap());
                }
                if event["event"] == "mark" {
                    self.next += 1;
                    self.send(event.clone()).await;
                }
                if holds(&event) {
                    return;
                }
            }
        };
        crate::soon(what, found).await;
        audio
    }

    pub(crate) async fn agent_audio(&mut self) -> Vec<u8> {
        self.until("agent audio", |event| event["event"] == "media").await
    }

    /// Reads until the socket closes: the close code and words.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let closing = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return (1006, String::new()),
                }
            }
        };
        crate::soon("the socket to close", closing).await
    }
}
