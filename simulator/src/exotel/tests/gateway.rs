//! A gateway of a few lines, for tests: answers webhooks, keeps what it was asked, and hands media sockets to a bot.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use url::Url;

pub(crate) type ServerSocket = WebSocketStream<TcpStream>;

/// A request as it came: head and body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct FakeGateway {
    pub(crate) http: Url,
    pub(crate) media: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    /// Statuses answered once each, before the usual one, to requests whose head has that in it.
    pub(crate) answers: Answers,
    /// What the caller said on each media socket.
    pub(crate) said: Arc<Mutex<Vec<Value>>>,
}

pub(crate) type Answers = Arc<Mutex<Vec<(&'static str, u16)>>>;

#[derive(Clone, Copy)]
pub(crate) struct Manners {
    /// Status of webhook answers.
    pub(crate) status: u16,
    /// Handshakes refused before one succeeds.
    pub(crate) refuse: usize,
    pub(crate) bot: Bot,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Bot {
    /// Greets, answers, and clears when spoken over.
    Talks,
    /// Closes after the first frame of audio.
    Closes,
    /// Sends what Exotel would have trouble with.
    Blunders,
}

impl FakeGateway {
    pub(crate) async fn start(manners: Manners) -> Self {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let media = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self {
            http: format!("http://{}/base/", http.local_addr().unwrap()).parse().unwrap(),
            media: format!("ws://{}/media/token", media.local_addr().unwrap()),
            requests: Arc::default(),
            answers: Arc::default(),
            said: Arc::default(),
        };
        let answers = gateway.answers.clone();
        tokio::spawn(webhooks(http, manners.status, answers, gateway.media.clone(), gateway.requests.clone()));
        tokio::spawn(sockets(media, manners, gateway.requests.clone(), gateway.said.clone()));
        gateway
    }

    pub(crate) fn request(&self, part: &str) -> Request {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .find(|request| request.head.contains(part))
            .cloned()
            .unwrap_or_else(|| panic!("no {part}: {requests:?}"))
    }

    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        self.said.lock().unwrap().iter().filter(|json| json["event"] == event).cloned().collect()
    }
}

async fn webhooks(
    listener: TcpListener,
    usual: u16,
    answers: Answers,
    media: String,
    requests: Arc<Mutex<Vec<Request>>>,
) {
    while let Ok((mut tcp, _)) = listener.accept().await {
        let (media, requests, answers) = (media.clone(), requests.clone(), answers.clone());
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            loop {
                let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                    if tcp.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                    continue;
                };
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
                while bytes.len() < end + 4 + length {
                    tcp.read_buf(&mut bytes).await.unwrap();
                }
                let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).unwrap();
                bytes.drain(..end + 4 + length);
                let answer = match head.contains("voicebot") {
                    true => format!(r#"{{"url":"{media}?queue=premium&tier=1"}}"#),
                    false => format!(
                        r#"<Response><Say>Hello</Say><Stream url="{media}?queue=premium&amp;tier=1"/></Response>"#
                    ),
                };
                let status = {
                    let mut answers = answers.lock().unwrap();
                    let once = answers.iter().position(|(part, _)| head.contains(part));
                    once.map_or(usual, |at| answers.remove(at).1)
                };
                requests.lock().unwrap().push(Request { head, body });
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

async fn sockets(
    listener: TcpListener,
    manners: Manners,
    requests: Arc<Mutex<Vec<Request>>>,
    said: Arc<Mutex<Vec<Value>>>,
) {
    let mut refused = 0;
    while let Ok((mut tcp, _)) = listener.accept().await {
        let mut head = [0; 1024];
        let count = tcp.peek(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..count]).into_owned();
        requests.lock().unwrap().push(Request { head, body: String::new() });
        if refused < manners.refuse {
            refused += 1;
            // Read before it is closed: a close with unread bytes resets the connection and the answer with it.
            tcp.read_exact(&mut vec![0; count]).await.unwrap();
            tcp.write_all(b"HTTP/1.1 503 Full\r\ncontent-length: 4\r\n\r\nfull").await.unwrap();
            continue;
        }
        let said = said.clone();
        tokio::spawn(async move {
            let socket = accept_async(tcp).await.unwrap();
            match manners.bot {
                Bot::Talks => talk(socket, said).await,
                Bot::Closes => close(socket).await,
                Bot::Blunders => blunder(socket).await,
            }
        });
    }
}

fn media(ms: usize) -> Message {
    let payload = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![64; ms * 16]);
    Message::text(format!(r#"{{"event":"media","stream_sid":"x","media":{{"payload":"{payload}"}}}}"#))
}

/// How loud a `media` of the caller is; none for what is not one.
fn loud(json: &Value) -> Option<bool> {
    let payload = json["media"]["payload"].as_str()?;
    let pcm = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload).ok()?;
    Some(codecs::level::rms_dbfs(&pcm) > -40.0)
}

/// Greets with 400 ms; answers each utterance after 200 ms of silence with 3 s; when spoken over clears.
async fn talk(mut socket: ServerSocket, said: Arc<Mutex<Vec<Value>>>) {
    let (mut speaking, mut quiet, mut answering) = (false, 0, false);
    while let Some(Ok(message)) = socket.next().await {
        let Ok(json) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        let mut out = Vec::new();
        if json["event"] == "start" {
            out = vec![media(200), media(200), Message::text(r#"{"event":"mark","mark":{"name":"greeted"}}"#)];
        }
        match loud(&json) {
            Some(true) => {
                if answering && !speaking {
                    out.push(Message::text(r#"{"event":"clear"}"#));
                    answering = false;
                }
                (speaking, quiet) = (true, 0);
            }
            Some(false) if speaking => {
                quiet += 1;
                if quiet == 10 {
                    (speaking, answering) = (false, true);
                    out.extend(std::iter::repeat_n(media(100), 30));
                    out.push(Message::text(r#"{"event":"mark","mark":{"name":"answered"}}"#));
                }
            }
            _ => {}
        }
        said.lock().unwrap().push(json);
        for message in out {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

async fn close(mut socket: ServerSocket) {
    while let Some(Ok(message)) = socket.next().await {
        if message.to_text().is_ok_and(|text| text.contains(r#""event":"media""#)) {
            let _ = socket.close(None).await;
        }
    }
}

async fn blunder(mut socket: ServerSocket) {
    for text in ["{", r#"{"event":"media","sequence_number":1,"media":{"payload":"AAAA"}}"#, r#"{"event":"stop"}"#] {
        socket.send(Message::text(text)).await.unwrap();
    }
    socket.send(Message::binary(vec![1])).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}
