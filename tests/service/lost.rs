//! A gateway that is killed in the middle of its calls.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callgate::testing::{Call, EventsTarget};
use chrono::{TimeDelta, Utc};
use futures_util::{SinkExt, StreamExt};
use protocol::call::end::EndedBy;
use protocol::ids::{CallSid, Secret};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::media::{self, open, path};
use super::support::{Gateway, PATIENCE, WEBHOOK_KEY, eventually, incoming, sid, urlencoded};
use super::work::neighbour;
use crate::process::TestProcess;

/// A gateway that is a process of its own, on the database of another one.
async fn beside(gateway: &Gateway) -> TestProcess {
    let mut process = TestProcess::new();
    let mut serve = process.command(&["serve"]);
    serve.env("DATABASE_URL", &gateway.database.url).env("RECORDINGS_URL", gateway.database.recordings_url());
    process.serve(serve.env("PRIVATE_HOSTS", "127.0.0.1")).await;
    process
}

/// Announces a call, and answers with its stream's URL.
async fn announce(process: &TestProcess, sid: &str) -> String {
    let form = urlencoded(&incoming(sid));
    let answer = process.get(&format!("/exotel/voicebot?{form}&key={WEBHOOK_KEY}")).await.expect("an answer");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["url"].as_str().unwrap().to_owned()
}

/// Silence, so that the line is not taken for dead.
async fn speak(mut socket: media::Socket) {
    let mut every = tokio::time::interval(Duration::from_millis(500));
    let payload = STANDARD.encode([0; 3200]);
    let media = json!({ "event": "media", "stream_sid": "st1", "media": { "payload": payload } }).to_string();
    loop {
        tokio::select! {
            _ = every.tick() => socket.send(Message::text(&media)).await.unwrap(),
            heard = socket.next() => assert!(heard.is_some_and(|heard| heard.is_ok())),
        }
    }
}

async fn stored(gateway: &Gateway, sid: &str) -> Call {
    gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap().call
}

#[actix_web::test]
async fn calls_of_a_gateway_that_was_killed_are_ended_a_lease_later_and_the_carrier_knows_better() {
    let (host, heard) = neighbour();
    let first = Gateway::start().await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    assert!(first.running.store().set_events_target(first.tenant.id, Some(target)).await.unwrap());
    let mut killed = beside(&first).await;
    let [on_air, announced, live] = [sid(), sid(), sid()];
    let url = announce(&killed, &on_air).await;
    announce(&killed, &announced).await;
    let stream = TcpStream::connect(killed.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    media::start(&mut socket, &on_air).await;
    let begun = async |sid: &str| stored(&first, sid).await.times.media_at.is_some();
    eventually("its stream is on record", || begun(&on_air)).await;
    killed.kill();

    // One call is live on the second gateway, for longer than calls last there.
    let url = first.database.url.clone();
    let second = Gateway::start_with(|args| (args.database_url, args.max_call_secs) = (url, "600".to_owned())).await;
    let answer = second.get("/exotel/voicebot", &incoming(&live)).await.json();
    let mut mine = open(&second, &path(answer["url"].as_str().unwrap()), None).await.expect("the stream");
    media::start(&mut mine, &live).await;
    eventually("the live call is on record", || begun(&live)).await;
    let speaking = actix_rt::spawn(speak(mine));
    let began = (Utc::now() - TimeDelta::minutes(20)).format("%F %T");
    first.database.execute(&format!("UPDATE calls SET started_at = '{began}'")).unwrap();
    let ends = |sid: &str| {
        let heard = heard.lock().unwrap();
        heard.iter().filter(|event| event["type"] == "call.ended" && event["call_sid"] == sid).count()
    };
    let over = async |sid: &str| stored(&first, sid).await.is_over();
    eventually("both have ended", || async { over(&on_air).await && over(&announced).await }).await;
    assert_eq!((ends(&on_air), ends(&announced)), (0, 0), "they may come back");
    for sid in [&on_air, &announced] {
        let call = stored(&first, sid).await;
        assert_eq!((call.status.as_str(), call.ended_by), ("failed", Some(EndedBy::Reaper)));
        assert!(call.times.ended_at.is_some());
        let shown = first.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
        assert_eq!(shown["ended_code"], "reaped");
        assert!(shown["ended_why"].as_str().unwrap().contains("gateway stopped"), "{shown}");
        let audited = first.running.store().audit_of_call(&call.call_sid).await.unwrap();
        assert_eq!(audited.iter().filter(|entry| entry.kind == "call.lost").count(), 1);
    }
    assert_eq!((stored(&first, &live).await.status.as_str(), ends(&live)), ("in-progress", 0));

    // As if a minute had passed without the one, and the carrier tells of the other.
    let past = Utc::now().format("%F %T");
    let due = format!("UPDATE jobs SET run_at = '{past}' WHERE key = 'call.ended/{announced}'");
    first.database.execute(&due).unwrap();
    first.post("/exotel/call-end", &[("CallSid", &on_air), ("Status", "completed")]).await;
    let call = stored(&first, &on_air).await;
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(EndedBy::Carrier)));
    eventually("both ends are told", || async { ends(&on_air) == 1 && ends(&announced) == 1 }).await;
    speaking.abort();
    // It might come back, until the carrier says otherwise.
    second.post("/exotel/call-end", &[("CallSid", &live), ("Status", "completed")]).await;
    eventually("the live call ends", || async { ends(&live) == 1 }).await;
    assert_eq!((ends(&on_air), ends(&announced)), (1, 1));
    second.stop().await;
    first.stop().await;
}

