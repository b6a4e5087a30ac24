//! Where a caller goes whose stream is over: passthru, connect and resume, whoever asks first and however often.

use callgate::testing::{EventsTarget, NewClient};
use futures_util::future::join_all;
use protocol::call::end::{EndCode, Ended, Transfer};
use protocol::ids::{CallSid, Secret};
use reqwest::Method;
use serde_json::{Value, json};

use super::media::is_closed;
use super::streams::{has_left, live, row, stream_path, voicebot};
use super::support::{ADMIN_TOKEN, Answer, Gateway, eventually, incoming, sid, tenant};
use super::work::neighbour;

const PLACE: &str = "/api/v1/clients/1/agent";

/// A desk that rings for a minute, billing which is told a word, and nobody outside of hours unless that is said.
fn people() -> Value {
    json!({
        "desk": { "to": "08047112290", "ring_secs": 60, "caller_id": "08037091588" },
        "billing": { "to": "sip:billing@pbx.example", "when": "Bills.", "whisper": "A call about a bill." },
    })
}

async fn apply(gateway: &Gateway, change: impl FnOnce(&mut Value)) -> Answer {
    let mut wished = gateway.operate(Method::GET, PLACE).await.json();
    change(&mut wished);
    Answer::of(gateway.request(Method::PUT, PLACE).bearer_auth(ADMIN_TOKEN).json(&wished).send().await.unwrap()).await
}

/// A gateway whose client has people to hand on to, and is told of its calls.
async fn with_people() -> (Gateway, super::work::Heard) {
    let (host, heard) = neighbour();
    let gateway = Gateway::start().await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    assert!(gateway.running.store().set_events_target(gateway.tenant.id, Some(target)).await.unwrap());
    let applied = apply(&gateway, |agent| {
        (agent["destinations"], agent["failure"]) = (people(), json!({ "to": "desk" }));
    });
    let applied = applied.await;
    assert_eq!(applied.status, 200, "{applied:?}");
    (gateway, heard)
}

fn to(name: &str) -> Ended {
    let (reason, summary) = ("a bill".to_owned(), Some("Asha asks about bill 12.".to_owned()));
    Ended::Transferred(Transfer { reason, to: Some(name.to_owned()), summary })
}

/// A call that had a stream, and ended so.
async fn ended(gateway: &Gateway, why: Ended) -> String {
    let sid = sid();
    stream(gateway, &sid, why).await;
    sid
}

async fn stream(gateway: &Gateway, sid: &str, why: Ended) {
    let mut socket = live(gateway, &stream_path(&voicebot(gateway, sid).await), sid).await;
    assert!(gateway.running.switchboard().end(&CallSid::new(sid), why));
    assert!(is_closed(&mut socket).await);
    has_left(gateway, sid).await;
}

async fn ask(gateway: &Gateway, applet: &str, sid: &str) -> Answer {
    let stream = ["passthru"].contains(&applet).then_some(("Stream[Status]", "completed"));
    let fields = [("CallSid", sid), ("CallTo", "08037091588"), ("CallStatus", "in-progress")];
    gateway.get(&format!("/exotel/{applet}"), &[&fields[..], stream.as_slice()].concat()).await
}

async fn dial_status(gateway: &Gateway, sid: &str, status: &str) -> Answer {
    gateway.get("/exotel/passthru/resume", &[("CallSid", sid), ("DialCallStatus", status)]).await
}

fn told(heard: &super::work::Heard, what: &str) -> Vec<Value> {
    heard.lock().unwrap().iter().filter(|event| event["type"] == what).cloned().collect()
}

