//! What holds for every webhook alike: who may call it, what it must look like, how soon it answers.

use std::time::{Duration, Instant};

use callgate::testing::ClientChanges;
use protocol::ids::CallSid;
use reqwest::Method;

use super::support::{
    API_KEY, API_TOKEN, Answer, Gateway, PATIENCE, WEBHOOK_KEY, eventually, incoming, sid, sign, urlencoded,
};

const HOOKS: [&str; 7] = ["call-start", "voicebot", "connect", "call-end", "recording", "passthru", "passthru/resume"];
const RECORDING: &str = "https://recordings.exotel.com/exotelrecordings/acme/a.mp3";

/// What its rows in the audit log are.
fn kind(hook: &str) -> String {
    format!("webhook.{}", hook.trim_start_matches("passthru/"))
}

/// A form that every webhook takes.
fn form(sid: &str) -> Vec<(&str, &str)> {
    let mut form = incoming(sid);
    form.extend([("CallStatus", "completed"), ("RecordingUrl", RECORDING), ("Stream[Status]", "completed")]);
    form
}

async fn send(gateway: &Gateway, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let request = gateway.request(method, path).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(request.send().await.unwrap()).await
}

/// A refusal has a code, words, and a field or none: nothing else.
fn is_error(answer: &Answer, status: u16, code: &str) {
    let error = answer.refused(status, code);
    let keys: Vec<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(keys == ["code", "message"] || keys == ["code", "field", "message"], "{keys:?}");
    assert_eq!(answer.json().as_object().unwrap().len(), 1);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[actix_web::test]
async fn every_webhook_refuses_alike() {
    let gateway = Gateway::start().await;
    let (sid, urlenc) = (sid(), ("content-type", "application/x-www-form-urlencoded"));
    let body = urlencoded(&form(&sid)).into_bytes();
    let basic = |text: &str| {
        use base64::Engine;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    for hook in HOOKS {
        let path = format!("/exotel/{hook}");
        let keyed = format!("{path}?key={WEBHOOK_KEY}");
        let post = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
            send(&gateway, Method::POST, path, headers, body.to_vec()).await
        };
        is_error(&post(&path, &[urlenc], &body).await, 401, "unauthenticated");
        is_error(&post(&format!("{path}?key=no"), &[urlenc], &body).await, 401, "bad_key");
        is_error(&post(&path, &[urlenc, ("x-exotel-signature", &sign(b"other"))], &body).await, 401, "bad_signature");
        let wrong = basic(&format!("{API_KEY}:no"));
        is_error(&post(&path, &[urlenc, ("authorization", &wrong)], &body).await, 401, "bad_credentials");
        is_error(&post(&keyed, &[urlenc], b"CallTo=08037091588").await, 400, "missing_field");
        is_error(&post(&keyed, &[urlenc], b"CallSid=a%20b").await, 400, "malformed_field");
        is_error(&post(&keyed, &[("content-type", "application/json")], b"{\"CallSid\"").await, 400, "malformed_body");
        is_error(&post(&keyed, &[("content-type", "text/xml")], &body).await, 415, "unsupported_media_type");
        is_error(&post(&keyed, &[urlenc, ("content-encoding", "gzip")], &body).await, 415, "unsupported_media_type");
        is_error(&post(&keyed, &[urlenc], &vec![b'a'; 64 * 1024 + 1]).await, 413, "body_too_large");
        is_error(&send(&gateway, Method::PUT, &keyed, &[], vec![]).await, 405, "method_not_allowed");
        let right = basic(&format!("{API_KEY}:{API_TOKEN}"));
        // Whether it is let in is all that is asked here: the call is over by then for some of them.
        let let_in = post(&path, &[urlenc, ("authorization", &right)], &body).await;
        let nobody = hook == "connect" && let_in.body.contains("no_transfer");
        assert!(nobody || [200, 302].contains(&let_in.status.as_u16()), "{hook}: {let_in:?}");
        for outcome in ["unauthenticated", "bad_key", "bad_signature", "bad_credentials", "missing_field"] {
            assert_eq!(gateway.audited(&kind(hook), outcome).await.len(), 1, "{hook} {outcome}");
        }
    }
    assert_eq!(gateway.running.store().verify_audit().await.unwrap().map(|whole| whole.unchained), Ok(0));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_refusal_that_needs_no_body_waits_for_none() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let ask = async |gateway: &Gateway, head: &str| {
        let mut socket = tokio::net::TcpStream::connect(gateway.running.addr()).await.unwrap();
        socket
            .write_all(format!("{head}\r\nHost: x\r\nContent-Length: 60000\r\n\r\nCallSid=a").as_bytes())
            .await
            .unwrap();
        let asked = Instant::now();
        let mut answer = vec![0; 4096];
        let count = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut answer)).await.unwrap().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2), "{head}: {:?}", asked.elapsed());
        String::from_utf8_lossy(&answer[..count]).into_owned()
    };
    let gateway = Gateway::start().await;
    let wrong_signature = "POST /exotel/call-end HTTP/1.1\r\nX-Exotel-Signature: 00";
    for (head, code) in [
        ("POST /exotel/call-end HTTP/1.1", "unauthenticated"),
        ("POST /exotel/call-end?key=no HTTP/1.1", "bad_key"),
        ("POST /exotel/call-end HTTP/1.1\r\nAuthorization: Basic bm86bm8=", "bad_credentials"),
        (wrong_signature, "bad_signature"),
        ("PUT /exotel/call-end?key=no HTTP/1.1", "method_not_allowed"),
    ] {
        let answer = ask(&gateway, head).await;
        assert!(answer.contains(code), "{head}: {answer}");
        let kept = gateway.audited("webhook.call-end", code).await[0].payload["body"].clone();
        assert_eq!((&kept["bytes"], &kept["text"]), (&60_000.into(), &"CallSid=a".into()), "{code}");
    }
    gateway.stop().await;

    let gateway = Gateway::start_with(|args| args.allowed_ips = Some("203.0.113.0/24".to_owned())).await;
    let answer = ask(&gateway, &format!("POST /exotel/call-end?key={WEBHOOK_KEY} HTTP/1.1")).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("address_not_allowed"), "{answer}");
    gateway.stop().await;
}