/// A stream on which the agent is heard out, until what it said is on record.
async fn greeted(gateway: &Gateway, socket: &mut media::Socket, sid: &str) {
    let call = CallSid::new(sid);
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let heard_out = async {
        loop {
            tokio::select! {
                message = socket.next() => {
                    let message = message.unwrap().unwrap();
                    if message.to_text().unwrap().contains("\"event\":\"mark\"") {
                        socket.send(message).await.unwrap();
                    }
                }
                _ = look.tick() => {
                    let found = gateway.running.store().call(&call).await.unwrap().unwrap();
                    if !found.turns.is_empty() {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard_out).await.expect("what was said is on record");
}

#[actix_web::test]
async fn a_call_whose_gateway_was_killed_goes_on_at_another_with_its_conversation_and_an_apology() {
    let other = Gateway::start().await;
    let mut killed = beside(&other).await;
    let sid = sid();
    let url = announce(&killed, &sid).await;
    let stream = TcpStream::connect(killed.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    media::start(&mut socket, &sid).await;
    greeted(&other, &mut socket, &sid).await;
    let was = stored(&other, &sid).await;
    killed.kill();

    // The flow goes on to its next applet.
    let answer = other.get("/exotel/voicebot", &incoming(&sid)).await.json();
    let mut socket = open(&other, &path(answer["url"].as_str().unwrap()), None).await.expect("the stream");
    let began = Instant::now();
    media::start(&mut socket, &sid).await;
    media::hears_a_word(&mut socket).await;
    eprintln!("the first word at another gateway after {:?}", began.elapsed());
    let told = serde_json::to_string(&other.model.sessions()[0].items).unwrap();
    assert!(told.contains("Apologise in one short sentence"), "{told}");
    let said = other.running.store().call(&was.call_sid).await.unwrap().unwrap().turns[0].text.clone();
    assert!(!said.is_empty() && told.contains(&said), "{said:?} in {told}");
    let call = stored(&other, &sid).await;
    assert_eq!((call.streams(), call.ownership.generation), (2, was.ownership.generation + 1));
    assert_eq!((call.status.as_str(), call.times.media_at), ("in-progress", was.times.media_at));

    // It was as long as both streams and what was between them.
    other.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
    eventually("it is over", || async { other.running.switchboard().live() == 0 }).await;
    assert!(other.running.recorder().flush().await);
    let figures = stored(&other, &sid).await.figures;
    assert!(figures.turn_count >= Some(2) && figures.agent_talk_ms >= was.figures.agent_talk_ms, "{figures:?}");
    other.stop().await;
}
