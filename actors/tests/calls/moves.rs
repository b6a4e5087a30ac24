//! From admission to media, on one arbiter and across two; and how calls end.

use actors::{Admitted, Phase, Refusal};
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::CallSid;
use serde_json::json;
use std::time::Duration;

use crate::carrier::{Carrier, frame};
use crate::gateway::{Gateway, admission, count, limits};
use crate::model::Model;
use crate::{eventually, soon};

/// The caller's frames at 24 kHz, less what a filter may hold back.
fn all_arrived(audio: usize, frames: usize) -> bool {
    audio >= frames * frame().len() * 3 - 2 * 480
}

async fn converses(gateway: &Gateway, model: &Model, call: &str) {
    let mut carrier = Carrier::start(gateway.address, call).await;
    assert_eq!(carrier.agent_audio().await.len() % 320, 0);
    carrier.talk(100).await;
    let heard = model.until("the caller's audio", |all| all_arrived(all[0].audio.len(), 100)).await;
    assert_eq!(heard.len(), 1, "one connection a call");
    assert!(heard[0].audio.iter().any(|byte| *byte != 0));
    carrier.until("the greeting's last mark", |event| event["event"] == "mark").await;
    carrier.send(json!({"event":"stop","stream_sid":"s1","stop":{"reason":"callended"}})).await;
    assert_eq!(gateway.ended(call).await, Ended::CallerHungUp { reason: Some("callended".to_owned()) });
    assert_eq!(carrier.closed().await.0, 1000);
    model.until("the connection to end", |all| all[0].closed).await;
    assert_eq!(gateway.board.live(), 0);
}

#[actix_web::test]
async fn a_call_admitted_on_its_sockets_arbiter_converses() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    converses(&gateway, &model, "c1").await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_admitted_on_another_arbiter_moves_and_keeps_its_connection() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_elsewhere("c1");
    // The greeting is being generated over there while the socket opens here.
    gateway.until("c1", "the session", |facts| facts.iter().any(|f| matches!(f, Fact::ModelReady { .. }))).await;
    converses(&gateway, &model, "c1").await;
    assert_eq!(count(&gateway.facts("c1"), |f| matches!(f, Fact::ModelDialled { .. })), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_moves_in_the_middle_of_a_dial() {
    let model = Model::start(101).await;
    model.shut();
    let gateway = Gateway::start(&model).await;
    gateway.admit_elsewhere("c1");
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.talk(10).await;
    gateway.until("c1", "the stream", |facts| facts.iter().any(|f| matches!(f, Fact::MediaStarted { .. }))).await;
    model.open();
    carrier.agent_audio().await;
    model.until("the held audio", |all| all_arrived(all[0].audio.len(), 10)).await;
    assert_eq!(count(&gateway.facts("c1"), |f| matches!(f, Fact::ModelDialled { .. })), 1);
    drop(carrier);
    assert_eq!(gateway.ended("c1").await, Ended::CallerHungUp { reason: None });
    gateway.stop().await;
}

#[actix_web::test]
async fn the_server_learns_who_calls_and_which_model() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_elsewhere("c1");
    let heard = model.until("the configuration", |all| all.iter().any(|heard| !heard.events.is_empty())).await;
    assert_eq!(heard[0].authorization.as_deref(), Some("Bearer key"));
    assert_eq!(heard[0].query, "model=gpt-realtime-2.1");
    assert_eq!(heard[0].events[0]["type"], "session.update");
    gateway.stop().await;
}

#[actix_web::test]
async fn limits_hold_exactly_and_places_come_back() {
    let model = Model::start(101).await;
    let gateway = Gateway::start_with(&model, actors::Limits { max_calls: 2, ..limits() }, None).await;
    let board = &gateway.board;
    let single = |call: &str| actors::Admission { max_concurrent: Some(1), ..admission(call) };
    assert_eq!(board.admit(single("c1")), Ok(Admitted { replayed: false }));
    assert_eq!(board.admit(single("c1")), Ok(Admitted { replayed: true }));
    assert_eq!(board.admit(single("c2")), Err(Refusal::ClientFull));
    assert_eq!(board.admit(admission("c2")), Ok(Admitted { replayed: false }));
    assert_eq!(board.admit(admission("c3")), Err(Refusal::Full));
    assert_eq!((board.live(), board.phase(&CallSid::new("c1"))), (2, Some(Phase::Waiting)));
    assert!(board.end(&CallSid::new("c1"), Ended::Operator));
    assert_eq!(gateway.ended("c1").await, Ended::Operator);
    eventually("the place", || board.live() == 1).await;
    assert!(!board.end(&CallSid::new("c1"), Ended::Operator));
    assert_eq!(board.admit(admission("c3")), Ok(Admitted { replayed: false }));
    gateway.stop().await;
}

#[actix_web::test]
async fn draining_refuses_the_new_and_waits_for_the_old() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_elsewhere("c1");
    gateway.board.drain();
    assert!(gateway.board.is_draining());
    assert_eq!(gateway.board.admit(admission("c2")), Err(Refusal::Draining));
    assert!(!gateway.board.drained(Duration::ZERO).await);
    let (gone, ended) = soon(
        "the drain",
        futures_util::future::join(gateway.board.drained(crate::PATIENCE), async {
            gateway.board.end_all(&Ended::Shutdown)
        }),
    )
    .await;
    assert!(gone && ended == 1);
    assert_eq!(gateway.ended("c1").await, Ended::Shutdown);
    gateway.stop().await;
}
