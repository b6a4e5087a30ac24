//! Everything that is refused: in words, with its code, counted and audited.

use std::time::{Duration, Instant};

use callgate::testing::ClientChanges;
use reqwest::Method;

use super::support::{API_KEY, API_TOKEN, Answer, Gateway, NUMBER, PATIENCE, incoming, sid, sign, tenant, urlencoded};

#[actix_web::test]
async fn a_wrong_signature_of_any_length_is_refused_and_audited() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let body = urlencoded(&incoming(&sid));
    let right = sign(body.as_bytes());
    let mut wrong: Vec<Vec<u8>> = [0, 1, 2, 31, 32, 63, 65, 66, 128, 4000]
        .iter()
        .map(|length| right.bytes().cycle().skip(1).take(*length).collect())
        .collect();
    wrong.push(right.to_uppercase().into_bytes());
    wrong.push(sign(b"another body").into_bytes());
    wrong.push(vec![0xff; 64]);
    for signature in &wrong {
        let request = gateway
            .request(Method::POST, "/exotel/call-start")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-exotel-signature", reqwest::header::HeaderValue::from_bytes(signature).unwrap())
            .body(body.clone());
        Answer::of(request.send().await.unwrap()).await.refused(401, "bad_signature");
    }
    assert_eq!(gateway.audited("webhook.call-start", "bad_signature").await.len(), wrong.len());
    assert_eq!(gateway.running.store().recent_calls(10).await.unwrap().len(), 0);
    gateway.stop().await;
}

