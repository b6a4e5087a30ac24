//! Peers that send more than anybody can use: it costs their own call, and nobody else's.

use futures_util::SinkExt;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::carrier::Carrier;
use crate::gateway::{Gateway, admission, count, limits};
use crate::model::Model;

/// What a call says was dropped.
fn dropped(facts: &[Fact]) -> u64 {
    let of = |fact: &Fact| match fact {
        Fact::Counted { what: "events_dropped", count } => Some(*count),
        _ => None,
    };
    facts.iter().filter_map(of).sum()
}

/// Sends the same event many times, as fast as it goes.
async fn flood(carrier: &mut Carrier, text: &str, times: usize) {
    for _ in 0..times {
        carrier.socket.feed(Message::Text(text.to_owned().into())).await.unwrap();
    }
    carrier.socket.flush().await.unwrap();
}

async fn hang_up(carrier: &mut Carrier) {
    carrier.send(json!({"event":"stop","stop":{"call_sid":"c1","account_sid":"a","reason":"callended"}})).await;
}

#[actix_web::test]
async fn keys_without_end_reach_the_model_as_a_few_and_the_rest_is_one_entry() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    flood(&mut carrier, r#"{"event":"dtmf","stream_sid":"s1","dtmf":{"digit":"1"}}"#, 2_500).await;
    hang_up(&mut carrier).await;
    let why = gateway.ended("c1").await;
    assert_eq!(why, Ended::CallerHungUp { reason: Some("callended".to_owned()) }, "the end got through");
    let facts = gateway.facts("c1");
    let pressed = count(&facts, |fact| matches!(fact, Fact::Dtmf { .. }));
    assert!((20..200).contains(&pressed), "{pressed} keys");
    assert_eq!(pressed as u64 + dropped(&facts), 2_500);
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Counted { what: "events_dropped", .. })), 1);
    let told = |heard: &[crate::model::Heard]| -> usize {
        let pressed = |event: &&Value| event.to_string().contains("on the keypad");
        heard.iter().map(|heard| heard.events.iter().filter(pressed).count()).sum()
    };
    assert!(told(&model.heard()) <= pressed);
    gateway.stop().await;
}

#[actix_web::test]
async fn events_of_every_other_kind_have_a_budget_too() {
    let floods = [
        r#"{"event":"mark","stream_sid":"s1","mark":{"name":"mine"}}"#,
        r#"{"event":"sparkle","stream_sid":"s1"}"#,
        r#"{"event":"connected"}"#,
        r#"{"event":"clear","stream_sid":"s1"}"#,
        r#"{"event":"start","stream_sid":"s1","start":{"stream_sid":"s1","call_sid":"c1","account_sid":"a",
            "from":"09900000001","to":"08000000001","media_format":{"encoding":"base64","sample_rate":"8000"}}}"#,
        "no event at all",
    ];
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    for (n, text) in floods.iter().enumerate() {
        let call = format!("c{n}");
        gateway.admit_here(&call).await;
        let mut carrier = Carrier::start(gateway.address, &call).await;
        carrier.agent_audio().await;
        flood(&mut carrier, text, 1_000).await;
        hang_up(&mut carrier).await;
        assert_eq!(gateway.ended(&call).await, Ended::CallerHungUp { reason: Some("callended".to_owned()) }, "{text}");
        let dropped = dropped(&gateway.facts(&call));
        assert!((800..=980).contains(&dropped), "{text}: {dropped} of 1,000");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_key_is_heard_beside_events_that_nobody_documented() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    flood(&mut carrier, r#"{"event":"sparkle","stream_sid":"s1"}"#, 500).await;
    carrier.send(json!({"event":"dtmf","stream_sid":"s1","dtmf":{"digit":"7"}})).await;
    gateway.until("c1", "the key", |facts| facts.contains(&Fact::Dtmf { digit: '7' })).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn frames_of_one_byte_without_end_cost_another_call_of_the_same_worker_nothing() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    for call in ["rude", "c1"] {
        gateway.admit_here(call).await;
    }
    let mut rude = Carrier::start(gateway.address, "rude").await;
    rude.agent_audio().await;
    let tiny = r#"{"event":"media","stream_sid":"s1","media":{"payload":"AA=="}}"#;
    let flooding = actix_web::rt::spawn(async move {
        // Until its socket is closed: it is slowed down meanwhile.
        while rude.socket.send(Message::Text(tiny.into())).await.is_ok() {}
    });
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    for digit in "123456".chars() {
        carrier.talk(10).await;
        carrier.send(json!({"event":"dtmf","stream_sid":"s1","dtmf":{"digit":digit.to_string()}})).await;
        gateway.until("c1", "the key", |facts| facts.contains(&Fact::Dtmf { digit })).await;
    }
    hang_up(&mut carrier).await;
    gateway.ended("c1").await;
    assert_eq!(dropped(&gateway.facts("c1")), 0);
    assert!(gateway.board.end(&protocol::ids::CallSid::new("rude"), Ended::Operator), "it is served all the same");
    gateway.ended("rude").await;
    flooding.abort();
    gateway.stop().await;
}

#[actix_web::test]
async fn a_model_that_floods_its_call_is_dialled_again_and_unknown_events_are_counted_only() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    for _ in 0..60 {
        model.say(json!({"type":"sparkle.delta"}));
    }
    model.say(json!({"type":"flood","times":5_000}));
    let lost = |fact: &Fact| matches!(fact, Fact::ModelLost { cause, .. } if cause.contains("more events"));
    gateway.until("c1", "the flood to be noticed", |facts| facts.iter().any(lost)).await;
    let redialled = |facts: &[Fact]| count(facts, |fact| matches!(fact, Fact::ModelReady { .. })) == 2;
    gateway.until("c1", "another session", redialled).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn calls_whose_streams_never_come_give_way_to_a_caller_who_is_heard() {
    let model = Model::start(101).await;
    let few = actors::Limits { max_calls: 8, gives_way_after: std::time::Duration::from_millis(100), ..limits() };
    let gateway = Gateway::start_with(&model, few, None).await;
    for n in 0..8 {
        let mut rude = admission(&format!("rude{n}"));
        rude.client = "rude".to_owned();
        gateway.board.admit(rude).unwrap();
    }
    let mut carriers = Vec::new();
    for honest in ["c1", "c2", "c3"] {
        let admitted = || gateway.board.admit(admission(honest)).is_ok();
        crate::eventually("a place for an honest caller", admitted).await;
        let mut carrier = Carrier::start(gateway.address, honest).await;
        carrier.agent_audio().await;
        carrier.send(json!({"event":"dtmf","stream_sid":"s1","dtmf":{"digit":"5"}})).await;
        gateway.until(honest, "to be heard", |facts| facts.contains(&Fact::Dtmf { digit: '5' })).await;
        carriers.push(carrier);
    }
    for n in 0..3 {
        assert_eq!(gateway.ended(&format!("rude{n}")).await, Ended::NoMedia, "the longest waiting first");
    }
    assert_eq!(gateway.board.live(), 8);
    // Whoever comes too late for its place is told so.
    assert!(Carrier::try_connect(gateway.address, "/media/rude0", "rude0").await.is_err());
    gateway.stop().await;
}
