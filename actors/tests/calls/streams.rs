//! A call that comes back: its stream ended, and nobody said that the call did.

use actors::Phase;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::CallSid;
use serde_json::{Value, json};
use std::time::Duration;

use crate::carrier::Carrier;
use crate::eventually;
use crate::gateway::{Gateway, admission, count};
use crate::model::{Heard, Model};

/// Longer than a test takes.
const LIFE: Duration = Duration::from_secs(60);

fn stop(reason: &str) -> Value {
    json!({"event":"stop","stream_sid":"s1","stop":{"reason":reason}})
}

/// A live call of which something was heard both ways.
async fn conversing(model: &Model, gateway: &Gateway) -> Carrier {
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.until("the greeting's first mark", |event| event["event"] == "mark").await;
    let heard = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact, Fact::Heard { heard_ms: 1.., .. }));
    gateway.until("c1", "the greeting to be heard", heard).await;
    model.say(json!({"type":"input_audio_buffer.speech_started","item_id":"u1","audio_start_ms":0}));
    model.say(json!({"type":"input_audio_buffer.speech_stopped","item_id":"u1","audio_end_ms":500}));
    model.say(json!({"type":"conversation.item.input_audio_transcription.completed","item_id":"u1","content_index":0,
        "transcript":"When are you open?"}));
    gateway.until("c1", "the caller's words", |f| f.iter().any(|f| matches!(f, Fact::CallerText { .. }))).await;
    carrier
}

async fn leaves(gateway: &Gateway) {
    eventually("the call to leave", || gateway.board.phase(&CallSid::new("c1")).is_none()).await;
}

/// What a connection was told of the conversation.
fn told(heard: &Heard) -> String {
    let items = heard.events.iter().filter(|event| event["type"] == "conversation.item.create");
    items.map(ToString::to_string).collect()
}

fn starts(facts: &[Fact]) -> usize {
    count(facts, |fact| matches!(fact, Fact::MediaStarted { .. }))
}

fn rate(fact: &Fact) -> Option<u32> {
    if let Fact::MediaStarted { rate, .. } = fact { Some(rate.hz()) } else { None }
}

/// The call's second stream carries audio both ways, and its session knows what was said in the first.
async fn goes_on(model: &Model, gateway: &Gateway, carrier: &mut Carrier) {
    model.until("a session of its own", |all| all.get(1).is_some_and(|heard| !heard.events.is_empty())).await;
    carrier.agent_audio().await;
    carrier.talk(20).await;
    let heard = model.until("the caller's audio", |all| !all[1].audio.is_empty()).await;
    assert!(told(&heard[1]).contains("When are you open?"), "{}", told(&heard[1]));
    assert!(told(&heard[1]).contains("back on the phone"));
    assert_eq!((starts(&gateway.facts("c1")), gateway.board.live()), (2, 1));
}

