//! passthru/resume: whether the agent goes on with a call whose stream is over.

use callgate::testing::{Call, EventsTarget};
use chrono::Utc;
use protocol::call::end::{EndCode, Ended, Transfer};
use protocol::ids::{CallSid, Secret};

use super::media::{is_closed, open, start};
use super::streams::{has_left, hears_the_agent, live, row, stop, stream_path, voicebot};
use super::support::{API_KEY, API_TOKEN, Answer, Gateway, eventually, sid};
use super::work::neighbour;

/// A further Passthru applet asks.
async fn resume(gateway: &Gateway, sid: &str, told: &[(&str, &str)]) -> Answer {
    let fields = [&[("CallSid", sid), ("CallStatus", "in-progress")][..], told].concat();
    gateway.get("/exotel/passthru/resume", &fields).await
}

/// A call that has had a stream, and ended so.
async fn ended(gateway: &Gateway, ended: Ended) -> String {
    let sid = sid();
    let mut socket = live(gateway, &stream_path(&voicebot(gateway, &sid).await), &sid).await;
    assert!(gateway.running.switchboard().end(&CallSid::new(&sid), ended));
    assert!(is_closed(&mut socket).await);
    has_left(gateway, &sid).await;
    sid
}

async fn transferred(gateway: &Gateway) -> String {
    ended(gateway, Ended::Transferred(Transfer::because("wants a person".to_owned()))).await
}

fn waits_for_secs(call: &Call) -> i64 {
    (call.over_at.expect("until when it may come back") - Utc::now()).num_seconds()
}