#[actix_web::test]
async fn any_listed_way_to_authenticate_will_do_and_no_other() {
    let gateway = Gateway::start().await;
    let path = |extra: &str| format!("/exotel/call-end?CallSid={}&Status=completed{extra}", sid());
    let send = async |path: String, basic: Option<(&str, &str)>| {
        let request = gateway.request(Method::GET, &path);
        let request = match basic {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(send(path("&key=hook-key-of-tests"), None).await.status, 200);
    assert_eq!(send(path(""), Some((API_KEY, API_TOKEN))).await.status, 200);
    send(path(""), None).await.refused(401, "unauthenticated");
    send(path("&key=hook-key-of-test"), None).await.refused(401, "bad_key");
    let answer = send(path(""), Some((API_KEY, "wrong"))).await;
    answer.refused(401, "bad_credentials");
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"callgate\""));
    for outcome in ["unauthenticated", "bad_key", "bad_credentials"] {
        let audited = gateway.audited("webhook.call-end", outcome).await;
        assert_eq!(audited.len(), 1, "{outcome}");
        assert!(!audited[0].payload.to_string().contains("hook-key-of-test"));
    }
    gateway.stop().await;

    let gateway = Gateway::start_with(|args| args.webhook_auth = "signature".to_owned()).await;
    let answer = gateway.get("/exotel/call-end", &[("CallSid", &sid()), ("Status", "completed")]).await;
    answer.refused(401, "unauthenticated");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_number_without_an_active_client_is_unknown() {
    let gateway = Gateway::start().await;
    let other = [("CallSid", "a1"), ("CallFrom", "09876543210"), ("CallTo", "08037091599")];
    let answer = gateway.post("/exotel/call-start", &other).await;
    assert_eq!(answer.refused(404, "unknown_client")["field"], "CallTo");
    let changes = ClientChanges { active: Some(false), ..ClientChanges::default() };
    gateway.running.store().change_client(gateway.tenant.id, changes).await.unwrap();
    let sid = sid();
    gateway.post("/exotel/voicebot", &incoming(&sid)).await.refused(404, "unknown_client");
    assert_eq!(gateway.running.store().recent_calls(10).await.unwrap().len(), 0);
    assert_eq!(gateway.audited("webhook.voicebot", "unknown_client").await[0].call_sid.as_ref().unwrap().as_str(), sid);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_field_that_is_missing_or_malformed_is_named() {
    let gateway = Gateway::start().await;
    let post = async |path: &str, form: &[(&str, &str)]| gateway.post(path, form).await;
    let field = |answer: Answer, code: &str| answer.refused(400, code)["field"].as_str().unwrap().to_owned();
    assert_eq!(field(post("/exotel/call-start", &[("CallTo", NUMBER)]).await, "missing_field"), "CallSid");
    assert_eq!(field(post("/exotel/call-start", &[("CallSid", "null")]).await, "missing_field"), "CallSid");
    assert_eq!(field(post("/exotel/call-start", &[("CallSid", "a b")]).await, "malformed_field"), "CallSid");
    assert_eq!(field(post("/exotel/call-start", &[("CallSid", "a")]).await, "missing_field"), "CallTo");
    let odd = [("CallSid", "a"), ("CallTo", "sip:someone")];
    assert_eq!(field(post("/exotel/call-start", &odd).await, "malformed_field"), "CallTo");
    assert_eq!(field(post("/exotel/call-end", &[("CallSid", "a")]).await, "missing_field"), "CallStatus");
    assert_eq!(field(post("/exotel/recording", &[("CallSid", "a")]).await, "missing_field"), "RecordingUrl");
    assert_eq!(field(post("/exotel/passthru", &[]).await, "missing_field"), "CallSid");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let gateway = Gateway::start().await;
    let post = async |content_type: &str, body: &str| {
        gateway.post_raw("/exotel/call-start", content_type, body.as_bytes().to_vec()).await
    };
    post("application/json", "{\"CallSid\":").await.refused(400, "malformed_body");
    post("application/json", "[1]").await.refused(400, "malformed_body");
    post("multipart/form-data", "--x--").await.refused(400, "malformed_body");
    post("multipart/form-data; boundary=x", "--y--").await.refused(400, "malformed_body");
    post("text/plain", "CallSid=a").await.refused(415, "unsupported_media_type");
    let large = format!("CallSid=a&CallTo={}", "1".repeat(64 * 1024));
    post("application/x-www-form-urlencoded", &large).await.refused(413, "body_too_large");
    let fits = format!("CallSid=a&CallTo={}", "1".repeat(64 * 1024 - 17));
    post("application/x-www-form-urlencoded", &fits).await.refused(400, "malformed_field");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_refused_webhook_is_audited_with_what_it_told() {
    let gateway = Gateway::start().await;
    let payload = async |outcome: &str| gateway.audited("webhook.call-end", outcome).await[0].payload.clone();
    let send = async |method: Method, kind: &str, body: Vec<u8>, key: &str| {
        let request = gateway.request(method, &format!("/exotel/call-end?key={key}")).header("content-type", kind);
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    send(Method::POST, form, b"CallSid=a1&x=1".into(), "hook-key-of-test").await.refused(401, "bad_key");
    assert_eq!(payload("bad_key").await["fields"], serde_json::json!({ "CallSid": "a1", "x": "1" }));
    assert!(!payload("bad_key").await.to_string().contains("hook-key-of-test"));
    send(Method::PUT, form, b"CallSid=a2".into(), "hook-key-of-tests").await.refused(405, "method_not_allowed");
    assert_eq!(payload("method_not_allowed").await["fields"]["CallSid"], "a2");
    let count = "callgate_webhooks_total{hook=\"webhook.call-end\",outcome=\"method_not_allowed\"}";
    assert!(gateway.get_bare("/metrics").await.body.contains(count));

    // What has no fields is kept as it came, within bounds and without secrets.
    send(Method::POST, "text/plain", b"key=hook-key-of-tests&CallSid=a3\xff\0".into(), "hook-key-of-tests")
        .await
        .refused(415, "unsupported_media_type");
    let kept = serde_json::json!({ "bytes": 34, "text": "key=[redacted]&CallSid=a3\u{fffd}\u{fffd}" });
    assert_eq!(payload("unsupported_media_type").await["body"], kept);
    let broken = format!("{{\"token\":\"hook-key-of-tests\",\"CallSid\":\"{}", "a".repeat(9000));
    send(Method::POST, json, broken.clone().into_bytes(), "hook-key-of-tests").await.refused(400, "malformed_body");
    let kept = payload("malformed_body").await["body"].clone();
    assert_eq!((&kept["bytes"], kept["text"].as_str().unwrap().len()), (&broken.len().into(), 512));
    assert!(kept["text"].as_str().unwrap().starts_with("{\"token\":\"[redacted]\",\"CallSid\":\"aaa"), "{kept}");
    // A stranger's fields are bounded, too; of whoever has the key their beginnings are kept.
    let long = format!("CallSid=null&x={}", "1".repeat(9000));
    send(Method::POST, form, long.clone().into_bytes(), "").await.refused(401, "bad_key");
    assert_eq!(payload("bad_key").await["body"]["text"].as_str().unwrap(), &long[..512]);
    send(Method::POST, form, long.into_bytes(), "hook-key-of-tests").await.refused(400, "missing_field");
    let kept = payload("missing_field").await["fields"]["x"].as_str().unwrap().to_owned();
    assert!(kept.len() < 300 && kept.starts_with("111") && kept.ends_with("bytes)"), "{kept}");
    send(Method::POST, form, vec![b'a'; 70_000], "hook-key-of-tests").await.refused(413, "body_too_large");
    assert_eq!(payload("body_too_large").await["body"], serde_json::json!({ "bytes": 70_000 }));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_refused_webhook_is_audited_without_phone_numbers_if_none_are_wanted() {
    let gateway = Gateway::start_with(|args| {
        args.audit_numbers = "masked".to_owned();
        args.allowed_ips = Some("10.0.0.0/8".to_owned());
    })
    .await;
    let post = async |kind: &str| {
        let request = gateway.request(Method::POST, "/exotel/call-start").header("content-type", kind);
        let answer = request.body("CallSid=a1&From=%2B919876543210").send().await.unwrap();
        Answer::of(answer).await.refused(403, "address_not_allowed");
        gateway.audited("webhook.call-start", "address_not_allowed").await[0].payload.clone()
    };
    assert_eq!(post("application/x-www-form-urlencoded").await["fields"]["From"], "…10");
    assert_eq!(post("text/plain").await["body"]["text"], "CallSid=a#&From=%#B############");
    gateway.stop().await;
}

#[actix_web::test]
async fn wrong_paths_and_methods_are_answered_in_json() {
    let gateway = Gateway::start().await;
    gateway.get_bare("/exotel/call-begin").await.refused(404, "not_found");
    gateway.get_bare("/").await.refused(404, "not_found");
    for (method, path, allowed) in [
        (Method::PUT, "/exotel/call-start", "GET, HEAD, POST"),
        (Method::DELETE, "/exotel/passthru", "GET, HEAD, POST"),
        (Method::POST, "/healthz", "GET, HEAD"),
        (Method::POST, "/metrics", "GET, HEAD"),
        (Method::POST, "/exotel/media", "GET"),
        (Method::GET, "/api/v1/calls/a/hangup", "POST"),
    ] {
        let answer = Answer::of(gateway.request(method, path).send().await.unwrap()).await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn every_answer_carries_a_request_id_and_a_sane_one_is_kept() {
    let gateway = Gateway::start().await;
    for (sent, kept) in [("trace-7.a_b:c", true), ("two words", false), ("<script>", false), (&"x".repeat(129), false)]
    {
        let request = gateway.request(Method::GET, "/nowhere").header("x-request-id", sent);
        let answer = Answer::of(request.send().await.unwrap()).await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == sent, kept, "{id}");
        assert!(kept || uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 7), "{id}");
    }
    let ids = [gateway.get_bare("/healthz").await, gateway.get_bare("/healthz").await];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_caller_who_calls_too_often_is_told_when_to_try_again() {
    let gateway = Gateway::start().await;
    let sids: Vec<String> = (0..11).map(|_| sid()).collect();
    for sid in &sids[..10] {
        assert_eq!(gateway.post("/exotel/voicebot", &incoming(sid)).await.status, 200);
    }
    let answer = gateway.post("/exotel/voicebot", &incoming(&sids[10])).await;
    answer.refused(429, "rate_limited");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Neither a repeat nor another caller is held to it.
    assert_eq!(gateway.post("/exotel/voicebot", &incoming(&sids[0])).await.status, 200);
    let mut other = incoming(&sids[10]);
    other[1].1 = "09876543211";
    assert_eq!(gateway.post("/exotel/voicebot", &other).await.status, 200);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_clients_own_rate_limits_hold() {
    let gateway = Gateway::start().await;
    let mut new = tenant("+918037091500");
    new.limits.calls_per_minute = Some(2);
    gateway.running.store().add_client(new).await.unwrap();
    let call = async |from: &str| {
        let sid = sid();
        gateway.post("/exotel/voicebot", &[("CallSid", &sid), ("From", from), ("To", "08037091500")]).await
    };
    assert_eq!(call("09876543211").await.status, 200);
    assert_eq!(call("09876543212").await.status, 200);
    call("09876543213").await.refused(429, "rate_limited");
    gateway.stop().await;
}

#[actix_web::test]
async fn an_address_that_keeps_failing_to_authenticate_is_told_to_wait_and_those_who_can_are_not() {
    let gateway = Gateway::start().await;
    let mut limited = None;
    for _ in 0..400 {
        let answer = gateway.get_bare("/exotel/call-end?CallSid=a&Status=completed").await;
        if answer.status == 429 {
            limited = Some(answer);
            break;
        }
        answer.refused(401, "unauthenticated");
    }
    let limited = limited.expect("a limit");
    limited.refused(429, "rate_limited");
    assert!(limited.header("retry-after").is_some());
    let answer = gateway.post("/exotel/call-end", &[("CallSid", "a"), ("Status", "completed")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_full_node_takes_no_more_calls_and_says_so() {
    let gateway = Gateway::start_with(|args| args.max_calls = "1".to_owned()).await;
    let first = sid();
    assert_eq!(gateway.get_bare("/readyz").await.status, 200);
    assert_eq!(gateway.post("/exotel/call-start", &incoming(&first)).await.status, 200);
    let second = sid();
    let answer = gateway.post("/exotel/call-start", &incoming(&second)).await;
    answer.refused(503, "full");
    assert!(answer.header("retry-after").is_some());
    gateway.get_bare("/readyz").await.refused(503, "full");
    // The call that is here is answered as before, and the refused one was not written down.
    assert_eq!(gateway.post("/exotel/call-start", &incoming(&first)).await.status, 200);
    assert_eq!(gateway.running.store().recent_calls(10).await.unwrap().len(), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_client_has_no_more_live_calls_than_it_may() {
    let gateway = Gateway::start().await;
    let changes = ClientChanges { max_concurrent: Some(Some(1)), ..ClientChanges::default() };
    gateway.running.store().change_client(gateway.tenant.id, changes).await.unwrap();
    let (first, second) = (sid(), sid());
    assert_eq!(gateway.post("/exotel/voicebot", &incoming(&first)).await.status, 200);
    gateway.post("/exotel/voicebot", &incoming(&second)).await.refused(503, "client_full");
    assert_eq!(
        gateway.running.store().recent_calls(10).await.unwrap().len(),
        1,
        "the refused one was not written down"
    );
    // As soon as there is room, the refused call may come again.
    gateway.post("/exotel/call-end", &[("CallSid", &first), ("Status", "completed")]).await;
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    let answer = gateway.post("/exotel/voicebot", &incoming(&second)).await;
    assert!(answer.status == 200 && answer.header("idempotent-replayed").is_none(), "{answer:?}");
    // One that is over is told so, room or not.
    gateway.post("/exotel/voicebot", &incoming(&first)).await.refused(409, "call_over");
    assert_eq!(gateway.running.switchboard().live(), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_draining_node_refuses_new_calls_and_still_takes_reports() {
    let gateway = Gateway::start().await;
    let sid = sid();
    assert_eq!(gateway.get_bare("/readyz").await.status, 200);
    gateway.running.switchboard().drain();
    gateway.get_bare("/readyz").await.refused(503, "draining");
    let answer = gateway.post("/exotel/call-start", &incoming(&sid)).await;
    answer.refused(503, "draining");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(gateway.get_bare("/healthz").await.status, 200);
    let report = [("CallSid", sid.as_str()), ("Status", "completed")];
    assert_eq!(gateway.post("/exotel/call-end", &report).await.status, 200);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_webhook_is_answered_in_time_whatever_the_database_does() {
    let gateway = Gateway::start_with(|args| args.webhook_deadline_ms = "300".to_owned()).await;
    let held = gateway.database.lock();
    let sid = sid();
    let asked = Instant::now();
    let answer = gateway.post("/exotel/call-start", &incoming(&sid)).await;
    answer.refused(503, "storage_away");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(gateway.running.switchboard().live(), 0);
    drop(held);
    super::support::eventually("the call is taken", || async {
        gateway.post("/exotel/call-start", &incoming(&sid)).await.status == 200
    })
    .await;
    assert_eq!(gateway.running.switchboard().live(), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn only_allowed_addresses_may_call_and_proxies_are_believed_when_trusted() {
    let gateway = Gateway::start_with(|args| {
        args.allowed_ips = Some("203.0.113.0/24".to_owned());
        args.trusted_proxies = Some("127.0.0.0/8".to_owned());
    })
    .await;
    let report = format!("/exotel/call-end?CallSid={}&Status=completed&key=hook-key-of-tests", sid());
    let from = async |forwarded: Option<&str>| {
        let request = gateway.request(Method::GET, &report);
        let request = match forwarded {
            Some(forwarded) => request.header("x-forwarded-for", forwarded),
            None => request,
        };
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(from(Some("203.0.113.9")).await.status, 200);
    assert_eq!(from(Some("198.51.100.7, 203.0.113.9, 127.0.0.3")).await.status, 200);
    from(None).await.refused(403, "address_not_allowed");
    from(Some("203.0.113.9, 198.51.100.7")).await.refused(403, "address_not_allowed");
    let audited = gateway.audited("webhook.call-end", "address_not_allowed").await;
    assert_eq!(audited[0].remote_addr.as_deref(), Some("198.51.100.7"));
    // Probes are not webhooks.
    assert_eq!(gateway.get_bare("/readyz").await.status, 200);
    gateway.stop().await;
}