#[actix_web::test]
async fn a_webhook_signed_with_its_time_opens_one_path() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let body = urlencoded(&form(&sid));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let post = async |path: &str, at: u64, signed: String| {
        let (at, signature) = (at.to_string(), sign(signed.as_bytes()));
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [kind, ("x-exotel-timestamp", at.as_str()), ("x-exotel-signature", signature.as_str())];
        send(&gateway, Method::POST, path, &headers, body.clone().into_bytes()).await
    };
    let signed = |at: u64| format!("{at}.POST./exotel/call-end.{body}");
    assert_eq!(post("/exotel/call-end", now, signed(now)).await.status, 200);
    assert_eq!(
        post("//exotel/call-end/", now, signed(now)).await.status,
        200,
        "as it is documented, not as it was pasted"
    );
    post("/exotel/call-start", now, signed(now)).await.refused(401, "bad_signature");
    post("/exotel/call-end", now - 600, signed(now - 600)).await.refused(401, "stale_signature");
    // A GET signs its query in place of a body.
    let query = format!("CallSid={sid}&Status=completed");
    let (at, signature) = (now.to_string(), sign(format!("{now}.GET./exotel/call-end.{query}").as_bytes()));
    let headers = [("x-exotel-timestamp", at.as_str()), ("x-exotel-signature", signature.as_str())];
    assert_eq!(send(&gateway, Method::GET, &format!("/exotel/call-end?{query}"), &headers, vec![]).await.status, 200);
    gateway.stop().await;
}

