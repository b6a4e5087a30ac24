//! Flows against a gateway of a few lines.

use super::super::plan::{AfterCall, Mode, StatusBody};
use super::super::tests::gateway::{Bot, FakeGateway, Manners};
use super::*;

async fn gateway(answers: &[(&'static str, u16)]) -> FakeGateway {
    let gateway = FakeGateway::start(Manners { status: 200, refuse: 0, bot: Bot::Closes }).await;
    gateway.answers.lock().unwrap().extend_from_slice(answers);
    gateway
}

fn plan(gateway: &FakeGateway, flow: Flow, further: usize) -> FlowPlan {
    let mut call = CallPlan::new(gateway.http.clone(), "+919876543210", "08037091588");
    call.mode = Mode::Voicebot;
    call.end = HangUp::Gateway;
    call.after = AfterCall { call_end: Some(StatusBody::Multipart), passthru: true };
    call.timeout = Duration::from_secs(20);
    let applet = Applet { end: HangUp::Gateway, ..Applet::default() };
    FlowPlan { flow, ..FlowPlan::resume(call, vec![applet; further]) }
}

fn asked(report: &FlowReport) -> Vec<&'static str> {
    report.webhooks.iter().map(|answer| answer.name).collect()
}

#[tokio::test]
async fn the_simple_flow_ends_with_the_person_or_with_the_hangup() {
    let gateway = gateway(&[("/passthru?", 302)]).await;
    let simple = plan(&gateway, Flow::Simple, 1);
    let report = place_flow(simple.clone()).await.unwrap();
    assert_eq!(report.ended, FlowEnd::Hangup, "{report:?}");
    assert_eq!(asked(&report), ["voicebot", "passthru", "call-end"]);
    let answered = vec![Person::Answers(Duration::ZERO, Duration::from_millis(50))];
    let report = place_flow(FlowPlan { persons: answered, ..simple }).await.unwrap();
    assert_eq!((report.ended, report.streams.len()), (FlowEnd::Connect, 1));
    assert!(gateway.request("GET /base/exotel/passthru?").head.contains("CallStatus=in-progress"));
}

#[tokio::test]
async fn the_flow_with_resume_goes_to_the_next_voicebot_and_tells_what_became_of_the_dialling() {
    let answers = [
        ("/passthru?", 302),
        ("/passthru/resume?", 200),
        ("/passthru?", 200),
        ("/passthru/resume?", 200),
        ("/passthru?", 302),
        ("/passthru/resume?", 302),
    ];
    let gateway = gateway(&answers).await;
    let resumed = FlowPlan { persons: vec![Person::Busy], ..plan(&gateway, Flow::Resume, 2) };
    let report = place_flow(resumed).await.unwrap();
    let round = ["voicebot", "passthru", "passthru/resume"];
    assert_eq!(asked(&report), [&round[..], &round, &round, &["call-end"]].concat());
    assert_eq!((report.ended, report.answers("passthru/resume")), (FlowEnd::Hangup, vec![200, 200, 302]));
    let sids: std::collections::HashSet<_> = gateway
        .requests
        .lock()
        .unwrap()
        .iter()
        .filter_map(|r| Some(r.head.split_once("StreamSID%5D=")?.1[..32].to_owned()))
        .collect();
    assert_eq!(sids.len(), 3, "every stream has an id of its own");
    assert!(gateway.request("DialCallStatus=busy").head.contains("/passthru/resume?"));
    assert!(
        report.timeline.is_sorted_by_key(|event| event.at_ms)
            && report.streams[2].asked_ms > report.streams[0].asked_ms
    );
}

#[tokio::test]
async fn a_flow_that_is_to_go_on_without_a_further_applet_is_over() {
    let gateway = gateway(&[("/passthru?", 302)]).await;
    let report = place_flow(plan(&gateway, Flow::Resume, 0)).await.unwrap();
    assert_eq!((report.ended, report.streams.len()), (FlowEnd::NoApplet, 1));
}

#[tokio::test]
async fn a_refused_url_is_passed_over_asked_again_or_the_end() {
    let refused = |on_refused, times: usize| async move {
        let answers = [vec![("/voicebot?", 503); times], vec![("/passthru?", 302), ("/resume?", 302)]].concat();
        let gateway = gateway(&answers).await;
        place_flow(FlowPlan { on_refused, ..plan(&gateway, Flow::Resume, 1) }).await.unwrap()
    };
    let passed = refused(OnRefused::Next, 1).await;
    assert_eq!(asked(&passed), ["voicebot", "passthru", "passthru/resume", "call-end"]);
    assert!(passed.streams[0].failed.as_ref().is_some_and(|why| why.contains("503")));
    let again = refused(OnRefused::Retry, 1).await;
    assert_eq!(asked(&again), ["voicebot", "voicebot", "passthru", "passthru/resume", "call-end"]);
    assert_eq!(again.streams[1].failed, None);
    let over = refused(OnRefused::HangUp, 1).await;
    assert_eq!((over.ended, asked(&over)), (FlowEnd::Refused, vec!["voicebot", "call-end"]));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_in_the_report() {
    let mut nowhere = plan(&gateway(&[]).await, Flow::Resume, 0);
    // Nobody may listen there without being asked: a port that was free a moment ago is another test's by now.
    nowhere.call.gateway = "http://127.0.0.1:9".parse().unwrap();
    let report = place_flow(nowhere).await.unwrap();
    assert_eq!((report.ended, report.webhooks.len(), report.streams.len()), (FlowEnd::Hangup, 0, 1));
    assert!(report.streams[0].failed.is_some());
}