#[actix_web::test]
async fn a_call_whose_socket_broke_goes_on_when_it_comes_back() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let call = CallSid::new("c1");
    drop(conversing(&model, &gateway).await);
    leaves(&gateway).await;
    assert_eq!(gateway.board.live(), 0, "its place is given back");
    assert!(gateway.board.may_return(&call));
    gateway.admit_elsewhere("c1");
    assert!(!gateway.board.may_return(&call), "it has");
    let announced = gateway.board.announce(&call, LIFE).unwrap();
    assert_eq!((announced.stream, announced.conversed), (2, true));
    assert_eq!(gateway.board.announce(&call, LIFE), Some(announced), "asked again, it is the same");
    assert_eq!((gateway.board.awaits(&call, 1), gateway.board.awaits(&call, 2)), (Some(false), Some(true)));
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    goes_on(&model, &gateway, &mut carrier).await;
    // And a third time, at another rate, from a stop that speaks of the stream alone.
    carrier.send(stop("stopped")).await;
    assert_eq!(carrier.closed().await.0, 1000);
    leaves(&gateway).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::connect(gateway.address, "c1").await;
    carrier.send_start("16000").await;
    carrier.agent_audio().await;
    let rates: Vec<u32> = gateway.facts("c1").iter().filter_map(rate).collect();
    assert_eq!(rates, [8_000, 8_000, 16_000]);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_somebody_said_is_over_does_not_come_back() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let call = CallSid::new("c1");
    let mut carrier = conversing(&model, &gateway).await;
    carrier.send(stop("callended")).await;
    leaves(&gateway).await;
    assert!(!gateway.board.may_return(&call));

    // The report of the call's end comes after the stream broke, or while it does.
    drop(conversing(&model, &gateway).await);
    leaves(&gateway).await;
    assert!(gateway.board.may_return(&call));
    assert!(!gateway.board.end(&call, Ended::CallerHungUp { reason: Some("stopped".to_owned()) }), "not here");
    assert!(gateway.board.may_return(&call), "and only of the stream");
    gateway.board.end(&call, Ended::CallEnd { status: "completed".to_owned() });
    assert!(!gateway.board.may_return(&call));

    let carrier = conversing(&model, &gateway).await;
    drop(carrier);
    gateway.board.end(&call, Ended::CallEnd { status: "completed".to_owned() });
    leaves(&gateway).await;
    assert!(!gateway.board.may_return(&call));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_further_stream_that_the_carrier_asked_for_takes_the_call_of_a_socket_that_hangs() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let call = CallSid::new("c1");
    let mut hanging = conversing(&model, &gateway).await;
    let refused = Carrier::try_connect(gateway.address, "/media/c1", "c1").await;
    assert!(refused.is_err(), "nobody asked for a further stream");
    let announced = gateway.board.announce(&call, LIFE).unwrap();
    assert_eq!(announced.stream, 1, "the URL is the same");
    let mut late = Carrier::connect(gateway.address, "c1").await;
    let mut carrier = Carrier::connect(gateway.address, "c1").await;
    assert!(late.closed().await.1.contains("a newer media socket"), "the handshake's one retry");
    carrier.send_start("8000").await;
    assert_eq!(hanging.closed().await.0, 1000);
    goes_on(&model, &gateway, &mut carrier).await;
    assert_eq!(gateway.board.awaits(&call, 1), Some(false), "its URL is used up");
    assert_eq!(gateway.board.phase(&call), Some(Phase::Live));
    // Asked for when the first URL is too old to open anything, there is another.
    assert_eq!(gateway.board.announce(&call, Duration::ZERO).map(|announced| announced.stream), Some(3));
    assert_eq!(gateway.board.awaits(&call, 3), Some(true));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_second_start_by_the_account_is_the_stream_that_counts() {
    let model = Model::start(101).await;
    let gateway = Gateway::start_with(&model, crate::gateway::limits(), Some(admission("c1"))).await;
    let mut first = Carrier::try_connect(gateway.address, "/media", "c1").await.unwrap();
    first.send_start("8000").await;
    first.until("the greeting's first mark", |event| event["event"] == "mark").await;
    let mut second = Carrier::try_connect(gateway.address, "/media", "c1").await.unwrap();
    second.send_start("24000").await;
    assert_eq!(first.closed().await.0, 1000);
    second.agent_audio().await;
    assert_eq!((starts(&gateway.facts("c1")), gateway.board.live()), (2, 1));
    // After a stream that broke it is no other.
    drop(second);
    leaves(&gateway).await;
    let mut third = Carrier::try_connect(gateway.address, "/media", "c1").await.unwrap();
    third.send_start("8000").await;
    third.agent_audio().await;
    assert_eq!(starts(&gateway.facts("c1")), 3);
    gateway.stop().await;
}

#[actix_web::test]
async fn calls_that_may_come_back_are_no_more_than_may_be_live() {
    let model = Model::start(101).await;
    let limits = actors::Limits { max_calls: 3, ..crate::gateway::limits() };
    let gateway = Gateway::start_with(&model, limits, None).await;
    for n in 0..5 {
        let name = format!("m{n}");
        let call = CallSid::new(&name);
        gateway.admit_elsewhere(&name);
        assert!(gateway.board.end(&call, Ended::NoMedia));
        eventually("it to leave", || gateway.board.phase(&call).is_none()).await;
    }
    let kept = |n: usize| gateway.board.may_return(&CallSid::new(format!("m{n}")));
    assert_eq!([0, 1, 2, 3, 4].map(kept), [false, false, true, true, true]);
    gateway.board.forget_returns();
    assert!(!(0..5).any(kept));
    gateway.stop().await;
}
