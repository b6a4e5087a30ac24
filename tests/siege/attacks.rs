//! What somebody who means ill does to a gateway, in bounds: loopback only, so many a second, for so long.

#![allow(dead_code, reason = "the bench and the test use their parts of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::rig::{LIMITED, NUMBER, Rig, ask, status};

/// The longest body that a webhook takes.
const BODY: usize = 64 << 10;
/// Requests under way at once.
const AT_ONCE: usize = 64;
/// Texts that made parsers slow somewhere, repeated to the length of a body.
const WORST: &[&str] =
    &["://", "&key=", "?key=", r":\/\/", "\"", "[", "%", "9", "{\"a\":", "&a=1", "@", "\\", "--x\r\n"];

/// One attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Bodies of 64 KiB of the worst texts, from a stranger.
    WorstTexts { a_second: u32 },
    /// Connections that ask `/healthz` once and then are held, 15 new ones a second when any are closed.
    IdleConnections { count: usize },
    /// Key presses on one media socket, beside its audio.
    KeyPresses { a_second: u32 },
    /// Call-starts by a holder of the key whose media never comes.
    NoMedia { a_second: u32 },
    /// Call-starts over a client's limit, each of another caller, as fast as they are answered.
    Refused { count: usize },
}

/// What was done: how many, and what they were answered.
#[derive(Debug, Default)]
pub struct Done {
    pub sent: u64,
    pub answers: BTreeMap<String, u64>,
}

impl Done {
    fn note(&mut self, answer: &std::io::Result<String>) {
        self.sent += 1;
        let what = match answer {
            Ok(text) => status(text).map_or_else(|| "closed".to_owned(), |status| status.to_string()),
            Err(error) => error.kind().to_string(),
        };
        *self.answers.entry(what).or_default() += 1;
    }
}

impl Attack {
    pub fn words(self) -> String {
        match self {
            Self::WorstTexts { a_second } => format!("{a_second} bodies of 64 KiB a second from a stranger"),
            Self::IdleConnections { count } => format!("{count} idle connections"),
            Self::KeyPresses { a_second } => format!("{a_second} key presses a second on one socket"),
            Self::NoMedia { a_second } => format!("{a_second} call-starts a second without media"),
            Self::Refused { count } => format!("{count} call-starts over a client's limit"),
        }
    }

    /// Carries it out, for so long at the most.
    pub async fn carry_out(self, rig: &Rig, time: Duration) -> Done {
        let end = Instant::now() + time;
        match self {
            Self::WorstTexts { a_second } => worst_texts(rig.port, a_second, end).await,
            Self::IdleConnections { count } => idle_connections(rig.port, count, end).await,
            Self::KeyPresses { a_second } => key_presses(rig, a_second, end).await,
            Self::NoMedia { a_second } => no_media(rig, a_second, end).await,
            Self::Refused { count } => refused(rig, count, end).await,
        }
    }
}

/// So many a second, until the end; none is begun while too many are under way.
async fn paced(a_second: u32, end: Instant, mut request: impl FnMut(u64) -> (u16, Vec<u8>)) -> Done {
    let mut every = tokio::time::interval(Duration::from_secs(1) / a_second);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let (mut done, mut asked) = (Done::default(), JoinSet::new());
    for number in 0.. {
        every.tick().await;
        if Instant::now() >= end {
            break;
        }
        while let Some(Ok(answer)) = asked.try_join_next() {
            done.note(&answer);
        }
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (port, bytes) = request(number);
        asked.spawn(async move {
            let answer = ask(port, &bytes).await;
            drop(place);
            answer
        });
    }
    while let Some(Ok(answer)) = asked.join_next().await {
        done.note(&answer);
    }
    done
}

async fn worst_texts(port: u16, a_second: u32, end: Instant) -> Done {
    let bodies: Vec<Vec<u8>> = WORST.iter().map(|text| text.repeat(BODY / text.len()).into_bytes()).collect();
    paced(a_second, end, |number| {
        let body = &bodies[number as usize % bodies.len()];
        let kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
        let kind = kinds[number as usize / bodies.len() % kinds.len()];
        let length = body.len();
        let head = format!(
            "POST /exotel/call-start HTTP/1.1\r\nhost: siege\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        (port, [head.as_bytes(), body].concat())
    })
    .await
}

/// Nothing more is asked: it lasts until the other side has enough of it.
async fn hold(port: u16) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: siege\r\n\r\n").await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn idle_connections(port: u16, count: usize, end: Instant) -> Done {
    let (mut done, mut held) = (Done::default(), JoinSet::new());
    for _ in 0..count {
        held.spawn(hold(port));
    }
    let mut every = tokio::time::interval(Duration::from_secs(1) / 15);
    while Instant::now() < end {
        every.tick().await;
        // What was closed is opened again.
        if let Some(Ok(answer)) = held.try_join_next() {
            done.note(&answer);
            held.spawn(hold(port));
        }
    }
    done.sent += held.len() as u64;
    held.abort_all();
    done
}

