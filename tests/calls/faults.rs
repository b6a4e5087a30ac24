//! Faults of our own: an actor panics or stops, and the caller keeps the call.

use std::path::Path;
use std::process::Command;

use actors::{Fault, Phase};
use protocol::ids::CallSid;
use simulator::exotel::{CallReport, EndedBy, HangUp, Say};

use crate::support::{Gateway, PATIENCE, Setup, answered, eventually, question};

const SID: &str = "0123456789abcdef0123456789ab18bl";

/// A call of two questions; `times` faults come after the first answer has begun.
async fn call_with(gateway: &Gateway, fault: Fault, times: u32) -> CallReport {
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    plan.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let injected = async {
        let spoken = |n: usize| {
            move |s: &[simulator::model::SessionLog]| s.iter().map(|s| s.responses.len()).sum::<usize>() >= n
        };
        assert!(gateway.model.wait_for(spoken(2), PATIENCE).await, "the first answer");
        for n in 0..times {
            let before = gateway.model.sessions().len();
            while !gateway.faults.inject(&CallSid::new(SID), fault) {
                tokio::task::yield_now().await;
            }
            if n + 1 < times {
                gateway.model.wait_for(|s| s.len() > before, PATIENCE).await;
            }
        }
    };
    tokio::join!(gateway.call(plan), injected).0
}

/// The call lives to its end, and the session after the fault knows the conversation.
async fn survives(fault: Fault) {
    let gateway = Gateway::with(Setup::default()).await;
    let report = call_with(&gateway, fault, 1).await;
    assert_eq!(report.ended_by, EndedBy::Caller, "{report:?}");
    assert!(answered(&report), "{report:?}");
    let sessions = gateway.model.sessions();
    assert!(sessions.len() >= 2, "a fresh session");
    let told = sessions[1].items.iter().any(|item| item.to_string().contains("opening hours"));
    assert!(told, "it was told the conversation: {:?}", sessions[1].items);
    let record = gateway.record(SID).await;
    assert_eq!(record.call.status, "completed");
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_actor_that_panics_costs_no_call() {
    survives(Fault::PanicCall).await;
}

#[actix_rt::test]
async fn a_call_actor_that_stops_costs_no_call() {
    survives(Fault::StopCall).await;
}

#[actix_rt::test]
async fn a_model_leg_that_panics_costs_no_call() {
    survives(Fault::PanicModel).await;
}

#[actix_rt::test]
async fn a_model_leg_that_stops_costs_no_call() {
    survives(Fault::StopModel).await;
}

#[actix_rt::test]
async fn a_call_that_keeps_failing_is_given_up_so_that_the_flow_goes_on() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut plan = gateway.plan();
    plan.call_sid = Some(SID.into());
    plan.end = HangUp::Gateway;
    let failing = async {
        // Only once its stream is there: a call that is given up before begins anew with the stream.
        eventually("the call is live", async || {
            gateway.running.switchboard().phase(&CallSid::new(SID)) == Some(Phase::Live)
        })
        .await;
        while gateway.running.switchboard().phase(&CallSid::new(SID)).is_some() {
            gateway.faults.inject(&CallSid::new(SID), Fault::PanicCall);
            tokio::task::yield_now().await;
        }
    };
    let (report, ()) = tokio::join!(gateway.try_call(plan), failing);
    let record = gateway.record(SID).await;
    assert_eq!(record.call.status, "failed", "{record:?}");
    assert!(record.call.ended_why.unwrap().contains("gave up"), "in words");
    if let Ok(report) = report {
        assert_eq!(report.ended_by, EndedBy::Gateway, "{report:?}");
    }
    gateway.stop().await;
}

/// Whether an executable has these words among its texts.
fn has(executable: &Path, words: &str) -> bool {
    Command::new("grep").args(["-qaF", words]).arg(executable).status().unwrap().success()
}

#[test]
fn the_service_has_nothing_that_makes_its_actors_fail() {
    let service = Path::new(env!("CARGO_BIN_EXE_callgate"));
    // Put together here, so that these tests do not have them from this place.
    let injected = ["a fault", "was injected"].join(" ");
    assert!(has(&std::env::current_exe().unwrap(), &injected), "these tests do, and it is known by these words");
    assert!(has(service, "the connection's actor is gone"), "texts of the actors are found in the service");
    assert!(!has(service, &injected), "something in the service reaches the handlers of injected faults");
}

#[actix_rt::test]
async fn a_call_that_blocks_its_thread_is_found_and_goes_on_when_it_lets_go() {
    let gateway = Gateway::with(Setup::default()).await;
    let report = call_with(&gateway, Fault::BlockCall, 1).await;
    assert_eq!(report.ended_by, EndedBy::Caller, "{report:?}");
    let page = gateway.get_bare("/metrics").await.body;
    assert!(page.lines().any(|line| line.starts_with("callgate_stalls_total{cause=\"worker\"} ")), "{page}");
    assert_eq!(gateway.record(SID).await.call.status, "completed");
    gateway.stop().await;
}
