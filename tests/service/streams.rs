//! A call that comes back: the flow enters the voice applet again, or its socket broke.

use std::time::{Duration, Instant};

use callgate::testing::{Call, EventsTarget};
use futures_util::{SinkExt, StreamExt};
use protocol::ids::{CallSid, Secret};
use serde_json::json;
use simulator::model::SessionLog;
use tokio_tungstenite::tungstenite::Message;

use super::media::{Socket, hears_a_word, is_closed, open, path, start};
use super::support::{API_KEY, API_TOKEN, Answer, Gateway, PATIENCE, eventually, incoming, sid};
use super::work::neighbour;

pub(super) async fn voicebot(gateway: &Gateway, sid: &str) -> Answer {
    gateway.get("/exotel/voicebot", &incoming(sid)).await
}

pub(super) fn stream_path(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    path(answer.json()["url"].as_str().unwrap())
}

/// The agent is heard on a stream.
pub(super) async fn hears_the_agent(socket: &mut Socket) {
    let heard = async {
        while let Some(message) = socket.next().await {
            if message.unwrap().to_text().unwrap().contains("\"event\":\"media\"") {
                return;
            }
        }
        panic!("closed before the agent was heard");
    };
    tokio::time::timeout(Duration::from_secs(15), heard).await.expect("the agent is heard");
}

/// A stream that has begun and on which the agent is heard.
pub(super) async fn live(gateway: &Gateway, path: &str, sid: &str) -> Socket {
    let mut socket = open(gateway, path, None).await.expect("the stream is let in");
    start(&mut socket, sid).await;
    hears_the_agent(&mut socket).await;
    socket
}

pub(super) async fn stop(mut socket: Socket, reason: &str) {
    let stop = json!({ "event": "stop", "stream_sid": "st1", "stop": { "reason": reason } });
    socket.send(Message::text(stop.to_string())).await.unwrap();
    assert!(is_closed(&mut socket).await);
}

pub(super) async fn has_left(gateway: &Gateway, sid: &str) {
    let call = CallSid::new(sid);
    eventually("the call has left", || async { gateway.running.switchboard().phase(&call).is_none() }).await;
    assert!(gateway.running.recorder().flush().await);
}

pub(super) async fn row(gateway: &Gateway, sid: &str) -> Call {
    assert!(gateway.running.recorder().flush().await);
    gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap().call
}

#[actix_web::test]
async fn a_flow_that_enters_the_voice_applet_again_gets_a_working_stream() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let first = stream_path(&voicebot(&gateway, &sid).await);
    for (turn, reason) in [Some("stopped"), None, Some("streamended")].into_iter().enumerate() {
        let answer = voicebot(&gateway, &sid).await;
        let url = stream_path(&answer);
        // A repeat of the webhook is answered alike before the stream began, and while it is live.
        let again = voicebot(&gateway, &sid).await;
        assert_eq!((&again.body, again.header("idempotent-replayed")), (&answer.body, Some("true")));
        assert_eq!(url == first, turn == 0, "each stream has an URL of its own");
        let socket = live(&gateway, &url, &sid).await;
        assert_eq!(voicebot(&gateway, &sid).await.body, answer.body);
        assert_eq!(row(&gateway, &sid).await.status, "in-progress");
        match reason {
            Some(reason) => stop(socket, reason).await,
            None => drop(socket),
        }
        has_left(&gateway, &sid).await;
        assert_eq!(row(&gateway, &sid).await.status, "completed");
    }
    assert_eq!(gateway.running.store().recent_calls(9).await.unwrap().len(), 1);
    assert_eq!(gateway.model.sessions().len(), 3);
    let call = row(&gateway, &sid).await;
    assert!(call.figures.turn_count >= Some(3), "the turns of all streams: {call:?}");
    let page = gateway.operate(reqwest::Method::GET, "/metrics").await.body;
    assert!(page.contains("callgate_calls_returned_total "), "{page}");
    gateway.stop().await;
}

