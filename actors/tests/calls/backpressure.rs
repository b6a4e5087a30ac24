//! A carrier that takes less than it is sent: what was not handed to its socket was not heard.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use actors::Admission;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::policy::Policy;
use serde_json::{Value, json};

use crate::carrier::Carrier;
use crate::gateway::{Gateway, admission, limits};
use crate::model::Model;

/// Bytes in a ms at 24 kHz.
const MODEL_MS: usize = 48;
/// One step of [`stairs`].
const STEP_MS: usize = 250;

/// Many small messages far ahead of real time: more than the leg's mailbox takes at once.
fn eager(call: &str, media_silence: Duration) -> Admission {
    let mut admission = admission(call);
    admission.policy =
        Arc::new(Policy { chunk_ms: 20, lead: Duration::from_secs(5), media_silence, ..(*admission.policy).clone() });
    admission
}

/// Audio that grows louder every quarter of a second, at 24 kHz: what is missing or out of its place shows.
fn stairs(ms: usize) -> Vec<u8> {
    let level = |sample: usize| 1_000 * (1 + sample / (STEP_MS * MODEL_MS / 2)) as i16;
    (0..ms * MODEL_MS / 2).flat_map(|sample| level(sample).to_le_bytes()).collect()
}

/// The model answers with this audio, all of it in one delta.
fn answer(model: &Model, name: &str, pcm: &[u8]) {
    let content = |mut event: Value| {
        event["response_id"] = json!(format!("resp_{name}"));
        event["item_id"] = json!(format!("item_{name}"));
        (event["output_index"], event["content_index"]) = (json!(0), json!(0));
        event
    };
    let response = |status| json!({"id":format!("resp_{name}"),"status":status,"output":[]});
    model.say(json!({"type":"response.created","response":response("in_progress")}));
    model.say(content(json!({"type":"response.output_audio.delta","delta":STANDARD.encode(pcm)})));
    model.say(content(json!({"type":"response.output_audio.done"})));
    model.say(json!({"type":"response.done","response":response("completed")}));
}

/// The last that was told of how far an item was heard, ms.
fn heard_ms(facts: &[Fact], of: &str) -> u64 {
    let heard = facts.iter().rev().find_map(|fact| match fact {
        Fact::Heard { item, heard_ms, .. } if item.as_str() == of => Some(*heard_ms),
        _ => None,
    });
    heard.unwrap_or(0)
}

/// The levels of the stairs in what the carrier got (8 kHz), and the ms of each.
fn levels(audio: &[u8]) -> Vec<(i16, usize)> {
    let samples = audio.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]]));
    let mut levels: Vec<(i16, usize)> = Vec::new();
    for level in samples.map(|sample| (sample + 500) / 1_000).filter(|level| *level > 0) {
        match levels.last_mut().filter(|(last, _)| *last == level) {
            Some((_, count)) => *count += 1,
            None => levels.push((level, 1)),
        }
    }
    levels.into_iter().map(|(level, count)| (level, count / 8)).collect()
}

