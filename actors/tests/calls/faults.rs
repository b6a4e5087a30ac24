//! Let it crash, and the call goes on.

use std::io::Write;
use std::time::{Duration, Instant};

use actors::{Fault, Limits, Step};
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::CallSid;
use serde_json::json;

use crate::carrier::Carrier;
use crate::eventually;
use crate::gateway::{Gateway, count};
use crate::model::Model;

const SECOND_CONNECTION: usize = 1;

fn dials(facts: &[Fact]) -> usize {
    count(facts, |fact| matches!(fact, Fact::ModelDialled { .. }))
}

/// A live call whose greeting is playing.
async fn live(model: &Model, gateway: &Gateway, elsewhere: bool) -> Carrier {
    if elsewhere {
        gateway.admit_elsewhere("c1");
        gateway.until("c1", "the session", |facts| facts.iter().any(|f| matches!(f, Fact::ModelReady { .. }))).await;
    } else {
        gateway.admit_here("c1").await;
    }
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    carrier.talk(10).await;
    model.until("the caller's audio", |all| !all[0].audio.is_empty()).await;
    carrier
}

/// After a fault: the same socket, a new connection, audio both ways, within 2 s.
async fn goes_on(model: &Model, gateway: &Gateway, carrier: &mut Carrier, fault: Fault) {
    // As in the service: to read a debug build's symbols for a backtrace would hold the call's thread for seconds.
    std::panic::set_hook(Box::new(|info| drop(writeln!(std::io::stderr(), "{info}"))));
    let since = Instant::now();
    assert!(gateway.faults.inject(&CallSid::new("c1"), fault));
    gateway.until("c1", "another dial", |facts| dials(facts) == 2).await;
    // The caller talks on all the while.
    while model.heard().get(SECOND_CONNECTION).is_none_or(|heard| heard.audio.is_empty()) {
        carrier.talk(1).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(since.elapsed() < Duration::from_secs(2), "the caller waits too long");
    }
    model.until("the old connection to end", |all| all[0].closed).await;
    model.say(json!({"type":"response.created","response":{"id":"late","status":"in_progress"}}));
    carrier.send(json!({"event":"dtmf","stream_sid":"s1","dtmf":{"digit":"5"}})).await;
    gateway.until("c1", "the key", |facts| facts.contains(&Fact::Dtmf { digit: '5' })).await;
    carrier.send(json!({"event":"stop","stream_sid":"s1","stop":{"reason":"callended"}})).await;
    assert_eq!(gateway.ended("c1").await, Ended::CallerHungUp { reason: Some("callended".to_owned()) });
    assert_eq!(carrier.closed().await.0, 1000);
    let facts = gateway.facts("c1");
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::MediaStarted { .. })), 1, "the start is not told twice");
    assert_eq!(gateway.board.live(), 0);
}

#[actix_web::test]
async fn a_panic_of_the_calls_actor_leaves_the_call_alive() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    goes_on(&model, &gateway, &mut carrier, Fault::PanicCall).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_panic_after_the_call_has_moved_leaves_it_alive() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, true).await;
    goes_on(&model, &gateway, &mut carrier, Fault::PanicCall).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stop_of_the_calls_actor_leaves_the_call_alive() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    goes_on(&model, &gateway, &mut carrier, Fault::StopCall).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_panic_of_the_models_leg_leaves_the_call_alive() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    goes_on(&model, &gateway, &mut carrier, Fault::PanicModel).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stop_of_the_models_leg_leaves_the_call_alive() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    goes_on(&model, &gateway, &mut carrier, Fault::StopModel).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_model_that_drops_the_connection_is_dialled_again() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    model.drop_connections();
    gateway.until("c1", "another session", |f| count(f, |f| matches!(f, Fact::ModelReady { .. })) == 2).await;
    carrier.talk(10).await;
    model.until("audio on it", |all| !all[SECOND_CONNECTION].audio.is_empty()).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn faults_without_end_are_given_up_and_the_flow_goes_on() {
    let model = Model::start(101).await;
    // However long a busy machine takes for four of them.
    let limits = Limits { restart_window: Duration::from_secs(3_600), ..crate::gateway::limits() };
    let gateway = Gateway::start_with(&model, limits.clone(), None).await;
    let mut carrier = live(&model, &gateway, false).await;
    let call = CallSid::new("c1");
    for fault in 0..=limits.restarts as usize {
        eventually("an actor to fail", || gateway.faults.inject(&call, Fault::PanicCall)).await;
        eventually("it to be told", || gateway.supervised("CallActor").len() == fault + 2).await;
    }
    let ended = gateway.ended("c1").await;
    assert!(matches!(&ended, Ended::GaveUp { cause } if cause.contains("a fault was injected")), "{ended:?}");
    assert_eq!(carrier.closed().await.0, 1000);
    assert_eq!(gateway.board.live(), 0);
    model.until("every connection to end", |all| all.iter().all(|heard| heard.closed)).await;
    let told = gateway.supervised("CallActor");
    let restarts = vec![Step::Restart; crate::gateway::limits().restarts as usize];
    assert_eq!(told, [vec![Step::Start], restarts, vec![Step::GiveUp]].concat());
    assert!(gateway.supervised("ModelLeg").contains(&Step::Stop));
    gateway.stop().await;
}