#[actix_web::test]
async fn a_flow_that_asks_gets_back_to_the_agent_until_the_call_is_over() {
    let gateway = Gateway::start().await;
    assert_eq!(resume(&gateway, &sid(), &[]).await.status, 302, "nobody has heard of it");
    let sid = sid();
    drop(live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await);
    has_left(&gateway, &sid).await;
    for _ in 0..2 {
        let answer = resume(&gateway, &sid, &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["next"]), (200, &"resume".into()), "{answer:?}");
        assert!((50..=60).contains(&waits_for_secs(&row(&gateway, &sid).await)));
    }
    let socket = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
    stop(socket, "callended").await;
    has_left(&gateway, &sid).await;
    let answer = resume(&gateway, &sid, &[]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["next"]), (302, &"over".into()), "{answer:?}");
    assert_eq!(row(&gateway, &sid).await.ended_code, Some(EndCode::CallerHungUp));
    assert_eq!(gateway.audited("webhook.resume", "resume").await.len(), 2);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_request_that_the_carrier_repeats_does_not_end_the_stream_that_began_since() {
    let gateway = Gateway::start().await;
    let sid = sid();
    drop(live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await);
    has_left(&gateway, &sid).await;
    assert_eq!(resume(&gateway, &sid, &[]).await.status, 200);
    let path = stream_path(&voicebot(&gateway, &sid).await);
    assert_eq!(resume(&gateway, &sid, &[]).await.status, 200, "while it is awaited");
    let mut socket = live(&gateway, &path, &sid).await;
    assert_eq!(resume(&gateway, &sid, &[]).await.status, 200, "and once it has begun");
    let stream = [("CallSid", &*sid), ("CallStatus", "in-progress"), ("Stream[Status]", "completed")];
    assert_eq!(gateway.get("/exotel/passthru", &stream).await.status, 302);
    hears_the_agent(&mut socket).await;
    let goes_on = row(&gateway, &sid).await;
    assert_eq!((goes_on.status.as_str(), goes_on.ended_code), ("in-progress", None));
    drop(socket);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_whom_nobody_answered_comes_back_and_what_became_of_it_is_on_record_until_then() {
    let gateway = Gateway::start().await;
    let sid = transferred(&gateway).await;
    assert!(waits_for_secs(&row(&gateway, &sid).await) > 60, "it rings");
    let answer = resume(&gateway, &sid, &[("DialCallStatus", "no-answer")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let waiting = row(&gateway, &sid).await;
    assert_eq!(waiting.ownership.dial_status.as_deref(), Some("no-answer"));
    assert!(waits_for_secs(&waiting) <= 60, "from now on it is the next stream that is waited for");
    let socket = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
    let back = row(&gateway, &sid).await;
    assert_eq!((back.status.as_str(), back.ownership.dial_status), ("in-progress", None));
    drop(socket);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_whom_a_person_served_is_gone_for_good_and_the_client_is_told_at_once() {
    let (host, heard) = neighbour();
    let gateway = Gateway::start().await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    assert!(gateway.running.store().set_events_target(gateway.tenant.id, Some(target)).await.unwrap());
    let sid = transferred(&gateway).await;
    let ends = || heard.lock().unwrap().iter().filter(|event| event["type"] == "call.ended").count();
    assert_eq!(ends(), 0, "it may come back");
    for _ in 0..2 {
        assert_eq!(resume(&gateway, &sid, &[("DialCallStatus", "completed")]).await.status, 302);
    }
    eventually("the end is told", || async { ends() == 1 }).await;
    assert_eq!(row(&gateway, &sid).await.ended_code, Some(EndCode::Transferred));
    voicebot(&gateway, &sid).await.refused(409, "call_over");
    let mut by_account = open(&gateway, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    start(&mut by_account, &sid).await;
    assert!(is_closed(&mut by_account).await);
    // Also what the carrier says of the whole call counts here.
    let other = transferred(&gateway).await;
    let report = [("CallSid", other.as_str()), ("CallStatus", "completed")];
    assert_eq!(gateway.get("/exotel/passthru/resume", &report).await.status, 302);
    eventually("its end is told", || async { ends() == 2 }).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stream_that_hangs_is_over_once_the_flow_asks_behind_it() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let mut hanging = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
    assert_eq!(resume(&gateway, &sid, &[]).await.status, 200);
    assert!(is_closed(&mut hanging).await);
    has_left(&gateway, &sid).await;
    live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_further_stream_at_another_gateway_takes_the_call_and_a_repeated_webhook_does_not() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = sid();
    let call = CallSid::new(&sid);
    let mut left = live(&first, &stream_path(&voicebot(&first, &sid).await), &sid).await;
    assert!(first.running.recorder().flush().await);
    let had = row(&first, &sid).await.ownership;
    let url = stream_path(&voicebot(&second, &sid).await);
    assert_eq!(stream_path(&voicebot(&second, &sid).await), url, "asked again, it says the same");
    assert_eq!(first.running.switchboard().phase(&call), Some(actors::Phase::Live));
    assert_eq!((second.running.switchboard().live(), row(&second, &sid).await.ownership.owner), (0, had.owner.clone()));
    // Its start is the proof that the stream before it is gone.
    let mut socket = open(&second, &url, None).await.expect("the further stream is let in");
    let mut late = open(&second, &url, None).await.expect("nothing has started yet");
    start(&mut socket, &sid).await;
    hears_the_agent(&mut socket).await;
    let has = row(&second, &sid).await;
    assert_ne!(has.ownership.owner, had.owner);
    assert_eq!((has.ownership.generation, has.streams()), (had.generation + 1, 2));
    start(&mut late, &sid).await;
    assert!(is_closed(&mut late).await, "one stream, one call");
    // Whatever the first one makes of it is not written.
    first.running.switchboard().end(&call, Ended::MediaSilent);
    assert!(is_closed(&mut left).await);
    has_left(&first, &sid).await;
    let call = row(&second, &sid).await;
    assert_eq!(
        (call.status.as_str(), call.ended_code, call.ownership.owner),
        ("in-progress", None, has.ownership.owner)
    );
    stop(socket, "callended").await;
    has_left(&second, &sid).await;
    assert_eq!(row(&second, &sid).await.ended_code, Some(EndCode::CallerHungUp));
    assert_eq!(first.running.store().recent_calls(9).await.unwrap().len(), 1);
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_call_that_left_one_gateway_goes_on_at_another() {
    let first = Gateway::start().await;
    let second = first.beside().await;
    let sid = transferred(&first).await;
    assert_eq!(resume(&second, &sid, &[("DialCallStatus", "busy")]).await.status, 200);
    let answer = voicebot(&second, &sid).await;
    assert_eq!(answer.header("idempotent-replayed"), None, "it is begun there");
    let socket = live(&second, &stream_path(&answer), &sid).await;
    let there = row(&second, &sid).await;
    assert_eq!((there.status.as_str(), there.streams()), ("in-progress", 2));
    let taken = || async { second.audited("call.taken_over", "ok").await.len() == 1 };
    eventually("the audit log says who took it", taken).await;
    let entry = second.audited("call.taken_over", "ok").await.remove(0);
    assert_eq!(entry.payload["generation"], there.ownership.generation);
    assert_ne!(entry.payload["from"].as_str(), there.ownership.owner.as_ref().map(|owner| owner.as_str()));
    // And back, by the account's URL.
    let mut by_account = open(&first, "/exotel/media", Some(&format!("{API_KEY}:{API_TOKEN}"))).await.unwrap();
    start(&mut by_account, &sid).await;
    hears_the_agent(&mut by_account).await;
    let here = row(&first, &sid).await;
    assert_eq!((here.ownership.generation, here.streams()), (there.ownership.generation + 1, 3));

    drop((socket, by_account));
    first.stop().await;
    second.stop().await;
}
