//! A small load against a socket that measures like a model and talks like a gateway.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codecs::level::rms_dbfs;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

mod scenarios;

use super::*;
use crate::exotel::tests::gateway::{Bot, FakeGateway, Manners};

#[derive(Default)]
struct Session {
    pcm: Vec<u8>,
    up: Vec<(u64, u64)>,
    down: Vec<(u64, u64, u64)>,
    marks: Vec<String>,
    stopped: bool,
}

impl Session {
    /// The number said in tones at the start.
    fn call(&self) -> Option<u16> {
        let slots: Vec<bool> = self.pcm.chunks_exact(640).take(20).map(|slot| rms_dbfs(slot) > -60.0).collect();
        let [true, false, true, bits @ .., parity] = slots.as_slice() else { return None };
        let number = bits.iter().fold(0, |number, bit| number << 1 | u16::from(*bit));
        (number.count_ones() % 2 == u32::from(*parity)).then_some(number)
    }
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<Vec<Arc<Mutex<Session>>>>>);

fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

impl World {
    async fn serve(self) -> (u16, u16) {
        let media = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = (media.local_addr().unwrap().port(), tap.local_addr().unwrap().port());
        let world = self.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = media.accept().await {
                let session = Arc::new(Mutex::new(Session::default()));
                world.0.lock().unwrap().push(session.clone());
                tokio::spawn(talk(tcp, session));
            }
        });
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = tap.accept().await {
                let mut head = vec![0; 2_048];
                let _ = tcp.read(&mut head).await.unwrap();
                let body = self.measurements().to_string();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        ports
    }

    fn measurements(&self) -> Value {
        let sessions: Vec<Value> = self
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|session| session.lock().unwrap())
            .map(|session| json!({"call": session.call(), "up": session.up, "down": session.down}))
            .collect();
        json!({ "sessions": sessions })
    }
}