async fn key_presses(rig: &Rig, a_second: u32, end: Instant) -> Done {
    let mut done = Done::default();
    let (sid, from) = ("siegekeys00000000000000000000001", 9_811_000_001);
    let request =
        format!("GET {} HTTP/1.1\r\nhost: siege\r\nconnection: close\r\n\r\n", rig.hook("voicebot", sid, from, NUMBER));
    let answer = ask(rig.port, request.as_bytes()).await.expect("an answer");
    let url = answer.split("\"url\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a stream's URL");
    let path = url.split_once("//").and_then(|(_, rest)| rest.split_once('/')).expect("a path").1;
    let url = format!("ws://127.0.0.1:{}/{path}", rig.port);
    let tcp = TcpStream::connect(("127.0.0.1", rig.port)).await.expect("a connection");
    let (mut socket, _) = tokio_tungstenite::client_async(url, tcp).await.expect("a media socket");
    let start = format!(
        r#"{{"event":"start","sequence_number":"1","stream_sid":"siegestream00000000000000000001","start":{{"stream_sid":"siegestream00000000000000000001","call_sid":"{sid}","account_sid":"siege1","from":"0{from}","to":"08047112233","media_format":{{"encoding":"base64","sample_rate":"8000"}}}}}}"#
    );
    let silence = format!(r#"{{"event":"media","media":{{"payload":"{}"}}}}"#, "A".repeat(428));
    let press = r#"{"event":"dtmf","dtmf":{"digit":"1","duration":"100"}}"#;
    let _ = socket.send(Message::text(start)).await;
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let (mut write, mut read) = socket.split();
    let reading = tokio::spawn(async move { while read.next().await.is_some_and(|message| message.is_ok()) {} });
    while Instant::now() < end {
        every.tick().await;
        let mut sent = write.feed(Message::text(silence.as_str())).await;
        for _ in 0..a_second.div_ceil(50) {
            sent = write.feed(Message::text(press)).await;
            done.sent += 1;
        }
        if sent.is_err() || write.flush().await.is_err() {
            *done.answers.entry("closed".to_owned()).or_default() += 1;
            break;
        }
    }
    reading.abort();
    done
}

async fn no_media(rig: &Rig, a_second: u32, end: Instant) -> Done {
    paced(a_second, end, |number| {
        let (sid, from) = (format!("siegenomedia{number:020}"), 9_812_000_000 + number);
        let path = rig.hook("voicebot", &sid, from, NUMBER);
        (rig.port, format!("GET {path} HTTP/1.1\r\nhost: siege\r\nconnection: close\r\n\r\n").into_bytes())
    })
    .await
}

/// On a few connections that are kept, so that the gateway and not the handshakes decide how many there are.
async fn refused(rig: &Rig, count: usize, end: Instant) -> Done {
    const LINES: usize = 8;
    let mut lines = JoinSet::new();
    for line in 0..LINES {
        let requests: Vec<String> = (line..count)
            .step_by(LINES)
            .map(|number| {
                let (sid, from) = (format!("siegerefused{number:020}"), 9_813_000_000 + number as u64);
                format!("GET {} HTTP/1.1\r\nhost: siege\r\n\r\n", rig.hook("call-start", &sid, from, LIMITED))
            })
            .collect();
        lines.spawn(one_line(rig.port, requests, end));
    }
    let mut done = Done::default();
    while let Some(Ok(part)) = lines.join_next().await {
        done.sent += part.sent;
        for (answer, times) in part.answers {
            *done.answers.entry(answer).or_default() += times;
        }
    }
    done
}

async fn one_line(port: u16, requests: Vec<String>, end: Instant) -> Done {
    let mut done = Done::default();
    let mut socket: Option<TcpStream> = None;
    let mut bytes = vec![0; 16 << 10];
    for request in requests {
        if Instant::now() >= end {
            break;
        }
        let asked = async {
            let mut open = match socket.take() {
                Some(open) => open,
                None => TcpStream::connect(("127.0.0.1", port)).await?,
            };
            open.write_all(request.as_bytes()).await?;
            // An answer is small and comes in one piece.
            let read = open.read(&mut bytes).await?;
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            if read > 0 && !text.to_ascii_lowercase().contains("connection: close") {
                socket = Some(open);
            }
            Ok(text)
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await;
        done.note(&answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())));
    }
    done
}