#[actix_web::test]
async fn the_connect_applet_is_told_whom_to_dial_whoever_asks_first_and_however_often() {
    let (gateway, heard) = with_people().await;
    for order in [["passthru", "connect"], ["connect", "passthru"]] {
        let sid = ended(&gateway, to("billing")).await;
        for applet in [order[0], order[0], order[1], order[1], order[0]] {
            let answer = ask(&gateway, applet, &sid).await;
            assert_eq!(answer.status, 200, "{applet}: {answer:?}");
            if applet == "connect" {
                assert_eq!(
                    answer.json(),
                    json!({
                        "fetch_after_attempt": false,
                        "destination": { "numbers": ["sip:billing@pbx.example"] },
                        "max_ringing_duration": 45,
                        "start_call_playback": { "playback_to": "callee", "type": "text", "value": "A call about a bill." },
                    })
                );
            }
        }
    }
    eventually("the desk is told", || async { told(&heard, "call.transferred").len() == 2 }).await;
    let event = &told(&heard, "call.transferred")[0];
    let transfer =
        json!({ "to": "billing", "reason": "a bill", "summary": "Asha asks about bill 12.", "cause": "transferred" });
    assert_eq!((&event["data"]["transfer"], &event["data"]["from"]), (&transfer, &json!("+919876543210")));
    assert_eq!(told(&heard, "call.ended").len(), 0, "it rings");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_whom_the_agent_failed_goes_to_the_desk_and_all_who_ask_at_once_are_told_the_same() {
    let (gateway, heard) = with_people().await;
    let beside = gateway.beside().await;
    let sid = ended(&gateway, Ended::ModelFailed { cause: "refused".to_owned() }).await;
    let asks = (0..8).map(|n| {
        let (gateway, sid) = (if n % 2 == 0 { &gateway } else { &beside }, sid.as_str());
        async move { ask(gateway, if n % 4 < 2 { "passthru" } else { "connect" }, sid).await }
    });
    let answers = join_all(asks).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let dialled: Vec<Value> = answers.iter().map(Answer::json).filter(|told| told["destination"].is_object()).collect();
    assert_eq!(dialled.len(), 4);
    assert!(dialled.iter().all(|told| told["destination"]["numbers"] == json!(["+918047112290"])), "{dialled:?}");
    assert_eq!(dialled[0]["outgoing_phone_number"], "+918037091588");
    eventually("the desk is told", || async { told(&heard, "call.transferred").len() == 1 }).await;
    assert_eq!(told(&heard, "call.transferred")[0]["data"]["transfer"]["reason"], "the agent failed (model_failed)");
    assert_eq!(gateway.audited("call.handed-on", "ok").await.len(), 1);
    let rings = (row(&gateway, &sid).await.over_at.unwrap() - chrono::Utc::now()).num_seconds();
    assert!((100..=120).contains(&rings), "{rings}");
    // Who hangs up goes nowhere, whoever is asked.
    let gone = ended(&gateway, Ended::CallerHungUp { reason: Some("callended".to_owned()) }).await;
    ask(&beside, "connect", &gone).await.refused(404, "no_transfer");
    assert_eq!(ask(&gateway, "passthru", &gone).await.status, 302);
    assert_eq!(gateway.audited("webhook.connect", "no_transfer").await.len(), 1);
    beside.stop().await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_gateway_that_is_asked_in_the_moment_of_the_goodbye_waits_for_how_the_other_says_it_went() {
    let (gateway, _heard) = with_people().await;
    let beside = gateway.beside().await;
    for applet in ["passthru", "connect"] {
        let sid = sid();
        let mut socket = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
        assert!(gateway.running.recorder().flush().await);
        assert!(gateway.running.switchboard().end(&CallSid::new(&sid), to("billing")));
        assert!(is_closed(&mut socket).await);
        // What it came to is on its way to the record.
        assert_eq!(ask(&beside, applet, &sid).await.status, 200, "{applet}");
        assert_eq!(row(&gateway, &sid).await.ended_code, Some(EndCode::Transferred));
    }
    beside.stop().await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_whom_nobody_answered_is_back_with_the_agent_and_the_outcome_is_told_with_the_end() {
    let (gateway, heard) = with_people().await;
    let beside = gateway.beside().await;
    let sid = ended(&gateway, to("desk")).await;
    assert_eq!(ask(&gateway, "passthru", &sid).await.status, 200);
    // The one that had the call is gone between the two.
    assert_eq!(ask(&beside, "connect", &sid).await.json()["max_ringing_duration"], 60);
    assert_eq!(dial_status(&beside, &sid, "no-answer").await.status, 200);
    assert_eq!(dial_status(&gateway, &sid, "no-answer").await.status, 200);
    stream(&beside, &sid, to("billing")).await;
    assert_eq!(
        ask(&gateway, "connect", &sid).await.json()["destination"]["numbers"],
        json!(["sip:billing@pbx.example"])
    );
    assert_eq!(dial_status(&gateway, &sid, "completed").await.status, 302);
    eventually("the end is told", || async { told(&heard, "call.ended").len() == 1 }).await;
    let end = &told(&heard, "call.ended")[0]["data"]["transfer"];
    assert_eq!(
        (&end["to"], &end["outcome"], &end["summary"]),
        (&json!("billing"), &json!("completed"), &json!("Asha asks about bill 12."))
    );
    assert_eq!(told(&heard, "call.transferred").len(), 2);
    let shown = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    let outcomes: Vec<&Value> = shown["transfers"].as_array().unwrap().iter().map(|to| &to["outcome"]).collect();
    assert_eq!(outcomes, ["no-answer", "completed"]);
    beside.stop().await;
    gateway.stop().await;
}

#[actix_web::test]
async fn a_connect_request_for_nobodys_or_another_clients_call_is_refused_in_words_and_ends_nothing() {
    let (gateway, _heard) = with_people().await;
    ask(&gateway, "connect", &sid()).await.refused(404, "unknown_call");
    gateway.get("/exotel/connect", &[("CallTo", "08037091588")]).await.refused(400, "missing_field");
    let other = NewClient { name: "Other".to_owned(), ..tenant("+918047119999") };
    gateway.running.store().add_client(other).await.unwrap();
    let sid = sid();
    let mut socket = live(&gateway, &stream_path(&voicebot(&gateway, &sid).await), &sid).await;
    let fields = [("CallSid", sid.as_str()), ("CallTo", "08047119999"), ("CallStatus", "in-progress")];
    let refused = gateway.get("/exotel/connect", &fields).await;
    assert_eq!(refused.refused(404, "another_client")["field"], "CallTo");
    super::streams::hears_the_agent(&mut socket).await;
    assert_eq!(row(&gateway, &sid).await.ended_code, None);
    let stranger = gateway.get_bare(&format!("/exotel/connect?CallSid={sid}")).await;
    stranger.refused(401, "unauthenticated");
    drop(socket);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_destination_that_became_a_number_of_ours_is_not_dialled() {
    let (gateway, _heard) = with_people().await;
    let refused = apply(&gateway, |agent| agent["destinations"]["desk"]["to"] = json!("08037091588")).await;
    assert!(refused.body.contains("destinations.desk.to"), "{refused:?}");
    let sid = ended(&gateway, to("desk")).await;
    let other = NewClient { name: "Other".to_owned(), ..tenant("+918047112290") };
    gateway.running.store().add_client(other).await.unwrap();
    assert_eq!(ask(&gateway, "passthru", &sid).await.status, 302);
    ask(&gateway, "connect", &sid).await.refused(404, "no_transfer");
    gateway.stop().await;
}

#[actix_web::test]
async fn who_was_refused_goes_to_the_desk_unless_they_call_too_often() {
    let (gateway, _heard) = with_people().await;
    apply(&gateway, |agent| agent["caller_calls_per_minute"] = json!(2)).await;
    let failed = |sid: &str, from: &'static str| {
        let fields = [
            ("CallSid", sid),
            ("CallFrom", from),
            ("CallTo", "08037091588"),
            ("CallStatus", "in-progress"),
            ("Stream[Status]", "failed"),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let passthru = async |sid: &str, from| {
        let fields = failed(sid, from);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        gateway.get("/exotel/passthru", &fields).await.status.as_u16()
    };
    let refused = sid();
    assert_eq!(passthru(&refused, "09876500001").await, 200);
    assert_eq!(ask(&gateway, "connect", &refused).await.json()["destination"]["numbers"], json!(["+918047112290"]));
    for _ in 0..2 {
        assert_eq!(gateway.get("/exotel/voicebot", &incoming(&sid())).await.status, 200);
    }
    let third = sid();
    gateway.get("/exotel/voicebot", &incoming(&third)).await.refused(429, "rate_limited");
    assert_eq!(passthru(&third, "09876543210").await, 302);
    gateway.stop().await;
}

#[actix_web::test]
async fn outside_of_hours_a_caller_goes_where_the_hours_say() {
    let (gateway, heard) = with_people().await;
    // Never open, but for a minute of the week that is not this one.
    let day = (chrono::Utc::now() + chrono::TimeDelta::days(3)).format("%a").to_string();
    let applied = apply(&gateway, |agent| {
        agent["hours"] = json!({ "open": [format!("{day} 00:00-00:01")], "to": "billing" });
    });
    assert_eq!(applied.await.status, 200);
    let sid = sid();
    let path = stream_path(&voicebot(&gateway, &sid).await);
    // No words: the caller is let go as soon as they are there.
    let mut socket = super::media::open(&gateway, &path, None).await.unwrap();
    super::media::start(&mut socket, &sid).await;
    assert!(is_closed(&mut socket).await);
    has_left(&gateway, &sid).await;
    assert_eq!(row(&gateway, &sid).await.ended_code, Some(EndCode::Closed));
    assert_eq!(ask(&gateway, "passthru", &sid).await.status, 200);
    assert_eq!(
        ask(&gateway, "connect", &sid).await.json()["destination"]["numbers"],
        json!(["sip:billing@pbx.example"])
    );
    assert_eq!(dial_status(&gateway, &sid, "no-answer").await.status, 302, "there is no agent to go back to");
    eventually("the desk is told", || async { told(&heard, "call.transferred").len() == 1 }).await;
    assert_eq!(told(&heard, "call.transferred")[0]["data"]["transfer"]["reason"], "outside of the agent's hours");
    gateway.stop().await;
}
