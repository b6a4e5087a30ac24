//! How long callers waited, as the gateway says. `benches/latency.rs` measures how far that is from both simulators' own clocks.

use protocol::call::latency::{Awaited, Latency, Owner, Part};
use reqwest::Method;
use serde_json::Value;

use crate::clocks::{off, place, turns};
use crate::support::{Gateway, Setup};

#[actix_rt::test]
async fn each_part_of_an_answers_time_is_what_both_sides_clocks_say() {
    let gateway = Gateway::with(Setup::default()).await;
    let placed = place(&gateway, 1, 2).await;
    let record = gateway.record(&placed.report.call_sid).await;
    // How far apart they are is the bench's to say: machines are busy while tests run.
    let off = off(&placed, &record, &gateway.model);
    assert_eq!(off.len(), 12);
    assert!(off.iter().all(|(_, ms)| *ms < 250.0), "{off:?}");
    let greeting = record.turns[0].latency.as_deref().expect("the caller waited for the first word");
    assert_eq!((greeting.of, greeting.from_ms, greeting.heard), (Awaited::Greeting, 0, true));
    for turn in record.turns.iter().filter(|turn| turn.answer_ms.is_some()) {
        let latency = turn.latency.as_deref().expect("it has its parts");
        assert_eq!(Some(latency.sent_ms()), turn.answer_ms, "{latency:?}");
        assert!(latency.network_ms.is_some_and(|ms| ms < 250), "the way is measured: {latency:?}");
    }
    gateway.stop().await;
}

/// A call's answer from such a model.
async fn answer_of(faults: &'static [&'static str]) -> Latency {
    let gateway = Gateway::with(Setup { faults, ..Setup::default() }).await;
    let placed = place(&gateway, 1, 1).await;
    let record = gateway.record(&placed.report.call_sid).await;
    gateway.stop().await;
    turns(&record).pop().expect("an answer")
}

#[actix_rt::test]
async fn a_slow_model_and_a_slow_network_are_told_apart() {
    let (model, network) = tokio::join!(answer_of(&["slow-ms=2500"]), answer_of(&["network-ms=800"]));
    assert_eq!((model.is_slow(), model.largest()), (true, Some((Part::Generating, Owner::Model))), "{model:?}");
    assert_eq!(
        (network.is_slow(), network.largest()),
        (true, Some((Part::Endpointing, Owner::Network))),
        "{network:?}"
    );
    assert!(network.network_ms.is_some_and(|ms| (1_600..3_000).contains(&ms)), "{network:?}");
}

#[actix_rt::test]
async fn what_was_waited_for_is_in_the_api_the_terminal_and_the_metrics() {
    let gateway = Gateway::with(Setup { faults: &["slow-ms=2500"], ..Setup::default() }).await;
    let placed = place(&gateway, 1, 1).await;
    let sid = placed.report.call_sid.clone();
    let record = gateway.record(&sid).await;
    let slow = turns(&record).pop().expect("an answer");
    let call = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    let told: Vec<&Value> = call["turns"].as_array().unwrap().iter().map(|turn| &turn["latency"]).collect();
    assert_eq!(*told[2], slow.to_json());
    assert_eq!(
        (&told[2]["slow"], &told[2]["largest"], &told[2]["owner"]),
        (&true.into(), &"generating".into(), &"model".into())
    );
    assert!(told[1].is_null(), "nobody waits for a caller");
    let page = gateway.operate(Method::GET, "/metrics").await.body;
    for series in [
        r#"callgate_latency_seconds_count{of="turn",part="whole"}"#,
        r#"callgate_slow_answers_total{of="turn",part="generating",owner="model"}"#,
    ] {
        assert!(page.contains(series), "{series} is not in\n{page}");
    }
    gateway.stop().await;
}