/// Takes every frame but the 60th, answers every 50th with 400 ms in two messages and a mark; closes number 3 after 45.
async fn talk(tcp: TcpStream, session: Arc<Mutex<Session>>) {
    let mut socket = accept_async(tcp).await.unwrap();
    let (mut frames, mut response) = (0, 0);
    while let Some(Ok(message)) = socket.next().await {
        let Ok(json) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        match json["event"].as_str().unwrap() {
            "media" => {}
            "mark" => session.lock().unwrap().marks.push(json["mark"]["name"].as_str().unwrap().into()),
            "stop" => session.lock().unwrap().stopped = true,
            _ => {}
        }
        let Some(payload) = json["media"]["payload"].as_str() else { continue };
        assert_eq!(json["media"]["timestamp"], (frames * 20).to_string());
        frames += 1;
        let mut out = Vec::new();
        {
            let mut session = session.lock().unwrap();
            if frames != 60 {
                session.pcm.extend(STANDARD.decode(payload).unwrap());
                let appended = session.pcm.len() as u64 / 16;
                session.up.push((appended, unix_us()));
            }
            if frames % 50 == 0 {
                for part in 1..=2 {
                    session.down.push((response, part * 200, unix_us()));
                    out.push(json!({"event": "media", "media": {"payload": STANDARD.encode([0; 3_200])}}));
                }
                out.push(json!({"event": "mark", "mark": {"name": format!("r{response}")}}));
                response += 1;
            }
        }
        for message in out {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        if frames == 45 && session.lock().unwrap().call() == Some(3) {
            socket.close(None).await.unwrap();
        }
    }
}

fn plan(target: Target) -> LoadPlan {
    LoadPlan {
        calls: 4,
        ramp: Duration::from_millis(200),
        secs: Duration::from_secs(1),
        seed: 5,
        lead_ms: 400,
        ..LoadPlan::new(target)
    }
}

#[tokio::test]
async fn a_load_is_measured_at_both_ends() {
    let world = World::default();
    let (media, tap) = world.clone().serve().await;
    let mut plan = plan(Target::Media(format!("ws://127.0.0.1:{media}/v1/media").parse().unwrap()));
    plan.pid = Some(std::process::id());
    plan.model = Some(format!("http://127.0.0.1:{tap}").parse().unwrap());
    let mut phases = Vec::new();
    let LoadRun { report, histograms, series } = run(plan, |progress| phases.push(progress.phase)).await.unwrap();
    assert_eq!((phases.first(), phases.last()), (Some(&"ramp"), Some(&"steady")));

    assert_eq!((report.calls.opened, report.calls.failed, report.calls.ended_early), (4, 0, 1), "{report}");
    assert!(report.calls.reasons.keys().next().unwrap().contains("closed by the other side"), "{report}");
    assert_eq!((report.calls.unseen, report.frames.unexplained), (Some(0), Some(0)), "{report}");
    // One of each call that went on for sixty frames.
    assert_eq!(report.frames.lost, Some(3), "{report}");
    assert!((report.calls.call_secs / report.window_secs - 3.0).abs() < 0.01, "{report}");
    let (up, down) = (report.times.uplink.unwrap(), report.times.downlink.unwrap());
    assert!(up.count > 50 && up.p50_ms < 19.0, "{report}");
    assert!(down.count >= 4 && down.p50_ms < 100.0, "{report}");
    assert!(report.times.first_audio.unwrap().p50_ms > 900.0, "{report}");
    let process = report.process.unwrap();
    assert!(process.cpu_ms_per_call_sec > 0.0 && process.rss_steady_kib > 1_000, "{report}");
    assert!(report.not_measured.is_empty(), "{report}");
    assert!(serde_json::to_value(&report).unwrap()["uplink"]["p99_ms"].is_number());
    assert_eq!((histograms.uplink.count(), histograms.downlink.count()), (up.count, down.count));
    let steady: Vec<&Sample> = series.iter().filter(|sample| sample.steady).collect();
    assert!(!steady.is_empty() && steady.iter().all(|sample| sample.calls == 3), "{series:?}");
    assert!(steady.iter().all(|sample| sample.cpu_percent.is_some() && sample.uplink_p99_ms.is_some()), "{series:?}");
    let sessions = world.0.lock().unwrap();
    let mut numbers: Vec<_> = sessions.iter().filter_map(|session| session.lock().unwrap().call()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let marks = |session: &&Arc<Mutex<Session>>| session.lock().unwrap().marks.first().is_some_and(|name| name == "r0");
    assert_eq!(sessions.iter().filter(marks).count(), 3);
    assert_eq!(sessions.iter().filter(|session| session.lock().unwrap().stopped).count(), 3);
}

#[tokio::test]
async fn calls_through_a_gateway_ask_its_webhook_first() {
    let gateway = FakeGateway::start(Manners { status: 200, refuse: 1, bot: Bot::Talks }).await;
    let auth = crate::exotel::WebhookAuth { key: Some("key".into()), ..Default::default() };
    let target = Target::Gateway { url: gateway.http.clone(), auth, to: vec!["+914446970000".into()] };
    let report = run(plan(target), |_| {}).await.unwrap().report;
    assert_eq!((report.calls.opened, report.calls.failed, report.calls.ended_early), (4, 0, 0), "{report}");
    assert_eq!(report.not_measured.len(), 2, "{report}");
    let request = gateway.request("/exotel/voicebot?CallSid=");
    assert!(request.head.contains("CallFrom=0900000000") && request.head.contains("&key=key"), "{}", request.head);
    assert_eq!(gateway.events("start").len(), 4);
}

#[tokio::test]
async fn a_load_that_cannot_begin_says_why() {
    let gateway = FakeGateway::start(Manners { status: 429, refuse: 0, bot: Bot::Talks }).await;
    let target = Target::Gateway { url: gateway.http.clone(), auth: Default::default(), to: vec!["1".into()] };
    let Err(LoadError::NoCalls(why)) = run(plan(target), |_| {}).await else { panic!() };
    assert_eq!(why, "voicebot answered 429");
    let media = |status: &str, body: &str| {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
            tokio::spawn(async move {
                while let Ok((mut tcp, _)) = listener.accept().await {
                    let _ = tcp.read(&mut [0; 2_048]).await.unwrap();
                    tcp.write_all(answer.as_bytes()).await.unwrap();
                }
            });
            let Err(LoadError::NoCalls(why)) = run(plan(Target::Media(url)), |_| {}).await else { panic!() };
            why
        }
    };
    assert_eq!(media("401 Unauthorized", r#"{"error":{"code":"token_used"}}"#).await, "handshake: 401 token_used");
    assert_eq!(media("502 Bad Gateway", "<html>").await, "handshake: 502");
    let target = || Target::Media("ws://127.0.0.1:9/".parse().unwrap());
    assert!(matches!(run(plan(target()), |_| {}).await, Err(LoadError::NoCalls(_))));
    let wrong = [LoadPlan { frame_ms: 30, ..plan(target()) }, LoadPlan { pid: Some(u32::MAX), ..plan(target()) }];
    for plan in wrong {
        assert!(matches!(run(plan, |_| {}).await, Err(LoadError::Plan(_))));
    }
    let deaf = LoadPlan { model: Some("http://127.0.0.1:9".parse().unwrap()), ..plan(target()) };
    assert!(matches!(run(deaf, |_| {}).await, Err(LoadError::Tap(_))));
}
