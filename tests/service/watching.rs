//! What on-call engineers ask of the terminal.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::Value;

use super::support::{Gateway, PATIENCE, incoming, sid};

/// The program on a gateway's database.
fn program(gateway: &Gateway, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).args(["--database-url", &gateway.database.url]).stdin(Stdio::null());
    command
}

fn said(gateway: &Gateway, words: &[&str]) -> String {
    let output = program(gateway, words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn said_json(gateway: &Gateway, words: &[&str]) -> Value {
    serde_json::from_str(&said(gateway, &[words, &["--json"]].concat())).unwrap()
}

/// What a list of calls by the API and by the terminal has.
async fn sids(gateway: &Gateway, query: &str, words: &[&str]) -> Vec<String> {
    let sids = |listed: &Value| -> Vec<String> {
        listed["calls"].as_array().unwrap().iter().map(|call| call["call_sid"].as_str().unwrap().to_owned()).collect()
    };
    let by_terminal = sids(&said_json(gateway, &[&["calls"], words].concat()));
    let by_api = sids(&gateway.operate(Method::GET, &format!("/api/v1/calls?{query}")).await.json());
    assert_eq!(by_terminal, by_api, "{query} {words:?}");
    by_terminal
}

#[actix_web::test]
async fn calls_are_found_by_what_they_are_like_at_the_terminal_as_by_the_api() {
    let gateway = Gateway::start().await;
    let (live, over) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&live)).await;
    gateway.post("/exotel/voicebot", &incoming(&over)).await;
    gateway.post("/exotel/call-end", &[("CallSid", &over), ("Status", "completed")]).await;
    gateway.operate(Method::POST, &format!("/api/v1/calls/{over}/hangup")).await;
    gateway.running.recorder().flush().await;
    let both = vec![over.clone(), live.clone()];
    assert_eq!(sids(&gateway, "", &[]).await, both);
    assert_eq!(sids(&gateway, "live=true", &["--live"]).await, vec![live.clone()]);
    assert_eq!(sids(&gateway, "status=completed", &["--status", "completed"]).await, vec![over.clone()]);
    let code = gateway.operate(Method::GET, &format!("/api/v1/calls/{over}")).await.json()["ended_code"].clone();
    let code = code.as_str().unwrap();
    assert_eq!(sids(&gateway, &format!("ended={code}"), &["--ended", code]).await, vec![over.clone()]);
    assert!(sids(&gateway, "ended=model_failed", &["--ended", "model_failed"]).await.is_empty());
    assert_eq!(sids(&gateway, "since=2h", &["--since", "2h"]).await, both);
    assert!(sids(&gateway, "until=2h", &["--until", "2h"]).await.is_empty());
    assert!(sids(&gateway, "slow=1", &["--slow", "1"]).await.is_empty(), "nobody waited for an answer");
    assert_eq!(sids(&gateway, "client=08037091588", &["--client", "080 3709-1588"]).await, both);
    for (query, field) in [("live=yes", "live"), ("ended=bad", "ended"), ("slow=0", "slow"), ("since=2w", "since")] {
        let error =
            gateway.operate(Method::GET, &format!("/api/v1/calls?{query}")).await.refused(400, "malformed_field");
        assert_eq!(error["field"], field, "{query}");
    }

    let listed = said(&gateway, &["calls"]);
    let line = listed.lines().find(|line| line.contains(&live)).unwrap();
    assert!(line.contains("waiting") && line.contains("…10") && !listed.contains("9876543210"), "{listed}");
    assert!(said(&gateway, &["calls", "--status", "busy"]).contains("No such calls"));
    gateway.stop().await;
}

#[actix_web::test]
async fn one_call_at_the_terminal_shows_every_payload_and_is_the_same_as_by_the_api() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed"), ("Odd", "kept as it is")]).await;
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.running.recorder().flush().await;
    let shown = said(&gateway, &["calls", &sid]);
    let told = shown.lines().find(|line| line.contains("webhook.call-end")).unwrap();
    assert!(told.contains("kept as it is"), "{shown}");
    assert!(told.split(' ').next().unwrap().ends_with('Z') && told.contains('.'), "{told}");
    let by_api = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    assert_eq!(said_json(&gateway, &["calls", &sid]), by_api);
    gateway.stop().await;
}

