//! What runs for a call outlives its actors.

use std::fmt;
use std::sync::{Arc, Mutex};

use actors::{EffectAnswer, Effects, Fault};
use protocol::call::fact::Fact;
use protocol::call::io::{Effect, EffectId};
use protocol::ids::CallSid;
use serde_json::{Value, json};

use crate::carrier::Carrier;
use crate::eventually;
use crate::gateway::{Gateway, count};
use crate::model::{Heard, Model};

/// Keeps what is to be done until a test says what came of it.
#[derive(Default)]
struct PendingEffects(Mutex<Vec<(EffectId, Effect, EffectAnswer)>>);

impl fmt::Debug for PendingEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingEffects").finish_non_exhaustive()
    }
}

impl Effects for PendingEffects {
    fn run(&self, _: &CallSid, id: EffectId, effect: Effect, answer: EffectAnswer) {
        self.0.lock().unwrap().push((id, effect, answer));
    }
}

impl PendingEffects {
    fn asked(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn answer(&self, result: &str) {
        let (.., answer) = self.0.lock().unwrap().remove(0);
        assert!(answer.give(Ok(result.to_owned().into())), "the call is here");
    }
}

/// A response in which the model calls a function.
fn call(model: &Model, call_id: &str) {
    let item = json!({ "id": format!("item_{call_id}"), "type": "function_call", "status": "completed",
        "call_id": call_id, "name": "look_up", "arguments": "{}" });
    let response = format!("resp_{call_id}");
    model.say(json!({"type":"response.created","response":{"id":response,"status":"in_progress"}}));
    model.say(json!({"type":"response.output_item.done","response_id":response,"output_index":0,"item":item}));
    model.say(json!({"type":"response.done","response":{"id":response,"status":"completed","output":[]}}));
}

fn told(heard: &Heard, output: &str) -> bool {
    heard.events.iter().any(|event: &Value| event["item"]["output"] == output)
}

/// A session that did not call the function is told what it came to in words.
fn told_in_words(heard: &Heard, output: &str) -> bool {
    let words = format!("Result of look_up, which was called earlier: {output}");
    heard.events.iter().any(|event: &Value| event["item"]["content"][0]["text"] == words.as_str())
}

#[actix_web::test]
async fn a_function_that_returns_after_a_panic_and_a_move_is_told_to_whoever_has_the_call() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let pending = Arc::new(PendingEffects::default());
    gateway.hands.set(pending.clone()).unwrap();
    gateway.admit_elsewhere("c1");
    gateway.until("c1", "the session", |facts| facts.iter().any(|f| matches!(f, Fact::ModelReady { .. }))).await;
    call(&model, "f1");
    eventually("the function to be run", || pending.asked() == 1).await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    assert!(gateway.faults.inject(&CallSid::new("c1"), Fault::PanicCall));
    let ready = |facts: &[Fact]| count(facts, |fact| matches!(fact, Fact::ModelReady { .. })) == 2;
    gateway.until("c1", "another session", ready).await;
    pending.answer("on Monday");
    model.until("the result", |all| told_in_words(&all[1], "on Monday")).await;
    let facts = gateway.facts("c1");
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::ToolReturned { .. })), 1);
    assert_eq!(pending.asked(), 0, "it is not run again");
    gateway.stop().await;
}

#[actix_web::test]
async fn where_nothing_can_be_run_the_model_is_told_so() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    call(&model, "f1");
    model.until("the result", |all| told(&all[0], r#"{"error":"this function is not available on this call"}"#)).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_function_that_returns_while_the_call_is_away_is_told_when_it_is_back() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let pending = Arc::new(PendingEffects::default());
    gateway.hands.set(pending.clone()).unwrap();
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    call(&model, "f1");
    eventually("the function to be run", || pending.asked() == 1).await;
    // Its socket breaks.
    drop(carrier);
    let call = CallSid::new("c1");
    eventually("the call to leave", || gateway.board.live() == 0 && gateway.board.may_return(&call)).await;
    pending.answer("on Monday");
    gateway.admit_here("c1").await;
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    carrier.agent_audio().await;
    model.until("the result", |all| told(&all[1], "on Monday")).await;
    assert_eq!(pending.asked(), 0, "it is not run again");
    gateway.stop().await;
}
