//! Several gateways on one database, and webhooks in every order.

use std::time::Duration;

use callgate::testing::{Call, ClientChanges, Entry, Ownership};
use futures_util::{StreamExt, stream};
use protocol::call::end::{Ended, EndedBy};
use protocol::ids::CallSid;

use super::media::{is_closed, open, path, start};
use super::support::{Gateway, PATIENCE, eventually, incoming, sid};

const RECORDING: &str = "https://recordings.exotel.com/exotelrecordings/acme/a.mp3";

/// Everything that is stored of a call, but for what tells it apart from another and when it was first heard of.
async fn stored(gateway: &Gateway, sid: &str) -> Call {
    let mut call = gateway.running.store().call(&CallSid::new(sid)).await.unwrap().unwrap().call;
    (call.id, call.call_sid) = (0, CallSid::new("x"));
    // An end that is told as before the start, which is now, is the start.
    call.times.ended_at = call.times.ended_at.filter(|at| *at != call.times.started_at);
    call.times.started_at = Default::default();
    call
}

/// Two nodes of one database, whose caller may call as often as it takes.
async fn nodes() -> [Gateway; 2] {
    let first = Gateway::start().await;
    let changes = ClientChanges { caller_calls_per_minute: Some(Some(10_000)), ..ClientChanges::default() };
    first.running.store().change_client(first.tenant.id, changes).await.unwrap();
    [first.beside().await, first]
}

async fn tell(gateway: &Gateway, step: usize, sid: &str) {
    let start = incoming(sid);
    let (path, form): (&str, Vec<(&str, &str)>) = match step {
        0 => ("/exotel/call-start", start),
        1 => {
            let form = [("Status", "in-progress"), ("EventType", "answered"), ("DateUpdated", "2026-11-22 12:07:12")];
            ("/exotel/call-end", form.to_vec())
        }
        2 => {
            let form = [
                ("Status", "completed"),
                ("EventType", "terminal"),
                ("From", "+91 98765 00000"),
                ("EndTime", "2026-11-22 12:08:00"),
                ("ConversationDuration", "48"),
            ];
            ("/exotel/call-end", form.to_vec())
        }
        3 => ("/exotel/recording", vec![("RecordingUrl", RECORDING)]),
        _ => {
            let form = [
                ("CallStatus", "in-progress"),
                ("EndTime", "1970-01-01 05:30:00"),
                ("Stream[StreamSID]", "st1"),
                ("Stream[Status]", "cancelled"),
                ("Stream[RecordingUrl]", RECORDING),
            ];
            ("/exotel/passthru", form.to_vec())
        }
    };
    let form = if step == 0 { form } else { [vec![("CallSid", sid)], form].concat() };
    let answer = gateway.post(path, &form).await;
    let over = step == 0 && answer.status == 409;
    assert!(over || [200, 302].contains(&answer.status.as_u16()), "{step}: {answer:?}");
}

async fn settled(nodes: &[Gateway; 2], sid: &str) -> Call {
    let call = CallSid::new(sid);
    for node in nodes {
        // A session may still wait for its stream, on a node that was not told of the end: that comes to this.
        node.running.switchboard().end(&call, Ended::NoMedia);
        eventually("no session is left", || async { node.running.switchboard().phase(&call).is_none() }).await;
        assert!(node.running.recorder().flush().await);
    }
    let mut call = stored(&nodes[1], sid).await;
    // Which of them has it, and how often it changed hands, differs.
    (call.ownership, call.over_at) = (Ownership::default(), None);
    call
}

/// What is stored of a call that was told in this order.
async fn told_in<'a>(nodes: &[Gateway; 2], number: usize, order: &'a Vec<usize>) -> (&'a Vec<usize>, Call) {
    let sid = sid();
    for (at, step) in order.iter().chain([&order[number % 5], &order[0]]).enumerate() {
        tell(&nodes[(number >> (at % 5)) % 2], *step, &sid).await;
    }
    (order, settled(nodes, &sid).await)
}

/// Every order of all five, each order with two of them told twice, each told to one node or the other.
#[actix_web::test]
async fn webhooks_in_any_order_to_any_node_come_to_the_same_stored_state() {
    let nodes = nodes().await;
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..5 {
        let longer = |order: Vec<usize>| {
            (0..5).filter(|n| !order.contains(n)).map(|n| [&order[..], &[n]].concat()).collect::<Vec<_>>()
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    assert_eq!(orders.len(), 120);
    let told = stream::iter(orders.iter().enumerate()).map(|(number, order)| told_in(&nodes, number, order));
    // Some at a time: what takes long here is waiting.
    let stored: Vec<(&Vec<usize>, Call)> = told.buffer_unordered(8).collect().await;
    let call = stored[0].1.clone();
    for (order, stored) in stored {
        assert_eq!(call, stored, "{order:?}");
    }
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(EndedBy::Carrier)));
    assert_eq!((call.entry, call.figures.duration_ms), (Some(Entry::CallStart), Some(48_000)));
    assert_eq!(call.parties.from.unwrap().reveal(), "+919876543210");
    assert!(nodes[0].running.store().verify_audit().await.unwrap().is_ok());
    let [one, other] = nodes;
    one.stop().await;
    other.stop().await;
}