#[actix_web::test]
async fn what_finds_no_room_on_its_way_to_the_carrier_is_heard_later_and_whole() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    gateway.board.admit(eager("c1", Duration::from_secs(60))).unwrap();
    let mut carrier = Carrier::start(gateway.address, "c1").await;
    let greeted = |facts: &[Fact]| heard_ms(facts, "item_c0r1") == 1_000;
    let greeting = carrier.until("the greeting to be heard", |_| greeted(&gateway.facts("c1")));
    tokio::select! {
        _ = greeting => {}
        _ = gateway.until("c1", "the greeting to be heard", greeted) => {}
    }
    // Four seconds in messages of 20 ms: three times what the leg's mailbox takes.
    answer(&model, "long", &stairs(4_000));
    let audio = RefCell::new(Vec::new());
    let reading = carrier.until("all of it to be heard", |event| {
        if event["event"] == "media" {
            audio.borrow_mut().extend(STANDARD.decode(event["media"]["payload"].as_str().unwrap()).unwrap());
            // Whose mark comes back stands for all that was sent before it.
            if audio.borrow().len() == 8 * 2 * 20 {
                answer(&model, "short", &stairs(100));
            }
        }
        false
    });
    let heard = |facts: &[Fact]| heard_ms(facts, "item_long") == 4_000 && heard_ms(facts, "item_short") == 100;
    tokio::select! {
        _ = reading => {}
        _ = gateway.until("c1", "all of it to be heard", heard) => {}
    }
    let got = levels(&audio.borrow());
    let steps: Vec<i16> = got.iter().filter(|(_, ms)| *ms > 20).map(|(level, _)| *level).collect();
    assert_eq!(steps, [(1..=16).collect(), vec![1]].concat(), "what is said to be heard came, in its order: {got:?}");
    assert!(got.iter().filter(|(_, ms)| *ms > 120).all(|(_, ms)| ms.abs_diff(STEP_MS) <= 10), "{got:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_carrier_that_reads_again_after_a_while_is_played_on_from_where_it_stopped() {
    let model = Model::start(101).await;
    let gateway = Gateway::start_narrow(&model, limits()).await;
    gateway.board.admit(eager("c1", Duration::from_secs(60))).unwrap();
    let mut carrier = Carrier::connect_narrow(gateway.address, "c1").await;
    carrier.send_start("8000").await;
    let spoke = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact, Fact::FirstAudio { .. }));
    gateway.until("c1", "the greeting", spoke).await;
    // More than the socket, the connection's buffer and the leg's mailbox hold together, and all of it is there before any is read.
    answer(&model, "long", &stairs(4_000));
    let generated = |facts: &[Fact]| facts.iter().filter(|fact| matches!(fact, Fact::Usage(_))).count() == 2;
    assert_eq!(heard_ms(&gateway.until("c1", "the answer", generated).await, "item_long"), 0);
    let audio = RefCell::new(Vec::new());
    let reading = carrier.until("all of it to be heard", |event| {
        if event["event"] == "media" {
            audio.borrow_mut().extend(STANDARD.decode(event["media"]["payload"].as_str().unwrap()).unwrap());
        }
        false
    });
    tokio::select! {
        _ = reading => {}
        _ = gateway.until("c1", "all of it to be heard", |facts| heard_ms(facts, "item_long") == 4_000) => {}
    }
    // After a second of greeting.
    let got = levels(&audio.borrow()[16_000..]);
    let steps: Vec<i16> = got.iter().filter(|(_, ms)| *ms > 20).map(|(level, _)| *level).collect();
    assert_eq!(steps, (1..=16).collect::<Vec<_>>(), "nothing is missing, nothing is out of its place: {got:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_carrier_that_reads_nothing_has_heard_nothing() {
    let model = Model::start(101).await;
    let gateway = Gateway::start_narrow(&model, limits()).await;
    gateway.board.admit(eager("c1", Duration::from_secs(5))).unwrap();
    let mut carrier = Carrier::connect_narrow(gateway.address, "c1").await;
    carrier.send_start("24000").await;
    carrier.talk(20).await;
    let spoke = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact, Fact::FirstAudio { .. }));
    gateway.until("c1", "the greeting", spoke).await;
    answer(&model, "long", &stairs(8_000));
    assert_eq!(gateway.ended("c1").await, Ended::MediaSilent, "what it sends is not read either");
    let facts = gateway.facts("c1");
    assert_eq!((heard_ms(&facts, "item_c0r1"), heard_ms(&facts, "item_long")), (0, 0), "{facts:?}");
    let turns: Vec<_> = facts.iter().filter_map(|f| if let Fact::Turn(turn) = f { Some(turn) } else { None }).collect();
    assert!(turns.iter().all(|turn| turn.text.is_empty() && turn.heard_ms == 0), "{turns:?}");
    gateway.stop().await;
}
