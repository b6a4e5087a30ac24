//! call-end, recording and passthru.

use protocol::call::end::{Ended, Transfer};
use protocol::ids::CallSid;
use serde_json::json;

use super::support::{Gateway, PATIENCE, eventually, incoming, sid};

#[actix_web::test]
async fn reports_in_any_order_and_number_converge() {
    let gateway = Gateway::start().await;
    let recording = "https://recordings.exotel.com/exotelrecordings/acme/a.mp3";
    let orders: [[usize; 4]; 4] = [[0, 1, 2, 1], [2, 1, 0, 2], [1, 2, 0, 1], [2, 2, 1, 0]];
    let mut rows = Vec::new();
    for (i, order) in orders.iter().enumerate() {
        let sid = sid();
        let from = format!("+91987654321{i}");
        let mut start = incoming(&sid);
        start[1].1 = &from;
        for step in order {
            let answer = match step {
                0 => gateway.post("/exotel/call-start", &start).await,
                1 => gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "no-answer")]).await,
                _ => gateway.post("/exotel/recording", &[("CallSid", &sid), ("RecordingUrl", recording)]).await,
            };
            // A call that is over is written down as it was told, and not begun.
            let over = *step == 0 && answer.status == 409;
            assert!(over || answer.status == 200, "{answer:?}");
        }
        let known = CallSid::new(&sid);
        eventually("no session is left", || async { gateway.running.switchboard().phase(&known).is_none() }).await;
        gateway.running.recorder().flush().await;
        let call = gateway.running.store().call(&known).await.unwrap().unwrap().call;
        assert!(call.is_over());
        rows.push((call.status, call.carrier_status, call.client_id, call.parties.to));
    }
    assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn call_end_answers_with_the_status_and_ends_the_session() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.post("/exotel/call-start", &incoming(&sid)).await;
    assert_eq!(gateway.running.switchboard().live(), 1);
    let answered = gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "in-progress")]).await;
    assert_eq!(answered.json(), json!({ "call_sid": sid, "status": "in-progress" }));
    assert_eq!(gateway.running.switchboard().live(), 1);
    let ended = gateway.get("/exotel/call-end", &[("CallSid", &sid), ("CallStatus", "completed")]).await;
    assert_eq!(ended.json(), json!({ "call_sid": sid, "status": "completed" }));
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_recording_is_kept_as_pending_if_it_may_be_fetched() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let url = "https://recordings.exotel.com/exotelrecordings/acme/a.mp3";
    let answer = gateway.post("/exotel/recording", &[("CallSid", &sid), ("RecordingUrl", url)]).await;
    assert_eq!(answer.json(), json!({ "call_sid": sid, "recording": "pending" }));
    for url in [
        "https://evil.example/a.mp3",
        "https://exotel.com.evil.example/a.mp3",
        "https://notexotel.com/a.mp3",
        "https://exotel.com../a.mp3",
        "http://recordings.exotel.com/a.mp3",
        "https://recordings.exotel.com@169.254.169.254/a.mp3",
        "file:///etc/passwd",
    ] {
        let answer = gateway.post("/exotel/recording", &[("CallSid", &sid), ("RecordingUrl", url)]).await;
        assert_eq!(answer.refused(400, "malformed_field")["field"], "RecordingUrl", "{url}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_recording_that_may_not_be_fetched_is_on_record_with_why_whichever_report_told_of_it() {
    let gateway = Gateway::start().await;
    for (path, field, url, status) in [
        ("/exotel/call-end", "RecordingUrl", "http://recordings.exotel.com/x.mp3", 200),
        ("/exotel/call-end", "RecordingUrl", "https://s3-ap-southeast-1.amazonaws.com/attacker/x.mp3", 200),
        ("/exotel/passthru", "RecordingUrl", "https://evil.example/x.mp3", 302),
        ("/exotel/passthru", "Stream[RecordingUrl]", "https://attacker.s3-ap-southeast-1.amazonaws.com/x.mp3", 302),
        ("/exotel/recording", "RecordingUrl", "https://169.254.169.254/x.mp3", 400),
    ] {
        let sid = sid();
        let answer = gateway.post(path, &[("CallSid", &sid), ("Status", "completed"), (field, url)]).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {url}: {answer:?}");
        let shown = gateway.operate(reqwest::Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
        let recording = &shown["recordings"][0];
        assert_eq!((&recording["status"], &recording["source"]), (&json!("failed"), &json!(url)), "{shown}");
        assert!(recording["error"].as_str().unwrap().contains("not allowed"), "{shown}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_tells_of_very_many_recordings_has_a_few_and_its_reports_stand() {
    let gateway = Gateway::start().await;
    let (many, other) = (sid(), sid());
    for n in 0..20 {
        let url = format!("https://recordings.exotel.com/{n}.mp3");
        let path = if n % 2 == 0 { "/exotel/call-end" } else { "/exotel/recording" };
        let answer = gateway.post(path, &[("CallSid", &many), ("Status", "completed"), ("RecordingUrl", &url)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if n % 2 == 1 {
            assert_eq!(answer.json()["recording"], if n < 8 { "pending" } else { "not_kept" });
        }
    }
    let store = gateway.running.store();
    assert_eq!(store.recordings_of_call(&CallSid::new(&many)).await.unwrap().len(), 8);
    gateway.running.recorder().flush().await;
    assert_eq!(gateway.audited("recording.refused", "call_full").await.len(), 12);
    let url = "https://recordings.exotel.com/0.mp3";
    gateway.post("/exotel/recording", &[("CallSid", &other), ("RecordingUrl", url)]).await;
    assert_eq!(store.recordings_of_call(&CallSid::new(&other)).await.unwrap().len(), 1);
    gateway.stop().await;
}

/// `2026-11-22 12:00:00` on India's clock, and some seconds.
fn noon(secs: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_795_329_000 + secs, 0).unwrap()
}

#[actix_web::test]
async fn a_call_known_by_the_carriers_reports_alone_has_the_carriers_times() {
    let gateway = Gateway::start().await;
    let times = async |reports: &[&[(&str, &str)]]| {
        let sid = sid();
        for report in reports {
            let told = [&[("CallSid", sid.as_str()), ("Status", "completed")], *report].concat();
            let answer = gateway.post("/exotel/call-end", &told).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
        (call.times.started_at, call.times.ended_at.unwrap())
    };
    let whole = [("StartTime", "2026-11-22 12:00:00"), ("EndTime", "2026-11-22 12:00:37")];
    assert_eq!(times(&[&whole]).await, (noon(0), noon(37)));
    // Of a call that runs a flow there are four fields.
    let four = [("RecordingUrl", "null"), ("DateUpdated", "2026-11-22 12:00:40")];
    assert_eq!(times(&[&four]).await, (noon(40), noon(40)));
    assert_eq!(times(&[&four, &whole]).await, (noon(0), noon(37)));
    assert_eq!(times(&[&whole, &four]).await, (noon(0), noon(37)));
    gateway.stop().await;
}

#[actix_web::test]
async fn the_end_of_a_call_is_not_lost_for_a_time_that_cannot_be_read() {
    let gateway = Gateway::start().await;
    for time in ["1970-01-01 05:30:00", "null", "", "yesterday", "31/12/2026 25:61"] {
        let sid = sid();
        let told = [("CallSid", sid.as_str()), ("Status", "busy"), ("StartTime", time), ("EndTime", time)];
        let answer = gateway.post("/exotel/call-end", &told).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
        assert_eq!(call.status, "busy");
        assert!(call.times.started_at <= call.times.ended_at.unwrap());
        assert_eq!(gateway.audited("webhook.call-end", "ok").await[0].payload["EndTime"], time);
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn passthru_hangs_up_unless_the_caller_is_left_to_somebody() {
    let gateway = Gateway::start().await;
    let unknown = gateway.get("/exotel/passthru", &[("CallSid", &sid())]).await;
    assert_eq!(unknown.status, 302, "{unknown:?}");

    let failed = sid();
    let report = [
        ("CallSid", failed.as_str()),
        ("Stream[Status]", "failed"),
        ("Stream[Error]", "3009 failed to establish ws conn dial tcp"),
        ("Stream[DisconnectedBy]", "NA"),
    ];
    let answer = gateway.get("/exotel/passthru", &report).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let audited = gateway.audited("webhook.passthru", "transfer").await;
    assert_eq!(audited[0].payload["Stream[Error]"], "3009 failed to establish ws conn dial tcp");

    let report = r#"{"StreamSID":"62xxx","Status":"completed","Duration":"28","DisconnectedBy":"user"}"#;
    let answer = gateway.get("/exotel/passthru", &[("CallSid", &sid()), ("Stream", report)]).await;
    assert_eq!(answer.status, 302, "{answer:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn passthru_goes_by_how_the_call_ended() {
    let gateway = Gateway::start().await;
    let ends = [
        (Ended::Transferred(Transfer::because("wants a person".to_owned())), 200),
        (Ended::ModelFailed { cause: "refused".to_owned() }, 200),
        (Ended::AgentHungUp, 302),
        (Ended::CallerHungUp { reason: Some("callended".to_owned()) }, 302),
        (Ended::Operator, 302),
    ];
    for (ended, status) in ends {
        let sid = sid();
        gateway.get("/exotel/voicebot", &incoming(&sid)).await;
        let call = CallSid::new(&sid);
        assert!(gateway.running.switchboard().end(&call, ended.clone()));
        eventually("the call is over", || async { gateway.running.switchboard().phase(&call).is_none() }).await;
        let report = [("CallSid", sid.as_str()), ("Stream[Status]", "completed"), ("Stream[DisconnectedBy]", "bot")];
        let answer = gateway.get("/exotel/passthru", &report).await;
        assert_eq!(answer.status, status, "{ended:?}: {answer:?}");
        // Asked again, it says the same.
        assert_eq!(gateway.post("/exotel/passthru", &report).await.status, status, "{ended:?}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stream_that_never_came_frees_its_place() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.get("/exotel/voicebot", &incoming(&sid)).await;
    assert_eq!(gateway.running.switchboard().live(), 1);
    gateway.get("/exotel/passthru", &[("CallSid", &sid), ("Stream[Status]", "failed")]).await;
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.stop().await;
}

#[actix_web::test]
async fn nul_in_what_is_told_is_stored_as_no_text() {
    let gateway = Gateway::start().await;
    let (started, ended) = (sid(), sid());
    let start = [("CallSid", started.as_str()), ("CallFrom", "98\0"), ("CallTo", "08037091588"), ("Direction", "in\0")];
    assert_eq!(gateway.post("/exotel/voicebot", &start).await.status, 200);
    let url = "https://recordings.exotel.com/\0.mp3";
    let end = [("CallSid", ended.as_str()), ("Status", "completed"), ("From", "\0"), ("RecordingUrl", url)];
    assert_eq!(gateway.post("/exotel/call-end", &end).await.status, 200);
    assert_eq!(gateway.post("/exotel/recording", &end).await.status, 200);
    let call = CallSid::new(&started);
    gateway.running.switchboard().end(&call, Ended::CallerHungUp { reason: Some("go\0ne".to_owned()) });
    eventually("the end is on record", || async {
        let found = gateway.running.store().call(&call).await.unwrap().unwrap().call;
        found.ended_why.is_some_and(|why| why.contains("go\u{fffd}ne"))
    })
    .await;
    gateway.stop().await;
}