#[actix_web::test]
async fn spare_slashes_and_a_mark_of_utf_8_are_no_reason_to_lose_a_call() {
    let gateway = Gateway::start().await;
    for path in ["//exotel/voicebot", "/exotel/voicebot/", "/exotel//voicebot//", "///exotel/voicebot"] {
        let sid = sid();
        let answer = gateway.post(path, &incoming(&sid)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        gateway.post("/exotel/call-end/", &[("CallSid", &sid), ("Status", "completed")]).await;
    }
    let body = format!("\u{feff}{{\"CallSid\":\"{}\",\"Status\":\"completed\"}}", sid());
    assert_eq!(gateway.post_raw("/exotel/call-end", "application/json", body.into_bytes()).await.status, 200);
    for path in ["/exotel", "/exotel/voicebots", "/exotel/voice/bot", "/exotel/./voicebots"] {
        gateway.get_bare(path).await.refused(404, "not_found");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn what_the_carrier_tells_of_the_account_is_counted_and_not_kept() {
    let gateway = Gateway::start().await;
    for hook in HOOKS {
        let path = format!("/exotel/{hook}");
        for (told, kind) in [
            ("{\"EventType\":\"Heartbeat\"}", "heartbeat"),
            ("{\"event_type\":\"test\",\"AccountSid\":\"acme\"}", "test"),
            ("{\"EventType\":\"NobodyExpectedThis\",\"CallSid\":null}", "other"),
        ] {
            let answer = gateway.post_raw(&path, "application/json", told.as_bytes().to_vec()).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["event"]), (200, &kind.into()), "{hook}");
        }
        let nothing = gateway.post_raw(&path, "application/json", b"{\"Status\":\"completed\"}".to_vec()).await;
        assert_eq!(nothing.refused(400, "missing_field")["field"], "CallSid", "{hook}");
        let of_a_call = gateway.post_raw(&path, "application/json", b"{\"EventType\":\"terminal\"}".to_vec()).await;
        of_a_call.refused(400, "missing_field");
        assert!(gateway.audited(&kind(hook), "account-event").await.is_empty());
    }
    let page = gateway.get_bare("/metrics").await.body;
    for kind in ["heartbeat", "test", "other"] {
        assert!(page.contains(&format!("callgate_account_events_total{{kind=\"{kind}\"}}")), "{kind}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_body_that_drips_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let gateway = Gateway::start().await;
    let mut socket = tokio::net::TcpStream::connect(gateway.running.addr()).await.unwrap();
    let head = format!(
        "POST /exotel/call-end?key={WEBHOOK_KEY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let count = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_timeout"), "{answer}");
    drop(socket);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_head_begins_nothing() {
    let gateway = Gateway::start().await;
    for (hook, kind) in HOOKS.iter().zip(["application/xml"].into_iter().chain(std::iter::repeat("application/json"))) {
        let sid = sid();
        let path = format!("/exotel/{hook}?{}", urlencoded(&form(&sid)));
        let refused = send(&gateway, Method::HEAD, &path, &[], vec![]).await;
        assert_eq!(refused.status, 401, "{hook}");
        let answer = send(&gateway, Method::HEAD, &format!("{path}&key={WEBHOOK_KEY}"), &[], vec![]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(kind)), "{hook}");
        assert_eq!(gateway.running.store().call(&CallSid::new(&sid)).await.unwrap(), None, "{hook}");
    }
    assert_eq!(gateway.running.switchboard().live(), 0);
    gateway.stop().await;
}

#[actix_web::test]
async fn every_webhook_keeps_its_deadline_while_the_database_hangs_and_no_report_is_lost() {
    let gateway = Gateway::start_with(|args| args.webhook_deadline_ms = "400".to_owned()).await;
    let held = gateway.database.lock();
    let sids: Vec<String> = HOOKS.iter().map(|_| sid()).collect();
    for (hook, sid) in HOOKS.iter().zip(&sids) {
        let asked = Instant::now();
        let answer = gateway.post(&format!("/exotel/{hook}"), &form(sid)).await;
        // A database that only cannot write says that there is no such call.
        if *hook != "connect" || answer.status == 503 {
            is_error(&answer, 503, "storage_away");
            assert!(answer.header("retry-after").is_some());
        }
        assert!(asked.elapsed() < Duration::from_millis(1500), "{hook}: {:?}", asked.elapsed());
    }
    gateway.get_bare("/readyz").await;
    assert_eq!(gateway.get_bare("/healthz").await.status, 200);
    drop(held);
    // What the carrier reported is there, though it was told to come again and did not.
    for sid in &sids[3..] {
        eventually("the report is written", || async {
            let call = gateway.running.store().call(&CallSid::new(sid)).await;
            call.is_ok_and(|call| call.is_some())
        })
        .await;
    }
    eventually("the refusals are audited", || async {
        gateway.audited("webhook.call-end", "storage_away").await.len() == 1
    })
    .await;
    assert!(gateway.running.store().verify_audit().await.unwrap().is_ok());
    gateway.stop().await;
}

#[actix_web::test]
async fn a_client_disabled_in_the_middle_of_a_call_keeps_that_call() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let first = gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    let changes = ClientChanges { active: Some(false), ..ClientChanges::default() };
    gateway.running.store().change_client(gateway.tenant.id, changes).await.unwrap();
    let again = gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    assert_eq!((again.status.as_u16(), &again.body), (200, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(gateway.running.switchboard().live(), 1);
    let other = crate::support::sid();
    gateway.post("/exotel/voicebot", &incoming(&other)).await.refused(404, "unknown_client");
    let ended = gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
    assert_eq!(ended.status, 200);
    assert!(gateway.running.switchboard().drained(PATIENCE).await);
    gateway.stop().await;
}

#[actix_web::test]
async fn exotels_odd_spellings_are_understood() {
    let gateway = Gateway::start().await;
    let sid = sid();
    // StatusCallback, answered: multipart, a leg's status, null in words, India's clock.
    let told = [
        ("CallSid", sid.as_str()),
        ("EventType", "answered"),
        ("Status", "busy"),
        ("DateUpdated", "2024-09-03 11:44:54"),
        ("EndTime", "1970-01-01 05:30:00"),
        ("RecordingUrl", "null"),
        ("Legs[0][Status]", "in-progress"),
        ("digits", "\"8\""),
    ];
    let mut body = String::new();
    for (name, value) in told {
        body += &format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--b0--\r\n";
    let answer =
        gateway.post_raw("/exotel/call-end", "multipart/form-data; boundary=b0", body.into_bytes()).await.json();
    assert_eq!(answer["status"], "in-progress");
    let call = async || gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
    assert_eq!(call().await.times.answered_at.unwrap().timestamp(), 1_725_344_094);
    assert_eq!((call().await.times.ended_at, call().await.is_over()), (None, false));
    // The end, with the four fields of a flow call.
    let told = [
        ("CallSid", sid.as_str()),
        ("Status", "completed"),
        ("RecordingUrl", RECORDING),
        ("DateUpdated", "2024-09-03 11:46:00"),
    ];
    assert_eq!(gateway.post("/exotel/call-end", &told).await.json()["status"], "completed");
    assert!(call().await.is_over());
    gateway.stop().await;
}

#[actix_web::test]
async fn every_route_is_in_the_metrics_by_status() {
    let gateway = Gateway::start().await;
    gateway.get("/exotel/voicebot", &incoming(&sid())).await;
    gateway.get_bare("/exotel/../nowhere").await;
    gateway.operate(Method::GET, "/api/v1/calls/nobody").await;
    let page = gateway.get_bare("/metrics").await.body;
    for line in [
        "callgate_http_requests_total{route=\"/exotel/voicebot\",status=\"200\"}",
        "callgate_http_requests_total{route=\"/api/v1/calls/{sid}\",status=\"404\"}",
        "callgate_http_requests_total{route=\"none\",status=\"404\"}",
        "callgate_http_seconds_bucket{route=\"/exotel/voicebot\",le=\"0.05\"}",
        "callgate_audit_lag_seconds ",
        "callgate_audit_waiting ",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    gateway.stop().await;
}