#[actix_web::test]
async fn webhooks_at_the_same_time_on_two_nodes_come_to_the_same_stored_state() {
    let nodes = nodes().await;
    let alone = sid();
    for step in 0..5 {
        tell(&nodes[0], step, &alone).await;
    }
    let expected = settled(&nodes, &alone).await;
    for _ in 0..8 {
        let sid = sid();
        let all = (0..20).map(|n| tell(&nodes[n % 2], n % 5, &sid));
        futures_util::future::join_all(all).await;
        assert_eq!(settled(&nodes, &sid).await, expected);
    }
    let [one, other] = nodes;
    one.stop().await;
    other.stop().await;
}

/// A call announced to one node, and the path of its stream as another one tells it.
async fn announced_to_both(first: &Gateway, second: &Gateway, sid: &str) -> String {
    let one = first.post("/exotel/voicebot", &incoming(sid)).await;
    let again = second.post("/exotel/voicebot", &incoming(sid)).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let [one, again] = [one, again].map(|answer| path(answer.json()["url"].as_str().unwrap()));
    assert_eq!(one, again);
    assert_eq!(first.running.store().recent_calls(10).await.unwrap().len(), 1);
    again
}

fn sessions(gateway: &Gateway) -> usize {
    gateway.model.sessions().len()
}

#[actix_web::test]
async fn a_call_start_repeated_on_another_node_starts_no_second_session() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = sid();
    let path = announced_to_both(&first, &second, &sid).await;
    for _ in 0..3 {
        let answer = second.post("/exotel/call-start", &incoming(&sid)).await;
        assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    }
    eventually("the node that was told first has a session", || async { sessions(&first) == 1 }).await;
    assert_eq!((second.running.switchboard().live(), sessions(&second)), (0, 0));
    // And its stream goes where it is awaited.
    let mut socket = open(&first, &path, None).await.expect("the stream");
    start(&mut socket, &sid).await;
    let begun = || async { stored(&first, &sid).await.times.media_at.is_some() };
    eventually("the stream is on record", begun).await;
    assert_eq!(open(&second, &path, None).await.unwrap_err(), (401, "token_used".to_owned()));
    assert_eq!((sessions(&first), sessions(&second)), (1, 0));
    drop(socket);
    first.stop().await;
    second.stop().await;
}

async fn is_live(gateway: &Gateway, sid: &str) {
    let call = CallSid::new(sid);
    let live = || async { gateway.running.switchboard().phase(&call) == Some(actors::Phase::Live) };
    eventually("the call is live", live).await;
}

#[actix_web::test]
async fn a_stream_that_comes_to_the_other_node_is_a_call_like_any() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = sid();
    let call = CallSid::new(&sid);
    let path = announced_to_both(&first, &second, &sid).await;
    let mut socket = open(&second, &path, None).await.expect("the stream");
    let mut late = open(&second, &path, None).await.expect("nothing started yet");
    assert_eq!((second.running.switchboard().live(), sessions(&second)), (0, 0));
    start(&mut socket, &sid).await;
    is_live(&second, &sid).await;
    eventually("an audit entry", || async { second.audited("media.start", "ok").await.len() == 1 }).await;
    // The greeting is heard there.
    let heard = async {
        while let Some(message) = socket.next().await {
            if message.unwrap().to_text().unwrap().contains("\"event\":\"media\"") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap());
    assert_eq!(sessions(&second), 1);
    // The first start used the token up, on whichever node.
    start(&mut late, &sid).await;
    assert!(is_closed(&mut late).await);
    assert_eq!(open(&second, &path, None).await.unwrap_err(), (401, "token_used".to_owned()));

    // The first node's wait in vain says nothing of a call that is on the air.
    first.running.switchboard().end(&call, Ended::NoMedia);
    eventually("it waits no more", || async { first.running.switchboard().phase(&call).is_none() }).await;
    assert!(first.running.recorder().flush().await);
    assert_eq!(stored(&first, &sid).await.status, "in-progress");
    drop(socket);
    assert!(second.running.switchboard().drained(PATIENCE).await);
    assert!(second.running.recorder().flush().await);
    let call = stored(&first, &sid).await;
    assert_eq!((call.status.as_str(), call.ended_by), ("completed", Some(EndedBy::Gateway)));
    assert!(call.times.media_at.is_some() && call.figures.first_audio_ms.is_some(), "{call:?}");
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_call_announced_before_a_restart_gets_its_stream_after_it() {
    let first = Gateway::start().await;
    let sid = sid();
    let answer = first.get("/exotel/voicebot", &incoming(&sid)).await.json();
    // As if it had died: what it knew of the call is not there.
    let second = first.beside().await;
    let mut socket = open(&second, &path(answer["url"].as_str().unwrap()), None).await.expect("the stream");
    start(&mut socket, &sid).await;
    is_live(&second, &sid).await;
    drop(socket);
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_call_that_was_let_in_is_not_refused_by_another_node_for_its_callers_other_calls() {
    let one = Gateway::start().await;
    let other = one.beside().await;
    let changes = ClientChanges { caller_calls_per_minute: Some(Some(1)), ..ClientChanges::default() };
    one.running.store().change_client(one.tenant.id, changes).await.unwrap();
    let (first, second, third) = (sid(), sid(), sid());
    assert_eq!(one.post("/exotel/voicebot", &incoming(&first)).await.status, 200);
    assert_eq!(other.post("/exotel/voicebot", &incoming(&second)).await.status, 200);
    other.post("/exotel/voicebot", &incoming(&third)).await.refused(429, "rate_limited");
    let again = other.post("/exotel/voicebot", &incoming(&first)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, Some("true")), "{again:?}");
    one.stop().await;
    other.stop().await;
}
