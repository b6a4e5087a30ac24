//! Flows of applets, end to end: a call ends, comes back, and goes on, here and at another gateway. On either database.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::call::end::EndCode;
use simulator::balancer::Balancer;
use simulator::exotel::{
    Applet, Asks, CallPlan, Connect, Ending, EventKind, Flow, FlowEnd, FlowPlan, FlowReport, HangUp, OnRefused, Person,
    Say, Voice, place_flow,
};
use tokio::sync::mpsc;

use super::support::{Gateway, Setup, answered, question};
use crate::process::TestProcess;

/// The caller asks something, and then is gone.
fn further() -> Applet {
    Applet { script: vec![Say::agent_finished(), question(), Say::agent_finished()], ..Applet::default() }
}

/// A call whose first stream is lost once its question was answered.
fn lost_stream(mut call: CallPlan) -> FlowPlan {
    call.rude.ending = Ending::Drop;
    FlowPlan::resume(call, vec![further(), further()])
}

/// Everything at that address goes to the first of the gateways that is there.
async fn before(gateways: Vec<SocketAddr>) -> url::Url {
    let balancer = Balancer::bind(([127, 0, 0, 1], 0).into(), gateways).await.unwrap().failover();
    let url = format!("http://{}", balancer.address().unwrap()).parse().unwrap();
    actix_rt::spawn(balancer.run());
    url
}

#[track_caller]
fn went_on(report: &FlowReport) {
    assert_eq!((report.streams.len(), report.ended), (2, FlowEnd::Caller), "{:?}", report.timeline);
    for stream in &report.streams {
        assert_eq!(stream.failed, None);
        assert!(stream.report.heard.played_ms > 0, "{:?}", report.timeline);
    }
    assert!(answered(&report.streams[1].report), "{:?}", report.timeline);
}

