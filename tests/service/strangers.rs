//! Those who have shown nothing: what they may hold, see and have done, and that nobody else pays for it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callgate::testing::{SettingsArgs, raise_limit};
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::media;
use super::support::{ADMIN_TOKEN, API_KEY, API_TOKEN, Answer, Gateway, WEBHOOK_KEY, incoming, sid, urlencoded};
use crate::process::TestProcess;

/// Far beyond what anything here takes: a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than a process of 1,024 files can hold.
const IDLE: usize = 1100;

/// A gateway that may have 1,024 files open and no more, on the database of another one.
async fn narrow(gateway: &Gateway) -> TestProcess {
    let mut process = TestProcess::new();
    let line = "ulimit -n 1024 && exec \"$0\" serve";
    let mut serve = process.through("bash", &["-c", line, env!("CARGO_BIN_EXE_callgate")]);
    serve.env("DATABASE_URL", &gateway.database.url).env("RECORDINGS_URL", gateway.database.recordings_url());
    process.serve(&mut serve).await;
    process
}

/// A connection that has asked one thing and stays.
async fn idle(addr: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    socket
}

#[actix_web::test]
async fn more_idle_connections_than_files_keep_no_caller_out() {
    raise_limit();
    let gateway = Gateway::start().await;
    let narrow = narrow(&gateway).await;
    let addr = narrow.address();
    let held = join_all((0..IDLE).map(|_| idle(&addr))).await;
    // From the same address, as all of the carrier's calls come from a few.
    let call = async {
        let sid = sid();
        let query = urlencoded(&incoming(&sid));
        let url = format!("http://{}/exotel/voicebot?{query}&key={WEBHOOK_KEY}", addr);
        let answer = Answer::of(reqwest::get(url).await.unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let path = media::path(answer.json()["url"].as_str().unwrap());
        let request = format!("ws://{}{path}", addr).into_client_request().unwrap();
        let stream = TcpStream::connect(&addr).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        media::start(&mut socket, &sid).await;
        // The greeting.
        while let Some(message) = socket.next().await {
            if message.unwrap().to_text().unwrap().contains("\"media\"") {
                break;
            }
        }
        socket
            .send(Message::text(r#"{"event":"stop","stream_sid":"st1","stop":{"reason":"callended"}}"#))
            .await
            .unwrap();
    };
    tokio::time::timeout(PATIENCE, call).await.expect("a caller is admitted and heard");
    drop(held);
    drop(narrow);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_connection_that_only_waits_is_closed_and_one_that_authenticated_is_kept() {
    let gateway = Gateway::start().await;
    let addr = gateway.running.addr().to_string();
    let known = async |head: String| {
        let mut socket = TcpStream::connect(&addr).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 2048];
        assert!(socket.read(&mut answer).await.unwrap() > 0);
        socket
    };
    let query = format!("CallSid={}&Status=completed", sid());
    let mut caller = known(format!("GET /exotel/call-end?{query}&key={WEBHOOK_KEY} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let mut operator =
        known(format!("GET /api/v1/calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n")).await;
    let mut wrong = known(format!("GET /exotel/call-end?{query}&key=wrong HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let mut silent = TcpStream::connect(&addr).await.unwrap();
    let (strangers, authenticated) = gateway.running.connections().count();
    assert!(strangers >= 1 && authenticated == 2, "{strangers} {authenticated}");
    let mut bytes = [0; 2048];
    // They are told nothing: the connection ends.
    for stranger in [&mut wrong, &mut silent] {
        let read = tokio::time::timeout(PATIENCE, stranger.read(&mut bytes)).await.expect("an end");
        assert_eq!(read.unwrap(), 0);
    }
    for known in [&mut caller, &mut operator] {
        known.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(known.read(&mut bytes).await.unwrap() > 0, "it is served on");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn metrics_are_for_this_machine_and_for_whoever_has_the_token() {
    let gateway = Gateway::start().await;
    let get = async |headers: &[(&str, &str)]| {
        let request = gateway.request(Method::GET, "/metrics");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(get(&[]).await.status, 200);
    let page = get(&[]).await.body;
    assert!(page.contains("callgate_connections{state=\"unauthenticated\"}"), "{page}");
    for forwarded in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let answer = get(&[(forwarded, "127.0.0.1")]).await;
        answer.refused(401, "unauthenticated");
        assert!(!answer.body.contains("callgate_"), "{forwarded}");
    }
    let token = format!("Bearer {ADMIN_TOKEN}");
    assert_eq!(get(&[("x-forwarded-for", "203.0.113.7"), ("authorization", &token)]).await.status, 200);
    // A page in a browser on this machine, by a name that was pointed here.
    get(&[("host", "evil.example")]).await.refused(401, "unauthenticated");
    gateway.stop().await;

    let gateway = Gateway::start_with(|args: &mut SettingsArgs| args.admin_token = None).await;
    let answer =
        gateway.request(Method::GET, "/metrics").header("x-forwarded-for", "203.0.113.7").send().await.unwrap();
    Answer::of(answer).await.refused(403, "api_off");
    gateway.stop().await;
}

#[actix_web::test]
async fn with_a_port_of_their_own_nothing_of_the_operators_is_on_the_public_one() {
    let gateway = Gateway::start_with(|args: &mut SettingsArgs| args.admin_port = Some("0".to_owned())).await;
    let apart = gateway.running.operators_addr().expect("an address of their own");
    assert!(apart.ip().is_loopback() && apart != gateway.running.addr());
    for path in ["/metrics", "/api/v1/calls", "/api/v1/clients", "/api/v1/calls/a"] {
        gateway.operate(Method::GET, path).await.refused(404, "not_found");
    }
    let get = async |path: &str, token: bool| {
        let request = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{apart}{path}"));
        let request = if token { request.bearer_auth(ADMIN_TOKEN) } else { request };
        Answer::of(request.send().await.unwrap()).await
    };
    assert!(get("/metrics", false).await.body.contains("callgate_"));
    assert_eq!(get("/api/v1/calls", true).await.status, 200);
    get("/api/v1/calls", false).await.refused(401, "unauthenticated");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            (get(path, false).await.status, gateway.get_bare(path).await.status),
            (200.try_into().unwrap(), 200.try_into().unwrap())
        );
    }
    get("/exotel/call-end?CallSid=a&Status=completed", false).await.refused(404, "not_found");
    assert_eq!(gateway.post("/exotel/call-end", &[("CallSid", "a"), ("Status", "completed")]).await.status, 200);
    gateway.stop().await;
}

#[actix_web::test]
async fn where_no_secret_is_shown_a_web_page_gets_no_call_placed() {
    let gateway = Gateway::start_with(|args| args.webhook_auth = "none,key,basic".to_owned()).await;
    let own = gateway.url("");
    let voicebot = async |extra: &str, headers: &[(&str, &str)]| {
        let path = format!("/exotel/voicebot?{}{extra}", urlencoded(&incoming(&sid())));
        let request = gateway.request(Method::GET, &path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(voicebot("", &[]).await.status, 200);
    assert_eq!(voicebot("", &[("origin", &own)]).await.status, 200);
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("referer", "https://evil.example/"),
    ];
    for header in foreign {
        voicebot("", &[header]).await.refused(403, "origin_not_allowed");
        // Whoever shows the key is not asked where they come from.
        assert_eq!(voicebot(&format!("&key={WEBHOOK_KEY}"), &[header]).await.status, 200);
    }
    voicebot("", &[("host", "evil.example")]).await.refused(403, "host_not_allowed");
    assert!(!gateway.audited("webhook.voicebot", "origin_not_allowed").await.is_empty());

    let socket = async |origin: &'static str, basic: bool| {
        let mut request = gateway.url("/exotel/media").replacen("http", "ws", 1).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        if basic {
            let value = format!("Basic {}", STANDARD.encode(format!("{API_KEY}:{API_TOKEN}")));
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let stream = TcpStream::connect(gateway.running.addr()).await.unwrap();
        tokio_tungstenite::client_async(request, stream).await.is_ok()
    };
    assert!(!socket("https://evil.example", false).await);
    assert!(socket("https://evil.example", true).await);
    assert!(media::open(&gateway, "/exotel/media", None).await.is_ok());
    gateway.stop().await;
}
