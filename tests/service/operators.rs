//! Probes, metrics and the operators' API.

use callgate::testing::SettingsArgs;
use protocol::ids::CallSid;
use reqwest::Method;

use super::support::{Answer, GREETING, Gateway, PATIENCE, incoming, sid};

#[actix_web::test]
async fn probes_and_metrics_answer_anybody() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get_bare("/healthz").await.json()["status"], "alive");
    assert_eq!(gateway.get_bare("/readyz").await.json()["status"], "ready");
    let head = gateway.request(Method::HEAD, "/readyz").send().await.unwrap();
    assert_eq!(head.status(), 200);
    gateway.get_bare("/exotel/call-end").await.refused(401, "unauthenticated");
    gateway.post("/exotel/voicebot", &incoming(&sid())).await;
    let page = gateway.get_bare("/metrics").await;
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "callgate_webhooks_total{hook=\"webhook.voicebot\",outcome=\"ok\"}",
        "callgate_webhook_seconds_bucket{hook=\"webhook.voicebot\",le=\"0.05\"}",
        "callgate_refusals_total{code=\"unauthenticated\"}",
        "callgate_calls_live ",
    ] {
        assert!(page.body.contains(line), "{line} is not in {}", page.body);
    }
    // Whatever is measured says what it is.
    for name in page.body.lines().filter_map(|line| line.strip_prefix("# TYPE callgate_")?.split(' ').next()) {
        assert!(page.body.contains(&format!("# HELP callgate_{name} ")), "{name} has no help");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn the_api_is_off_without_an_admin_token_and_shut_without_the_right_one() {
    let gateway = Gateway::start_with(|args: &mut SettingsArgs| args.admin_token = None).await;
    gateway.operate(Method::GET, "/api/v1/clients").await.refused(403, "api_off");
    gateway.stop().await;

    let gateway = Gateway::start().await;
    for path in ["/api/v1/clients", "/api/v1/calls", "/api/v1/calls/a"] {
        gateway.get_bare(path).await.refused(401, "unauthenticated");
        let wrong = gateway.request(Method::GET, path).bearer_auth("admin-token-of-tests2");
        let answer = Answer::of(wrong.send().await.unwrap()).await;
        answer.refused(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(gateway.audited("api", "unauthenticated").await.len(), 6);
    gateway.stop().await;
}

#[actix_web::test]
async fn operators_see_clients_and_calls() {
    let gateway = Gateway::start().await;
    let clients = gateway.operate(Method::GET, "/api/v1/clients").await.json();
    assert_eq!(clients["clients"][0]["number"], "+918037091588");
    assert_eq!(clients["clients"][0]["greeting"], GREETING);
    let (first, second) = (sid(), sid());
    gateway.post("/exotel/voicebot", &incoming(&first)).await;
    gateway.post("/exotel/call-start", &incoming(&second)).await;
    let calls = gateway.operate(Method::GET, "/api/v1/calls?limit=1").await.json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    assert_eq!(calls["calls"][0]["call_sid"], second);
    assert_eq!(calls["calls"][0]["entry"], "call-start");
    let call = gateway.operate(Method::GET, &format!("/api/v1/calls/{first}")).await.json();
    assert_eq!((&call["status"], &call["live"]), (&"in-progress".into(), &true.into()));
    assert_eq!((&call["from"], &call["client"]), (&"+919876543210".into(), &"Asha Clinic".into()));
    assert_eq!(call["turns"], serde_json::json!([]));
    for (path, parameter) in [
        ("/api/v1/calls?foo=1", "foo"),
        ("/api/v1/calls?from=%2B919876543210", "from"),
        ("/api/v1/calls?Status=completed", "Status"),
        ("/api/v1/calls?limit=1&limit=2", "limit"),
        ("/api/v1/clients?status=active", "status"),
        ("/api/v1/calls/nobody?x=", "x"),
        ("/api/v1/clients/1?after=2", "after"),
    ] {
        let error = gateway.operate(Method::GET, path).await.refused(400, "unknown_parameter");
        assert_eq!(error["field"], parameter, "{path}");
    }
    for status in ["bogus", "live", "COMPLETED", "in_progress"] {
        let error = gateway.operate(Method::GET, &format!("/api/v1/calls?status={status}")).await;
        let error = error.refused(400, "malformed_field");
        assert!(error["field"] == "status" && error["message"].as_str().unwrap().contains("in-progress"), "{error}");
    }
    assert_eq!(
        gateway.operate(Method::GET, "/api/v1/calls?status=in-progress").await.json()["calls"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    for limit in ["x", "0", "-1", "501", "1000000", "99999999999999999999"] {
        for list in ["calls", "clients"] {
            let answer = gateway.operate(Method::GET, &format!("/api/v1/{list}?limit={limit}")).await;
            assert_eq!(answer.refused(400, "malformed_field")["field"], "limit", "{limit}");
        }
    }
    assert_eq!(gateway.operate(Method::GET, "/api/v1/calls?limit=500").await.status, 200);
    gateway.operate(Method::GET, "/api/v1/calls/nobody").await.refused(404, "unknown_call");
    gateway.stop().await;
}

#[actix_web::test]
async fn an_operator_can_end_a_live_call() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    let path = format!("/api/v1/calls/{sid}/hangup");
    let answer = gateway.operate(Method::POST, &path).await;
    assert_eq!(answer.json(), serde_json::json!({ "call_sid": sid, "hangup": "requested" }));
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.running.recorder().flush().await;
    let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
    assert_eq!(call.ended_why.as_deref(), Some("an operator ended the call"));
    let shown = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    assert_eq!((&shown["ended_code"], &shown["ended_by"]), (&"operator".into(), &"gateway".into()));
    let ended = gateway.audited("call.ended", "completed").await.remove(0);
    assert_eq!(ended.payload["code"], "operator");
    let page = gateway.get_bare("/metrics").await.body;
    let counts = |line: &str| line.starts_with("callgate_calls_ended_total{") && line.contains("code=\"operator\"");
    assert!(page.lines().any(counts), "{page}");
    gateway.operate(Method::POST, &path).await.refused(409, "not_live");
    gateway.operate(Method::POST, "/api/v1/calls/nobody/hangup").await.refused(404, "unknown_call");
    assert_eq!(gateway.audited("api.hangup", "ok").await.len(), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn calls_come_a_page_at_a_time_and_by_what_is_asked_for() {
    let gateway = Gateway::start().await;
    let sids: Vec<String> = (0..5).map(|_| sid()).collect();
    for sid in &sids {
        gateway.post("/exotel/voicebot", &incoming(sid)).await;
    }
    gateway.post("/exotel/call-end", &[("CallSid", &sids[1]), ("Status", "busy")]).await;
    let get = async |query: &str| gateway.operate(Method::GET, &format!("/api/v1/calls?{query}")).await.json();
    let named = |page: &serde_json::Value| -> Vec<String> {
        page["calls"].as_array().unwrap().iter().map(|call| call["call_sid"].as_str().unwrap().to_owned()).collect()
    };
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("limit=2{after}")).await;
        assert!((1..=2).contains(&named(&page).len()));
        seen.extend(named(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, sids.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(named(&get("status=busy").await), sids[1..2]);
    assert_eq!(named(&get("client=08037091588").await).len(), 5);
    assert_eq!(named(&get(&format!("client={}&status=in-progress", gateway.tenant.id)).await).len(), 4);
    assert_eq!(named(&get("since=2020-01-01&until=2020-01-02T00:00:00%2B05:30").await).len(), 0);
    assert_eq!(named(&get("since=2020-01-01").await).len(), 5);
    for (query, field) in [("after=x", "after"), ("since=yesterday", "since"), ("until=1", "until")] {
        let answer = gateway.operate(Method::GET, &format!("/api/v1/calls?{query}")).await;
        assert_eq!(answer.refused(400, "malformed_field")["field"], field);
    }
    gateway.operate(Method::GET, "/api/v1/calls?client=999").await.refused(404, "unknown_client");
    gateway.stop().await;
}

#[actix_web::test]
async fn one_call_shows_its_figures_its_turns_and_its_timeline() {
    let gateway = Gateway::start().await;
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.running.recorder().flush().await;
    let call = gateway.operate(Method::GET, &format!("/api/v1/calls/{sid}")).await.json();
    let kinds: Vec<&str> = call["timeline"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
    for kind in ["webhook.voicebot", "webhook.call-end", "supervisor.start", "call.model-dialled", "call.ended"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let figures = call["figures"].as_object().unwrap();
    for figure in [
        "duration_ms",
        "caller_talk_ms",
        "agent_talk_ms",
        "turns",
        "interruptions",
        "first_audio_ms",
        "answer_p50_ms",
        "answer_p95_ms",
        "answer_max_ms",
        "unheard_ms",
        "model_reconnects",
        "frames_lost",
        "tokens",
        "cost_microusd",
    ] {
        assert!(figures.contains_key(figure), "{figure}");
    }
    assert_eq!((&call["status"], &call["live"]), (&"completed".into(), &false.into()));
    gateway.stop().await;
}

#[actix_web::test]
async fn operators_add_change_and_disable_clients() {
    let gateway = Gateway::start().await;
    let send = async |method: Method, path: &str, body: serde_json::Value| {
        let request = gateway.request(method, path).bearer_auth(crate::support::ADMIN_TOKEN).json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    let new = serde_json::json!({ "name": "City Clinic", "number": "080 4711-2233", "language": "hi-IN", "max_concurrent": 3,
        "recording": "on", "voice": "Marin", "transcription_language": "hi-IN", "tools": [] });
    let added = send(Method::POST, "/api/v1/clients", new.clone()).await;
    assert_eq!(added.status, 201, "{added:?}");
    let client = added.json();
    let place = format!("/api/v1/clients/{}", client["id"]);
    assert_eq!(added.header("location"), Some(&*place));
    assert_eq!((&client["number"], &client["recording"]), (&"+918047112233".into(), &"on".into()));
    assert_eq!((&client["voice"], &client["transcription_language"]), (&"marin".into(), &"hi".into()));
    assert_eq!((&client["tools"], &client["max_concurrent"]), (&serde_json::json!([]), &3.into()));
    let sid = sid();
    let call = [("CallSid", sid.as_str()), ("From", "09876543210"), ("To", "08047112233")];
    assert_eq!(gateway.post("/exotel/voicebot", &call).await.status, 200);

    let taken = send(Method::POST, "/api/v1/clients", new).await;
    assert_eq!(taken.refused(409, "number_taken")["field"], "number");
    let changed =
        send(Method::PATCH, &place, serde_json::json!({ "greeting": "Namaste", "max_concurrent": null, "transcription_language": "", "unlisted_voice": "tara" })).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["greeting"]), (200, &"Namaste".into()));
    assert_eq!((&changed.json()["max_concurrent"], &changed.json()["language"]), (&().into(), &"hi-IN".into()));
    assert_eq!((&changed.json()["transcription_language"], &changed.json()["voice"]), (&().into(), &"tara".into()));
    let by_number = gateway.operate(Method::GET, "/api/v1/clients/+918047112233").await;
    assert_eq!(by_number.json()["greeting"], "Namaste");
    let disabled = gateway.operate(Method::POST, &format!("{place}/disable")).await;
    assert_eq!(disabled.json()["active"], false);
    let call = [("CallSid", "other"), ("From", "09876543210"), ("To", "08047112233")];
    gateway.post("/exotel/voicebot", &call).await.refused(404, "unknown_client");

    let page = gateway.operate(Method::GET, "/api/v1/clients?limit=1").await.json();
    assert_eq!(page["clients"].as_array().unwrap().len(), 1);
    let rest = format!("/api/v1/clients?limit=5&after={}", page["next"].as_str().unwrap());
    let rest = gateway.operate(Method::GET, &rest).await.json();
    assert_eq!((&rest["clients"][0]["name"], &rest["next"]), (&"City Clinic".into(), &().into()));
    for kind in ["api.client-added", "api.client-changed", "api.client-disabled"] {
        assert_eq!(gateway.audited(kind, "ok").await.len(), 1, "{kind}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn an_operator_says_where_a_client_is_told_and_never_reads_the_secret_again() {
    let gateway = Gateway::start().await;
    let send = async |method: Method, path: &str, body: serde_json::Value| {
        let request = gateway.request(method, path).bearer_auth(crate::support::ADMIN_TOKEN).json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    let store = gateway.running.store();
    let target = async |id: i64| store.events_target(id).await.unwrap();
    let url = "https://crm.example/callgate";
    let new = serde_json::json!({ "name": "Told", "number": "08047112233", "events_url": url });
    let added = send(Method::POST, "/api/v1/clients", new).await;
    assert_eq!(added.status, 201, "{added:?}");
    let (id, made) = (added.json()["id"].as_i64().unwrap(), added.json()["events_secret"].clone());
    assert!(made.as_str().unwrap().starts_with("whsec_"), "{made}");
    assert_eq!(target(id).await.unwrap().secret.reveal(), made);
    let place = format!("/api/v1/clients/{id}");
    let shown = gateway.operate(Method::GET, &place).await;
    assert_eq!(shown.json()["events_url"], url);
    assert!(!shown.body.contains("whsec_") && !shown.body.contains("events_secret"), "{shown:?}");

    // Another place keeps the secret, another secret the place.
    let moved = send(Method::PATCH, &place, serde_json::json!({ "events_url": "https://b.example/x" })).await;
    assert_eq!((moved.status.as_u16(), &moved.json()["events_url"]), (200, &"https://b.example/x".into()));
    assert!(!moved.body.contains("events_secret"));
    assert_eq!(target(id).await.unwrap().secret.reveal(), made);
    let own = send(Method::PATCH, &place, serde_json::json!({ "events_secret": "sixteen-letters-" })).await;
    assert!(own.status == 200 && !own.body.contains("sixteen"), "{own:?}");
    let told = target(id).await.unwrap();
    assert_eq!((&*told.url, told.secret.reveal()), ("https://b.example/x", "sixteen-letters-"));
    // What else is changed leaves them alone, and no log has the secret.
    send(Method::PATCH, &place, serde_json::json!({ "greeting": "Hi" })).await;
    assert!(target(id).await.is_some());
    for entry in store.recent_audit(100).await.unwrap() {
        let payload = entry.payload.to_string();
        assert!(!payload.contains("sixteen") && !payload.contains("whsec_"), "{payload}");
    }
    let off = send(Method::PATCH, &place, serde_json::json!({ "events_url": null })).await;
    assert_eq!(off.json()["events_url"], serde_json::Value::Null);
    assert!(target(id).await.is_none());
    gateway.stop().await;
}

#[actix_web::test]
async fn what_an_operator_writes_wrong_is_named() {
    let gateway = Gateway::start().await;
    let patch = async |body: &str, kind: &str| {
        let path = format!("/api/v1/clients/{}", gateway.tenant.id);
        let request = gateway.request(Method::PATCH, &path).bearer_auth(crate::support::ADMIN_TOKEN);
        Answer::of(request.header("content-type", kind).body(body.to_owned()).send().await.unwrap()).await
    };
    let json = "application/json";
    for (body, field) in [
        (r#"{"name":" "}"#, "name"),
        (r#"{"number":"12"}"#, "number"),
        (r#"{"language":"english please"}"#, "language"),
        (r#"{"region":"India"}"#, "region"),
        (r#"{"region":"XX"}"#, "region"),
        (r#"{"time_zone":"IST"}"#, "time_zone"),
        (r#"{"max_concurrent":-1}"#, "max_concurrent"),
        (r#"{"calls_per_minute":"many"}"#, "calls_per_minute"),
        (r#"{"recording":"maybe"}"#, "recording"),
        (r#"{"tools":{}}"#, "tools"),
        (r#"{"tools":[{"name":"book","description":"Books.","parameters":{"type":"object"}}]}"#, "tools"),
        (r#"{"voice":"doesnotexist"}"#, "voice"),
        (r#"{"unlisted_voice":"\u001b[2J"}"#, "unlisted_voice"),
        (r#"{"transcription_language":"hindi"}"#, "transcription_language"),
        (r#"{"transcription_language":7}"#, "transcription_language"),
        (r#"{"greeting":7}"#, "greeting"),
        (r#"{"events_url":"http://crm.example"}"#, "events_url"),
        (r#"{"events_url":"https://169.254.169.254/latest/meta-data"}"#, "events_url"),
        (r#"{"events_url":"https://[::ffff:169.254.169.254]/"}"#, "events_url"),
        (r#"{"events_url":"https://metadata.google.internal/"}"#, "events_url"),
        (r#"{"events_url":"https://2130706434/"}"#, "events_url"),
        (r#"{"events_url":"https://10.0.0.1/"}"#, "events_url"),
        (r#"{"events_url":7}"#, "events_url"),
        (r#"{"events_url":"https://crm.example","events_secret":"short"}"#, "events_secret"),
        (r#"{"events_secret":"sixteen-letters-"}"#, "events_secret"),
        (r#"{"events_secret":null}"#, "events_secret"),
    ] {
        assert_eq!(patch(body, json).await.refused(400, "malformed_field")["field"], field, "{body}");
    }
    assert_eq!(patch(r#"{"greting":"Hi"}"#, json).await.refused(400, "unknown_field")["field"], "greting");
    patch("{", json).await.refused(400, "malformed_body");
    patch("{}", "text/plain").await.refused(415, "unsupported_media_type");
    let missing = gateway.request(Method::POST, "/api/v1/clients").bearer_auth(crate::support::ADMIN_TOKEN);
    let missing = Answer::of(missing.json(&serde_json::json!({ "name": "A" })).send().await.unwrap()).await;
    assert_eq!(missing.refused(400, "missing_field")["field"], "number");
    gateway.operate(Method::GET, "/api/v1/clients/999").await.refused(404, "unknown_client");
    gateway.operate(Method::DELETE, "/api/v1/clients/1").await.refused(405, "method_not_allowed");
    let bare = gateway.request(Method::POST, "/api/v1/clients").body("{}");
    Answer::of(bare.send().await.unwrap()).await.refused(401, "unauthenticated");
    gateway.stop().await;
}