#[actix_web::test]
async fn the_audit_log_is_searched_by_call_client_kind_outcome_and_time() {
    let gateway = Gateway::start().await;
    let (one, other) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&one)).await;
    gateway.post("/exotel/call-start", &incoming(&other)).await;
    gateway.post("/exotel/voicebot", &[("CallSid", "nobodys"), ("From", "09876543210"), ("To", "08000000000")]).await;
    gateway.running.recorder().flush().await;
    let found = |words: &[&str]| -> Vec<(String, String)> {
        let listed = said_json(&gateway, &[&["audit", "list"], words].concat());
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        listed["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (text(entry, "kind"), text(entry, "call_sid")))
            .collect()
    };
    assert!(found(&["--call", &one]).iter().all(|(_, call)| *call == one));
    assert!(found(&["--call", &one]).contains(&("webhook.voicebot".to_owned(), one.clone())));
    assert_eq!(found(&["--kind", "webhook"]).len(), 3);
    assert_eq!(found(&["--kind", "webhook.call-start"]), [("webhook.call-start".to_owned(), other.clone())]);
    for none in ["web", "webhook.call", "webhook_call-start", "%", "webhook."] {
        assert!(found(&["--kind", none]).is_empty(), "{none}");
    }
    assert_eq!(found(&["--outcome", "unknown_client"]).len(), 1);
    let of_client = found(&["--client", "08037091588", "--kind", "webhook"]);
    assert_eq!(of_client.len(), 2, "{of_client:?}");
    assert_eq!(found(&["--since", "1h", "--kind", "webhook"]).len(), 3);
    assert!(found(&["--until", "1h"]).is_empty());
    assert!(said(&gateway, &["audit", "list", "--kind", "none"]).contains("No such entries"));
    gateway.stop().await;
}

#[actix_web::test]
async fn who_follows_calls_sees_each_start_and_end_and_leaves_when_they_have_seen_enough() {
    let gateway = Gateway::start().await;
    let (before, later) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&before)).await;
    let mut follower = program(&gateway, &["calls", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = move || -> (String, bool) {
        let call: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (call["call_sid"].as_str().unwrap().to_owned(), call["live"].as_bool().unwrap())
    };
    let (seen, mut next) = actix_web::web::block(move || (next(), next)).await.unwrap();
    assert_eq!(seen, (before.clone(), true));
    gateway.post("/exotel/voicebot", &incoming(&later)).await;
    gateway.operate(Method::POST, &format!("/api/v1/calls/{before}/hangup")).await;
    gateway.running.recorder().flush().await;
    let seen = actix_web::web::block(move || [next(), next()]).await.unwrap();
    assert!(seen.contains(&(later, true)) && seen.contains(&(before, false)), "{seen:?}");
    // Nobody reads any more: the next line finds that out, and it is no failure.
    gateway.post("/exotel/voicebot", &incoming(&sid())).await;
    let output = actix_web::web::block(move || follower.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn every_list_is_to_be_had_as_json() {
    let gateway = Gateway::start().await;
    for (words, name) in [
        (&["client", "list"][..], "clients"),
        (&["calls"], "calls"),
        (&["audit", "list"], "entries"),
        (&["jobs", "--all"], "jobs"),
        (&["secret", "list", "08037091588"], "secrets"),
        (&["client", "token", "list", "08037091588"], "tokens"),
    ] {
        assert!(said_json(&gateway, words)[name].is_array(), "{words:?}");
    }
    assert_eq!(said_json(&gateway, &["client", "show", "08037091588"])["number"], "+918037091588");
    gateway.stop().await;
}

#[actix_web::test]
async fn why_says_the_same_at_the_terminal_as_by_the_api_and_knows_calls_that_were_refused() {
    let gateway = Gateway::start().await;
    let (over, refused, unknown) = (sid(), sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&over)).await;
    let why = async |sid: &str| gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}/why")).await;
    gateway.running.recorder().flush().await;
    let live = why(&over).await.json();
    assert_eq!((&live["so_far"], &live["places"]), (&true.into(), &serde_json::json!([])), "{live:#}");
    gateway.post("/exotel/call-end", &[("CallSid", &over), ("Status", "no-answer")]).await;
    gateway.running.switchboard().drained(PATIENCE).await;
    // Nobody has that number.
    let number = [("CallSid", refused.as_str()), ("CallFrom", "09876543210"), ("CallTo", "08037099999")];
    gateway.post("/exotel/voicebot", &number).await.refused(404, "unknown_client");
    gateway.running.recorder().flush().await;

    for (sid, place, known) in [(&over, None, "yes"), (&refused, Some("setting"), "yes")] {
        let told = why(sid).await.json();
        assert_eq!(told, said_json(&gateway, &["why", sid]), "{told:#}");
        let places: Vec<&str> = place.into_iter().collect();
        assert_eq!((&told["places"], &told["known"]), (&serde_json::json!(places), &known.into()), "{told:#}");
        let lines = said(&gateway, &["why", sid]);
        assert_eq!(lines.lines().count(), 5, "{lines}");
        assert!(!lines.contains("9876543210"), "{lines}");
    }
    assert!(said(&gateway, &["why", &refused]).contains("no active client has the number"));
    why(&unknown).await.refused(404, "unknown_call");
    assert_eq!(gateway.operate(Method::GET, &format!("/api/v1/calls/{over}/why?x=1")).await.status, 400);
    let output = program(&gateway, &["why", &unknown]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("`callgate calls` lists the latest"), "{output:?}");

    let listened = said(&gateway, &["calls", &over, "--listen"]);
    assert!(listened.contains("was not recorded") && listened.lines().count() == 1, "{listened}");
    assert_eq!(said_json(&gateway, &["calls", &over, "--listen"])["recordings"], serde_json::json!([]));
    gateway.stop().await;
}