#[actix_web::test]
async fn what_a_caller_says_last_while_the_call_starts_again_is_heard() {
    let model = Model::start(101).await;
    // The pause before a restart doubles: after a few it is long enough to hang up in.
    let gateway = Gateway::start_with(&model, Limits { restarts: 100, ..crate::gateway::limits() }, None).await;
    for (n, reason) in [Some("callended"), None].into_iter().enumerate() {
        let name = format!("h{n}");
        let call = CallSid::new(&name);
        gateway.admit_here(&name).await;
        let mut carrier = Carrier::start(gateway.address, &name).await;
        carrier.agent_audio().await;
        for _ in 0..6 {
            let restarts = |gateway: &Gateway| {
                gateway.supervised("CallActor").iter().filter(|step| **step == Step::Restart).count()
            };
            let before = restarts(&gateway);
            eventually("an actor to fail", || gateway.faults.inject(&call, Fault::StopCall)).await;
            eventually("it to be told", || restarts(&gateway) > before).await;
        }
        if let Some(reason) = reason {
            carrier.send(json!({"event":"stop","stream_sid":"s1","stop":{"reason":reason}})).await;
        }
        carrier.socket.close(None).await.unwrap();
        let ended = Ended::CallerHungUp { reason: reason.map(str::to_owned) };
        assert_eq!(gateway.ended(&name).await, ended);
        eventually("the place to be free", || gateway.board.live() == 0).await;
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn faults_on_the_way_between_arbiters_lose_no_call() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    for n in 0..20 {
        let name = format!("m{n}");
        let call = CallSid::new(&name);
        gateway.admit_elsewhere(&name);
        if n % 2 == 0 {
            gateway.until(&name, "the session", |f| f.iter().any(|f| matches!(f, Fact::ModelReady { .. }))).await;
        }
        let mut carrier = Carrier::connect(gateway.address, &name).await;
        let fault = [Fault::PanicCall, Fault::StopCall, Fault::PanicModel, Fault::StopModel][n % 4];
        if n % 3 == 0 {
            gateway.faults.inject(&call, fault);
        }
        carrier.send_start("8000").await;
        gateway.faults.inject(&call, fault);
        gateway.until(&name, "the stream", |f| f.iter().any(|f| matches!(f, Fact::MediaStarted { .. }))).await;
        carrier.agent_audio().await;
        assert!(gateway.board.end(&call, Ended::Operator));
        assert_eq!(gateway.ended(&name).await, Ended::Operator);
        assert_eq!(carrier.closed().await.0, 1000);
    }
    assert_eq!(gateway.board.live(), 0);
    model.until("every connection to end", |all| all.iter().all(|heard| heard.closed)).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_model_that_will_not_have_us_lets_the_flow_go_on() {
    let model = Model::start(401).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_elsewhere("c1");
    let ended = gateway.ended("c1").await;
    assert!(matches!(&ended, Ended::ModelFailed { cause } if cause.contains("401")), "{ended:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn an_applications_refusal_by_close_code_is_final() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&model, &gateway, false).await;
    model.close_connections(4000);
    let ended = gateway.ended("c1").await;
    assert!(matches!(&ended, Ended::ModelFailed { cause } if cause.contains("told so")), "{ended:?}");
    assert_eq!(carrier.closed().await.0, 1000);
    gateway.stop().await;
}
