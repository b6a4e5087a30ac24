//! What callers do, and when they come and go.

use super::*;

async fn load(scenario: Scenario, secs: u64, answers: &[(&'static str, u16)]) -> (FakeGateway, LoadRun) {
    let gateway = FakeGateway::start(Manners { status: 200, refuse: 0, bot: Bot::Talks }).await;
    gateway.answers.lock().unwrap().extend(answers);
    let to = vec!["+914446970000".into(), "+914446970001".into()];
    let target = Target::Gateway { url: gateway.http.clone(), auth: Default::default(), to };
    let plan = LoadPlan { scenario, secs: Duration::from_secs(secs), ..plan(target) };
    let done = run(plan, |_| {}).await.unwrap();
    (gateway, done)
}

#[tokio::test]
async fn keys_are_pressed_between_words_and_the_numbers_called_take_turns() {
    let mix = "keys=1".parse().unwrap();
    let (gateway, LoadRun { report, .. }) = load(Scenario { mix, ..Scenario::default() }, 2, &[]).await;
    let keys = gateway.events("dtmf");
    assert!(!keys.is_empty(), "{report}");
    assert!(keys.iter().all(|key| "147#".contains(key["dtmf"]["digit"].as_str().unwrap())), "{keys:?}");
    let mut called: Vec<_> = gateway.events("start").iter().map(|start| start["start"]["to"].to_string()).collect();
    called.sort_unstable();
    assert_eq!(called, ["\"04446970000\"", "\"04446970000\"", "\"04446970001\"", "\"04446970001\""]);
}

#[tokio::test]
async fn callers_that_barge_in_speak_again_while_they_are_answered() {
    let mix = "barge=1".parse().unwrap();
    let (_gateway, LoadRun { report, .. }) = load(Scenario { mix, ..Scenario::default() }, 6, &[]).await;
    // An answer of 3 s begins 0.2 s into a pause of 2 s: nobody hears the end of one, and the gateway clears what was left.
    assert_eq!((report.calls.opened, report.calls.ended_early), (4, 0), "{report}");
    let [talk, barge] = [Role::Talk, Role::Barge].map(|role| audio::Script::render(20, role).frames());
    assert_eq!((talk, barge), (300, 200));
}

#[tokio::test]
async fn calls_that_come_and_go_are_not_lost_and_others_take_their_place() {
    let churn = Some(Churn { per_sec: 4.0, hold: Duration::from_secs(2) });
    let (gateway, LoadRun { report, series, .. }) = load(Scenario { churn, ..Scenario::default() }, 4, &[]).await;
    let calls = &report.calls;
    assert_eq!((calls.planned, calls.failed, calls.ended_early), (8, 0, 0), "{report}");
    assert!(calls.opened >= 20 && calls.hung_up >= 10, "{report}");
    assert!(gateway.events("stop").len() as u64 >= calls.hung_up, "{report}");
    let steady = series.iter().filter(|sample| sample.steady);
    assert!(steady.clone().all(|sample| (2..=16).contains(&sample.calls) && sample.lost == 0), "{series:?}");
    assert!(report.to_string().contains("came and went"), "{report}");
}

#[tokio::test]
async fn a_rude_carrier_says_no_goodbye_and_echoes_nothing_for_a_third() {
    let (gateway, LoadRun { report, .. }) = load(Scenario { rude: true, ..Scenario::default() }, 1, &[]).await;
    assert_eq!((report.calls.opened, report.calls.ended_early), (4, 0), "{report}");
    assert_eq!(gateway.events("stop").len(), 0);
    let greeted = gateway.events("mark").iter().filter(|mark| mark["mark"]["name"] == "greeted").count();
    assert_eq!(greeted, 2, "of four callers the first and the fourth have a carrier that echoes nothing");
}

#[tokio::test]
async fn calls_that_are_refused_are_counted_by_code() {
    let (_gateway, LoadRun { report, series, .. }) =
        load(Scenario::default(), 1, &[("voicebot", 503), ("voicebot", 429)]).await;
    assert_eq!((report.calls.opened, report.calls.failed), (2, 2), "{report}");
    let refusals: Vec<_> = report.calls.refusals.iter().map(|(code, times)| (code.as_str(), *times)).collect();
    assert_eq!(refusals, [("http_429", 1), ("http_503", 1)]);
    assert_eq!(series.iter().map(|sample| sample.refused).sum::<u64>(), 2, "{series:?}");
    assert!((report.calls.share_refused() - 0.5).abs() < 1e-9);
}

#[tokio::test]
async fn a_scenario_that_cannot_be_played_is_refused_with_its_mend() {
    let media = || Target::Media("ws://127.0.0.1:9/".parse().unwrap());
    let wrong = |change: fn(&mut LoadPlan)| {
        let mut plan = LoadPlan::new(media());
        change(&mut plan);
        plan.check().unwrap_err().to_string()
    };
    assert_eq!(
        wrong(|plan| plan.scenario.faults.push("mute".into())),
        "the load cannot be made: faults are the simulated model's: name it by --model-url"
    );
    let unknown = wrong(|plan| {
        plan.scenario.faults.push("explode".into());
        plan.model = Some("http://127.0.0.1:9".parse().unwrap());
    });
    assert!(unknown.contains("no fault is called \"explode\""), "{unknown}");
    let churn = |per_sec, secs| Some(Churn { per_sec, hold: Duration::from_secs(secs) });
    assert!(churn(1.0, 1).is_some_and(|short| {
        let scenario = Scenario { churn: Some(short), ..Scenario::default() };
        LoadPlan { scenario, ..LoadPlan::new(media()) }.check().unwrap_err().to_string().contains("at least 2 seconds")
    }));
    let scenario = Scenario { churn: churn(100.0, 60), ..Scenario::default() };
    let plan = LoadPlan { scenario, model: Some("http://127.0.0.1:9".parse().unwrap()), ..LoadPlan::new(media()) };
    assert!(plan.check().unwrap_err().to_string().contains("more than the 4000 that the model measures"));
    assert!(LoadPlan { calls: 49_152, ..LoadPlan::new(media()) }.check().is_err());
}
