//! A Realtime server small enough to read: it answers the configuration, speaks when asked, and remembers what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// One second of a ramp at 24 kHz.
const SPOKEN_BYTES: usize = 48_000;
/// A delta of 250 ms.
const DELTA_BYTES: usize = 12_000;

/// What one connection has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) authorization: Option<String>,
    pub(crate) query: String,
    /// Every event but audio, in order.
    pub(crate) events: Vec<Value>,
    /// Caller audio, bytes.
    pub(crate) audio: Vec<u8>,
    pub(crate) closed: bool,
}

/// What the server is told to do.
#[derive(Clone, Debug)]
enum Order {
    Say(Value),
    Drop,
    Close(u16),
}

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) address: SocketAddr,
    connections: watch::Receiver<Vec<Heard>>,
    orders: broadcast::Sender<Order>,
    /// Handshakes allowed.
    gate: Arc<Semaphore>,
}

impl Model {
    /// A server that answers every handshake with `status` (101: lets it in).
    pub(crate) async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, connections) = watch::channel(Vec::new());
        let (orders, _) = broadcast::channel(64);
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (all, doors) = ((Arc::new(heard), orders.clone()), Arc::clone(&gate));
        actix_web::rt::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (heard, orders, doors) = (Arc::clone(&all.0), all.1.subscribe(), Arc::clone(&doors));
                actix_web::rt::spawn(async move {
                    doors.acquire().await.unwrap().forget();
                    serve(tcp, status, heard, orders).await;
                });
            }
        });
        Self { address, connections, orders, gate }
    }

    /// Lets no handshake through until [`Self::open`].
    pub(crate) fn shut(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(100);
    }

    pub(crate) fn say(&self, event: Value) {
        self.orders.send(Order::Say(event)).unwrap();
    }

    pub(crate) fn drop_connections(&self) {
        self.orders.send(Order::Drop).unwrap();
    }

    pub(crate) fn close_connections(&self, code: u16) {
        self.orders.send(Order::Close(code)).unwrap();
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let mut connections = self.connections.clone();
        let held = crate::soon(what, connections.wait_for(|heard| holds(heard))).await;
        held.unwrap().clone()
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.connections.borrow().clone()
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn serve(
    tcp: TcpStream,
    status: u16,
    heard: Arc<watch::Sender<Vec<Heard>>>,
    mut orders: broadcast::Receiver<Order>,
) {
    tcp.set_nodelay(true).unwrap();
    let seen = Arc::new(Mutex::new(Heard::default()));
    let note = Arc::clone(&seen);
    #[expect(clippy::result_large_err, reason = "the handshake's own signature")]
    let answer = move |request: &Request, response: Response| {
        let mut seen = note.lock().unwrap();
        seen.query = request.uri().query().unwrap_or_default().to_owned();
        seen.authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        if status == 101 {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status.try_into().unwrap();
        Err(refusal)
    };
    let socket = accept_hdr_async(tcp, answer).await;
    let mut index = 0;
    heard.send_modify(|all| {
        index = all.len();
        all.push(Heard { closed: socket.is_err(), ..seen.lock().unwrap().clone() });
    });
    let Ok(mut socket) = socket else { return };
    let at = |change: &dyn Fn(&mut Heard)| heard.send_modify(|all| change(&mut all[index]));
    say(&mut socket, json!({"type":"session.created","session":{"id":"s"}})).await;
    let mut response = 0;
    loop {
        tokio::select! {
            order = orders.recv() => match order.unwrap() {
                Order::Say(event) if event["type"] == "flood" => {
                    for _ in 0..event["times"].as_u64().unwrap() {
                        say(&mut socket, json!({"type":"input_audio_buffer.speech_stopped","item_id":"i","audio_end_ms":1})).await;
                    }
                }
                Order::Say(event) => say(&mut socket, event).await,
                Order::Drop => break,
                Order::Close(code) => {
                    use tokio_tungstenite::tungstenite::protocol::CloseFrame;
                    let frame = CloseFrame { code: code.into(), reason: "told so".into() };
                    let _ = socket.close(Some(frame)).await;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    match event["type"].as_str().unwrap() {
                        "input_audio_buffer.append" => {
                            let audio = STANDARD.decode(event["audio"].as_str().unwrap()).unwrap();
                            at(&|heard| heard.audio.extend_from_slice(&audio));
                        }
                        kind => {
                            at(&|heard| heard.events.push(event.clone()));
                            match kind {
                                "session.update" => say(&mut socket, updated()).await,
                                "response.create" => {
                                    response += 1;
                                    speak(&mut socket, &format!("c{index}r{response}")).await;
                                }
                                _ => {}
                            }
                        }
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    at(&|heard| heard.closed = true);
}

async fn say(socket: &mut Socket, event: Value) {
    let _ = socket.send(Message::Text(event.to_string().into())).await;
}

fn updated() -> Value {
    let pcm = json!({"format":{"type":"audio/pcm","rate":24000}});
    json!({"type":"session.updated","session":{"type":"realtime","audio":{"input":pcm,"output":pcm}}})
}

/// Speaks for a second, faster than real time.
async fn speak(socket: &mut Socket, id: &str) {
    let (response, item) = (format!("resp_{id}"), format!("item_{id}"));
    say(socket, json!({"type":"response.created","response":{"id":response,"status":"in_progress"}})).await;
    say(
        socket,
        json!({"type":"response.output_item.added","response_id":response,"output_index":0,
        "item":{"id":item,"type":"message","role":"assistant"}}),
    )
    .await;
    let audio: Vec<u8> = (0..SPOKEN_BYTES / 2).flat_map(|n| ((n % 2_000) as i16).to_le_bytes()).collect();
    let content = |mut event: Value| {
        event["response_id"] = json!(response);
        event["item_id"] = json!(item);
        event["output_index"] = json!(0);
        event["content_index"] = json!(0);
        event
    };
    for delta in audio.chunks(DELTA_BYTES) {
        let delta = STANDARD.encode(delta);
        say(socket, content(json!({"type":"response.output_audio.delta","delta":delta}))).await;
    }
    say(socket, content(json!({"type":"response.output_audio_transcript.done","transcript":"Hello."}))).await;
    say(socket, content(json!({"type":"response.output_audio.done"}))).await;
    let done = json!({"id":response,"status":"completed","output":[{"id":item,"type":"message","role":"assistant",
        "content":[{"type":"output_audio","transcript":"Hello."}]}]});
    say(socket, json!({"type":"response.done","response":done})).await;
}
