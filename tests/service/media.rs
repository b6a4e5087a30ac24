//! Who may open a media socket.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use protocol::ids::CallSid;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use serde_json::json;
use socket2::Socket as Raw;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::support::{API_KEY, API_TOKEN, Gateway, PATIENCE, eventually, incoming, sid};

pub(super) type Socket = WebSocketStream<TcpStream>;

/// Opens a media socket, or returns the refusal's status and code.
pub(super) async fn open(gateway: &Gateway, path: &str, basic: Option<&str>) -> Result<Socket, (u16, String)> {
    let mut request = gateway.url(path).replacen("http", "ws", 1).into_client_request().unwrap();
    if let Some(basic) = basic {
        let value = format!("Basic {}", STANDARD.encode(basic));
        request.headers_mut().insert("authorization", value.parse().unwrap());
    }
    let stream = TcpStream::connect(gateway.running.addr()).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(refusal(&answer)),
        Err(error) => panic!("{error}"),
    }
}

fn refusal(answer: &Response<Option<Vec<u8>>>) -> (u16, String) {
    assert!(answer.headers().contains_key("x-request-id"));
    let body: serde_json::Value =
        serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap_or_default();
    (answer.status().as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn start_event(sid: &str) -> serde_json::Value {
    json!({ "event": "start", "stream_sid": "st1", "sequence_number": "1", "start": {
        "stream_sid": "st1", "call_sid": sid, "account_sid": "acme1", "from": "09876543210", "to": "08037091588",
        "media_format": { "encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps" } } })
}

pub(super) async fn start(socket: &mut Socket, sid: &str) {
    for message in [json!({ "event": "connected" }), start_event(sid)] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
}

pub(super) async fn is_closed(socket: &mut Socket) -> bool {
    let closed = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, closed).await.is_ok()
}

/// Waits for the first word of the agent's. Silence is none: it only says that somebody is there.
pub(super) async fn hears_a_word(socket: &mut Socket) {
    let spoken = async {
        while let Some(message) = socket.next().await {
            let message: serde_json::Value = serde_json::from_str(message.unwrap().to_text().unwrap()).unwrap();
            let payload = STANDARD.decode(message["media"]["payload"].as_str().unwrap_or_default()).unwrap();
            if payload.iter().any(|byte| *byte != 0) {
                return;
            }
        }
        panic!("closed before a word was said");
    };
    tokio::time::timeout(PATIENCE, spoken).await.expect("a word of the agent's");
}

pub(super) fn path(url: &str) -> String {
    url::Url::parse(url).unwrap().path().to_owned()
}

#[actix_web::test]
async fn a_token_opens_its_calls_socket_once() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let answer = gateway.get("/exotel/voicebot", &incoming(&sid)).await.json();
    let path = path(answer["url"].as_str().unwrap());
    // The handshake has one retry: until `start`, the token is good.
    let abandoned = open(&gateway, &path, None).await.expect("a first socket");
    let mut socket = open(&gateway, &path, None).await.expect("a second socket");
    start(&mut socket, &sid).await;
    let call = CallSid::new(&sid);
    eventually("the call is live", || async {
        gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live)
    })
    .await;
    assert_eq!(open(&gateway, &path, None).await.unwrap_err(), (401, "token_used".to_owned()));
    assert_eq!(gateway.audited("media.token", "token_used").await[0].call_sid.as_ref(), Some(&call));
    drop((abandoned, socket));
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    assert_eq!(open(&gateway, &path, None).await.unwrap_err(), (401, "token_used".to_owned()));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_token_that_is_forged_expired_or_junk_is_refused_in_words_and_audited() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.get("/exotel/voicebot", &incoming(&sid)).await;
    let good = gateway.token(&sid, Duration::ZERO);
    let last = if good.ends_with('A') { 'E' } else { 'A' };
    let forged = format!("{}{last}", &good[..good.len() - 1]);
    let (_, rest) = good.split_once('.').unwrap();
    let stolen = format!("{}.{rest}", gateway.token("another", Duration::ZERO).split('.').next().unwrap());
    for (token, code) in [
        (forged, "token_forged"),
        (stolen, "token_forged"),
        (gateway.token(&sid, Duration::from_secs(61)), "token_expired"),
        ("junk".to_owned(), "token_malformed"),
        ("a".repeat(2000), "token_malformed"),
    ] {
        let refused = open(&gateway, &format!("/exotel/media/{token}"), None).await.unwrap_err();
        assert_eq!(refused, (401, code.to_owned()), "{token}");
        assert!(!gateway.audited("media.token", code).await.is_empty(), "{code}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_socket_whose_start_names_another_call_is_closed_and_audited() {
    let gateway = Gateway::start().await;
    let (sid, other) = (sid(), sid());
    let answer = gateway.get("/exotel/voicebot", &incoming(&sid)).await.json();
    let mut socket = open(&gateway, &path(answer["url"].as_str().unwrap()), None).await.unwrap();
    start(&mut socket, &other).await;
    assert!(is_closed(&mut socket).await);
    eventually("an audit entry", || async { !gateway.audited("media.refused", "wrong_call").await.is_empty() }).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_static_url_wants_basic_credentials_and_admits_at_the_start_event() {
    let gateway = Gateway::start().await;
    let (right, wrong) = (format!("{API_KEY}:{API_TOKEN}"), format!("{API_KEY}:no"));
    assert_eq!(open(&gateway, "/exotel/media", None).await.unwrap_err(), (401, "unauthenticated".to_owned()));
    let refused = open(&gateway, "/exotel/media", Some(&wrong)).await.unwrap_err();
    assert_eq!(refused, (401, "bad_credentials".to_owned()));
    assert_eq!(gateway.audited("media.static", "bad_credentials").await.len(), 1);

    let sid = sid();
    let mut socket = open(&gateway, "/exotel/media", Some(&right)).await.unwrap();
    assert_eq!(gateway.running.switchboard().live(), 0);
    start(&mut socket, &sid).await;
    let call = CallSid::new(&sid);
    eventually("the call is live", || async {
        gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live)
    })
    .await;
    let stored = gateway.running.store().call(&call).await.unwrap().unwrap().call;
    assert_eq!(stored.entry, Some(callgate::testing::Entry::Static));
    assert_eq!(stored.client_id, Some(gateway.tenant.id));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_static_stream_for_a_number_nobody_has_is_closed_and_audited() {
    let gateway = Gateway::start_with(|_| {}).await;
    let changes = callgate::testing::ClientChanges { active: Some(false), ..Default::default() };
    gateway.running.store().change_client(gateway.tenant.id, changes).await.unwrap();
    let mut socket = open(&gateway, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    start(&mut socket, &sid()).await;
    assert!(is_closed(&mut socket).await);
    gateway.running.recorder().flush().await;
    assert_eq!(gateway.audited("media.start", "unknown_client").await.len(), 1);
    assert_eq!(gateway.running.switchboard().live(), 0);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_media_url_without_an_upgrade_says_what_it_is() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let answer = gateway.get("/exotel/voicebot", &incoming(&sid)).await.json();
    let answer = gateway.get_bare(&path(answer["url"].as_str().unwrap())).await;
    answer.refused(426, "upgrade_required");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_frame_that_claims_more_than_a_message_is_refused_before_it_has_come() {
    let gateway = Gateway::start().await;
    let mut socket = open(&gateway, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    // A masked text of a tebibyte, of which nothing comes.
    let head = [&[0x81, 0x80 | 127][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat();
    socket.get_mut().write_all(&head).await.unwrap();
    let closed = tokio::time::timeout(PATIENCE, socket.next()).await.expect("it is told at once");
    match closed {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame.code, CloseCode::Size),
        other => panic!("{other:?}"),
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn what_comes_right_behind_the_handshake_is_heard() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let mut socket = TcpStream::connect(gateway.running.addr()).await.unwrap();
    let head = format!(
        "GET /exotel/media HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        gateway.running.addr(),
        STANDARD.encode(format!("{API_KEY}:{API_TOKEN}")),
    );
    let start = start_event(&sid).to_string();
    let frame = [&[0x81, 0x80 | 126][..], &(start.len() as u16).to_be_bytes(), &[0; 4], start.as_bytes()].concat();
    socket.write_all(&[head.as_bytes(), &frame].concat()).await.unwrap();
    let call = CallSid::new(&sid);
    eventually("the call is live", || async {
        gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live)
    })
    .await;
    drop(socket);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stop_ends_the_calls_that_are_left_and_writes_them_down() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let mut socket = open(&gateway, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    start(&mut socket, &sid).await;
    let call = CallSid::new(&sid);
    eventually("the call is live", || async {
        gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live)
    })
    .await;
    let store = gateway.running.store().clone();
    gateway.running.stop().await.unwrap();
    assert!(is_closed(&mut socket).await);
    let stored = store.call(&call).await.unwrap().unwrap().call;
    assert_eq!(stored.ended_why.as_deref(), Some("the gateway stopped"));
}

/// Our end of a connection, of all that this process has open.
fn accepted(by: SocketAddr, from: SocketAddr) -> Option<Raw> {
    let me = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let open = open.filter_map(|name| name.to_str()?.parse().ok());
    // Some are closed again by now.
    let mut sockets = open.filter_map(|fd| Some(Raw::from(pidfd_getfd(&me, fd, PidfdGetfdFlags::empty()).ok()?)));
    sockets.find(|socket| {
        let ends = socket.local_addr().ok().zip(socket.peer_addr().ok());
        ends.is_some_and(|(ours, theirs)| ours.as_socket() == Some(by) && theirs.as_socket() == Some(from))
    })
}

#[actix_web::test]
async fn a_carrier_that_stops_reading_keeps_its_connection_for_half_a_minute_at_most() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let answer = gateway.get("/exotel/voicebot", &incoming(&sid)).await.json();
    let socket = open(&gateway, &path(answer["url"].as_str().unwrap()), None).await.unwrap();
    let from = socket.get_ref().local_addr().unwrap();
    let ours = accepted(gateway.running.addr(), from).unwrap();
    // The kernel ends it when what was sent has not been taken for so long, its window shut or its peer gone.
    assert_eq!(ours.tcp_user_timeout().unwrap(), Some(Duration::from_secs(30)));
    gateway.stop().await;
}