#[actix_rt::test]
async fn the_simple_flow_hangs_up_behind_an_agent_that_hung_up() {
    let gateway = Gateway::with(Setup::default()).await;
    let mut call = gateway.plan();
    call.script = vec![Say::agent_finished(), Say::Speak(Voice::clip("caller_en_bye"))];
    call.end = HangUp::Caller;
    let report = place_flow(FlowPlan { flow: Flow::Simple, ..FlowPlan::resume(call, vec![]) }).await.unwrap();
    assert_eq!((report.streams.len(), report.answers("voicebot")), (1, vec![200]));
    gateway.record(&report.call_sid).await;
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_that_lost_its_stream_goes_on_at_the_next_voicebot() {
    let gateway = Gateway::with(Setup::default()).await;
    let report = place_flow(lost_stream(gateway.plan())).await.unwrap();
    went_on(&report);
    assert_eq!(report.answers("passthru/resume"), [200]);
    let ms = report.streams[1].report.first_audio_ms.unwrap();
    assert!(ms < 1_500, "the agent is heard soon after the stream's start: {ms} ms");
    let record = gateway.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed", "{:?}", record.call);
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_whose_transfer_nobody_answers_comes_back_and_one_that_was_answered_is_over() {
    let gateway = Gateway::with(Setup::default()).await;
    for (dialled, resumed, again) in [("no-answer", 200, 200), ("completed", 302, 409)] {
        let sid = super::support::sid();
        let call = CallPlan { call_sid: Some(sid.clone()), ..lost_stream(gateway.plan()).call };
        let report = place_flow(FlowPlan { flow: Flow::Simple, ..FlowPlan::resume(call, vec![]) }).await.unwrap();
        assert!(report.streams[0].report.heard.played_ms > 0, "{:?}", report.timeline);
        let told = gateway.get("/exotel/passthru/resume", &[("CallSid", &sid), ("DialCallStatus", dialled)]).await;
        assert_eq!(told.status.as_u16(), resumed, "{dialled}: {told:?}");
        let back = gateway.get("/exotel/voicebot", &super::support::incoming(&sid)).await;
        assert_eq!(back.status.as_u16(), again, "{dialled}: {back:?}");
    }
    gateway.stop().await;
}

/// The agent hands the caller on to the desk, is told that they are back, and hangs up when they have been answered.
const HANDS_ON: &str = "greeting greeting_en
back commentary_en
answer commentary_en + call transfer_call {\"to\":\"desk\",\"reason\":\"a bill\",\"summary\":\"Asha asks about bill 12.\"}
answer goodbye_en + call end_call {}
";

/// Its client has a desk.
async fn with_a_desk(script: &'static str) -> Gateway {
    let gateway = Gateway::with(Setup { script, ..Setup::default() }).await;
    let place = format!("/api/v1/clients/{}/agent", gateway.tenant.id);
    let mut agent = gateway.operate(reqwest::Method::GET, &place).await.json();
    agent["destinations"] =
        serde_json::json!({ "desk": { "to": "08047112290", "ring_secs": 5, "whisper": "A bill." } });
    agent["failure"] = serde_json::json!({ "to": "desk" });
    let put = gateway.request(reqwest::Method::PUT, &place).bearer_auth(super::support::ADMIN_TOKEN).json(&agent);
    assert_eq!(put.send().await.unwrap().status(), 200);
    gateway
}

/// A caller who asks something, and then listens until the gateway lets them go.
fn asks(gateway: &Gateway, persons: Vec<Person>, asks: Asks) -> FlowPlan {
    let mut call = gateway.plan();
    call.call_sid = Some(super::support::sid());
    call.script = vec![Say::agent_finished(), question(), Say::agent_finished()];
    call.end = HangUp::Gateway;
    let further = Applet { end: HangUp::Gateway, ..further() };
    FlowPlan { persons, connect: Connect::Dynamic, asks, ..FlowPlan::resume(call, vec![further.clone(), further]) }
}

#[actix_rt::test]
async fn a_caller_is_handed_on_and_comes_back_to_the_agent_when_nobody_is_there() {
    let gateway = with_a_desk(HANDS_ON).await;
    let person = |person| vec![person];
    let (ringing, talks) = (Duration::from_millis(50), Duration::from_millis(200));
    let cases = [
        (person(Person::NoAnswer(ringing)), Asks::Once, "no-answer", 2),
        (person(Person::Busy), Asks::Twice, "busy", 2),
        (person(Person::Answers(ringing, talks)), Asks::ConnectFirst, "completed", 1),
        // It rings no longer than the gateway says.
        (person(Person::NoAnswer(Duration::from_secs(60))), Asks::ConnectFirst, "no-answer", 2),
    ];
    let placed = cases.iter().map(|(persons, order, ..)| place_flow(asks(&gateway, persons.clone(), *order)));
    let reports = futures_util::future::join_all(placed).await;
    for (report, (_, order, outcome, streams)) in reports.into_iter().map(Result::unwrap).zip(cases) {
        assert_eq!((report.streams.len(), report.ended), (streams, FlowEnd::Hangup), "{order:?} {:?}", report.timeline);
        let desk = &report.dialled[0];
        assert_eq!(report.dialled.len(), 1, "{order:?} {:?}", report.timeline);
        assert_eq!(
            (desk.to.as_str(), desk.ring_secs, desk.whisper.as_deref()),
            ("+918047112290", Some(5), Some("A bill."))
        );
        let record = gateway.record(&report.call_sid).await;
        let expected = if streams == 1 { EndCode::Transferred } else { EndCode::AgentHungUp };
        assert_eq!(record.call.ended_code, Some(expected), "{:?}", report.timeline);
        let transfers = gateway.running.store().transfers_of_call(&record.call).await.unwrap();
        assert_eq!((transfers.len(), transfers[0].outcome.as_deref()), (1, Some(outcome)), "{order:?}");
        assert_eq!(transfers[0].summary.as_deref(), Some("Asha asks about bill 12."));
    }
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_caller_whose_agent_fails_goes_to_the_desk() {
    let gateway = with_a_desk("greeting greeting_en\nanswer commentary_en").await;
    gateway.model.set_faults(simulator::model::Faults::from_flags(&["refuse-handshake=401"]).unwrap());
    let report = place_flow(asks(&gateway, vec![Person::Answers(Duration::ZERO, Duration::ZERO)], Asks::Once)).await;
    let report = report.unwrap();
    assert_eq!((report.dialled.len(), report.ended), (1, FlowEnd::Hangup), "{:?}", report.timeline);
    assert_eq!(gateway.record(&report.call_sid).await.call.ended_code, Some(EndCode::ModelFailed));
    gateway.stop().await;
}

#[actix_rt::test]
async fn a_call_goes_on_at_another_gateway_when_its_own_is_killed() {
    let survivor = Gateway::with(Setup::default()).await;
    let mut victim = TestProcess::new();
    let url = survivor.database.url.clone();
    let serve = &mut victim.command(&["serve"]);
    victim.serve(serve.env("DATABASE_URL", url)).await;
    let mut call = survivor.plan();
    call.gateway = before(vec![victim.address().parse().unwrap(), survivor.running.addr()]).await;
    call.script = vec![Say::agent_finished(), question(), Say::agent_finished(), question(), Say::agent_finished()];
    let (observer, mut events) = mpsc::channel(1_000);
    call.observer = Some(observer);
    let plan = FlowPlan { on_refused: OnRefused::Retry, ..FlowPlan::resume(call, vec![further(), further()]) };
    let (report, ()) = tokio::join!(place_flow(plan), async {
        let mut spoke = 0;
        while let Some(event) = events.recv().await {
            spoke += u32::from(event.kind == EventKind::AgentSpeaks);
            if spoke == 2 && event.kind == EventKind::AgentSpeaks {
                // In the middle of its answer.
                victim.kill();
            }
        }
    });
    let report = report.unwrap();
    went_on(&report);
    let ms = report.streams[1].report.first_audio_ms.unwrap();
    assert!(ms <= 3_000, "from the further stream's start to the first word: {ms} ms");
    let record = survivor.record(&report.call_sid).await;
    assert_eq!(record.call.status, "completed", "{:?}", record.call);
    assert!(record.turns.len() >= 4, "the turns of both gateways: {:?}", record.turns);
    survivor.stop().await;
}