#[actix_web::test]
async fn the_agent_has_its_next_words_ready_when_a_caller_comes_back() {
    let gateway = Gateway::start().await;
    let sid = sid();
    drop(live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await);
    has_left(&gateway, &sid).await;
    let url = stream_path(&voicebot(&gateway, &sid).await);
    // Before there is a stream.
    let spoken = |session: &SessionLog| session.responses.iter().any(|response| response.generated_ms > 0);
    let ready = gateway.model.wait_for(|sessions| sessions.get(1).is_some_and(spoken), PATIENCE);
    assert!(ready.await, "{:?}", gateway.model.sessions());
    let mut socket = open(&gateway, &url, None).await.expect("the stream is let in");
    let began = Instant::now();
    start(&mut socket, &sid).await;
    hears_a_word(&mut socket).await;
    eprintln!("a further stream at the same gateway: the first word after {:?}", began.elapsed());
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_is_over_is_refused_in_words_however_it_comes_again() {
    let gateway = Gateway::start().await;
    let (hung_up, reported, late) = (sid(), sid(), sid());
    let socket = live(&gateway, &stream_path(&voicebot(&gateway, &hung_up).await), &hung_up).await;
    stop(socket, "callended").await;
    eventually("it is gone", || async { gateway.running.switchboard().live() == 0 }).await;
    // The carrier's final word comes while the call waits, and after its stream broke.
    voicebot(&gateway, &reported).await;
    let broken = live(&gateway, &stream_path(&voicebot(&gateway, &late).await), &late).await;
    drop(broken);
    has_left(&gateway, &late).await;
    for sid in [&reported, &late] {
        let ended = gateway.post("/exotel/call-end", &[("CallSid", sid), ("Status", "completed")]).await;
        assert_eq!(ended.status, 200, "{ended:?}");
    }
    eventually("all are gone", || async { gateway.running.switchboard().live() == 0 }).await;
    let sessions = gateway.model.sessions().len();
    for sid in [&hung_up, &reported, &late] {
        voicebot(&gateway, sid).await.refused(409, "call_over");
        gateway.post("/exotel/call-start", &incoming(sid)).await.refused(409, "call_over");
        let basic = format!("{API_KEY}:{API_TOKEN}");
        let mut socket = open(&gateway, "/exotel/media", Some(&basic)).await.unwrap();
        start(&mut socket, sid).await;
        assert!(is_closed(&mut socket).await);
    }
    eventually("it is audited", || async { gateway.audited("media.start", "call_over").await.len() == 3 }).await;
    assert_eq!((gateway.running.switchboard().live(), gateway.model.sessions().len()), (0, sessions));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_who_comes_back_by_call_start_is_not_greeted_again() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let url = |answer: &Answer| {
        let from = answer.body.find("url=\"").unwrap() + 5;
        path(&answer.body[from..from + answer.body[from..].find('"').unwrap()])
    };
    let first = gateway.post("/exotel/call-start", &incoming(&sid)).await;
    assert!(first.body.contains("<Say"), "{first:?}");
    let mut socket = open(&gateway, &url(&first), None).await.unwrap();
    start(&mut socket, &sid).await;
    let call = CallSid::new(&sid);
    eventually("it is live", || async { gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live) })
        .await;
    drop(socket);
    has_left(&gateway, &sid).await;
    let silent = gateway.post("/exotel/call-start", &incoming(&sid)).await;
    assert!(silent.body.contains("<Say"), "nobody has said a word: {silent:?}");
    // Here the agent has.
    let talked = crate::support::sid();
    drop(live(&gateway, &stream_path(&voicebot(&gateway, &talked).await), &talked).await);
    has_left(&gateway, &talked).await;
    let back = gateway.post("/exotel/call-start", &incoming(&talked)).await;
    assert!(back.status == 200 && !back.body.contains("<Say"), "{back:?}");
    assert_eq!(gateway.post("/exotel/call-start", &incoming(&talked)).await.body, back.body);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_client_is_told_of_one_end_however_many_streams_there_were() {
    let (host, heard) = neighbour();
    let gateway = Gateway::start().await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    assert!(gateway.running.store().set_events_target(gateway.tenant.id, Some(target)).await.unwrap());
    let sid = sid();
    for _ in 0..2 {
        let socket = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
        drop(socket);
        has_left(&gateway, &sid).await;
        let waiting = gateway.running.store().jobs(true, None, 9).await.unwrap();
        let ends: Vec<_> = waiting.iter().filter(|job| job.key == format!("call.ended/{sid}")).collect();
        assert_eq!(ends.len(), 1, "{waiting:?}");
        let wait = (ends[0].run_at - chrono::Utc::now()).num_seconds();
        assert!((55..=66).contains(&wait), "it may come back for a minute: {wait}");
    }
    let url = stream_path(&voicebot(&gateway, &sid).await);
    eventually("the end is taken back", || async {
        let jobs = gateway.running.store().jobs(true, None, 9).await.unwrap();
        !jobs.iter().any(|job| job.key == format!("call.ended/{sid}"))
    })
    .await;
    let socket = live(&gateway, &url, &sid).await;
    stop(socket, "callended").await;
    let ends = || heard.lock().unwrap().iter().filter(|event| event["type"] == "call.ended").count();
    eventually("the end is told", || async { ends() == 1 }).await;
    let event = heard.lock().unwrap().iter().find(|event| event["type"] == "call.ended").cloned().unwrap();
    assert!(event["data"]["figures"]["turns"].as_i64() >= Some(3), "{event}");
    assert_eq!(heard.lock().unwrap().iter().filter(|event| event["type"] == "call.started").count(), 1);
    voicebot(&gateway, &sid).await.refused(409, "call_over");
    // A final status makes an end of one that might have come back.
    let other = crate::support::sid();
    drop(live(&gateway, &stream_path(&voicebot(&gateway, &other).await), &other).await);
    has_left(&gateway, &other).await;
    gateway.post("/exotel/call-end", &[("CallSid", &other), ("Status", "completed")]).await;
    eventually("its end is told at once", || async { ends() == 2 }).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stream_that_hangs_loses_its_call_to_the_one_that_the_carrier_opens() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let url = stream_path(&voicebot(&gateway, &sid).await);
    let mut hanging = live(&gateway, &url, &sid).await;
    // Whoever has seen the URL cannot take the call: only who may ask for one.
    assert_eq!(open(&gateway, &url, None).await.unwrap_err(), (401, "token_used".to_owned()));
    assert_eq!(stream_path(&voicebot(&gateway, &sid).await), url);
    let mut socket = open(&gateway, &url, None).await.expect("asked for, it is let in");
    start(&mut socket, &sid).await;
    hears_the_agent(&mut socket).await;
    assert!(is_closed(&mut hanging).await);
    assert_eq!((gateway.running.switchboard().live(), row(&gateway, &sid).await.status.as_str()), (1, "in-progress"));
    // Also where the break was seen only after that.
    let url = stream_path(&voicebot(&gateway, &sid).await);
    drop(socket);
    has_left(&gateway, &sid).await;
    let mut socket = live(&gateway, &url, &sid).await;
    // And by the account.
    let mut by_account = open(&gateway, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    start(&mut by_account, &sid).await;
    hears_the_agent(&mut by_account).await;
    assert!(is_closed(&mut socket).await);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_passthru_behind_a_stream_ends_the_stream_and_not_the_call() {
    let gateway = Gateway::start().await;
    let (talked, failed) = (sid(), sid());
    let socket = live(&gateway, &stream_path(&voicebot(&gateway, &talked).await), &talked).await;
    voicebot(&gateway, &failed).await;
    for (sid, status) in [(&talked, "completed"), (&failed, "failed")] {
        let report = [("CallSid", sid.as_str()), ("CallStatus", "in-progress"), ("Stream[Status]", status)];
        gateway.get("/exotel/passthru", &report).await;
        has_left(&gateway, sid).await;
        assert!(row(&gateway, sid).await.is_over());
        live(&gateway, &stream_path(&voicebot(&gateway, sid).await), sid).await;
    }
    drop(socket);
    // One that says how the call ended does end it.
    let report = [("CallSid", talked.as_str()), ("CallStatus", "completed"), ("Stream[Status]", "completed")];
    gateway.get("/exotel/passthru", &report).await;
    has_left(&gateway, &talked).await;
    voicebot(&gateway, &talked).await.refused(409, "call_over");
    gateway.stop().await;
}
